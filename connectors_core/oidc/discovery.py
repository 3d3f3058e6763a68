"""Authorization server metadata: OpenID Connect Discovery 1.0, RFC 8414."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from ..endpoints import check_endpoint, check_issuer
from ..errors import DiscoveryRejected, Step, provider_text
from ..metadata import ServerMetadata
from ..oauth2.error_response import raise_if_unavailable
from ..oauth2.json_body import read_json
from .document_cache import MAX_ENTRIES, DocumentCache, Fetched

if TYPE_CHECKING:
    from ..connector import Runtime

MAX_BYTES = 1 << 18
LIFETIME = 3600.0
"""Seconds for which metadata counts as fresh."""

_ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "revocation_endpoint",
    "end_session_endpoint",
)
_LISTS = (
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "id_token_signing_alg_values_supported",
    "code_challenge_methods_supported",
)
_FLAG = "authorization_response_iss_parameter_supported"


def configuration_url(issuer: str) -> str:
    """Where an OpenID provider publishes its metadata. OpenID Connect Discovery §4.

    "any terminating / MUST be removed before appending /.well-known/openid-configuration"
    """
    return f"{issuer.removesuffix('/')}/.well-known/openid-configuration"


def authorization_server_url(issuer: str) -> str:
    """Where an OAuth authorization server publishes its metadata. RFC 8414 §3.1."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"


def read_metadata(document: bytes | Mapping[str, Any], *, issuer: str) -> ServerMetadata:
    """Return the metadata in ``document``, which must be that of ``issuer``, to the byte.

    Members that are not known stay in ``raw``; a member that is null counts as absent. Raises
    DiscoveryRejected, naming the member, when a known one is of the wrong type, an endpoint is
    not https (http on loopback), or ``issuer`` or ``authorization_endpoint`` is missing.
    OpenID Connect Discovery §3, §4.3; RFC 8414 §2, §3.3.
    """
    members = _members(document)
    named = members.get("issuer")
    if named != issuer:
        got = provider_text(named) if isinstance(named, str) else _kind(named)
        raise DiscoveryRejected(f"the metadata's issuer: expected {issuer}, got {got}")
    known: dict[str, Any] = {name: _endpoint(name, members.get(name)) for name in _ENDPOINTS}
    if known["authorization_endpoint"] is None:
        raise DiscoveryRejected("the metadata's authorization_endpoint: expected a URL, got nothing")
    known |= {name: _strings(name, members.get(name)) for name in _LISTS}
    flag = members.get(_FLAG)
    if not isinstance(flag, bool | None):
        raise DiscoveryRejected(f"the metadata's {_FLAG}: expected true or false, got {_kind(flag)}")
    return ServerMetadata(
        issuer=issuer,
        **known,
        authorization_response_iss_parameter_supported=bool(flag),
        discovered=True,
        raw=members,
    )


class DiscoveryCache:
    """Metadata by tenant and issuer, fetched when first needed and once for all who wait.

    Fresh for an hour, served stale for a day where it cannot be fetched again; a failure is
    remembered for five seconds. At most ``entries`` documents are kept.
    """

    def __init__(self, *, entries: int = MAX_ENTRIES) -> None:
        self._documents: DocumentCache[ServerMetadata] = DocumentCache(entries=entries)

    async def metadata(self, issuer: str, runtime: Runtime) -> ServerMetadata:
        """The metadata that ``issuer`` publishes. Raises DiscoveryRejected, TransportError."""

        async def fetch() -> Fetched[ServerMetadata]:
            return Fetched(await fetch_metadata(issuer, runtime), LIFETIME)

        # The permission is part of the key: who may not reach an address must not be answered
        # from here, nor hand its refusal to one who may.
        key = (runtime.tenant, runtime.network, issuer)
        return await self._documents.get(key, fetch, clock=runtime.now)


async def fetch_metadata(issuer: str, runtime: Runtime) -> ServerMetadata:
    """Fetch what ``issuer`` publishes, by one request.

    Only where there is no OpenID configuration (404) is RFC 8414's place tried: a plain OAuth
    server has none. Raises ProviderUnavailable, DiscoveryRejected, TransportError.
    """
    try:
        check_issuer(issuer)
    except ValueError as error:
        raise DiscoveryRejected(f"the issuer {error}") from None
    response = await _get(configuration_url(issuer), runtime)
    if response.status_code == 404:
        fallback = await _get(authorization_server_url(issuer), runtime)
        response = fallback if fallback.status_code == 200 else response
    raise_if_unavailable(response, configuration_url(issuer), now=runtime.now(), step=Step.DISCOVERY)
    if response.status_code != 200:
        raise DiscoveryRejected(f"{configuration_url(issuer)} answered with status {response.status_code}")
    if len(response.content) > MAX_BYTES:
        raise DiscoveryRejected(f"the metadata is larger than {MAX_BYTES} bytes")
    return read_metadata(response.content, issuer=issuer)


async def _get(url: str, runtime: Runtime) -> httpx.Response:
    return await runtime.send(httpx.Request("GET", url, headers={"Accept": "application/json"}))


def _members(document: bytes | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(document, Mapping):
        return dict(document)
    try:
        members = read_json(document)
    except ValueError as error:
        raise DiscoveryRejected(f"the metadata {error}") from None
    if not isinstance(members, dict):
        raise DiscoveryRejected("the metadata is not a JSON object")
    return members


def _endpoint(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise DiscoveryRejected(f"the metadata's {name}: expected a URL, got {_kind(value)}")
    try:
        return check_endpoint(value)
    except ValueError as error:
        raise DiscoveryRejected(f"the metadata's {name} {error}") from None


def _strings(name: str, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DiscoveryRejected(f"the metadata's {name}: expected a list of strings, got {_kind(value)}")
    return tuple(value)


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
