from __future__ import annotations

import httpx
import pytest

from connectors_core.connector import Api
from connectors_core.errors import ConnectorMisconfigured, InvalidResponse, NotSent, Step
from connectors_core.metadata import ServerMetadata
from connectors_core.oauth2 import BearerApi
from connectors_core.tokens import TokenSet

TOKENS = TokenSet(access_token="canary-token")


@pytest.fixture
def api(runtime):
    return BearerApi(
        runtime, TOKENS, hosts=("api.example", "localhost:8080", "[::1]:9000", "API2.example:8443")
    )


def test_it_is_an_api_and_its_repr_shows_no_token(api):
    typed: Api = api
    assert "canary" not in repr(typed)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example/me",
        "https://API.example:443/me",
        "https://api.example./me",
        "http://localhost:8080/me",
        "http://[::1]:9000/me",
        "https://api2.example:8443/",
    ],
)
async def test_the_token_is_sent_to(url, api, sender):
    sender.answers = [httpx.Response(200, json={"id": 1})]
    assert await api.get_json(url) == {"id": 1}
    request = sender.requests[0]
    assert request.headers["Authorization"] == "Bearer canary-token"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"]
    assert "canary" not in str(request.url)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("another host", "https://evil.example/me"),
        ("a subdomain", "https://x.api.example/me"),
        ("a host that ends alike", "https://evilapi.example/me"),
        ("a host that begins alike", "https://api.example.evil.example/me"),
        ("another port", "https://api.example:8443/me"),
        ("plain http", "http://api.example/me"),
        ("another loopback port", "http://localhost:8081/me"),
        ("a user name", "https://api.example@evil.example/me"),
        ("credentials", "https://u:p@api.example/me"),
        ("a backslash", "https://evil.example\\@api.example/me"),
        ("a fragment", "https://api.example/me#x"),
        ("no scheme", "//api.example/me"),
        ("another scheme", "file://api.example/me"),
        ("white space", "https://api.example/me x"),
        ("a bad port", "https://api.example:99999999/me"),
        ("nothing", ""),
    ],
)
async def test_nothing_is_sent_to(name, url, api, sender):
    with pytest.raises(ConnectorMisconfigured) as caught:
        await api.get(url)
    assert not sender.requests
    assert caught.value.step is Step.USERINFO
    assert "canary" not in str(caught.value)


async def test_parameters_follow_the_urls_own_query(api, sender):
    sender.answers = [httpx.Response(200, json={})]
    await api.get("https://api.example/me?fields=id%2Cname", params={"q": "a b"}, headers={"X-V": "2"})
    assert sender.requests[0].url.raw_path == b"/me?fields=id%2Cname&q=a%20b"
    assert sender.requests[0].headers["X-V"] == "2"


async def test_a_header_of_the_caller_never_replaces_the_token(api, sender):
    sender.answers = [httpx.Response(200, json={})]
    await api.get("https://api.example/me", headers={"authorization": "Basic x", "accept": "text/plain"})
    assert sender.requests[0].headers.get_list("Authorization") == ["Bearer canary-token"]
    assert sender.requests[0].headers.get_list("Accept") == ["text/plain"]


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X\n": "a"}, {"X": "é\u2028"}])
async def test_a_header_that_cannot_be_sent_is_refused(headers, api, sender):
    with pytest.raises(ConnectorMisconfigured):
        await api.get("https://api.example/me", headers=headers)
    assert not sender.requests


async def test_a_token_that_would_break_the_header_is_not_sent(runtime, sender):
    api = BearerApi(runtime, TokenSet(access_token="canary\r\nX: y"), hosts=("api.example",))
    with pytest.raises(ConnectorMisconfigured) as caught:
        await api.get("https://api.example/me")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("status", [204, 301, 401, 403, 500])
async def test_get_returns_any_answer_and_get_json_only_a_success(status, api, sender):
    sender.answers = [httpx.Response(status, content=b"", headers={"Location": "https://evil.example"})]
    assert (await api.get("https://api.example/me")).status_code == status
    with pytest.raises(InvalidResponse) as caught:
        await api.get_json("https://api.example/me")
    assert caught.value.step is Step.USERINFO
    assert len(sender.requests) == 2


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": 1, "a": 2}', b"[" * 100_000, b"\xff"])
async def test_a_success_that_is_not_json_is_invalid(body, api, sender):
    sender.answers = [httpx.Response(200, content=body)]
    with pytest.raises(InvalidResponse):
        await api.get_json("https://api.example/me")


async def test_what_the_sender_raises_passes(api, sender):
    sender.answers = [NotSent("refused")]
    with pytest.raises(NotSent):
        await api.get("https://api.example/me")


async def test_a_connectors_api_reaches_its_api_hosts_and_the_userinfo_host_alone(make, sender):
    sender.answers = [httpx.Response(200, json={})]
    api = BearerApi.of(make(api_hosts=("graph.example",)), TOKENS)
    await api.get("https://graph.example/v1")
    await api.get("https://api.example/me")
    with pytest.raises(ConnectorMisconfigured):
        await api.get("https://as.example/token")


async def test_a_discovered_userinfo_host_is_reached(make, sender, caches):
    caches.published["https://as.example"] = ServerMetadata(
        issuer="https://as.example", userinfo_endpoint="https://user.example/info", discovered=True
    )
    sender.answers = [httpx.Response(200, json={})]
    api = BearerApi.of(make(server=None, issuer="https://as.example"), TOKENS)
    await api.get("https://user.example/info")
    with pytest.raises(ConnectorMisconfigured):
        await api.get("https://api.example/me")


async def test_the_token_goes_with_any_method(api, sender):
    sender.answers = [httpx.Response(200, json={"success": True})]
    answer = await api.request_json("DELETE", "https://api.example/me/grant", params={"proof": "x"})
    (sent,) = sender.requests
    assert answer == {"success": True}
    assert (sent.method, str(sent.url)) == ("DELETE", "https://api.example/me/grant?proof=x")
    assert sent.headers["Authorization"] == "Bearer canary-token"
    with pytest.raises(ConnectorMisconfigured):
        await api.request("DELETE", "https://other.example/me")
