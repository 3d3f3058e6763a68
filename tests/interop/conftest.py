"""Independent providers as processes of their own, and a browser of few words."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urljoin

import httpx
import pytest
from connectors_oidc import OIDC

from connectors_core.connector import Connector, NetworkPermission
from connectors_core.http import HttpSender
from connectors_core.hub import Hub
from connectors_core.registry import Registry
from tests.canary import Canary

HERE = Path(__file__).parent
REDIRECT_URI = "http://127.0.0.1:9/callback"


def cannot(reason: str) -> NoReturn:
    """Skip for want of a provider; fail where everything must be there."""
    if os.environ.get("CONNECTORS_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running(command: list[str], *, cwd: Path = HERE) -> Iterator[subprocess.Popen[str]]:
    """A process of ours, ended when the block is left."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def node_server(script: str, package: str, configuration: Mapping[str, Any]) -> Iterator[str]:
    """Run a server script under Node.js; yields its issuer."""
    from shutil import which

    node = which("node")
    if node is None:
        cannot("needs Node.js 20 or newer (node)")
    if not (HERE / "node_modules" / package).is_dir():
        cannot(f"needs the npm package {package}: cd tests/interop && npm ci")
    with running([node, script, json.dumps(configuration)]) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{script} did not start"
        yield json.loads(line)["issuer"]


@contextmanager
def python_server(package: str, code: str, *arguments: str) -> Iterator[str]:
    """Run Python code that prints its issuer; for providers that are Python packages."""
    if importlib.util.find_spec(package.replace("-", "_")) is None:
        cannot(f"needs the Python package {package}: make test installs it")
    with running([sys.executable, "-W", "ignore", "-c", code, *arguments]) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{package} did not start"
        yield json.loads(line)["issuer"]


OpenHub = Callable[..., Any]

SECRETS = frozenset(
    {"state", "nonce", "code", "code_verifier", "client_secret", "client_assertion"}
    | {"access_token", "refresh_token", "id_token", "token", "clientSecret", "privateKey"}
)


def watch(canary: Canary, named: Iterable[tuple[str, Any]]) -> None:
    """Tell the canary of what is secret in a form, a query, an answer or a configuration."""
    for name, value in named:
        if name in SECRETS and isinstance(value, str) and len(value) >= 12:
            canary.watch(value, name)


class WatchedSender(HttpSender):
    """The sender as it is, with the canary told of every secret that passes."""

    def __init__(self, canary: Canary) -> None:
        super().__init__()
        self._canary = canary

    async def send(
        self, request: httpx.Request, *, network: NetworkPermission, deadline: float | None = None
    ) -> httpx.Response:
        watch(self._canary, parse_qsl(request.content.decode()))
        response = await super().send(request, network=network, deadline=deadline)
        if response.headers.get("Content-Type", "").startswith("application/json"):
            document = json.loads(response.content)
            watch(self._canary, document.items() if isinstance(document, dict) else ())
        return response


@pytest.fixture
def open_hub(canary: Canary) -> OpenHub:
    """``async with open_hub(issuer=…, clientId=…) as hub``: a hub with the connector ``interop``.

    It is of the type given, else of the generic OpenID Connect type as it is shipped.
    """

    @asynccontextmanager
    async def opened(kind: type[Connector] = OIDC, **config: Any) -> AsyncIterator[Hub]:
        registry = Registry()
        registry.register(kind)
        watch(canary, config.items())
        sender = WatchedSender(canary)
        try:
            async with Hub(registry, allow_private_network=True, sender=sender) as hub:
                hub.add("interop", type=kind.id, config=config)
                yield hub
        finally:
            await sender.aclose()

    return opened


@dataclass(frozen=True)
class Landed:
    method: str
    parameters: list[tuple[str, str]]


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "form":
            method = (named.get("method") or "get").upper()
            self.forms.append({"action": named.get("action") or "", "method": method, "fields": []})
        elif tag in ("input", "button") and self.forms and named.get("name"):
            self.forms[-1]["fields"].append((named["name"], named.get("value") or "", named.get("type")))
        elif tag == "a":
            self.links.append(named.get("href") or "")


class Browser:
    """Follows redirects, keeps cookies and fills in forms until it is sent to the redirect URI."""

    def __init__(self, http: httpx.AsyncClient, answers: Mapping[str, str]) -> None:
        self.http = http
        self.answers = answers

    async def go(self, uri: str, *, leave_by: str = "", until: str = REDIRECT_URI) -> Landed:
        """Walk from ``uri`` to ``until``. ``leave_by`` is part of a link to click instead of consenting."""
        request = self.http.build_request("GET", uri)
        for _ in range(20):
            answer = await self.http.send(request)
            location = answer.headers.get("location")
            if location is not None:
                target = urljoin(str(answer.url), location)
                if target.startswith(until):
                    _, _, query = target.partition("?")
                    return Landed("GET", parse_qsl(query, keep_blank_values=True))
                request = self.http.build_request("GET", target)
                continue
            assert answer.status_code == 200, f"{answer.url}: {answer.status_code}"
            page = _Page(answer.text)
            links = [link for link in page.links if leave_by and leave_by in link]
            if links:
                request = self.http.build_request("GET", urljoin(str(answer.url), links[0]))
                continue
            form = page.forms[0]
            action = urljoin(str(answer.url), form["action"])
            fields = self._filled(form["fields"])
            if action.startswith(until):
                return Landed(form["method"], fields)
            request = self.http.build_request(form["method"], action, data=dict(fields))
        raise AssertionError("the browser was sent around in circles")

    def _filled(self, fields: list[tuple[str, str, str | None]]) -> list[tuple[str, str]]:
        filled: dict[str, str] = {}
        for name, value, kind in fields:
            if kind == "submit" and name in filled:
                continue
            filled[name] = self.answers.get(name, value)
        return list(filled.items())


@pytest.fixture
async def browser(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    # A browser shows its addresses, codes and all; what it says is not ours.
    for name in ("httpx", "httpcore"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", False)
    answers = {"login": "alice", "password": "any", "sub": "alice", "username": "alice"}
    async with httpx.AsyncClient() as http:
        yield Browser(http, answers)


@pytest.fixture
def sign_in(browser: Browser, canary: Canary) -> Callable[..., Any]:
    """``await sign_in(hub)``: one whole sign-in of the connector ``interop`` through the provider's pages."""

    async def done(hub: Hub, **begin: Any) -> Any:
        started = await hub.begin("interop", redirect_uri=REDIRECT_URI, **begin)
        watch(canary, httpx.URL(started.uri).params.multi_items())
        canary.watch(started.binding, "a binding")
        landed = await browser.go(started.uri)
        watch(canary, landed.parameters)
        return await hub.complete(landed.parameters, connector="interop", binding=started.binding)

    return done
