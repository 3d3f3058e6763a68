"""Who calls an API: a bearer token, or else a browser's session on a page of this host."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from ..audit import acting
from ..csrf import require_own_page
from ..errors import HostError
from ..host import Host
from ..sessions import Session
from .bearer import SCOPES

SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A person's session and what the call may do with it; ``app`` is the application that calls, if any."""

    session: Session = field(repr=False)
    scopes: frozenset[str]
    app: str | None = None

    @property
    def owner(self) -> str:
        return self.session.owner

    def require(self, scope: str) -> None:
        """Raise HostError (insufficient_scope) without ``scope``. RFC 6750 §3.1."""
        if scope not in self.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise HostError(
                "insufficient_scope", f"the scope {scope} is needed", headers={"WWW-Authenticate": challenge}
            )


async def calling(request: Request, scope: str, *, guarded: bool = False, reads: str | None = None) -> Caller:
    """The caller, who may do ``scope``. Raises HostError: unauthenticated, insufficient_scope, csrf_failed.

    ``reads`` is a target whose tokens are read: an application that may do that without the person
    (``may_read_tokens``) needs no scope for it.

    Where ``Authorization`` is present the cookie is not looked at. A cookie caller proves, on every
    method that changes something and on ``guarded`` ones, that a page of this host asks.
    """
    if "authorization" not in request.headers:
        return await browser(request, guarded=guarded)
    caller = await bearer(request)
    if caller is None:
        challenge = 'Bearer error="invalid_token"'
        raise HostError(
            "unauthenticated", "the access token is not good", headers={"WWW-Authenticate": challenge}
        )
    acting(f"app:{caller.app}" if caller.app else f"session:{caller.session.handle}")
    app = Host.of(request).configuration.apps.get(caller.app or "")
    if app is None or reads not in app.may_read_tokens:
        caller.require(scope)
    return caller


async def bearer(request: Request) -> Caller | None:
    """Whom ``Authorization`` speaks for; None where its token is not good, or the session has ended."""
    host, values = Host.of(request), request.headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ")
    if len(values) != 1 or scheme.lower() != "bearer":
        return None
    token = token.strip(" ")
    opened = await host.bearers.open(token)
    if opened is None:
        return await _application(host, token)
    session = await host.sessions.find(opened.session_id)
    return Caller(session=session, scopes=opened.scopes) if session else None


async def _application(host: Host, token: str) -> Caller | None:
    """The person who signed in at an application that still is one; for as long as that may last."""
    opened = await host.app_tokens.open(token)
    if opened is None or opened.grant.client_id not in host.configuration.apps:
        return None
    session: Session | None = opened.grant.session()
    if opened.session_id is not None:
        session = await host.sessions.find(opened.session_id)
    if session is None:
        return None
    return Caller(session=session, scopes=opened.scopes, app=opened.grant.client_id)


async def browser(request: Request, *, guarded: bool = False) -> Caller:
    """Whom the cookie speaks for. Raises HostError: unauthenticated, csrf_failed."""
    host = Host.of(request)
    session = None if "authorization" in request.headers else await host.session(request)
    if session is None:
        raise HostError("unauthenticated", headers={"WWW-Authenticate": "Bearer"})
    changes = request.method not in SAFE
    if changes or guarded:
        require_own_page(request, host)
        if changes and _media_type(request) != "application/json":
            raise HostError("csrf_failed", "the content type must be application/json")
        if not session.owns_csrf_token(request.headers.get("x-csrf-token", "")):
            raise HostError("csrf_failed", "X-CSRF-Token is missing or of another session")
    return Caller(session=session, scopes=frozenset(SCOPES))


def refuse_documents(request: Request) -> None:
    """Raise HostError (csrf_failed) where a browser would show the answer, or embed it."""
    if request.headers.get("sec-fetch-dest", "empty") != "empty":
        raise HostError("csrf_failed", "this is for fetch, not for a document")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
