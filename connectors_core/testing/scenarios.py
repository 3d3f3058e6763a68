"""Drives a hub through a named case, as browser and host would, and reports the error that came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from ..connector import LogoutToken, Refreshes, Revokes
from ..tokens import TokenSet
from ..transaction import LIFETIME, Purpose
from .provider import Case, Provider, Scenario

if TYPE_CHECKING:
    from ..flow import Completed, Started
    from ..hub import Hub

HOURS = 2 * 3600.0
"""Seconds after which no cached document is fresh any more."""


@dataclass(slots=True, kw_only=True)
class Actor:
    """A host and its browser, in front of one provider.

    ``connector`` and ``other`` are ids of two connectors of ``hub`` at that provider; ``advance``
    moves the clock that hub and provider share. ``secrets`` gathers what must not be shown.
    """

    hub: Hub
    provider: Provider
    advance: Callable[[float], None]
    connector: str = "tested"
    other: str = "other"
    redirect_uri: str = "https://host.test/callback"
    more_scope: str = ""
    secrets: list[str] = field(default_factory=list, repr=False)

    async def begin(self, case: Case | None = None, *, scopes: Iterable[str] | None = None) -> Started:
        parameters = case.parameters if case else None
        started = await self.hub.begin(
            self.connector, redirect_uri=self.redirect_uri, parameters=parameters, scopes=scopes
        )
        sent = dict(parse_qsl(urlsplit(started.uri).query))
        self.secrets += [started.binding, *(sent[name] for name in ("state", "nonce") if name in sent)]
        return started

    async def land(self, started: Started) -> tuple[tuple[str, str], ...]:
        return (await self.provider.visit(started.uri)).parameters

    async def sign_in(self, case: Case | None = None) -> Completed:
        started = await self.begin(case)
        landed = await self.land(started)
        return await self.hub.complete(landed, connector=self.connector, binding=started.binding)

    async def meet(self, case: Case) -> Completed | TokenSet | LogoutToken:
        """Play the case's scenario; return what the last step gave, or raise what the library raises.

        The case stays in force. One that is in force already, as a profile's, is so from the start.
        """
        match case.scenario:
            case Scenario.SIGN_IN:
                self._put_into_force(case)
                return await self.sign_in(case)
            case Scenario.SECOND_SIGN_IN | Scenario.HOURS_LATER:
                await self.sign_in()
                if case.scenario is Scenario.HOURS_LATER:
                    self.advance(HOURS)
                self._put_into_force(case)
                return await self.sign_in(case)
            case Scenario.REFRESH:
                tokens = (await self.sign_in()).tokens
                self._put_into_force(case)
                return await self._refresh(tokens)
            case Scenario.MORE_SCOPE | Scenario.DENIED | Scenario.SPENT_CODE:
                self._put_into_force(case)
                return await self._ask_again(case)
            case Scenario.DEAD_GRANT | Scenario.REVOKE:
                self._put_into_force(case)
                return await self._end(case)
            case Scenario.REAUTHENTICATE:
                self._put_into_force(case)
                return await self._prove()
            case Scenario.LOGOUT:
                await self.sign_in()
                self._put_into_force(case)
                token = self.provider.logout_token(sid="sid-1")
                return await self.hub.verify_logout_token(self.connector, token)
            case _:
                self._put_into_force(case)
                return await self._misdeliver(case)

    def _put_into_force(self, case: Case) -> None:
        if case not in self.provider.active:
            self.provider.put_into_force(case)

    async def _prove(self) -> Completed:
        started = await self.hub.begin(
            self.connector, redirect_uri=self.redirect_uri, purpose=Purpose.REAUTHENTICATE, owner="a person"
        )
        landed = await self.land(started)
        return await self.hub.complete(
            landed, connector=self.connector, binding=started.binding, owner="a person"
        )

    async def _refresh(self, tokens: TokenSet) -> TokenSet:
        connector = self.hub.connector(self.connector).connector
        assert isinstance(connector, Refreshes)
        return await connector.refresh(tokens)

    async def _ask_again(self, case: Case) -> Completed:
        more = case.scenario is Scenario.MORE_SCOPE
        if more:
            await self.sign_in()
        started = await self.begin(case, scopes=[self.more_scope] if more and self.more_scope else None)
        if case.scenario is Scenario.DENIED:
            self.provider.denies_with = "access_denied"
        landed = await self.land(started)
        if case.scenario is Scenario.SPENT_CODE:
            self.provider.ledger.codes[dict(landed)["code"]].used = True
        return await self.hub.complete(landed, connector=self.connector, binding=started.binding)

    async def _end(self, case: Case) -> Completed | TokenSet:
        completed = await self.sign_in()
        if case.scenario is Scenario.REVOKE:
            connector = self.hub.connector(self.connector).connector
            assert isinstance(connector, Revokes)
            await connector.revoke(completed.tokens)
            return completed
        for grant in self.provider.ledger.grants:
            grant.revoked = "the person"
        return await self._refresh(completed.tokens)

    async def _misdeliver(self, case: Case) -> Completed:
        started = await self.begin(case)
        landed = await self.land(started)
        binding, connector = started.binding, self.connector
        match case.scenario:
            case Scenario.CALLBACK_TWICE:
                await self.hub.complete(landed, connector=connector, binding=binding)
            case Scenario.OTHER_BROWSER:
                binding = (await self.begin()).binding
            case Scenario.OTHER_CONNECTOR:
                connector = self.other
            case Scenario.LATE:
                self.advance(LIFETIME + 1)
        return await self.hub.complete(landed, connector=connector, binding=binding)

    def held(self) -> list[str]:
        """Every secret of the run so far: what was sent, what was given, what the browser carries."""
        names = ("code", "code_verifier", "client_secret", "client_assertion", "refresh_token")
        sent = [request.parameters[name] for request in self.provider.requests for name in names
                if name in request.parameters]  # fmt: skip
        return [secret for secret in {*self.secrets, *sent, *self.provider.secrets()} if len(secret) > 8]
