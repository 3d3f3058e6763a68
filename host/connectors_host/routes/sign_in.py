"""The sign-in page, and the way from its buttons to the provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors_core.hub import ConnectorEntry

from ..cookies import TRANSACTION
from ..errors import HostError
from ..host import Host
from ..one_tap import LIFETIME, prompt_of
from ..pages import Pages, name_in

MAX_SCOPE = 2048
"""Characters of the longest ``scope`` that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One "Continue with NAME"."""

    connector: str
    name: str
    href: str
    logo: str | None
    logo_dark: str | None


async def page(request: Request) -> Response:
    """``GET /``, ``/sign-in``, ``/sign-up``: who is signed in, or one button a connector.

    ``again`` leaves out who is: an application asks for a new sign-in.
    """
    host, pages = Host.of(request), cast("Pages", request.app.state.pages)
    return_to = host.return_to(request)
    sign_up = request.url.path == "/sign-up"
    if sign_up and not host.settings.sign_up:
        raise HostError("sign_up_closed")
    carried = "?" + urlencode({"return_to": return_to}) if return_to else ""
    signed_in = None if "again" in request.query_params else await host.signed_in(request)
    prompt = None if signed_in else await prompt_of(request, host, return_to)
    response = pages.render(
        request,
        "sign_in.html",
        buttons=buttons_of(request, host, return_to, select_account=signed_in is not None),
        account=signed_in[1] if signed_in else None,
        csrf_token=signed_in[0].csrf_token if signed_in else "",
        return_to=return_to,
        carried=carried,
        is_sign_up=sign_up,
        sign_up_open=host.settings.sign_up,
        one_tap=prompt.one_tap if prompt else None,
    )
    if prompt:
        response.headers["Content-Security-Policy"] = host.policy(sources=prompt.one_tap.sources)
        host.cookies.set(response, TRANSACTION, prompt.binding, lifetime=LIFETIME)
    return response


async def begin(request: Request) -> Response:
    """``GET /sign-in/{connector_id}``: off to the provider, with the transaction in a cookie.

    With ``select_account`` the provider is to let the person choose, where it can be asked to.
    """
    host = Host.of(request)
    entry = host.sign_in_connector(request.path_params["connector_id"])
    return_to = host.return_to(request) or "/"
    started = await host.hub.begin(
        entry.id,
        redirect_uri=host.redirect_uri(entry.id),
        scopes=_scopes(request, entry),
        binding=host.cookies.get(request, TRANSACTION),
        select_account="select_account" in request.query_params,
        data={"return_to": return_to},
    )
    response = RedirectResponse(started.uri, status_code=302)
    host.cookies.set(response, TRANSACTION, started.binding, lifetime=started.expires_at - host.clock())
    return response


def _scopes(request: Request, entry: ConnectorEntry) -> tuple[str, ...] | None:
    """The further scopes of the query. Raises HostError unless the operator lists every one."""
    values = request.query_params.getlist("scope")
    if not values:
        return None
    asked = tuple(dict.fromkeys(values[0].split(" "))) if len(values[0]) <= MAX_SCOPE else ("",)
    if len(values) > 1 or not set(asked) <= set(entry.settings.requestable_scopes):
        raise HostError("invalid_scope", "a scope is not among the connector's requestable_scopes")
    return asked


def buttons_of(
    request: Request, host: Host, return_to: str | None = None, *, select_account: bool = False
) -> list[Button]:
    """A button for each connector that people sign in with, in order."""
    query = {"return_to": return_to} if return_to else {}
    query |= {"select_account": "1"} if select_account else {}
    carried = "?" + urlencode(query) if query else ""
    return [_button(request, host, entry, carried) for entry in host.sign_in_connectors()]


def _button(request: Request, host: Host, entry: ConnectorEntry, carried: str) -> Button:
    return Button(
        connector=entry.id,
        name=name_in(request, entry.name, entry.id),
        href=f"/sign-in/{quote(entry.id, safe='')}{carried}",
        logo=host.logos.address(entry.id, dark=False),
        logo_dark=host.logos.address(entry.id, dark=True),
    )
