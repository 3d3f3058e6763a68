"""The provider under control, at the addresses of the server that a connector knows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from ..metadata import ServerMetadata
from .provider import Fault, Provider, ProviderTransport, Request, Response
from .provider.messages import broken
from .scenarios import Actor

_ENDPOINTS = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "userinfo_endpoint": "userinfo",
    "jwks_uri": "jwks",
    "revocation_endpoint": "revoke",
    "end_session_endpoint": "end_session",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Which requests an answer is for, as ``[METHOD ]URL[?name=value&…]``; GET where no method is named.

    The pairs must be among the parameters of query and form; others may be there too.
    """

    method: str
    url: str
    pairs: frozenset[tuple[str, str]]

    @classmethod
    def read(cls, text: str) -> Place:
        method, _, address = text.rpartition(" ")
        url, _, query = address.partition("?")
        return cls(method or "GET", url, frozenset(parse_qsl(query, keep_blank_values=True)))

    def fits(self, method: str, url: str, pairs: Iterable[tuple[str, str]]) -> bool:
        return (self.method, self.url) == (method, url) and self.pairs <= set(pairs)


@dataclass(slots=True)
class Emulation(httpx.AsyncBaseTransport):
    """Sends requests for ``server``'s endpoints to those of ``provider``; answers others from ``responses``.

    A response wants an access token that was given, in the Authorization header, unless it is at
    the token endpoint. ``urls`` are all that were asked for.
    """

    provider: Provider
    server: ServerMetadata | None = None
    responses: Mapping[str, Any] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)
    unlike: dict[str, Any] = field(default_factory=dict)
    """Answers that stand in for those of ``responses`` and of the provider's ``resources`` for now."""
    said: dict[str, Any] = field(default_factory=dict)
    """The JSON that ``resources`` answered last."""

    def endpoint(self, url: str) -> str:
        """The provider's word for an address of the real server, empty for none."""
        known = {getattr(self.server, name): word for name, word in _ENDPOINTS.items()} if self.server else {}
        return known.get(url, "") or known.get(httpx.URL(url), "")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.urls.append(str(request.url))
        url = str(request.url).partition("?")[0]
        query = request.url.query.decode()
        form = request.content.decode("utf-8", "replace") if request.content else ""
        pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True)
        texts = {*self.responses, *self.provider.resources}
        places = [(place, text) for text in texts if (place := Place.read(text)).fits(
            request.method, url, pairs)]  # fmt: skip
        text = max(places, key=lambda found: len(found[0].pairs))[1] if places else ""
        if text in self.responses or text in self.unlike:
            return await self._answer(request, text, at_token_endpoint=self.endpoint(url) == "token")
        if text:
            return await self._ask(request, text)
        if endpoint := self.endpoint(url):
            target = self.provider.url(endpoint) + (f"?{query}" if query else "")
            request = httpx.Request(request.method, target, headers=request.headers, content=request.content)
        return await self.provider.transport().handle_async_request(request)

    async def _ask(self, request: httpx.Request, text: str) -> httpx.Response:
        response = await self.provider.transport().handle_async_request(request)
        await response.aread()
        if response.is_success:
            self.said[text] = response.json()
        return response

    async def _answer(self, request: httpx.Request, text: str, *, at_token_endpoint: bool) -> httpx.Response:
        given = self.unlike[text] if text in self.unlike else self.responses[text]
        answer = given if isinstance(given, Response | Fault) else Response.json(given)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not at_token_endpoint and (scheme != "Bearer" or not self._known(token)):
            answer = Response.json({"message": "Bad credentials"}, status=401)

        async def handler(_: Request) -> Response:
            return broken(answer) if isinstance(answer, Fault) else answer

        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        return await ProviderTransport(handler, origin=origin).handle_async_request(request)

    def _known(self, token: str) -> bool:
        return token in self.provider.ledger.access_tokens or (
            bool(token) and f'"{token}"' in json.dumps([r for r in self.responses.values() if _is_json(r)])
        )


def _is_json(value: Any) -> bool:
    return not isinstance(value, Response | Fault)


@dataclass(slots=True, kw_only=True)
class Visitor(Actor):
    """An actor at an emulated provider; ``callback`` is what this provider adds to its answers."""

    emulation: Emulation
    callback: Mapping[str, str] = field(default_factory=dict)

    async def land(self, started: Any) -> tuple[tuple[str, str], ...]:
        place = started.uri.partition("?")[0]
        endpoint = self.emulation.endpoint(place)
        uri = self.provider.url(endpoint) + f"?{urlsplit(started.uri).query}" if endpoint else started.uri
        landing = await self.provider.visit(uri)
        return (*landing.parameters, *self.callback.items())
