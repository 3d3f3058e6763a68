"""One small application in each framework, a provider behind its sender, and a browser without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from connectors_core import ConnectorMetadata, Registry
from connectors_core.http import HttpSender
from connectors_core.oidc import OIDCConnector
from connectors_core.testing.plugin import Clock
from connectors_core.testing.provider import Person, Provider
from tests.browsing import Browser, Send, wired
from tests.canary import Canary
from tests.django_project import configure

BASE = "https://app.test"
SESSION = "__Host-connectors-embedded-session"
PROGRAM = {"Accept": "application/json"}
BOB = Person(
    sub="bob-1", claims={"name": "Bob Example", "email": "bob@example.test", "email_verified": False}
)


class Acme(OIDCConnector):
    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme & Sons"})
    issuer = "https://provider.test"


class Poster(Acme):
    id = "poster"
    response_mode = "form_post"


class Running:
    """An open application with all that stands around it. ``sign_in`` is the adapter's object."""

    def __init__(self, send: Send, provider: Provider, clock: Clock, sign_in: Any, prefix: str) -> None:
        self._send = send
        self.provider = provider
        self.clock = clock
        self.sign_in = sign_in
        self._prefix = prefix

    def browser(self) -> Browser:
        return Browser(self._send, self.provider, BASE, self._prefix)

    def at_the_provider_sits(self, person: Person) -> None:
        """From now on this is who the provider authorizes."""
        self.provider.people = {person.sub: person}

    @property
    def hub_within(self) -> Any:
        """The application's hub where it is asynchronous, else the one that works for it."""
        return getattr(self.sign_in.hub, "_behind", self.sign_in.hub)

    async def hub(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the application's hub, of either kind."""
        hub = self.sign_in.hub
        if type(hub).__module__ == "connectors_core.sync":
            return await asyncio.to_thread(getattr(hub, method), *arguments, **named)
        result = getattr(hub, method)(*arguments, **named)
        return await result if asyncio.iscoroutine(result) else result


async def starlette_app(stack: AsyncExitStack, settings: dict[str, Any]) -> tuple[Send, Any]:
    from connectors_embedded.starlette import SignIn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    sign_in = SignIn(**settings)

    async def home(request: Request) -> Response:
        user = await sign_in.current_user(request)
        return PlainTextResponse(user.name or "" if user else "nobody")

    async def members(request: Request) -> Response:
        return PlainTextResponse(f"member {(await sign_in.login_required(request)).name}")

    routes = [
        Route("/", home),
        Route("/members", members, methods=["GET", "POST"]),
        Route("/members-async", members),
    ]
    app = Starlette(routes=[*routes, *sign_in.routes], lifespan=sign_in.lifespan)
    await stack.enter_async_context(app.router.lifespan_context(app))
    return wired(app), sign_in


async def flask_app(stack: AsyncExitStack, settings: dict[str, Any]) -> tuple[Send, Any]:
    from connectors_embedded.flask import SignIn, current_user, login_required
    from flask import Flask

    app = Flask("embedded_tests")
    sign_in = SignIn(**settings)
    app.register_blueprint(sign_in.blueprint)
    stack.push_async_callback(asyncio.to_thread, sign_in.close)

    @app.get("/")
    def home() -> str:
        return current_user.name or "" if current_user else "nobody"

    @app.route("/members", methods=["GET", "POST"])
    @login_required
    def members() -> str:
        return f"member {current_user.name}"

    @app.get("/members-async")
    @login_required
    async def members_async() -> str:
        await asyncio.sleep(0)
        return f"member {current_user.name}"

    return in_thread(httpx.WSGITransport(app=app)), sign_in


async def django_app(stack: AsyncExitStack, settings: dict[str, Any]) -> tuple[Send, Any]:
    configure()
    from connectors_embedded import django as embedded
    from django.core.handlers.wsgi import WSGIHandler  # type: ignore[import-untyped]
    from django.http import HttpResponse  # type: ignore[import-untyped]
    from django.test import override_settings  # type: ignore[import-untyped]
    from django.urls import include, path  # type: ignore[import-untyped]
    from django.views import View  # type: ignore[import-untyped]
    from django.views.decorators.csrf import csrf_exempt  # type: ignore[import-untyped]

    def home(request: Any) -> Any:
        user = request.connectors_user
        return HttpResponse(user.name if user else "nobody")

    @csrf_exempt  # type: ignore[untyped-decorator]
    @embedded.login_required
    def members(request: Any) -> Any:
        return HttpResponse(f"member {request.connectors_user.name}")

    @embedded.login_required
    async def members_async(request: Any) -> Any:
        await asyncio.sleep(0)
        return HttpResponse(f"member {request.connectors_user.name}")

    class Members(View):  # type: ignore[misc]  # Django has no types
        async def get(self, request: Any) -> Any:
            return HttpResponse(f"member {request.connectors_user.name}")

    embedded.sign_in.cache_clear()
    stack.enter_context(override_settings(CONNECTORS=settings))
    views = [path("", home), path("members", members), path("members-async", members_async)]
    views.append(path("members-class", embedded.login_required(Members.as_view())))
    urls = type("Urls", (), {"urlpatterns": [*views, path("", include("connectors_embedded.django"))]})
    stack.enter_context(override_settings(ROOT_URLCONF=urls))
    stack.push_async_callback(asyncio.to_thread, embedded.sign_in().close)
    return in_thread(httpx.WSGITransport(app=WSGIHandler())), embedded.sign_in()


def in_thread(transport: httpx.WSGITransport) -> Send:
    def call(request: httpx.Request) -> httpx.Response:
        request.read()
        response = transport.handle_request(request)
        response.read()
        response.close()
        return response

    async def send(request: httpx.Request) -> httpx.Response:
        return await asyncio.to_thread(call, request)

    return send


APPS = {"starlette": starlette_app, "flask": flask_app, "django": django_app}
Start = Callable[..., Awaitable[Running]]


def registry() -> Registry:
    made = Registry()
    made.register(Acme)
    made.register(Poster)
    return made


def callbacks(base: str, prefix: str) -> tuple[str, ...]:
    return tuple(f"{base}{prefix}/sign-in-callback{end}" for end in ("", "/acme", "/poster"))


@pytest.fixture
def settings(provider: Provider, clock: Clock, canary: Canary) -> dict[str, Any]:
    """What every application here is told; ``register`` has the provider know its redirect URIs."""
    secret = canary.secret("client-secret")
    prefixes = ("/auth", "/api/logto", "")
    provider.register(
        "client-1",
        secret=secret,
        redirect_uris=tuple(uri for prefix in prefixes for uri in callbacks(BASE, prefix)),
        post_logout_redirect_uris=(f"{BASE}/", f"{BASE}/bye"),
    )
    return {
        "base_url": BASE,
        "secret": canary.secret("cookie-secret"),
        "database": None,
        "connectors": {"acme": {"config": {"clientId": "client-1", "clientSecret": secret}}},
        "registry": registry(),
        "sender": HttpSender(transport=provider.transport()),
        "clock": clock,
    }


@pytest.fixture(params=list(APPS))
async def start(
    request: pytest.FixtureRequest, provider: Provider, clock: Clock, settings: dict[str, Any]
) -> AsyncIterator[Start]:
    """``await start(prefix="/api/logto", …)``: an open application, once in each framework."""
    async with AsyncExitStack() as stack:

        async def open_app(**changes: Any) -> Running:
            told = settings | changes
            send, sign_in = await APPS[request.param](stack, told)
            return Running(send, provider, clock, sign_in, told.get("prefix", "/auth"))

        yield open_app


@pytest.fixture
async def running(start: Start) -> Running:
    return await start()
