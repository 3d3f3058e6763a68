"""What a person changes at ``/account``, each by a form of that page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors_core.grants import GrantState
from connectors_core.hub import ConnectorEntry
from connectors_core.stores import Identity
from connectors_core.transaction import Purpose

from ..cookies import SESSION, TRANSACTION
from ..csrf import require_own_form
from ..errors import HostError
from ..forms import read_form
from ..host import Host
from ..linking import linkable, require_recent
from ..linking import unlink as unlink_identity
from ..pages import Pages, name_in
from ..personal_data import delete_account
from ..sealing import kind_for
from ..sessions import Session
from .account import person
from .returned import ACCOUNT

LEAVING = "account_leaving"
"""The kind of handle that keeps a provider's address, which holds a state."""
LEAVING_LIFETIME = 60.0


async def link(request: Request) -> Response:
    """``POST /account/link``: off to a provider, to link what comes back.

    Who has an account of that provider here already means another: else it would return as the same.
    """
    host, session, fields = await _form(request)
    require_recent(host, session)
    entry = linkable(host, fields.get("connector", ""))
    another = any(identity.group == entry.group for identity in await host.hub.identities(session.owner))
    return await _leaving(
        request, host, session, entry, purpose=Purpose.LINK, about="link", select_account=another
    )


async def reconnect(request: Request) -> Response:
    """``POST /account/reconnect``: ask the provider again, for what was lost or for more."""
    host, session, fields = await _form(request)
    identity = await _own(host, session, fields)
    entry = host.connector(identity.connector)
    if not entry.settings.token_storage:
        raise HostError("token_storage_disabled")
    scopes = [name.removeprefix("scope:") for name in fields if name.startswith("scope:")]
    if not set(scopes) <= set(entry.settings.requestable_scopes):
        raise HostError("invalid_scope", "a scope is not among the connector's requestable_scopes")
    states = {status.identity.id: status.state for status in await host.hub.token_states(session.owner)}
    hints = {"login_hint": identity.profile.get("email"), "hd": identity.profile.get("hd")}
    return await _leaving(
        request,
        host,
        session,
        entry,
        purpose=Purpose.TOKENS,
        about=identity.id,
        scopes=scopes,
        hints={name: value for name, value in hints.items() if isinstance(value, str)},
        state=states.get(identity.id),
    )


async def unlink(request: Request) -> Response:
    """``POST /account/unlink``."""
    host, session, fields = await _form(request)
    require_recent(host, session)
    await unlink_identity(host, await _own(host, session, fields), but=session)
    return _back("unlinked")


async def profile(request: Request) -> Response:
    """``POST /account/profile``: what the person wants to be called."""
    host, session, fields = await _form(request)
    try:
        await host.accounts.edit(session.owner, {"name": fields.get("name", "")})
    except ValueError:
        raise HostError("invalid_request", "the name is too long, or no plain text") from None
    return _back("saved")


async def sessions(request: Request) -> Response:
    """``POST /account/sessions``: end one session, or all."""
    host, session, fields = await _form(request)
    handle = fields.get("session", "")
    if handle == "all":
        await host.sessions.end_all(session.owner)
    elif not await host.sessions.end_one(session.owner, handle):
        raise HostError("not_found")
    host.tell("sessions.ended" if handle == "all" else "session.ended", owner=session.owner)
    if handle not in ("all", session.handle):
        return _back("sessions_ended")
    return _out(host)


async def applications(request: Request) -> Response:
    """``POST /account/applications``: take back what an application was given."""
    host, session, fields = await _form(request)
    app = fields.get("application", "")
    if app not in {grant["client_id"] for grant in await host.grants.of_owner(session.owner)}:
        raise HostError("not_found")
    await host.grants.end_all(session.owner, client_id=app)
    host.tell("application.ended", owner=session.owner, app=app, reason="removed")
    return _back("application_removed")


async def delete(request: Request) -> Response:
    """``GET`` and ``POST /account/delete``: ask, and forget the person."""
    host = Host.of(request)
    if request.method == "GET":
        session, account = await person(request, host)
        require_recent(host, session)
        return cast("Pages", request.app.state.pages).render(
            request, "account_delete.html", account=account, csrf_token=session.csrf_token
        )
    host, session, fields = await _form(request)
    require_recent(host, session)
    if fields.get("sure") != "yes":
        raise HostError("invalid_request", "nobody said to be sure")
    await delete_account(host, session.owner)
    # No redirect: an address that says this could be sent to anybody.
    response = cast("Pages", request.app.state.pages).render(request, "account_deleted.html")
    host.cookies.clear(response, SESSION)
    return response


async def leave(request: Request) -> Response:
    """``GET /account/continue?h=…``: on to the provider."""
    host = Host.of(request)
    session, _ = await person(request, host)
    kind = kind_for(LEAVING, session.owner)
    kept = await host.hub.take_handle(kind, request.query_params.get("h", ""))
    if kept is None:
        raise HostError("transaction_expired", "this way to the provider is used or another's")
    return RedirectResponse(kept["uri"], status_code=302)


async def _form(request: Request) -> tuple[Host, Session, Mapping[str, str]]:
    """The person's session and the fields of a form of theirs. Raises HostError."""
    host = Host.of(request)
    session, _ = await person(request, host)
    fields = await read_form(request)
    require_own_form(request, host, session, fields)
    return host, session, fields


async def _own(host: Host, session: Session, fields: Mapping[str, str]) -> Identity:
    """The identity that a form names. Raises HostError: another person's is not found either."""
    for identity in await host.hub.identities(session.owner):
        if identity.id == fields.get("identity"):
            return identity
    raise HostError("identity_not_found")


async def _leaving(
    request: Request,
    host: Host,
    session: Session,
    entry: ConnectorEntry,
    *,
    purpose: Purpose,
    about: str,
    scopes: Iterable[str] = (),
    hints: Mapping[str, str] | None = None,
    state: GrantState | None = None,
    select_account: bool = False,
) -> Response:
    """Begin an authorization that is bound to the person, and lead on through a page.

    A browser holds the redirects of a form against ``form-action``, and providers are not on that list.
    """
    started = await host.hub.begin(
        entry.id,
        redirect_uri=host.redirect_uri(entry.id),
        purpose=purpose,
        owner=session.owner,
        scopes=tuple(scopes) or None,
        parameters=hints,
        binding=host.cookies.get(request, TRANSACTION),
        refresh_token_stored=state.has_refresh_token if state else False,
        select_account=select_account,
        data={ACCOUNT: about, "return_to": "/account"},
    )
    kind = kind_for(LEAVING, session.owner)
    handle = await host.hub.put_handle(kind, {"uri": started.uri}, lifetime=LEAVING_LIFETIME)
    response = cast("Pages", request.app.state.pages).render(
        request,
        "leaving.html",
        provider=name_in(request, entry.name, entry.id),
        leaving="/account/continue?" + urlencode({"h": handle}),
    )
    host.cookies.set(response, TRANSACTION, started.binding, lifetime=started.expires_at - host.clock())
    return response


def _back(done: str) -> Response:
    return RedirectResponse("/account?" + urlencode({"done": done}), status_code=303)


def _out(host: Host) -> Response:
    response = RedirectResponse("/signed-out", status_code=303)
    host.cookies.clear(response, SESSION)
    return response
