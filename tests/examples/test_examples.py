"""Every example runs, on a server of its own, against a provider under control."""

from __future__ import annotations

import ast
import asyncio
import functools
import importlib.util
import logging
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from connectors_google import Google
from werkzeug.serving import make_server

import connectors_core.http
from connectors_core.testing.emulation import Emulation
from connectors_core.testing.provider import Provider
from tests.canary import Canary
from tests.serving import serving

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted([*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*/*.py")])
CALLBACKS = ("/auth/sign-in-callback", "/callback", "/api/logto/sign-in-callback")
HTML = {"Accept": "text/html"}


@pytest.mark.parametrize("program", [*PROGRAMS, *EXAMPLES.glob("*/*.html")], ids=lambda path: path.name)
def test_an_example_is_short(program: Path) -> None:
    source = program.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source), clean=False) if program.suffix == ".py" else None
    code = source.replace(f'"""{docstring}"""', "") if docstring else source
    lines = [line for line in code.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(lines) <= 30


def test_the_readme_has_a_line_for_every_example() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = {each.name if each.parent == EXAMPLES else each.parent.name for each in PROGRAMS}
    assert [name for name in sorted(names) if f"]({name}" not in readme] == []


@pytest.fixture(autouse=True)
def _browsers_and_servers_log_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests' browser asks for, and the accesses that a server for development notes."""
    for name in ("httpx", "httpcore", "werkzeug"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    for name in ("http11", "connection"):
        monkeypatch.setattr(logging.getLogger(f"httpcore.{name}"), "disabled", True)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def base(listener: socket.socket, monkeypatch: pytest.MonkeyPatch, canary: Canary, tmp_path: Path) -> str:
    """Where the example will be; its environment says so. Databases are made in a folder of the test's."""
    url = f"http://localhost:{listener.getsockname()[1]}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BASE_URL", url)
    monkeypatch.setenv("COOKIE_SECRET", canary.secret("cookie-secret"))
    monkeypatch.setenv("CLIENT_ID", "client-1")
    monkeypatch.setenv("CLIENT_SECRET", canary.secret("client-secret"))
    monkeypatch.setenv("ALLOW_PRIVATE_NETWORK", "1")
    return url


def register(provider: Provider, base: str) -> Provider:
    provider.register(
        "client-1",
        secret=os.environ["CLIENT_SECRET"],
        redirect_uris=tuple(base + path for path in CALLBACKS),
        post_logout_redirect_uris=(f"{base}/",),
    )
    return provider


@pytest.fixture
async def provider(base: str, monkeypatch: pytest.MonkeyPatch, canary: Canary) -> AsyncIterator[Provider]:
    """On a loopback port; it consents without asking."""
    made = register(Provider(), base)
    async with made.serving():
        monkeypatch.setenv("ISSUER", made.issuer)
        yield made
    for secret in made.secrets():
        canary.watch(secret, "a secret of the provider's")


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{Path(path).stem}", EXAMPLES / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where FastAPI looks for what annotations name
    spec.loader.exec_module(module)
    return module


@contextmanager
def wsgi(app: Any, listener: socket.socket) -> Iterator[None]:
    host, port = listener.getsockname()
    server = make_server(host, port, app, threaded=True, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def browser(base: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=base, headers=HTML, follow_redirects=True, trust_env=False, timeout=60)


async def sign_out(person: httpx.AsyncClient, path: str) -> httpx.Response:
    """As the link does, followed in a browser that says where it was followed."""
    return await person.get(path, headers={"Sec-Fetch-Site": "same-origin"})


async def test_flask_with_google(
    base: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, canary: Canary
) -> None:
    google = register(Provider(issuer="https://accounts.google.com", callback_iss="unannounced"), base)
    emulation = Emulation(google, Google.server)
    sender = functools.partial(connectors_core.http.HttpSender, transport=emulation)
    monkeypatch.setattr(connectors_core.http, "HttpSender", sender)
    example = load("flask_google.py")
    try:
        with wsgi(example.app, listener):
            async with browser(base) as person:
                person.follow_redirects = False
                to_sign_in = await person.get("/")
                to_google = await person.get(to_sign_in.headers["location"])
                location = urlsplit(to_google.headers["location"])
                assert location.netloc == "accounts.google.com"
                landing = await google.visit(f"{google.url('authorize')}?{location.query}")
                landed = await person.get(f"{landing.uri}?{landing.query}")
                assert (landed.status_code, landed.headers["location"]) == (302, "/")
                home = await person.get("/")
                assert home.text.startswith("Hello Alice Example.")
                await sign_out(person, "/auth/sign-out")
                assert (await person.get("/")).status_code == 302
    finally:
        await asyncio.to_thread(example.sign_in.close)
    for secret in google.secrets():
        canary.watch(secret, "a secret of the provider's")
    canary.check(home.text)


async def test_flask_with_openid_connect(base: str, listener: socket.socket, provider: Provider) -> None:
    example = load("flask_oidc.py")
    try:
        with wsgi(example.app, listener):
            async with browser(base) as person:
                assert "Nobody is signed in" in (await person.get("/")).text
                home = await person.get("/sign-in")
                assert str(home.url) == f"{base}/"
                assert home.text.startswith("You are user_")
                left = await person.get("/sign-out")
                assert left.history[1].url.host == "localhost"
                assert provider.requests.count("end_session") == 1
                assert "Nobody is signed in" in (await person.get("/")).text
    finally:
        await asyncio.to_thread(example.client.close)


async def test_fastapi(base: str, listener: socket.socket, provider: Provider) -> None:
    example = load("fastapi_app.py")
    async with serving(example.app, listener), browser(base) as person:
        assert (await person.get("/me", headers={"Accept": "*/*"})).status_code == 401
        assert "Sign in" in (await person.get("/")).text
        me = (await person.get("/me")).json()
        assert (me["name"], me["email"]) == ("Alice Example", "alice@example.test")
        assert me["id"].startswith("user_")
        assert "Sign out" in (await person.get("/")).text
        await sign_out(person, "/auth/sign-out")
        assert "Sign in" in (await person.get("/")).text


async def test_django(
    base: str, listener: socket.socket, provider: Provider, canary: Canary, spawn: Callable[..., Any]
) -> None:
    """In a process of its own, as it is run: Django's settings are those of a process."""
    port = listener.getsockname()[1]
    listener.close()
    command = (EXAMPLES / "django_app.py", "runserver", "--noreload", f"127.0.0.1:{port}")
    async with spawn(*command) as said, browser(base) as person:
        assert (await person.get("/", headers={"Accept": "*/*"})).status_code == 401
        home = await person.get("/")
        assert home.text.startswith("Hello Alice Example.")
        asked = await person.get("/auth/sign-out")
        assert "You are signed in as Alice Example" in asked.text
        person.follow_redirects = False  # the provider would let them in again at once
        left = await person.post("/auth/sign-out", headers={"Origin": base})
        assert left.headers["location"].startswith(provider.issuer)
        assert (await person.get("/", headers={"Accept": "*/*"})).status_code == 401
    assert any("/auth/sign-out" in line for line in said)


@pytest.fixture
def spawn(canary: Canary) -> Callable[..., Any]:
    """``async with spawn(program, …) as lines``: the process, once it says that it serves."""

    @asynccontextmanager
    async def run(*command: str | Path) -> AsyncIterator[list[str]]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-u",
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said: list[str] = []
        assert process.stdout is not None
        try:
            while "Quit the server" not in "".join(said[-1:]):
                line = await asyncio.wait_for(process.stdout.readline(), 30)
                assert line, "".join(said)
                said.append(line.decode())
            rest = asyncio.create_task(process.stdout.read())
            yield said
        finally:
            process.terminate()
            await process.wait()
            said += (await rest).decode().splitlines()
            for printed in said:
                if '"GET /auth/sign-in-callback?' not in printed:  # Django's own log of accesses
                    canary.hear(printed, "what the Django example printed")

    return run


async def test_the_front_end_has_its_four_routes(
    base: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page itself is driven by tests/browser."""
    provider = register(Provider(openid=False), base)
    async with provider.serving():
        for name, endpoint in (("AUTHORIZE", "authorize"), ("TOKEN", "token"), ("USER_INFO", "user")):
            monkeypatch.setenv(name, provider.url(endpoint))
        example = load("front_end/app.py")
        async with serving(example.app, listener), browser(base) as person:
            assert "/api/logto/user" in (await person.get("/")).text
            assert (await person.get("/api/logto/user")).json() == {"isAuthenticated": False}
            await person.get("/api/logto/sign-in")
            user = (await person.get("/api/logto/user")).json()
            assert (user["isAuthenticated"], user["claims"]["name"]) == (True, "Alice Example")
            await sign_out(person, "/api/logto/sign-out")
            assert (await person.get("/api/logto/user")).json() == {"isAuthenticated": False}
