"""The authorization request: read, judged, and kept on the server while the person signs in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from authlib.oauth2.rfc6749.errors import (  # type: ignore[import-untyped]
    InvalidRequestError,
    OAuth2Error,
)

from ..errors import HostError
from ..host import Host
from . import id_tokens, protocol
from .answers import issuer_of
from .clients import client_of
from .discovery import PROMPTS

NOT_SUPPORTED = ("request", "request_uri", "registration")
"""Parameters that must not be ignored. OpenID Connect Core §3.1.2.6, §6, §7.2.1."""
MAX_VALUE = 2048
"""Characters of the longest value that is kept."""
KEPT_AS_THEY_ARE = ("state", "nonce", "scope", "prompt", "direct_sign_in")

_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an application asks for.

    ``asked`` is when the person was sent to the sign-in page for it (seconds since the epoch), and
    ``before`` the session that did not suffice then.
    """

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    state: str | None = field(repr=False)
    nonce: str | None = field(repr=False)
    code_challenge: str = field(repr=False)
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    subject: str | None = None
    sign_up: bool = False
    target: str | None = None
    before: str = field(default="", repr=False)
    asked: float | None = None

    def written(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Wanted:
        names = {each.name for each in fields(cls)}
        lists = {name: tuple(kept[name]) for name in ("scope", "prompt")}
        return cls(**{name: value for name, value in kept.items() if name in names} | lists)


class AuthorizationRefused(Exception):
    """A request that is answered at its ``redirect_uri``, which is the application's own."""

    def __init__(self, error: OAuth2Error, *, redirect_uri: str, state: str | None) -> None:
        super().__init__(str(error.error))
        self.error = error
        self.redirect_uri = redirect_uri
        self.state = state


async def read_request(host: Host, pairs: list[tuple[str, str]]) -> Wanted:
    """The request of those parameters.

    Raises HostError where it cannot be said whose it is: an unknown application, or a redirect URI
    that is not exactly one of its own. AuthorizationRefused for everything else that is wrong.
    """
    names = [name for name, _ in pairs]
    repeated = {name for name in names if names.count(name) > 1} - {"resource"}
    # RFC 6749 §3.1: what is sent without a value is left out.
    parameters = {name: value for name, value in pairs if value}
    client = client_of(host, parameters.get("client_id", ""))
    if client is None or "client_id" in repeated:
        raise HostError("invalid_request", "client_id names no application of this host")
    redirect_uri = parameters.get("redirect_uri", "")
    if not client.check_redirect_uri(redirect_uri) or "redirect_uri" in repeated:
        raise HostError("invalid_request", "redirect_uri is not one of the application's")
    state = None if "state" in repeated else parameters.get("state")
    try:
        if repeated:
            raise InvalidRequestError("A parameter is given twice.")
        for name in NOT_SUPPORTED:
            if name in parameters:
                raise OAuth2Error("It cannot be used here.", error=f"{name}_not_supported")
        if parameters.get("response_mode", "query") != "query":
            raise InvalidRequestError("Only response_mode=query is supported.")
        if any(len(parameters.get(name, "")) > MAX_VALUE for name in KEPT_AS_THEY_ARE):
            raise InvalidRequestError(f"A value is longer than {MAX_VALUE} characters.")
        if any(value != host.settings.base_url for name, value in pairs if name == "resource"):
            raise protocol.InvalidTargetError
        scope = protocol.check_authorization(client, parameters, uri=host.settings.base_url)
        return Wanted(
            client_id=client.client_id,
            redirect_uri=redirect_uri,
            scope=tuple(scope.split()),
            state=state,
            nonce=parameters.get("nonce"),
            code_challenge=parameters["code_challenge"],
            prompt=_prompt(parameters),
            max_age=_max_age(parameters),
            subject=await _subject(host, parameters),
            sign_up=_sign_up(parameters),
            target=_target(parameters),
        )
    except OAuth2Error as error:
        raise AuthorizationRefused(error, redirect_uri=redirect_uri, state=state) from None


def _prompt(parameters: Mapping[str, str]) -> tuple[str, ...]:
    prompt = tuple(parameters.get("prompt", "").split())
    if not {*prompt} <= {*PROMPTS}:
        raise InvalidRequestError("The prompt is not supported.")
    if "none" in prompt and len(prompt) > 1:
        raise InvalidRequestError("prompt=none stands alone.")
    return prompt


def _max_age(parameters: Mapping[str, str]) -> int | None:
    seconds = parameters.get("max_age")
    if seconds is None:
        return None
    if not _SECONDS.fullmatch(seconds):
        raise InvalidRequestError("max_age is no number of seconds.")
    return int(seconds)


async def _subject(host: Host, parameters: Mapping[str, str]) -> str | None:
    """Whom ``id_token_hint`` names."""
    hint = parameters.get("id_token_hint")
    if hint is None:
        return None
    claims = await id_tokens.hinted(hint, keys=host.signing_keys, issuer=issuer_of(host))
    if claims is None or claims.get("aud") != parameters["client_id"]:
        raise InvalidRequestError("id_token_hint is no ID token of this application.")
    return str(claims["sub"])


def _sign_up(parameters: Mapping[str, str]) -> bool:
    """Logto's ``interaction_mode`` and ``first_screen``, and ``prompt=create``."""
    first = parameters.get("first_screen", "").partition(":")[2] or parameters.get("first_screen", "")
    return (
        parameters.get("interaction_mode") == "signUp"
        or first == "register"
        or "create" in parameters.get("prompt", "").split()
    )


def _target(parameters: Mapping[str, str]) -> str | None:
    """The target of Logto's ``direct_sign_in=social:TARGET``."""
    method, _, target = parameters.get("direct_sign_in", "").partition(":")
    return target if method == "social" and target else None
