"""What a connector asks the token endpoint for: a code's tokens, fresh ones, a grant of the server's own."""

from __future__ import annotations

import httpx
import pytest

from connectors_core.errors import (
    AnswerLost,
    InvalidGrant,
    InvalidTokenResponse,
    ReauthorizationRequired,
    Step,
    TokenEndpointError,
)
from connectors_core.oauth2 import OAuth2Config
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Callback

from .conftest import GRANT, NOW, SERVER, TOKENS


async def test_the_exchange_sends_what_the_transaction_kept(make, sender, transaction):
    sender.answers = [httpx.Response(200, json=GRANT)]
    tokens = await make(token_parameters={"audience": "x"}).exchange(Callback(code="c"), transaction())
    assert str(sender.requests[0].url) == "https://as.example/token"
    assert sender.form() == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "https://host.example/callback/acme-main",
        "code_verifier": transaction().code_verifier,
        "audience": "x",
        "client_id": "client",
        "client_secret": "not-a-real-secret",
    }
    assert tokens.expires_at == NOW + 60
    assert tokens.scopes == tokens.requested == {"profile", "email"}
    assert len(sender.requests) == 1


async def test_with_pkce_off_no_verifier_is_sent(make, sender, transaction):
    sender.answers = [httpx.Response(200, json=GRANT)]
    await make(pkce_off_because="refused").exchange(Callback(code="c"), transaction())
    assert "code_verifier" not in sender.form()


async def test_the_lifetime_counts_from_before_the_request_left(make, runtime, transaction):
    times = iter([NOW, NOW + 9])

    class Slow:
        async def send(self, request, *, network, deadline=None):
            next(times)
            return httpx.Response(200, json=GRANT)

    slow = type(runtime)(
        sender=Slow(),
        metadata_cache=runtime.metadata_cache,
        key_cache=runtime.key_cache,
        clock=lambda: next(times),
    )
    connector = type(make())(OAuth2Config(client_id="c"), connector_id="a", runtime=slow)
    tokens = await connector.exchange(Callback(code="c"), transaction())
    assert tokens.expires_at == NOW + 60


async def test_what_goes_wrong_in_the_exchange_is_told(make, sender, transaction):
    connector, callback = make(), Callback(code="canary-code")
    for answer, kind in (
        (
            httpx.Response(400, json={"error": "invalid_grant", "error_description": "canary-code"}),
            InvalidGrant,
        ),
        (httpx.Response(401, json={"error": "invalid_client"}), TokenEndpointError),
        (httpx.Response(200, json={"token_type": "mac"}), InvalidTokenResponse),
        (AnswerLost("cut"), AnswerLost),
    ):
        sender.answers = [answer]
        with pytest.raises(kind) as caught:
            await connector.exchange(callback, transaction())
        assert "canary" not in f"{caught.value} {getattr(caught.value, 'error_description', '')}"


async def test_accept_sees_the_transaction_on_exchange_and_the_old_grant_on_refresh(
    make, acme, sender, transaction
):
    seen = []

    async def accept(self, tokens, *, server, transaction, callback, previous):
        seen.append((server, transaction, callback, previous))
        return TokenSet(access_token="accepted")

    connector = make(accept=accept)
    sender.answers = [httpx.Response(200, json=GRANT)]
    assert (await connector.exchange(Callback(code="c"), transaction())).access_token == "accepted"
    assert (await connector.refresh(TOKENS)).access_token == "accepted"
    assert seen == [(SERVER, transaction(), Callback(code="c"), None), (SERVER, None, None, TOKENS)]


@pytest.mark.parametrize(
    ("scopes", "sent", "requested"),
    [(None, None, {"profile"}), (("a", "b", "a"), "a b", {"a", "b"}), ((), None, {"profile"})],
)
async def test_a_refresh_asks_for(scopes, sent, requested, make, sender):
    sender.answers = [httpx.Response(200, json=GRANT)]
    connector = make(refresh_parameters={"x": "1"}, token_parameters={"y": "1"})
    renewed = await connector.refresh(TOKENS, scopes=scopes)
    form = sender.form()
    assert "y" not in form
    assert (form["grant_type"], form["refresh_token"], form["x"]) == ("refresh_token", "rt", "1")
    assert form.get("scope") == sent
    assert renewed.requested == renewed.scopes == requested
    assert not renewed.scopes_stated


async def test_a_refresh_answer_is_not_merged(make, sender):
    sender.answers = [httpx.Response(200, json={"access_token": "new"})]
    renewed = await make().refresh(TOKENS)
    assert (renewed.access_token, renewed.refresh_token) == ("new", None)


async def test_a_dead_refresh_token_and_none_at_all(make, sender):
    sender.answers = [httpx.Response(200, json={"error": "invalid_grant"})]
    with pytest.raises(InvalidGrant) as caught:
        await make().refresh(TOKENS)
    assert caught.value.step is Step.REFRESH
    with pytest.raises(ReauthorizationRequired):
        await make().refresh(TokenSet(access_token="at"))
    assert len(sender.requests) == 1


async def test_a_grant_of_the_servers_own_is_asked_for_as_the_client(make, sender):
    sender.answers = [httpx.Response(200, json={"access_token": "fake-long", "token_type": "bearer"})]
    form = {"grant_type": "fb_exchange_token", "fb_exchange_token": "canary-short"}
    tokens = await make().request_grant(form, requested={"email"})
    assert sender.form() == form | {"client_id": "client", "client_secret": "not-a-real-secret"}
    assert (tokens.access_token, tokens.requested) == ("fake-long", {"email"})


async def test_what_a_grant_of_the_servers_own_sends_is_not_shown(make, sender):
    error = {"error": "canary-short-token", "error_description": "canary-short-token is unknown"}
    sender.answers = [httpx.Response(400, json=error)]
    with pytest.raises(TokenEndpointError) as raised:
        await make().request_grant({"grant_type": "x", "token_to_exchange": "canary-short-token"})
    assert "canary" not in f"{raised.value} {raised.value.error} {raised.value.error_description}"
