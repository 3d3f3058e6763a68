"""What an application asks of the identity host: sign-in by OpenID Connect, and tokens by its API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors_core import Hub, Registry
from connectors_core.flow import Completed

SCOPE = "openid profile email identities tokens verification"
GOOGLE = "google"
ACCESS_TOKEN = f"/my-account/identities/{GOOGLE}/access-token"


class SignedOut(Exception):
    """The host does not know this session any more: sign in again."""


class Problem(Exception):
    """The host says no; ``code`` is its stable word for why. RFC 9457."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(document.get("detail") or document.get("title"))
        self.code = str(document.get("code", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Google's access token as the host hands it out; always good when it arrives."""

    value: str = field(repr=False)
    scopes: frozenset[str]
    seconds: int

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Token:
        return cls(
            value=answer["accessToken"],
            scopes=frozenset(answer["scope"].split()),
            seconds=answer.get("expires_in", 0),
        )


class IdentityHost:
    """The host at ``url``, for the application that it knows as ``client_id``."""

    def __init__(
        self, url: str, *, client_id: str, client_secret: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.hub = Hub(Registry.from_entry_points(), allow_private_network=True, clock=clock)
        self.hub.add(
            "host",
            type="oidc",
            config={
                "issuer": f"{url}/oidc",
                "clientId": client_id,
                "clientSecret": client_secret,
                "scope": SCOPE,
            },
        )
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)

    # Signing in and out

    async def begin(self, redirect_uri: str) -> tuple[str, str]:
        """Where to send the browser, and the value of a cookie that it must bring back."""
        started = await self.hub.begin("host", redirect_uri=redirect_uri)
        return started.uri, started.binding

    async def complete(self, query: str, binding: str | None) -> Completed:
        """Who came back. Raises ConnectorError."""
        return await self.hub.complete(query, connector="host", binding=binding)

    async def sign_out_uri(self, id_token: str | None, back_to: str) -> str:
        uri = await self.hub.end_session_uri("host", id_token_hint=id_token, post_logout_redirect_uri=back_to)
        return uri or back_to

    # Google's tokens: the host keeps them, and has them refreshed

    async def google_token(self, user_access_token: str) -> Token:
        return Token.read(await self._fetch("GET", ACCESS_TOKEN, user_access_token))

    async def ask_for_more(self, user_access_token: str, *, scope: str, redirect_uri: str) -> tuple[str, str]:
        """The id of a verification record, and where Google asks the person."""
        answer = await self._fetch(
            "POST",
            "/api/verification/social",
            user_access_token,
            {"connectorId": GOOGLE, "redirectUri": redirect_uri, "scope": scope},
        )
        return answer["verificationRecordId"], answer["authorizationUri"]

    async def take_what_was_granted(
        self, user_access_token: str, *, record: str, callback: Mapping[str, str]
    ) -> Token:
        """Hand over what the callback received, then have the stored tokens updated."""
        await self._fetch(
            "POST",
            "/api/verification/social/verify",
            user_access_token,
            {"verificationRecordId": record, "connectorData": dict(callback)},
        )
        updated = {"socialVerificationId": record}
        return Token.read(await self._fetch("PATCH", ACCESS_TOKEN, user_access_token, updated))

    async def _fetch(
        self, method: str, path: str, user_access_token: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {user_access_token}"}
        answer = await self._http.request(method, path, headers=headers, json=body)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise SignedOut
        if answer.is_error:
            raise Problem(answer.json())
        return answer.json()

    async def __aenter__(self) -> IdentityHost:
        await self.hub.__aenter__()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._http.aclose()
        await self.hub.__aexit__(*exception)
