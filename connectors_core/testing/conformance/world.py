"""What a conformance class states, and the hub and provider that its tests are played with."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from ...connector import LogoutToken
from ...errors import ConnectorError, ConnectorFault
from ...flow import Completed
from ...http import HttpSender
from ...hub import Hub
from ...oauth2 import OAuth2Connector
from ...oidc import OIDCConnector
from ...profile import Profile
from ...registry import Registry
from ...tokens import EMPTY, TokenSet
from ..emulation import Emulation, Visitor
from ..plugin import Clock
from ..profiles import ProviderProfile
from ..provider import Case, Client, Person, Provider

CALLBACK = "https://host.test/callback"


class World:
    """What a conformance class states of the provider of its connector, and how a test is played there.

    - ``config``: the configuration, beside a client id and secret that are there already (None: not given).
    - ``responses``: answers by ``[METHOD ]URL[?name=value&…]``, each JSON or a ``Response``.
    - ``expected``: the profile that must come of them; ``raw`` is not compared.
    - ``provider``: fields of ``Provider`` in which this one differs (``{"rotation": "strict"}``).
    - ``token_response``: members that its token responses hold besides.
    - ``callback``: parameters that its callbacks carry besides.
    - ``email_verified_by``: parts of the names of the members that tell whether an address is verified.
    - ``id_keys``: names of the members the id is made of, where it does not stand there as a whole.
    - ``profile``: the profile of that provider, instead of ``responses`` and ``claims``.
    - ``outcomes``: error codes (None: none) by case name, where this provider wants others. Say why.
    """

    connectors_conformance: ClassVar[bool] = True

    connector: ClassVar[type[OAuth2Connector]]
    expected: ClassVar[Profile]
    config: ClassVar[Mapping[str, Any]] = {}
    responses: ClassVar[Mapping[str, Any]] = {}
    claims: ClassVar[Mapping[str, Any]] = {}
    provider: ClassVar[Mapping[str, Any]] = {}
    token_response: ClassVar[Mapping[str, Any]] = {}
    callback: ClassVar[Mapping[str, str]] = {}
    email_verified_by: ClassVar[tuple[str, ...]] = ("verif",)
    id_keys: ClassVar[tuple[str, ...]] = ()
    outcomes: ClassVar[Mapping[str, str | None]] = {}
    profile: ClassVar[ProviderProfile | None] = None

    def accepts_secret(self, secret: str) -> bool:
        """Whether the provider takes this client secret; for types that make their own."""
        return secret == self._config().get("clientSecret")

    def _config(self) -> dict[str, Any]:
        config = {"clientId": "client-1", "clientSecret": Client().secret, **self.config}
        return {name: value for name, value in config.items() if value is not None}

    def _provider(self, connector: OAuth2Connector, clock: Clock) -> Provider:
        if self.profile is not None:
            provider = self.profile.provider(clock=clock, **self.provider)
        else:
            provider = Provider(clock=clock, **self._stated(connector))
            provider.people = {self.expected.id: self._person()}
        provider.clients.clear()
        provider.register(self._config()["clientId"], accepts=self.accepts_secret)
        provider.clients["client-2"] = Client(client_id="client-2")
        provider.scopes_supported += tuple(connector.scopes_to_request(None))
        base = {"claims": self._claims, "refresh_claims": self._claims, "token": self._token}
        base["logout_claims"] = self._claims
        says = Case(name="kit.base", source="this test", changes="its own words", expected=None, edits=base)
        provider.active.append(says)
        return provider

    def _stated(self, connector: OAuth2Connector) -> dict[str, Any]:
        issuer = connector.issuer if connector.server is None else connector.server.issuer
        return {
            "issuer": issuer or "https://provider.test",
            "openid": isinstance(connector, OIDCConnector),
            "refresh_tokens": "always",
            "scope_separator": connector.scope_separator,
            "granted_scope_separator": connector.granted_scope_separator or "",
            "pkce": "refused" if connector.pkce_off_because else "required",
            **self.provider,
        }

    def _person(self) -> Person:
        return Person(sub=self.expected.id, claims=self.claims)

    def _claims(self, own: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
        return {**own, **self.claims}

    def _token(self, own: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
        return {**own, **self.token_response}

    @asynccontextmanager
    async def _acting(self, *, deadline: float = 10.0) -> AsyncIterator[Visitor]:
        clock = Clock()
        registry = Registry()
        registry.register(self.connector)
        emulation = Emulation(Provider(clock=clock), responses=self.responses)
        sender = HttpSender(transport=emulation, deadline=deadline)
        async with Hub(registry, sender=sender, clock=clock) as hub:
            entry = hub.add("tested", type=self.connector.id, target="tested", config=self._config())
            hub.add("other", type=self.connector.id, target="other", config=self._config())
            connector = entry.connector
            assert isinstance(connector, OAuth2Connector)
            emulation.provider, emulation.server = self._provider(connector, clock), connector.server
            yield Visitor(
                hub=hub,
                provider=emulation.provider,
                advance=clock.advance,
                emulation=emulation,
                callback=self.callback,
                more_scope=self.profile.more_scope if self.profile else "",
            )

    def _connector(self, actor: Visitor) -> OAuth2Connector:
        connector = actor.hub.connector("tested").connector
        assert isinstance(connector, OAuth2Connector)
        return connector

    def _run(self, act: Callable[[Visitor], Awaitable[None]], *, deadline: float = 10.0) -> None:
        async def play() -> None:
            async with self._acting(deadline=deadline) as actor:
                await act(actor)

        asyncio.run(play())

    def _as_expected(self, profile: Profile, *, first: bool = True) -> None:
        again = () if first or self.profile is None else self.profile.told_once
        untold: dict[str, Any] = {name: None for name in again if getattr(profile, name) is None}
        assert replace(profile, raw=EMPTY) == replace(self.expected, raw=EMPTY, **untold)

    async def _outcome(
        self, awaitable: Awaitable[Completed | TokenSet | LogoutToken]
    ) -> tuple[Completed | TokenSet | LogoutToken | None, ConnectorError | None]:
        """What came of it. Anything but an exception of ours, raised on purpose, fails the test."""
        try:
            return await awaitable, None
        except ConnectorFault as fault:  # its text says which exception, and where
            pytest.fail(f"only exceptions of connectors_core.errors may leave a connector: {fault}")
        except ConnectorError as error:
            return None, error

    def _told(self, error: ConnectorError | None) -> str:
        return "".join(traceback.format_exception(error)) if error else ""
