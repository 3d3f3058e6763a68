"""Token, revocation and the endpoints that a token opens. RFC 6749 §4.1.3, §5, §6; RFC 7009; RFC 6750."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .client_auth import authenticate
from .grants import AccessToken, Client, Grant, Refused
from .keys import b64, digest
from .messages import Request, Response

if TYPE_CHECKING:
    from .provider import Provider
    from .records import Recorded


def token(provider: Provider, request: Request, recorded: Recorded) -> Response:
    form = provider.edited("form", _form(request, provider.token_request))
    client = authenticate(provider, form, recorded)
    match form.get("grant_type"):
        case "authorization_code":
            grant = _redeem(provider, client, form)
            payload = _payload(provider, grant, grant.scopes)
            if grant.offline:
                payload["refresh_token"] = provider.ledger.add_refresh_token(grant)
            if provider.openid and "openid" in grant.scopes:
                payload["id_token"] = provider.id_token(grant, access_token=payload["access_token"])
            payload = provider.edited("token", payload)
        case "refresh_token":
            payload = provider.edited("refresh", _refresh(provider, client, form))
        case own if own in provider.grant_types:
            payload = provider.edited("token", provider.grant_types[own](provider, form))
        case _:
            raise Refused("unsupported_grant_type")
    return encoded(provider, request, payload)


def encoded(provider: Provider, request: Request, body: Any, *, status: int = 200) -> Response:
    """A token response or its error in the encoding of this provider. RFC 6749 §5."""
    wants_json = "json" in request.headers.get("accept", "")
    form = provider.token_answer == "form" or (provider.token_answer == "accept" and not wants_json)
    return (Response.form if form else Response.json)(body, status=status)


def _form(request: Request, encoding: str = "form") -> dict[str, str]:
    pairs = request.json_pairs() if encoding == "json" else request.form_pairs()
    if request.method != "POST" or not pairs:
        raise Refused("invalid_request", f"a {encoding} by POST is expected")
    if any(count > 1 for count in Counter(name for name, _ in pairs).values()):
        raise Refused("invalid_request", "a parameter is repeated")
    return dict(pairs)


def _redeem(provider: Provider, client: Client, form: Mapping[str, str]) -> Grant:
    grant = provider.ledger.redeem(form.get("code", ""), client_id=client.client_id, now=provider.clock())
    if form.get("redirect_uri") != grant.redirect_uri:
        raise Refused("invalid_grant", "redirect_uri is another than before")
    verifier = form.get("code_verifier")
    if provider.pkce == "ignored":
        return grant
    if (verifier is None) != (grant.code_challenge is None):
        raise Refused("invalid_grant", "code_verifier without code_challenge, or the other way round")
    if verifier is not None and b64(digest("RS256", verifier.encode())) != grant.code_challenge:
        raise Refused("invalid_grant", "code_verifier does not fit")
    return grant


def _payload(provider: Provider, grant: Grant, scopes: tuple[str, ...]) -> dict[str, Any]:
    expires_at = provider.clock() + provider.access_token_lifetime
    payload: dict[str, Any] = {
        "access_token": provider.ledger.add_access_token(grant, scopes, expires_at=expires_at),
        "token_type": "Bearer",
        "expires_in": provider.access_token_lifetime,
    }
    if provider.states_scope:
        separator = provider.granted_scope_separator or provider.scope_separator
        payload["scope"] = separator.join(scopes)
    return payload


def _refresh(provider: Provider, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
    value = form.get("refresh_token", "")
    known = provider.ledger.refresh_tokens.get(value)
    asked = tuple(provider.scopes_of(form["scope"])) if "scope" in form else None
    if known is not None and asked is not None and not set(asked) <= set(known.grant.scopes):
        raise Refused("invalid_scope", "more than was granted")
    entry = provider.ledger.use_refresh_token(
        value, client_id=client.client_id, rotation=provider.rotation, now=provider.clock()
    )
    payload = _payload(provider, entry.grant, asked or entry.grant.scopes)
    if provider.rotation != "none":
        payload["refresh_token"] = provider.ledger.add_refresh_token(entry.grant, after=entry)
    if provider.openid and "openid" in entry.grant.scopes and provider.id_token_on_refresh:
        payload["id_token"] = provider.id_token(
            entry.grant, access_token=payload["access_token"], stage="refresh_claims"
        )
    return payload


def revoke(provider: Provider, request: Request, recorded: Recorded) -> Response:
    form = _form(request, provider.token_request)
    if provider.revocation == "everything":
        return _revoke_everything(provider, form.get("token", ""))
    client = authenticate(provider, form, recorded)
    grant = provider.ledger.grant_of(form.get("token", ""))
    if provider.revocation == "grant" and grant is not None:
        grant.revoked = "revocation"
    provider.ledger.revoke(form.get("token", ""), client_id=client.client_id)
    return Response()


def _revoke_everything(provider: Provider, value: str) -> Response:
    grant = provider.ledger.grant_of(value)
    if grant is None:
        raise Refused("invalid_token", "the token has expired or was revoked", status=400)
    for each in (grant, *provider.ledger.grants_like(grant)):
        each.revoked = "revocation"
    return Response.json({})


def bearer(provider: Provider, request: Request) -> AccessToken:
    """The access token that came along. Raises Refused with invalid_token. RFC 6750 §2.1."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refused("invalid_token", status=401)
    return provider.ledger.live_access_token(value, now=provider.clock())


def userinfo(provider: Provider, request: Request, recorded: Recorded) -> Response:
    access = bearer(provider, request)
    claims = {"sub": access.grant.person.sub, **released(provider, access.grant, access.scopes)}
    claims = provider.edited("userinfo", claims)
    if provider.userinfo_signed:
        signed = provider.signed(claims | {"iss": provider.issuer, "aud": access.grant.client_id})
        return Response(headers={"content-type": "application/jwt"}, body=signed.encode())
    return Response.json(claims)


def released(provider: Provider, grant: Grant, scopes: tuple[str, ...]) -> dict[str, Any]:
    """The person's claims that these scopes let out. OpenID Connect Core §5.4."""
    names = [name for scope in scopes for name in provider.claims_of.get(scope, ())]
    return {name: grant.person.claims[name] for name in names if name in grant.person.claims}


def user(provider: Provider, request: Request, recorded: Recorded) -> Response:
    """A profile the way plain OAuth servers give it: own names, a numeric id."""
    person = bearer(provider, request).grant.person
    own = {
        "id": provider.number_of(person),
        "login": person.sub,
        "name": person.claims.get("name"),
        "avatar_url": person.claims.get("picture"),
        "email": person.claims.get("email"),
    }
    return Response.json(provider.edited("userinfo", own))


def api(provider: Provider, request: Request, recorded: Recorded) -> Response:
    """``/api/me`` for any token, ``/api/{scope}`` for one that has the scope."""
    access = bearer(provider, request)
    needed = request.path.rpartition("/")[2]
    if needed not in ("me", *access.scopes):
        raise Refused("insufficient_scope", status=403)
    return Response.json({"sub": access.grant.person.sub, "scope": " ".join(access.scopes)})
