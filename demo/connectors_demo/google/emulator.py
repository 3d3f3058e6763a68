"""The emulator: the controllable provider as Google, with Google's pages and APIs in front of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode

from connectors_core import ServerMetadata
from connectors_core.testing.profiles.google import GOOGLE
from connectors_core.testing.provider import Client, Provider, Request, Response
from connectors_core.testing.provider.wire import WireServer

from .apis import ALL, SCOPES, resources
from .one_tap import OneTap
from .pages import Pages, asset, avatar
from .people import accounts

SESSION = "provider_session"


class GoogleEmulator:
    """``url`` is its address once it is served; ``provider`` tells and changes what it does.

    ``lifetime`` of access tokens is in seconds, ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self, client: Client, *, name: str, lifetime: int = 3599, clock: Callable[[], float] = time.time
    ) -> None:
        self.client, self.name, self.clock, self.lifetime = client, name, clock, lifetime
        self._server = WireServer(self.handle, clock=clock)
        self.url = ""

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[GoogleEmulator]:
        """Listen on loopback."""
        await self._server.start(port)
        self.url = f"http://localhost:{self._server.port}"
        self.accounts = accounts(self.clock(), self.url)
        self.provider = self._provider()
        self.pages = Pages(self.provider, application=self.name)
        self.one_tap = OneTap(self.provider, self.pages)
        try:
            yield self
        finally:
            await self._server.stop()

    @property
    def metadata(self) -> ServerMetadata:
        """Where Google's endpoints are here."""
        url = self.provider.url
        return ServerMetadata(
            issuer=self.url,
            authorization_endpoint=url("authorize"),
            token_endpoint=url("token"),
            userinfo_endpoint=url("userinfo"),
            jwks_uri=url("jwks"),
            revocation_endpoint=url("revoke"),
        )

    def _provider(self) -> Provider:
        google = GOOGLE.provider(
            clock=self.clock,
            issuer=self.url,
            addresses={},
            clients={self.client.client_id: self.client},
            people={sub: account.person for sub, account in self.accounts.items()},
            resources=resources(self.accounts),
            consent="page",
            access_token_lifetime=self.lifetime,
        )
        google.scopes_supported = tuple(
            dict.fromkeys((*google.scopes_supported, *(f"{SCOPES}{scope}" for scope in ALL)))
        )
        return google

    async def handle(self, request: Request) -> Response:
        folder, _, rest = request.path[1:].partition("/")
        match folder:
            case "emulator":
                refreshes = self.provider.requests.count("token", grant_type="refresh_token")
                return Response.json({"refreshes": refreshes})
            case "static":
                return asset(rest)
            case "avatar":
                return avatar(self.accounts, rest)
            case "gsi":
                return self.one_tap.handle(request)
            case "authorize":
                return await self._authorize(request)
            case _:
                return await self.provider.handle(request)

    async def _authorize(self, request: Request) -> Response:
        """Who is it, then what may the application have: each on a page, where Google would show one."""
        form = dict(request.form_pairs())
        if "decision" in form:
            # The form names the person who decided; the cookie may be another's.
            headers = {name: value for name, value in request.headers.items() if name != "cookie"}
            return await self.provider.handle(replace(request, headers=headers))
        asked = [pair for pair in request.query_pairs() + request.form_pairs() if pair[0] != "person"]
        person = self._who(dict(asked), form.get("person"), _session(request))
        headers = {"cookie": f"{SESSION}={person}"}
        answer = await self.provider.handle(
            Request(method="GET", path=request.path, query=urlencode(asked), headers=headers)
        )
        if answer.status != HTTPStatus.OK:
            return replace(answer, headers={**answer.headers, **_signed_in(person)})
        if not person:
            return self.pages.choose(asked)
        return self.pages.consent(asked, self.accounts[person].person)

    def _who(self, asked: Mapping[str, str], chosen: str | None, session: str) -> str:
        """The subject of the person at the browser, "" where they have to say."""
        if chosen is not None:
            return chosen if chosen in self.accounts else ""
        hinted = self.provider.person_hinted(asked.get("login_hint", ""))
        other = hinted is not None and hinted.sub != session
        wanted = "select_account" in asked.get("prompt", "").split()
        return session if session in self.accounts and not other and not wanted else ""


def _signed_in(person: str) -> dict[str, str]:
    """The browser remembers the person, as after a consent."""
    return {"set-cookie": f"{SESSION}={person}; HttpOnly; SameSite=Lax; Path=/"} if person else {}


def _session(request: Request) -> str:
    """The subject that the browser remembers, among the cookies of whatever else is on localhost."""
    pairs = (part.strip().partition("=") for part in request.headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == SESSION), "")
