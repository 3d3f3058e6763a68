"""The client carries the token to listed hosts alone, and answers one 401 with a renewed one."""

from __future__ import annotations

import json

import httpx
import pytest

from connectors_core.access.client import ApiClient
from connectors_core.access.token import AccessToken
from connectors_core.connector import NetworkPermission, Runtime
from connectors_core.errors import ConnectorMisconfigured, InvalidResponse, ReauthorizationRequired
from connectors_core.http import HttpSender
from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import OAuth2Config, OAuth2Connector

API = "https://api.acme.test/things"


class Acme(OAuth2Connector):
    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    api_hosts = ("api.acme.test", "files.acme.test:8443")
    server = ServerMetadata(
        authorization_endpoint="https://acme.test/authorize",
        token_endpoint="https://acme.test/token",
        userinfo_endpoint="https://people.acme.test/me",
    )


def token(value="access-1", generation=1):
    return AccessToken(
        access_token=value,
        token_type="Bearer",
        scopes=frozenset(),
        scopes_stated=True,
        expires_at=None,
        identity="identity-1",
        connector="acme",
        target="acme",
        generation=generation,
    )


class Provider:
    """Answers by what stands in ``answers``, 200 after that; keeps what was asked."""

    def __init__(self):
        self.asked = []
        self.answers = []
        self.tokens = [token()]
        self.renewed = []

    async def handle(self, request):
        self.asked.append(request)
        status = self.answers.pop(0) if self.answers else 200
        if status == 302:
            return httpx.Response(302, headers={"Location": "https://evil.test/"})
        if status == 203:
            return httpx.Response(203, text="<html>")
        return httpx.Response(status, json={"ok": True})

    async def give(self, *, newer_than=None):
        if newer_than is not None:
            self.renewed.append(newer_than.generation)
        given = self.tokens[-1] if newer_than is not None else self.tokens[0]
        if isinstance(given, Exception):
            raise given
        return given, self.connector

    @property
    def authorizations(self):
        return [request.headers["Authorization"] for request in self.asked]


@pytest.fixture
def provider(clock):
    made = Provider()
    runtime = Runtime(
        sender=HttpSender(transport=httpx.MockTransport(made.handle)),
        metadata_cache=None,
        key_cache=None,
        clock=clock,
        network=NetworkPermission(),
    )
    made.connector = Acme(OAuth2Config(client_id="c"), connector_id="acme", runtime=runtime)
    return made


@pytest.fixture
def client(provider):
    return ApiClient(provider.give)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
async def test_each_method_carries_the_token(provider, client, method):
    response = await getattr(client, method)(API, params={"q": "a b"})
    assert response.status_code == 200
    (request,) = provider.asked
    assert request.method == method.upper()
    assert str(request.url) == API + "?q=a%20b"
    assert request.headers["Authorization"] == "Bearer access-1"


async def test_bodies_go_as_json_form_or_bytes(provider, client):
    await client.post(API, json={"a": 1})
    await client.post(API, data={"a": "1"})
    await client.put(API, content=b"raw", headers={"Content-Type": "text/plain"})
    as_json, form, raw = provider.asked
    assert json.loads(as_json.content) == {"a": 1}
    assert form.content == b"a=1"
    assert (raw.content, raw.headers["Content-Type"]) == (b"raw", "text/plain")
    with pytest.raises(ConnectorMisconfigured):
        await client.post(API, json={}, content=b"")


@pytest.mark.parametrize("url", ["https://files.acme.test:8443/x", "https://people.acme.test/me"])
async def test_listed_hosts_and_the_userinfo_host_are_sent_the_token(provider, client, url):
    assert (await client.get(url)).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/",
        "https://sub.api.acme.test/",
        "https://api.acme.test:8443/",
        "https://files.acme.test/",
        "http://api.acme.test/",
        "https://user@api.acme.test/",
        "https://api.acme.test@evil.test/",
        "//api.acme.test/",
        "https://api.acme.test\\@evil.test/",
        "",
    ],
)
async def test_no_other_host_is_sent_anything(provider, client, url):
    with pytest.raises(ConnectorMisconfigured):
        await client.get(url)
    assert provider.asked == []


async def test_the_token_cannot_be_replaced(provider, client):
    await client.get(API, headers={"authorization": "Bearer other", "Host": "evil.test"})
    assert provider.authorizations == ["Bearer access-1"]
    assert provider.asked[0].headers["Host"] == "api.acme.test"


@pytest.mark.parametrize("headers", [{"X-A": "a\r\nX-B: b"}, {"X-A\n": "a"}, {"X-A": "a\0"}])
async def test_no_header_smuggles_another(provider, client, headers):
    with pytest.raises(ConnectorMisconfigured):
        await client.get(API, headers=headers)
    assert provider.asked == []


@pytest.mark.parametrize("value", ["a\r\nX-B: b", "ä", "a\0"])
async def test_a_token_that_is_no_header_value_goes_nowhere(provider, client, value):
    provider.tokens = [token(value)]
    with pytest.raises(ConnectorMisconfigured) as caught:
        await client.get(API)
    assert value not in str(caught.value)
    assert provider.asked == []


async def test_redirects_are_answers(provider, client):
    provider.answers = [302]
    assert (await client.get(API)).status_code == 302
    assert len(provider.asked) == 1


async def test_one_401_is_answered_with_a_renewed_token(provider, client):
    provider.tokens = [token(), token("access-2", 2)]
    provider.answers = [401]
    assert (await client.post(API, json={"a": 1})).status_code == 200
    assert provider.authorizations == ["Bearer access-1", "Bearer access-2"]
    assert provider.asked[1].content == provider.asked[0].content
    assert provider.renewed == [1]


async def test_a_body_that_could_be_sent_but_once_is_refused(provider, client):
    """After a 401 nothing of it would be left, and an empty body would go in its place."""

    async def parts():
        yield b"once"

    provider.tokens = [token(), token("access-2", 2)]
    provider.answers = [401]
    for body in ({"content": parts()}, {"content": iter([b"once"])}, {"data": iter([b"once"])}):
        with pytest.raises(ConnectorMisconfigured):
            await client.post(API, **body)
    assert provider.asked == []


async def test_a_renewed_token_of_another_connector_goes_to_that_ones_hosts_alone(provider, client):
    """As where the person has signed in through the other connector of a group meanwhile."""

    class Other(Acme):
        api_hosts = ("api.other.test",)

    provider.tokens = [token(), token("access-other", 2)]
    provider.answers = [401]
    other = Other(OAuth2Config(client_id="c"), connector_id="other", runtime=provider.connector.runtime)
    given = provider.give

    async def give(*, newer_than=None):
        if newer_than is not None:
            provider.connector = other
        return await given(newer_than=newer_than)

    with pytest.raises(ConnectorMisconfigured):
        await ApiClient(give).get(API)
    assert provider.authorizations == ["Bearer access-1"]


async def test_the_token_of_an_identity_that_was_linked_anew_is_another(provider, client):
    provider.tokens = [token("access-1", 1), token("access-anew", 1)]
    provider.answers = [401]
    assert (await client.get(API)).status_code == 200
    assert provider.authorizations == ["Bearer access-1", "Bearer access-anew"]


async def test_a_second_401_is_the_answer(provider, client):
    provider.tokens = [token(), token("access-2", 2)]
    provider.answers = [401, 401]
    assert (await client.get(API)).status_code == 401
    assert len(provider.asked) == 2


async def test_a_401_that_no_other_token_helps_is_the_answer(provider, client):
    provider.answers = [401]
    assert (await client.get(API)).status_code == 401
    assert len(provider.asked) == 1


async def test_a_dead_grant_says_so(provider, client):
    provider.tokens = [token(), ReauthorizationRequired("invalid_grant")]
    provider.answers = [401]
    with pytest.raises(ReauthorizationRequired):
        await client.get(API)


async def test_json_is_decoded_or_refused(provider, client):
    assert await client.get_json(API) == {"ok": True}
    provider.answers = [500]
    with pytest.raises(InvalidResponse, match=r"api\.acme\.test answered 500"):
        await client.get_json(API)
    provider.answers = [203]
    with pytest.raises(InvalidResponse, match=r"the answer of api\.acme\.test"):
        await client.get_json(API)
