"""A person's browser before an application in this process: no network, and nothing of a real one's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from connectors_core.testing.provider import Provider

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]


def wired(app: Any) -> Send:
    """What sends requests to an ASGI application."""
    transport = httpx.ASGITransport(app=app)

    async def send(request: httpx.Request) -> httpx.Response:
        response = await transport.handle_async_request(request)
        await response.aread()
        return response

    return send


class Browser:
    """Keeps cookies, names itself as browsers do, and follows nothing by itself.

    ``send`` is for a request that is to go as it is. ``prefix`` is where the sign-in routes are.
    """

    def __init__(self, send: Send, provider: Provider, base: str, prefix: str = "") -> None:
        self.send = send
        self.provider = provider
        self.base = base
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
        url = urljoin(self.base, path) + (f"?{suffix}" if suffix else "")
        sent: dict[str, str | None] = {"Accept": HTML, "Sec-Fetch-Site": "same-origin"}
        if cookies and self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent |= headers or {}
        request = httpx.Request(
            method, url, headers={k: v for k, v in sent.items() if v is not None}, data=form
        )
        response = await self.send(request)
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
        landing = await self.provider.visit(started.headers["location"])
        path = urlsplit(landing.uri).path
        headers: dict[str, str | None] = {"Sec-Fetch-Site": "cross-site"}
        if landing.method == "GET":
            return await self.get(path, query=landing.query, headers=headers)
        kept = await self.post(path, form=dict(landing.parameters), headers=headers, cookies=False)
        assert kept.status_code == 303, kept.text
        return await self.get(kept.headers["location"], headers=headers)

    async def sign_in(self, *connector: str, **query: str) -> httpx.Response:
        return await self.come_back(await self.begin(*connector, **query))

    async def user(self) -> dict[str, Any]:
        answer = await self.get(f"{self.prefix}/user", headers={"Accept": "application/json"})
        return dict(answer.json())
