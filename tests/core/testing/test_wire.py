"""The provider over sockets: the same answers, TLS, pages for people, and every fault."""

import re
import ssl

import httpx
import pytest

from connectors_core.testing.provider import Fault, Provider, make_tls

FAULTS = {
    Fault.CLOSE: httpx.RemoteProtocolError,
    Fault.RESET: httpx.ReadError,
    Fault.CUT: httpx.RemoteProtocolError,
    Fault.GARBAGE: httpx.RemoteProtocolError,
    Fault.SILENCE: httpx.ReadTimeout,
}


async def test_metadata_names_the_port_and_connections_are_kept(provider_server):
    async with httpx.AsyncClient() as http:
        for _ in range(3):
            answer = await http.get(f"{provider_server.issuer}/.well-known/openid-configuration")
        assert answer.json()["issuer"] == provider_server.issuer
        assert (await http.head(provider_server.url("jwks"))).content == b""
    assert provider_server.server.opened == 1


async def test_an_issuer_with_a_path_has_two_well_known_places(provider):
    async with provider.serving(path="/tenant/one"), httpx.AsyncClient() as http:
        openid = await http.get(f"{provider.issuer}/.well-known/openid-configuration")
        oauth = await http.get(f"{provider.origin}/.well-known/oauth-authorization-server/tenant/one")
        assert openid.json() == oauth.json()
        assert openid.json()["token_endpoint"] == f"{provider.issuer}/token"
        assert (await http.get(f"{provider.origin}/token")).status_code == 404


async def test_tls_is_trusted_through_its_own_authority(provider, tmp_path):
    context, trusted = make_tls(tmp_path)
    async with provider.serving(tls=context):
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(trusted))) as http:
            assert (await http.get(provider.url("jwks"))).status_code == 200
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(provider.url("jwks"))


BOTH = [(fault, sockets) for fault in FAULTS for sockets in (True, False)]


@pytest.mark.parametrize(("fault", "sockets"), [pair for pair in BOTH if pair != (Fault.SILENCE, False)])
async def test_faults_look_the_same_with_and_without_sockets(provider, fault, sockets):
    expected = FAULTS[fault] if sockets else httpx.TransportError
    async with provider.serving():
        transport = None if sockets else provider.transport()
        timeout = httpx.Timeout(5.0, read=0.2 if fault is Fault.SILENCE else 5.0)
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as http:
            provider.answer_next("jwks", fault)
            with pytest.raises(expected):
                await http.get(provider.url("jwks"))


@pytest.mark.parametrize("sockets", [True, False], ids=["sockets", "in process"])
async def test_an_endless_body_does_not_end(provider, sockets):
    async with provider.serving():
        transport = None if sockets else provider.transport()
        async with httpx.AsyncClient(transport=transport) as http:
            provider.answer_next("jwks", Fault.ENDLESS)
            read = 0
            async with http.stream("GET", provider.url("jwks")) as answer:
                async for chunk in answer.aiter_raw():
                    read += len(chunk)
                    if read > 1 << 20:
                        break
    assert read > 1 << 20


async def test_a_trickling_body_arrives_whole_in_the_end(provider_server):
    async with httpx.AsyncClient() as http:
        provider_server.answer_next("jwks", Fault.TRICKLE)
        assert (await http.get(provider_server.url("jwks"))).json() == {"cut": "here"}


async def test_a_person_unticks_a_scope_and_stays_signed_in(provider_server: Provider):
    provider = provider_server
    provider.consent = "page"
    asked = {
        "response_type": "code",
        "client_id": "client-1",
        "redirect_uri": "https://host.test/callback",
        "scope": "openid email calendar",
        "state": "s-1",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    }
    async with httpx.AsyncClient() as browser:
        silent = await browser.get(provider.url("authorize"), params=asked | {"prompt": "none"})
        assert "error=login_required" in silent.headers["location"]
        page = (await browser.get(provider.url("authorize"), params=asked)).text
        assert "Alice Example" in page
        fields = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page))
        chosen = fields | {"person": "alice-1", "granted": "email", "decision": "allow"}
        landed = await browser.post(provider.url("authorize"), data=chosen)
        assert "code=" in landed.headers["location"]
        assert provider.ledger.grants[-1].scopes == ("openid", "email")
        again = (await browser.get(provider.url("authorize"), params=asked)).text
        assert "Signed in as Alice Example" in again
        denied = await browser.post(provider.url("authorize"), data=fields | {"decision": "deny"})
        assert "error=access_denied" in denied.headers["location"]


async def test_stopping_leaves_nothing_behind(provider):
    async with provider.serving(), httpx.AsyncClient() as http:
        await http.get(provider.url("jwks"))
        url = provider.url("jwks")
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)
