"""The four routes, the same for every framework and for hubs of both kinds."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from connectors_core import ConnectorEntry, ConnectorError, Purpose
from connectors_core.flow import Completed
from connectors_core.return_to import ReturnToRefused, check_return_to

from . import pages
from .leaving import kept_hint, provider_sign_out
from .messages import MAX_BODY, Answer, Cookie, Request
from .refusals import Refused, failure
from .sealing import Sealer
from .settings import ACTIONS, ROUTES, Settings
from .users import User, owner_of, sealed_user, unsealed_user
from .waiting import ProcessHub, settle

log = logging.getLogger("connectors_embedded")

SESSION = "connectors-embedded-session"
TRANSACTION = "connectors-embedded-transaction"
POSTED = "embedded-callback"
"""The kind of handle that keeps posted parameters."""
POSTED_LIFETIME = 60.0
"""Seconds between the POST and the GET that follows it."""
_METHODS = {"callback": ("GET", "POST"), "sign_out": ("GET", "POST")}
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept, Cookie"}


class Service:
    """Answers the requests for an application's sign-in; adapters only translate."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._entries = {entry.id: entry for entry in settings.entries}
        self._sealer = Sealer(settings.secrets, audience=settings.base_url)

    def paths(self) -> list[tuple[str, str]]:
        """Name and path of every route; ``{connector}`` stands for a connector's id."""
        plain = [(name, self.settings.path(name)) for name in ROUTES]
        return plain + [
            (name, f"{self.settings.path(name)}/{{connector}}") for name in ("sign_in", "callback")
        ]

    def user(self, cookies: Mapping[str, str]) -> User | None:
        """Who is signed in, by the cookies of a request."""
        text = cookies.get(self._cookie_name(SESSION))
        return unsealed_user(self._sealer, "session", text, now=self.settings.clock())

    def sign_in_path(self, return_to: str | None = None) -> str:
        """Where to send a browser to sign in; a ``return_to`` that may not be is left out."""
        try:
            carried = {"return_to": self._checked(return_to)} if return_to and return_to != "/" else {}
        except ReturnToRefused:
            carried = {}
        return self.settings.path("sign_in") + (f"?{urlencode(carried)}" if carried else "")

    def challenge(self, request: Request) -> Answer:
        """What somebody is answered who must sign in first: a browser goes there, a program is told."""
        if not request.wants_page:
            return self._refusal(request, Refused("unauthenticated"))
        if request.method != "GET":
            return _redirect(self.sign_in_path(), status=303)
        return _redirect(
            self.sign_in_path(quote(request.path) + (f"?{request.query}" if request.query else ""))
        )

    async def answer(self, hub: Any, route: str, request: Request, connector: str | None = None) -> Answer:
        """The answer of a route; ``connector`` is what stood in its path. Errors are answered, too: also
        that a ``ProcessHub`` does not open."""
        allowed = _METHODS.get(route, ("GET",))
        if request.method not in allowed:
            refusal = self._refusal(request, Refused("method_not_allowed"))
            return replace(refusal, headers={**refusal.headers, "Allow": ", ".join(allowed)})
        try:
            hub = hub.get() if isinstance(hub, ProcessHub) else hub
            match route:
                case "sign_in":
                    return await self._begin(hub, request, connector)
                case "callback" if request.method == "POST":
                    return await self._keep(hub, request, self._entry_called_back(connector))
                case "callback":
                    return await self._complete(hub, request, self._entry_called_back(connector))
                case "sign_out":
                    return await self._sign_out(hub, request)
                case _:
                    return self._user(request)
        except ReturnToRefused as error:
            return self._refusal(request, Refused("invalid_request", str(error)))
        except ConnectorError as error:
            return self._refusal(request, error)

    # In

    async def _begin(self, hub: Any, request: Request, connector: str | None) -> Answer:
        given = [value for name, value in parse_qsl(request.query) if name == "return_to"]
        if len(given) > 1:
            raise Refused("invalid_request", "return_to is repeated")
        return_to = self._checked(given[0]) if given else None
        if self.user(request.cookies):  # Nobody's account is switched without a sign-out.
            return _redirect(return_to or "/")
        if connector is None and len(self._entries) > 1:
            path = self.settings.path("sign_in")
            return _page(pages.sign_in_page(self.settings.entries, path, return_to))
        entry = self._entry(connector)
        started = await settle(
            hub.begin(
                entry.id,
                redirect_uri=self.settings.base_url + self.callback_path(entry.id),
                binding=request.cookies.get(self._cookie_name(TRANSACTION)) or None,
                data={"return_to": return_to or "/"},
            )
        )
        lifetime = started.expires_at - self.settings.clock()
        return _redirect(started.uri, cookies=(self._cookie(TRANSACTION, started.binding, lifetime),))

    async def _keep(self, hub: Any, request: Request, entry: ConnectorEntry) -> Answer:
        """Keep a posted answer for the GET that carries the browser's cookies.

        A cross-site POST comes without SameSite=Lax cookies, so nothing is consumed here.
        """
        if len(request.body) > MAX_BODY:
            raise Refused("content_too_large")
        data = {"connector": entry.id, "body": request.body.decode("latin-1")}
        handle = await settle(hub.put_handle(POSTED, data, lifetime=POSTED_LIFETIME))
        return _redirect(f"{self.callback_path(entry.id)}?{urlencode({'h': handle})}", status=303)

    async def _complete(self, hub: Any, request: Request, entry: ConnectorEntry) -> Answer:
        completed = await settle(
            hub.complete(
                await self._received(hub, request, entry),
                connector=entry.id,
                binding=request.cookies.get(self._cookie_name(TRANSACTION)) or None,
                purposes=[Purpose.SIGN_IN],
            )
        )
        try:
            return await self._arrive(hub, request, entry, completed)
        except ConnectorError as error:
            error.data = completed.data
            raise

    async def _arrive(
        self, hub: Any, request: Request, entry: ConnectorEntry, completed: Completed
    ) -> Answer:
        if before := self.user(request.cookies):
            identity = await settle(hub.find_identity(completed))
            if identity is None or identity.owner != before.owner:
                raise Refused("already_signed_in", "sign out first to sign in as somebody else")
        owner = await owner_of(hub, completed, self.settings.sign_up)
        now, lifetime = self.settings.clock(), self.settings.session_lifetime
        hint = ""
        if self.settings.provider_sign_out:
            hint = await kept_hint(hub, entry, completed, lifetime=lifetime)
        user = User.signed_in(completed, owner=owner, now=now, lifetime=lifetime, hint=hint)
        cookie = self._cookie(SESSION, sealed_user(self._sealer, "session", user), lifetime)
        return _redirect(str(completed.data.get("return_to") or "/"), cookies=(cookie,))

    async def _received(self, hub: Any, request: Request, entry: ConnectorEntry) -> str | bytes:
        """The provider's answer as it came, from the query or from the POST before."""
        name, _, handle = request.query.partition("=")
        if name != "h" or "&" in handle:
            return request.query
        kept = await settle(hub.take_handle(POSTED, handle))
        if kept is None or kept["connector"] != entry.id:
            raise Refused("transaction_expired", "the posted answer is no longer kept")
        return str(kept["body"]).encode("latin-1")

    # Out

    async def _sign_out(self, hub: Any, request: Request) -> Answer:
        user = self.user(request.cookies)
        if request.method == "GET" and not request.is_own_visit:
            if user is None:
                return _redirect(self.settings.after_sign_out)
            name = user.name or user.email or user.owner
            # Without a referrer a form would send ``Origin: null``.
            page = pages.sign_out_page(self.settings.path("sign_out"), name)
            return _page(page, referrer="same-origin")
        if request.method == "POST" and not request.is_from(self.settings.base_url):
            raise Refused("csrf_failed", "Sec-Fetch-Site or Origin does not name this site")
        leaving = None
        entry = self._entries.get(user.connector) if user else None
        if user and entry and self.settings.provider_sign_out:
            onward = self.settings.base_url + self.settings.after_sign_out
            leaving = await provider_sign_out(hub, entry, user.hint, post_logout_redirect_uri=onward)
        gone = (self._cookie(SESSION, "", 0), self._cookie(TRANSACTION, "", 0))
        if request.method == "POST" and not request.wants_page:
            said = json.dumps({"isAuthenticated": False, "continue": leaving})
            return Answer(body=said, media_type="application/json", headers=_HEADERS, cookies=gone)
        return _redirect(leaving or self.settings.after_sign_out, status=303, cookies=gone)

    # Who

    def _user(self, request: Request) -> Answer:
        user = self.user(request.cookies)
        said = {"isAuthenticated": True, "claims": dict(user.claims)} if user else {"isAuthenticated": False}
        return Answer(body=json.dumps(said), media_type="application/json", headers=_HEADERS)

    # What the above has in common

    def callback_path(self, connector_id: str) -> str:
        """The path of a connector's redirect URI: of several each has its own, RFC 9700 §4.4.2."""
        path = self.settings.path("callback")
        return path if len(self._entries) == 1 else f"{path}/{quote(connector_id, safe='')}"

    def _entry(self, connector: str | None) -> ConnectorEntry:
        if connector is None and len(self._entries) == 1:
            return self.settings.entries[0]
        if connector not in self._entries:
            raise Refused("not_found", "there is no connector of that id")
        return self._entries[connector]

    def _entry_called_back(self, connector: str | None) -> ConnectorEntry:
        entry = self._entry(connector)
        if (connector is None) != (len(self._entries) == 1):
            raise Refused("not_found", "this is not the connector's redirect URI")
        return entry

    def _checked(self, return_to: str) -> str:
        actions = [self.settings.path(route) for route in ACTIONS]
        return check_return_to(return_to, origins=self.settings.return_to_origins, actions=actions)

    def _cookie_name(self, name: str) -> str:
        return f"__Host-{name}" if self.settings.secure else name

    def _cookie(self, name: str, value: str, lifetime: float) -> Cookie:
        name, secure = self._cookie_name(name), self.settings.secure
        return Cookie(name=name, value=value, max_age=max(0, int(lifetime)), secure=secure)

    def _refusal(self, request: Request, error: ConnectorError) -> Answer:
        failed = failure(error)
        if failed.status >= 500:
            log.warning("%s: %s", failed.code, failed.detail)
        headers = {"WWW-Authenticate": "Session"} if failed.status == 401 else {}
        if request.wants_page:
            if failed.code == "already_signed_in":
                onward = pages.link("Sign out", self.settings.path("sign_out"))
            else:
                onward = pages.link("Start again", self.sign_in_path(failed.return_to))
            return _page(pages.error_page(failed, onward), status=failed.status)
        body, media_type = json.dumps(failed.problem()), "application/problem+json"
        return Answer(status=failed.status, body=body, media_type=media_type, headers={**_HEADERS, **headers})


def _page(html: str, *, status: int = 200, referrer: str = "no-referrer") -> Answer:
    policy = {"Content-Security-Policy": pages.POLICY, "Referrer-Policy": referrer}
    return Answer(status=status, body=html, headers={**_HEADERS, **policy})


def _redirect(location: str, *, status: int = 302, cookies: tuple[Cookie, ...] = ()) -> Answer:
    # The address of a callback holds a code, which no further request is to name.
    headers = {**_HEADERS, "Location": location, "Referrer-Policy": "no-referrer"}
    return Answer(status=status, headers=headers, cookies=cookies)
