"""What the routes work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from connectors_core.config import Configuration, HostSettings
from connectors_core.errors import NotFound
from connectors_core.events import Event
from connectors_core.hub import ConnectorEntry, Hub
from connectors_core.return_to import ReturnToRefused

from .accounts import Account, Accounts
from .api.bearer import Bearers
from .api.records import Records
from .audit import Trail, acting
from .backchannel import ProviderLogouts
from .cookies import SESSION, Cookies
from .logos import Logos
from .oidc.access_tokens import AppTokens
from .oidc.grants import Grants
from .plugins import Plugins
from .return_to import check_return_to
from .sessions import Session, Sessions
from .signing_keys import SigningKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The open host: one for the life of the application.

    ``policy(sources={…})`` is the Content-Security-Policy of a page that needs more than others.
    """

    configuration: Configuration
    hub: Hub
    accounts: Accounts
    sessions: Sessions
    logouts: ProviderLogouts
    bearers: Bearers
    grants: Grants
    app_tokens: AppTokens
    signing_keys: SigningKeys
    records: Records
    cookies: Cookies
    logos: Logos
    plugins: Plugins
    trail: Trail
    policy: Callable[..., str]
    clock: Callable[[], float]

    @classmethod
    def of(cls, request: Request) -> Host:
        return cast("Host", request.app.state.host)

    @property
    def settings(self) -> HostSettings:
        return self.configuration.host

    def redirect_uri(self, connector_id: str) -> str:
        """Where the provider sends the browser back to: the configured origin, never a request's."""
        return f"{self.settings.base_url}/callback/{connector_id}"

    def sign_in_connectors(self) -> tuple[ConnectorEntry, ...]:
        """The connectors that have a button, in order."""
        return tuple(entry for entry in self.hub.connectors() if signs_in(entry))

    def connector(self, connector_id: str) -> ConnectorEntry:
        """The connector of that id, if it is enabled. Raises NotFound."""
        entry = self.hub.connector(connector_id)
        if not entry.settings.enabled:
            raise NotFound("there is no connector of that id")
        return entry

    def sign_in_connector(self, connector_id: str) -> ConnectorEntry:
        """The connector of that id, if people may sign in with it. Raises NotFound."""
        entry = self.hub.connector(connector_id)
        if not signs_in(entry):
            raise NotFound("there is no connector of that id")
        return entry

    def return_to(self, request: Request) -> str | None:
        """The checked ``return_to`` of the query, None where there is none. Raises ReturnToRefused."""
        values = request.query_params.getlist("return_to")
        if not values:
            return None
        if len(values) > 1:
            raise ReturnToRefused("return_to is given twice")
        return check_return_to(values[0], origins=self.settings.return_to_origins)

    async def session(self, request: Request) -> Session | None:
        """The session of the browser that asks, if it is alive."""
        session_id = self.cookies.get(request, SESSION)
        session = await self.sessions.find(session_id) if session_id else None
        if session is not None:
            acting(f"session:{session.handle}")
        return session

    def tell(
        self, name: str, *, owner: str | None = None, entry: ConnectorEntry | None = None, **detail: str
    ) -> None:
        """Let observers, the audit trail among them, know of one fact. ``detail`` holds no secret."""
        event = Event(
            name=name,
            at=self.clock(),
            tenant=self.hub.name,
            connector=entry.id if entry else None,
            target=entry.target if entry else None,
            owner=owner,
            detail=detail,
        )
        self.configuration.registry.plugins.observe(event)

    async def signed_in(self, request: Request) -> tuple[Session, Account] | None:
        """Who is signed in in the browser that asks."""
        session = await self.session(request)
        account = await self.accounts.find(session.owner) if session else None
        return (session, account) if session and account else None


def signs_in(entry: ConnectorEntry) -> bool:
    return entry.settings.enabled and entry.settings.sign_in
