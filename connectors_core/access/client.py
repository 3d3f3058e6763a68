"""A provider's API, called for an owner: the token is added, renewed, and shown to listed hosts alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx

from ..connector import Connector
from ..errors import ConnectorMisconfigured, InvalidResponse, Step
from ..oauth2.api import KnowsServer, authority
from ..oauth2.authorization import append_query
from ..oauth2.json_body import read_json
from .token import AccessToken

USER_AGENT = "connectors-core"
_OURS = frozenset({"authorization", "host", "content-length", "transfer-encoding", "connection"})


class TokenSource(Protocol):
    async def __call__(self, *, newer_than: AccessToken | None = None) -> tuple[AccessToken, Connector]:
        """A token and the connector it is for; ``newer_than`` is one that an API refused."""


class ApiClient:
    """An HTTP client that carries an owner's access token, to the hosts of its connector alone.

    Those are the connector's ``api_hosts`` and the host of its userinfo endpoint, each matched
    exactly with its port; https only, http on loopback. Redirects are answers, not followed. A
    request that is answered with 401 is sent once more with a renewed token, where there is one.

    Every method raises what ``hub.access_token`` raises, ConnectorMisconfigured for a URL or host
    that may not be sent the token, TransportError.
    """

    def __init__(self, token: TokenSource) -> None:
        self._token = token

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
    ) -> httpx.Response:
        """Return the answer, whatever its status.

        ``params`` go behind the URL's own query. The body is one of ``json``, ``data`` (a form) and
        ``content``; none is a stream, which could be sent but once. ``headers`` cannot replace the token.
        """
        token, connector = await self._token()
        host = await _allowed_host(url, connector)

        def build(carrying: AccessToken) -> httpx.Request:
            body = {"json": json, "data": data, "content": content}
            given = {name: value for name, value in body.items() if value is not None}
            return _request(method, url, params or {}, headers or {}, carrying, given)

        response = await connector.runtime.send(_built(build, token, host))
        if response.status_code != 401:
            return response
        newer, connector = await self._token(newer_than=token)
        if newer.access_token == token.access_token:
            return response
        host = await _allowed_host(url, connector)  # it may be another connector of the group by now
        return await connector.runtime.send(_built(build, newer, host))

    async def get(self, url: str, **options: Any) -> httpx.Response:
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Any) -> httpx.Response:
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Any) -> httpx.Response:
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Any) -> httpx.Response:
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Any) -> httpx.Response:
        return await self.request("DELETE", url, **options)

    async def get_json(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the decoded body of a successful answer. Raises InvalidResponse for any other."""
        response = await self.request("GET", url, params=params, headers=headers)
        host = authority(url)
        if not 200 <= response.status_code < 300:
            raise InvalidResponse(f"{host} answered {response.status_code}", step=Step.USERINFO)
        try:
            return read_json(response.content)
        except ValueError as error:
            raise InvalidResponse(f"the answer of {host} {error}", step=Step.USERINFO) from None


async def _allowed_host(url: str, connector: Connector) -> str:
    try:
        host = authority(url)
    except ValueError:
        raise ConnectorMisconfigured("the API's URL is not one to use", step=Step.USERINFO) from None
    if host in {listed.lower() for listed in connector.api_hosts}:
        return host
    if isinstance(connector, KnowsServer):
        userinfo_endpoint = (await connector.server_metadata()).userinfo_endpoint
        if userinfo_endpoint is not None and host == authority(userinfo_endpoint):
            return host
    raise ConnectorMisconfigured(f"{host} is not among the api_hosts", step=Step.USERINFO)


def _built(build: Callable[[AccessToken], httpx.Request], token: AccessToken, host: str) -> httpx.Request:
    try:
        return build(token)
    except (ValueError, TypeError, httpx.InvalidURL):
        raise ConnectorMisconfigured(
            f"the request to {host} cannot be sent as it is", step=Step.USERINFO
        ) from None


def _request(
    method: str,
    url: str,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    token: AccessToken,
    body: Mapping[str, Any],
) -> httpx.Request:
    if not (method.isascii() and method.isalpha()) or len(body) > 1:
        raise ValueError("not a method, or two bodies")
    if not isinstance(body.get("content", b""), bytes | str) or not isinstance(body.get("data", {}), Mapping):
        raise ValueError("a body that can be sent but once")
    if any(c in "\r\n\0" for pair in headers.items() for text in pair for c in text):
        raise ValueError("a header holds control characters")
    if not (token.access_token.isascii() and token.access_token.isprintable()):
        raise ValueError("the access token is not visible ASCII")
    kept = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    request = httpx.Request(method.upper(), append_query(url, params), headers=kept, **body)
    request.headers.setdefault("Accept", "application/json")
    request.headers.setdefault("User-Agent", USER_AGENT)
    request.headers["Authorization"] = f"Bearer {token.access_token}"
    return request
