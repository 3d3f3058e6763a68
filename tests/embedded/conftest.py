"""One small application in each framework, a provider behind its sender, and a browser without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import pytest

from connectors_core import ConnectorMetadata, Registry
from connectors_core.http import HttpSender
from connectors_core.oidc import OIDCConnector
from connectors_core.testing.provider import Person, Provider
from tests.canary import Canary
from tests.django_project import configure

BASE = "https://app.test"
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
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


class Clock:
    """Seconds since the epoch, moved by tests alone."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


Send = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Browser:
    """Keeps cookies, names itself as browsers do, and follows nothing by itself."""

    def __init__(self, send: Send, provider: Provider, prefix: str) -> None:
        self._send = send
        self._provider = provider
        self.prefix = prefix
        self.cookies: dict[str, str] = {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | str | None = None,
        form: dict[str, str] | None = None,
        headers: dict[str, str | None] | None = None,
        cookies: bool = True,
    ) -> httpx.Response:
        suffix = urlencode(query) if isinstance(query, dict) else query
        sent: dict[str, str | None] = {"Accept": HTML, "Sec-Fetch-Site": "same-origin"}
        if cookies and self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent |= headers or {}
        request = httpx.Request(
            method,
            urljoin(BASE, path) + (f"?{suffix}" if suffix else ""),
            headers={k: v for k, v in sent.items() if v is not None},
            data=form,
        )
        response = await self._send(request)
        response.request = request
        for header in response.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return response

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("POST", path, **options)

    async def begin(self, connector: str = "", **query: str) -> httpx.Response:
        return await self.get(f"{self.prefix}/sign-in{connector and f'/{connector}'}", query=query)

    async def come_back(self, started: httpx.Response) -> httpx.Response:
        """Go to the provider and return with its answer, as a cross-site navigation."""
        assert started.status_code == 302, started.text
        landing = await self._provider.visit(started.headers["location"])
        path = urlsplit(landing.uri).path
        headers: dict[str, str | None] = {"Sec-Fetch-Site": "cross-site"}
        if landing.method == "GET":
            return await self.get(path, query=landing.query, headers=headers)
        kept = await self.post(path, form=dict(landing.parameters), headers=headers, cookies=False)
        assert kept.status_code == 303, kept.text
        return await self.get(kept.headers["location"], headers=headers)

    async def sign_in(self, connector: str = "", **query: str) -> httpx.Response:
        return await self.come_back(await self.begin(connector, **query))

    async def user(self) -> dict[str, Any]:
        answer = await self.get(f"{self.prefix}/user", headers={"Accept": "application/json"})
        return dict(answer.json())


class Running:
    """An open application with all that stands around it. ``sign_in`` is the adapter's object."""

    def __init__(self, send: Send, provider: Provider, clock: Clock, sign_in: Any, prefix: str) -> None:
        self._send = send
        self.provider = provider
        self.clock = clock
        self.sign_in = sign_in
        self._prefix = prefix

    def browser(self) -> Browser:
        return Browser(self._send, self.provider, self._prefix)

    def at_the_provider_sits(self, person: Person) -> None:
        """From now on this is who the provider authorizes."""
        self.provider.people = {person.sub: person}

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
    return wired(httpx.ASGITransport(app=app)), sign_in


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


def wired(transport: httpx.ASGITransport) -> Send:
    async def send(request: httpx.Request) -> httpx.Response:
        response = await transport.handle_async_request(request)
        await response.aread()
        return response

    return send


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
def provider(clock: Clock) -> Provider:
    return Provider(clock=clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


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
