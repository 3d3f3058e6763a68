"""The authorization endpoint. RFC 6749 §4.1, RFC 7636, RFC 9207, OpenID Connect Core §3.1.2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from .grants import Client, Grant, Person, Refused
from .messages import Request, Response
from .pages import consent_page, error_page, form_post_page, read_form_post

if TYPE_CHECKING:
    from .provider import Provider
    from .records import Recorded

Pairs = list[tuple[str, str]]
SESSION_COOKIE = "provider_session"
_DECISION = ("person", "granted", "decision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """Where the browser ended up: the redirect URI and what it carries there."""

    method: str
    uri: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def query(self) -> str:
        return urlencode(self.parameters)


def landing_of(response: Response) -> Landing:
    """Read an authorization response as a browser would. Raises LookupError for a page meant for people."""
    location = response.headers.get("location")
    if location is not None:
        uri, _, query = location.partition("?")
        return Landing(method="GET", uri=uri, parameters=tuple(parse_qsl(query, keep_blank_values=True)))
    posted = read_form_post(response.body.decode())
    if posted is None:
        words = re.sub(r"<[^>]*>", " ", response.body.decode())
        raise LookupError(f"the provider showed a page: {' '.join(words.split())}")
    return Landing(method="POST", uri=posted[0], parameters=tuple(posted[1]))


def authorize(provider: Provider, request: Request, recorded: Recorded) -> Response:
    pairs = request.query_pairs() + request.form_pairs()
    decided = [(name, value) for name, value in pairs if name in _DECISION]
    asked = [(name, value) for name, value in pairs if name not in _DECISION]
    parameters = dict(asked)
    client = provider.clients.get(parameters.get("client_id", ""))
    repeated = [name for name, count in Counter(name for name, _ in asked).items() if count > 1]
    if client is None or repeated:
        return error_page("unknown client" if client is None else "a parameter is repeated")
    recorded.client_id = client.client_id
    redirect_uri = parameters.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        return error_page("redirect_uri is not registered")
    try:
        parameters = provider.edited("request", parameters)
        error = _problem(provider, parameters)
    except Refused as refused:
        error = refused.error
    if error and provider.problems_shown:
        return error_page(error)
    if error:
        return _answer(provider, parameters, [("error", error)])
    return _decide(provider, request, client, parameters, decided)


def _problem(provider: Provider, parameters: dict[str, str]) -> str:
    scopes = provider.scopes_of(parameters.get("scope", ""))
    challenge = parameters.get("code_challenge")
    if parameters.get("response_type") != "code":
        return "unsupported_response_type"
    if parameters.get("response_mode", "query") not in provider.response_modes:
        return "invalid_request"
    if any(scope not in provider.scopes_supported for scope in scopes):
        return "invalid_scope"
    if challenge is None and provider.pkce == "required":
        return "invalid_request"
    if challenge is not None and provider.pkce == "refused":
        return "invalid_request"
    if challenge is not None and parameters.get("code_challenge_method") != "S256":
        return "invalid_request"
    return ""


def _decide(
    provider: Provider, request: Request, client: Client, parameters: dict[str, str], decided: Pairs
) -> Response:
    scopes = tuple(dict.fromkeys(provider.scopes_of(parameters.get("scope", ""))))
    hint = parameters.get("login_hint", "")
    if provider.consent == "automatic":
        if provider.denies_with:
            return _answer(provider, parameters, [("error", provider.denies_with)])
        person = provider.person_hinted(hint) or next(iter(provider.people.values()))
        refused = provider.refused_scopes - provider.always_granted
        granted = [scope for scope in scopes if scope not in refused]
        return _grant(provider, client, parameters, person, granted)
    session = _cookie(request, SESSION_COOKIE)
    signed_in = provider.people.get(session)
    prompt = parameters.get("prompt", "").split()
    if signed_in is not None and _consented(provider, client, signed_in, scopes, prompt):
        return _grant(provider, client, parameters, signed_in, scopes)
    if "none" in prompt:
        return _answer(
            provider, parameters, [("error", "consent_required" if signed_in else "login_required")]
        )
    chosen = dict(decided)
    if request.method != "POST" or "decision" not in chosen:
        shown = None if "login" in prompt or "select_account" in prompt else signed_in
        return consent_page(provider, client, parameters, scopes, shown, hint)
    if chosen["decision"] != "allow":
        return _answer(provider, parameters, [("error", "access_denied")])
    chosen_person = provider.people.get(chosen.get("person", ""), signed_in)
    if chosen_person is None:
        return error_page("nobody of that name")
    ticked = {value for name, value in decided if name == "granted"} | provider.always_granted
    granted = [scope for scope in scopes if scope in ticked]
    answer = _grant(provider, client, parameters, chosen_person, granted)
    cookie = {"set-cookie": f"{SESSION_COOKIE}={chosen_person.sub}; HttpOnly; SameSite=Lax; Path=/"}
    return Response(status=answer.status, headers={**answer.headers, **cookie}, body=answer.body)


def _consented(
    provider: Provider, client: Client, person: Person, scopes: Sequence[str], prompt: Sequence[str]
) -> bool:
    """Whether the person allowed all this before, and nobody asks to be shown a page."""
    if not provider.remembers_consent or {"login", "select_account", "consent"} & {*prompt}:
        return False
    mine = Grant(client_id=client.client_id, person=person, scopes=(), redirect_uri="")
    held = {scope for grant in provider.ledger.grants_like(mine) for scope in grant.scopes}
    return {*scopes} <= held


def _cookie(request: Request, name: str) -> str:
    for part in request.headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _grant(
    provider: Provider, client: Client, parameters: dict[str, str], person: Person, granted: Sequence[str]
) -> Response:
    grant = Grant(
        client_id=client.client_id,
        person=person,
        scopes=tuple(granted),
        redirect_uri=parameters["redirect_uri"],
        nonce=parameters.get("nonce"),
        code_challenge=parameters.get("code_challenge"),
        max_age=parameters.get("max_age"),
        acr=next(iter(parameters.get("acr_values", "").split()), None),
        auth_time=int(provider.clock()),
        offline=provider.refresh_tokens == "always"
        or (provider.refresh_tokens == "offline_access" and "offline_access" in granted),
        parameters=parameters,
    )
    grant = provider.edited("grant", grant)
    code = provider.ledger.add_code(grant, expires_at=provider.clock() + provider.code_lifetime)
    return _answer(provider, parameters, [("code", code)])


def _answer(provider: Provider, parameters: dict[str, str], pairs: Pairs) -> Response:
    """The authorization response, by query or form_post, through the deviations in force."""
    if "state" in parameters:
        pairs = [*pairs, ("state", parameters["state"])]
    if provider.callback_iss in ("announced", "unannounced"):
        pairs = [*pairs, ("iss", provider.issuer)]
    pairs = provider.edited("authorization", pairs)
    redirect_uri = parameters["redirect_uri"]
    if parameters.get("response_mode") == "form_post":
        return form_post_page(redirect_uri, pairs)
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return Response.redirect(f"{redirect_uri}{separator}{urlencode(pairs)}")
