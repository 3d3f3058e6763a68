"""Calling a provider's API with the access token. RFC 6750 §2.1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import httpx

from ..connector import Connector, Runtime
from ..endpoints import split_endpoint
from ..errors import ConnectorMisconfigured, InvalidResponse, Step
from ..metadata import ServerMetadata
from ..tokens import TokenSet
from .authorization import append_query
from .error_response import raise_if_unavailable
from .json_body import read_json

_PORTS = {"https": 443, "http": 80}


def authority(url: str) -> str:
    """Return the host of ``url`` in lower case, with its port where that is not the scheme's own.

    Raises ValueError for a URL that may not be an endpoint.
    """
    parts = split_endpoint(url)
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS[parts.scheme]) else f"{host}:{parts.port}"


@runtime_checkable
class KnowsServer(Protocol):
    """A connector that can tell its server's metadata, from the cache or not."""

    async def server_metadata(self) -> ServerMetadata: ...


class BearerApi:
    """An HTTP client that carries the access token in the Authorization header, and nowhere else.

    ``hosts`` are those that may be sent it, each ``host`` or ``host:port`` and matched exactly: no
    subdomains, no other ports. https only, http on loopback. Redirects are answers, not followed.
    """

    __slots__ = ("_access_token", "_hosts", "_runtime", "_server")

    def __init__(
        self, runtime: Runtime, tokens: TokenSet, *, hosts: Iterable[str], server: KnowsServer | None = None
    ) -> None:
        self._runtime = runtime
        self._access_token = tokens.access_token
        self._hosts = frozenset(host.lower() for host in hosts)
        self._server = server

    @classmethod
    def of(cls, connector: Connector, tokens: TokenSet) -> BearerApi:
        """A client for the connector's ``api_hosts`` and the host of its server's userinfo endpoint."""
        server = connector if isinstance(connector, KnowsServer) else None
        return cls(connector.runtime, tokens, hosts=connector.api_hosts, server=server)

    def __repr__(self) -> str:
        return f"<BearerApi {', '.join(sorted(self._hosts))}>"

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer, whatever its status. ``params`` go behind the URL's own query.

        JSON is asked for unless ``headers`` say otherwise; they cannot replace the token.
        Raises ConnectorMisconfigured for a URL or host that may not be sent the token, TransportError.
        """
        try:
            host = authority(url)
            if not await self._may_be_sent_to(host):
                raise ConnectorMisconfigured(f"{host} is not among the api_hosts", step=Step.USERINFO)
            request = self._request(method, append_query(url, params or {}), headers or {})
        except (ValueError, httpx.InvalidURL):
            raise ConnectorMisconfigured(
                "the API request cannot be sent as it is", step=Step.USERINFO
            ) from None
        return await self._runtime.send(request)

    async def request_json(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the decoded body of a successful answer.

        Raises ProviderUnavailable or InvalidResponse for another status, InvalidResponse for a body
        that is not JSON, else as ``request``.
        """
        response = await self.request(method, url, params=params, headers=headers)
        host = authority(url)
        raise_if_unavailable(response, host, now=self._runtime.now(), step=Step.USERINFO)
        if not 200 <= response.status_code < 300:
            raise InvalidResponse(f"{host} answered {response.status_code}", step=Step.USERINFO)
        try:
            return read_json(response.content)
        except ValueError as error:
            raise InvalidResponse(f"the answer of {host} {error}", step=Step.USERINFO) from None

    async def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """As ``request`` by GET."""
        return await self.request("GET", url, params=params, headers=headers)

    async def get_json(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """As ``request_json`` by GET."""
        return await self.request_json("GET", url, params=params, headers=headers)

    async def _may_be_sent_to(self, host: str) -> bool:
        if host in self._hosts or self._server is None:
            return host in self._hosts
        userinfo_endpoint = (await self._server.server_metadata()).userinfo_endpoint
        return userinfo_endpoint is not None and host == authority(userinfo_endpoint)

    def _request(self, method: str, url: str, headers: Mapping[str, str]) -> httpx.Request:
        if any(c in "\r\n\0" for pair in headers.items() for text in pair for c in text):
            raise ValueError("a header holds control characters")
        if not (self._access_token.isascii() and self._access_token.isprintable()):
            raise ValueError("the access token is not visible ASCII")
        request = httpx.Request(method, url, headers=dict(headers))
        request.headers.setdefault("Accept", "application/json")
        request.headers.setdefault("User-Agent", "connectors-core")
        request.headers["Authorization"] = f"Bearer {self._access_token}"
        return request
