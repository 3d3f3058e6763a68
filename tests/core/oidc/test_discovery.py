from __future__ import annotations

import asyncio
import gc
import json
import weakref
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.connector import NetworkPermission, Runtime
from connectors_core.errors import ConnectorError, DiscoveryRejected, NotSent, ProviderUnavailable
from connectors_core.oidc import DiscoveryCache, read_metadata
from connectors_core.oidc.discovery import authorization_server_url, configuration_url
from connectors_core.oidc.document_cache import DocumentCache, Fetched
from connectors_core.testing.plugin import Clock
from tests.core.oidc.op import ISSUER, METADATA, Provider

WELL_KNOWN = "/.well-known/openid-configuration"


def test_known_members_are_read_and_the_rest_stays_in_raw() -> None:
    document = {**METADATA, "authorization_response_iss_parameter_supported": True, "acme_extension": [1]}
    server = read_metadata(json.dumps(document).encode(), issuer=ISSUER)
    assert server.token_endpoint == f"{ISSUER}/token"
    assert server.id_token_signing_alg_values_supported == ("RS256", "ES256", "HS256", "none")
    assert server.authorization_response_iss_parameter_supported
    assert server.discovered
    assert server.revocation_endpoint is None
    assert server.raw["acme_extension"] == [1]


@pytest.mark.parametrize(
    "issuer",
    [
        f"{ISSUER}/",
        f"{ISSUER}:443",
        "https://OP.example",
        "http://op.example",
        None,
        7,
        [ISSUER],
        f"{ISSUER} ",
    ],
)
def test_an_issuer_that_is_not_the_same_to_the_byte_is_refused(issuer: object) -> None:
    with pytest.raises(DiscoveryRejected, match="issuer"):
        read_metadata({**METADATA, "issuer": issuer}, issuer=ISSUER)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("authorization_endpoint", None),
        ("authorization_endpoint", 1),
        ("token_endpoint", "http://op.example/token"),
        ("userinfo_endpoint", "https://user@op.example/"),
        ("jwks_uri", "https://op.example/jwks#x"),
        ("end_session_endpoint", ["https://op.example"]),
        ("revocation_endpoint", "javascript:alert(1)"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("token_endpoint_auth_methods_supported", [1]),
        ("code_challenge_methods_supported", {"S256": True}),
        ("authorization_response_iss_parameter_supported", "true"),
    ],
)
def test_a_mistyped_member_is_refused_by_name(member: str, value: object) -> None:
    with pytest.raises(DiscoveryRejected, match=member):
        read_metadata({**METADATA, member: value}, issuer=ISSUER)


def test_a_null_member_counts_as_absent() -> None:
    assert read_metadata({**METADATA, "userinfo_endpoint": None}, issuer=ISSUER).userinfo_endpoint is None


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"null", b"\xff", b'{"issuer":1,"issuer":2}', b'{"a":NaN}', b"[" * 100_000]
)
def test_what_is_no_json_object_is_refused(document: bytes) -> None:
    with pytest.raises(DiscoveryRejected, match="metadata"):
        read_metadata(document, issuer=ISSUER)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*METADATA, "x"]), json_values | st.just(ISSUER)))
def test_reading_is_total(changes: dict[str, Any]) -> None:
    try:
        server = read_metadata({**METADATA, **changes}, issuer=ISSUER)
    except DiscoveryRejected:
        return
    assert server.issuer == ISSUER
    assert isinstance(server.authorization_endpoint, str)


@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        (
            "https://a.example",
            f"https://a.example{WELL_KNOWN}",
            "https://a.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://a.example/",
            f"https://a.example{WELL_KNOWN}",
            "https://a.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://a.example/realms/r",
            f"https://a.example/realms/r{WELL_KNOWN}",
            "https://a.example/.well-known/oauth-authorization-server/realms/r",
        ),
        (
            "https://a.example/realms/r/",
            f"https://a.example/realms/r{WELL_KNOWN}",
            "https://a.example/.well-known/oauth-authorization-server/realms/r",
        ),
    ],
)
def test_metadata_is_looked_for_where_the_specifications_say(issuer: str, openid: str, oauth: str) -> None:
    assert configuration_url(issuer) == openid
    assert authorization_server_url(issuer) == oauth


async def test_a_plain_oauth_server_is_found_where_there_is_no_openid_configuration(
    runtime: Runtime, provider: Provider
) -> None:
    provider.documents = {"/.well-known/oauth-authorization-server": METADATA}
    assert (await runtime.server_metadata(ISSUER)).issuer == ISSUER
    assert [request.url.path for request in provider.requests] == [
        WELL_KNOWN,
        "/.well-known/oauth-authorization-server",
    ]


async def test_a_server_that_fails_is_not_asked_at_the_other_place(
    runtime: Runtime, provider: Provider
) -> None:
    provider.documents = {
        WELL_KNOWN: httpx.Response(503, headers={"Retry-After": "7"}),
        "/.well-known/oauth-authorization-server": METADATA,
    }
    with pytest.raises(ProviderUnavailable, match="503") as caught:
        await runtime.server_metadata(ISSUER)
    assert (caught.value.code, caught.value.retry_after) == ("provider_unavailable", 7.0)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 404, 500])
async def test_anything_but_200_is_refused(runtime: Runtime, provider: Provider, status: int) -> None:
    provider.documents = {WELL_KNOWN: httpx.Response(status, headers={"location": "https://evil.example"})}
    with pytest.raises(DiscoveryRejected, match=str(status)):
        await runtime.server_metadata(ISSUER)


async def test_an_oversized_document_is_refused(runtime: Runtime, provider: Provider) -> None:
    provider.documents = {WELL_KNOWN: {**METADATA, "padding": "x" * (1 << 18)}}
    with pytest.raises(DiscoveryRejected, match="larger"):
        await runtime.server_metadata(ISSUER)


async def test_an_issuer_that_cannot_be_one_causes_no_request(runtime: Runtime, provider: Provider) -> None:
    with pytest.raises(DiscoveryRejected, match="issuer"):
        await runtime.server_metadata("https://op.example?tenant=1")
    assert provider.requests == []


async def test_all_who_wait_share_one_fetch(runtime: Runtime, provider: Provider) -> None:
    provider.before = lambda: asyncio.sleep(0)
    found = await asyncio.gather(*(runtime.server_metadata(ISSUER) for _ in range(50)))
    assert len(provider.requests) == 1
    assert all(server is found[0] for server in found)


async def test_a_cancelled_caller_does_not_cancel_the_fetch_of_the_others(
    runtime: Runtime, provider: Provider
) -> None:
    gate = asyncio.Event()
    provider.before = gate.wait
    first = asyncio.ensure_future(runtime.server_metadata(ISSUER))
    second = asyncio.ensure_future(runtime.server_metadata(ISSUER))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert provider.requests
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.set()
    assert (await second).issuer == ISSUER
    assert len(provider.requests) == 1


async def test_metadata_is_fresh_for_an_hour(runtime: Runtime, provider: Provider, clock: Clock) -> None:
    await runtime.server_metadata(ISSUER)
    clock.now += 3599
    await runtime.server_metadata(ISSUER)
    assert len(provider.requests) == 1
    clock.now += 1
    await runtime.server_metadata(ISSUER)
    assert len(provider.requests) == 2


async def test_a_clock_that_was_set_back_does_not_keep_metadata_for_ever(
    runtime: Runtime, provider: Provider, clock: Clock
) -> None:
    await runtime.server_metadata(ISSUER)
    clock.now -= 1_000_000
    await runtime.server_metadata(ISSUER)
    assert len(provider.requests) == 2


async def test_stale_metadata_serves_through_an_outage_of_a_day(
    runtime: Runtime, provider: Provider, clock: Clock
) -> None:
    served = await runtime.server_metadata(ISSUER)
    provider.broken = NotSent("refused")
    clock.now += 86_399
    assert await runtime.server_metadata(ISSUER) is served
    assert await runtime.server_metadata(ISSUER) is served
    assert len(provider.requests) == 2
    clock.now += 61
    with pytest.raises(NotSent):
        await runtime.server_metadata(ISSUER)
    provider.broken = None
    clock.now += 61
    assert (await runtime.server_metadata(ISSUER)).issuer == ISSUER


async def test_a_failure_is_remembered_for_seconds_and_raised_anew_for_each_caller(
    runtime: Runtime, provider: Provider, clock: Clock
) -> None:
    provider.broken = NotSent("refused")
    failures: list[ConnectorError] = []
    for _ in range(20):
        with pytest.raises(NotSent, match="refused") as caught:
            await runtime.server_metadata(ISSUER)
        failures.append(caught.value)
    assert len(provider.requests) == 1
    assert len(set(map(id, failures))) == 20
    clock.now += 5
    provider.broken = None
    assert (await runtime.server_metadata(ISSUER)).issuer == ISSUER


async def test_a_clock_that_was_set_back_does_not_keep_a_failure_alive(
    runtime: Runtime, provider: Provider, clock: Clock
) -> None:
    provider.broken = NotSent("refused")
    with pytest.raises(NotSent):
        await runtime.server_metadata(ISSUER)
    provider.broken = None
    clock.now -= 7200
    assert (await runtime.server_metadata(ISSUER)).issuer == ISSUER


async def test_a_remembered_failure_keeps_nothing_of_its_fetch_alive(clock: Clock) -> None:
    class Held:
        pass

    references = []

    async def fetch() -> Fetched[object]:
        held = Held()
        references.append(weakref.ref(held))
        try:
            raise ValueError(held)
        except ValueError:
            raise NotSent("refused") from None

    cache = DocumentCache[object]()
    with pytest.raises(NotSent):
        await cache.get("key", fetch, clock=clock)
    gc.collect()
    assert [reference() for reference in references] == [None]


async def test_a_crash_of_the_sender_reaches_every_caller_and_is_not_remembered(
    runtime: Runtime, provider: Provider
) -> None:
    provider.broken = RuntimeError("a defect")
    results = await asyncio.gather(
        *(runtime.server_metadata(ISSUER) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [RuntimeError] * 3
    provider.broken = None
    assert (await runtime.server_metadata(ISSUER)).issuer == ISSUER


async def test_tenants_and_permissions_share_nothing(runtime: Runtime, provider: Provider) -> None:
    for other in (
        runtime,
        replace(runtime, tenant="acme"),
        replace(runtime, network=NetworkPermission(private=True)),
        replace(runtime, network=NetworkPermission(hosts=frozenset({"op.example"}))),
    ):
        await other.server_metadata(ISSUER)
    assert len(provider.requests) == 4


async def test_the_cache_is_bounded_and_forgets_the_least_recently_used(
    runtime: Runtime, provider: Provider
) -> None:
    runtime = replace(runtime, metadata_cache=DiscoveryCache(entries=2))
    for tenant in ("a", "b", "a", "c", "a", "b"):
        await replace(runtime, tenant=tenant).server_metadata(ISSUER)
    assert len(provider.requests) == 4


async def test_an_entry_evicted_while_it_is_fetched_still_serves_those_who_wait(
    runtime: Runtime, provider: Provider
) -> None:
    runtime = replace(runtime, metadata_cache=DiscoveryCache(entries=1))
    gate = asyncio.Event()
    provider.before = gate.wait
    waiting = []
    for tenant in ("a", "b", "a"):
        waiting.append(asyncio.ensure_future(replace(runtime, tenant=tenant).server_metadata(ISSUER)))
        await asyncio.sleep(0)
    gate.set()
    assert [server.issuer for server in await asyncio.gather(*waiting)] == [ISSUER] * 3
    assert len(provider.requests) == 2


def test_a_fetch_left_behind_by_another_event_loop_blocks_nobody(
    runtime: Runtime, provider: Provider
) -> None:
    async def abandoned() -> None:
        provider.before = asyncio.Event().wait
        caller = asyncio.ensure_future(runtime.server_metadata(ISSUER))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert provider.requests
        caller.cancel()

    asyncio.run(abandoned())
    provider.before = None
    assert asyncio.run(runtime.server_metadata(ISSUER)).issuer == ISSUER
