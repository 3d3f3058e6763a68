from __future__ import annotations

import httpx
import pytest

from connectors_core.errors import ConnectorMisconfigured, Step, TokenEndpointError
from connectors_core.oauth2 import (
    ClientAuthentication,
    build_revocation_request,
    read_revocation_response,
    request_secrets,
)
from connectors_core.tokens import TokenSet

from .conftest import NOW, TOKENS, typed_in


def revocation():
    return build_revocation_request(
        "https://as.example/revoke",
        token="canary-token",
        token_type_hint="refresh_token",
        authentication=ClientAuthentication(
            method="client_secret_post", client_id="client", client_secret="not-a-real-secret"
        ),
        now=NOW,
    )


def test_a_revocation_request_is_that_of_rfc_7009():
    assert revocation().content == (
        b"token=canary-token&token_type_hint=refresh_token&client_id=client&client_secret=not-a-real-secret"
    )


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"error": "ignored"}'])
def test_200_is_revoked_whatever_the_body(body):
    read_revocation_response(httpx.Response(200, content=body), now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "unsupported_token_type"}', "unsupported_token_type"),
        (401, b'{"error": "invalid_client"}', "invalid_client"),
        (302, b"", "unspecified"),
        (503, b"<html>", "unspecified"),
        (400, b"[]", "unspecified"),
    ],
)
def test_anything_else_is_an_error(status, body, error):
    response = httpx.Response(status, content=body, headers={"Retry-After": "5"})
    with pytest.raises(TokenEndpointError) as caught:
        read_revocation_response(response, now=NOW)
    assert (caught.value.error, caught.value.status, caught.value.retry_after) == (error, status, 5)
    assert caught.value.step is Step.REVOCATION


def test_the_token_is_not_in_an_error():
    response = httpx.Response(400, json={"error": "bad", "error_description": "canary-token?"})
    with pytest.raises(TokenEndpointError) as caught:
        read_revocation_response(response, now=NOW, secrets=request_secrets(revocation()))
    assert caught.value.error_description == "[redacted]?"


async def test_revocation_begins_with_the_refresh_token(make, sender):
    sender.answers = [httpx.Response(200)]
    await make().revoke(TOKENS)
    assert [sender.form(i)["token"] for i in (0, 1)] == ["rt", "at"]
    assert [sender.form(i)["token_type_hint"] for i in (0, 1)] == ["refresh_token", "access_token"]
    await make().revoke(TokenSet(access_token="at"))
    assert len(sender.requests) == 3


async def test_a_token_that_is_not_there_is_not_revoked(make, sender):
    sender.answers = [httpx.Response(200)]
    await make().revoke(TokenSet(access_token="", refresh_token="rt"))
    assert [sender.form(i)["token"] for i in range(len(sender.requests))] == ["rt"]
    await make().revoke(TokenSet(access_token="", refresh_token=""))
    assert len(sender.requests) == 1


async def test_an_access_token_that_cannot_be_revoked_matters_when_it_is_all_there_is(make, sender):
    unsupported = httpx.Response(400, json={"error": "unsupported_token_type"})
    sender.answers = [httpx.Response(200), unsupported]
    await make().revoke(TOKENS)
    with pytest.raises(TokenEndpointError):
        await make().revoke(TokenSet(access_token="at"))
    with pytest.raises(TokenEndpointError):
        await make().revoke(TOKENS)


async def test_a_server_that_cannot_revoke_is_told(make):
    with pytest.raises(ConnectorMisconfigured) as caught:
        await make(server=typed_in()).revoke(TOKENS)
    assert caught.value.step is Step.REVOCATION
