"""``/account``: what is known of a person, by that person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from connectors_core.errors import NotFound
from connectors_core.hub import ConnectorEntry, TokenStatus

from ..accounts import Account
from ..answers import wants_page
from ..errors import HostError
from ..host import Host
from ..linking import is_recent, may_link, ways_in
from ..pages import Pages, name_in
from ..permissions import missing
from ..personal_data import export_account
from ..sessions import Session
from .sign_in import Button, buttons_of

DONE = ("linked", "unlinked", "reconnected", "saved", "sessions_ended", "application_removed")
"""What ``?done=`` may say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One permission: ``granted``, or only ``requested`` where the provider did not say."""

    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """One linked identity, ready to be shown."""

    status: TokenStatus
    button: Button
    scopes: list[Scope]
    askable: list[str]
    can_reconnect: bool
    can_unlink: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One application that reaches the account: since when (seconds since the epoch), and for what."""

    id: str
    since: float
    scopes: list[str]


async def page(request: Request) -> Response:
    """``GET /account``."""
    host = Host.of(request)
    signed_in = await host.signed_in(request)
    if signed_in is None:
        return _sign_in_first(request)
    session, account = signed_in
    statuses = await host.hub.token_states(account.owner)
    groups = ways_in(host)
    ways = sum(status.identity.group in groups for status in statuses)
    linked = []
    for status in statuses:
        others = ways - (status.identity.group in groups)
        linked.append(_linked(request, host, status, can_unlink=others > 0))
    done = request.query_params.get("done", "")
    return cast("Pages", request.app.state.pages).render(
        request,
        "account.html",
        account=account,
        csrf_token=session.csrf_token,
        recent=is_recent(host, session),
        linked=linked,
        addable=[_button(request, host, entry) for entry in host.hub.connectors() if may_link(entry)],
        applications=_applications(await host.grants.of_owner(account.owner)),
        sessions=await host.sessions.of_owner(account.owner),
        current=session.handle,
        names={entry.id: name_in(request, entry.name, entry.id) for entry in host.hub.connectors()},
        done=done if done in DONE else "",
        at=_at,
    )


async def confirm(request: Request) -> Response:
    """``GET /account/confirm``: sign in again, to do what needs a recent sign-in."""
    host = Host.of(request)
    signed_in = await host.signed_in(request)
    if signed_in is None:
        return _sign_in_first(request)
    session, account = signed_in
    groups = {identity.group for identity in await host.hub.identities(account.owner)}
    return cast("Pages", request.app.state.pages).render(
        request,
        "confirm.html",
        account=account,
        recent=is_recent(host, session),
        buttons=[
            button
            for button in buttons_of(request, host, "/account")
            if host.hub.connector(button.connector).group in groups
        ],
    )


async def export(request: Request) -> Response:
    """``GET /account/export``: everything about the person, as a file."""
    host = Host.of(request)
    _, account = await person(request, host)
    return JSONResponse(
        await export_account(host, account.owner),
        headers={"Content-Disposition": 'attachment; filename="account.json"'},
    )


async def person(request: Request, host: Host) -> tuple[Session, Account]:
    """Who is signed in. Raises HostError (unauthenticated)."""
    signed_in = await host.signed_in(request)
    if signed_in is None:
        raise HostError("unauthenticated", headers={"WWW-Authenticate": "Session"})
    return signed_in


def _sign_in_first(request: Request) -> Response:
    if not wants_page(request):
        raise HostError("unauthenticated", headers={"WWW-Authenticate": "Session"})
    return RedirectResponse("/sign-in?return_to=/account", status_code=302)


def _linked(request: Request, host: Host, status: TokenStatus, *, can_unlink: bool) -> Linked:
    identity, state = status.identity, status.state
    try:
        entry: ConnectorEntry | None = host.hub.connector(identity.connector)
    except NotFound:
        entry = None
    scopes: list[Scope] = []
    if state is not None:
        granted = "granted" if state.scopes_stated else "requested"
        scopes = [Scope(name=name, state=granted) for name in sorted(state.scopes)]
        scopes += [Scope(name=name, state="refused") for name in missing(host, state)]
    usable = entry is not None and entry.settings.enabled
    keeps = usable and entry is not None and entry.settings.token_storage
    askable = entry.settings.requestable_scopes if keeps and entry is not None else ()
    return Linked(
        status=status,
        button=_button(request, host, entry)
        if entry
        else Button(connector=identity.connector, name=identity.target, href="", logo=None, logo_dark=None),
        scopes=scopes,
        askable=[scope for scope in askable if state is None or missing(host, state, [scope])],
        can_reconnect=keeps,
        can_unlink=can_unlink,
    )


def _applications(grants: Iterable[Mapping[str, Any]]) -> list[Application]:
    """One for all grants of an application; the oldest grant comes first."""
    found: dict[str, Application] = {}
    for grant in grants:
        before = found.get(grant["client_id"])
        scopes = {*grant["scope"].split(), *(before.scopes if before else ())}
        since = before.since if before else grant["created_at"]
        found[grant["client_id"]] = Application(id=grant["client_id"], since=since, scopes=sorted(scopes))
    return [*found.values()]


def _button(request: Request, host: Host, entry: ConnectorEntry) -> Button:
    return Button(
        connector=entry.id,
        name=name_in(request, entry.name, entry.id),
        href=f"/sign-in/{quote(entry.id, safe='')}",
        logo=host.logos.address(entry.id, dark=False),
        logo_dark=host.logos.address(entry.id, dark=True),
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
