from __future__ import annotations

import httpx
import pytest

from connectors_core.errors import Step, TokenEndpointError
from connectors_core.oauth2 import (
    ClientAuthentication,
    build_revocation_request,
    read_revocation_response,
    request_secrets,
)

NOW = 1_700_000_000.0


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
