"""Token requests and responses of servers that speak OAuth 2.0 in shapes of their own."""

from __future__ import annotations

import json

import httpx
import pytest

from connectors_core.errors import InvalidTokenResponse, TokenEndpointError
from connectors_core.oauth2.token_endpoint import read_token_response, request_secrets, with_json_body
from tests.core.oauth2.test_token_endpoint import BASIC, POST, answer, code_request

NOW = 1_700_000_000.0
NESTED = {
    "ok": True,
    "team": {"id": "T1"},
    "authed_user": {"id": "U1", "access_token": "canary-access", "token_type": "user", "scope": "a,b"},
}


def read(body: object, **settings: object):
    return read_token_response(answer(body), requested=(), now=NOW, bearer_aliases=("user",), **settings)


@pytest.mark.parametrize("authentication", [BASIC, POST])
def test_a_form_becomes_a_json_object_of_the_same_texts(authentication) -> None:
    form = code_request(authentication=authentication)
    written = with_json_body(form)
    document = json.loads(written.content)
    assert document == dict(httpx.QueryParams(form.content.decode()))
    assert document["redirect_uri"] == "https://host.example/callback/a?x=1"
    assert written.headers["content-type"] == "application/json"
    assert int(written.headers["content-length"]) == len(written.content)
    assert written.headers.get("authorization") == form.headers.get("authorization")
    assert request_secrets(form), "secrets are looked for before"


def test_a_token_is_read_from_the_member_that_holds_it() -> None:
    tokens = read(NESTED, member="authed_user", scope_separator=",")
    assert tokens.access_token == "canary-access"
    assert tokens.scopes == {"a", "b"}
    assert tokens.extra == {"ok": True, "team": {"id": "T1"}, "id": "U1"}
    assert "canary-access" not in json.dumps(dict(tokens.extra)), "one copy is enough"


@pytest.mark.parametrize("member", ["", "team", "ok", "none"])
def test_a_token_elsewhere_is_no_token(member: str) -> None:
    with pytest.raises(InvalidTokenResponse, match="access_token is missing"):
        read(NESTED, member=member)


def test_what_stands_inside_counts_before_what_stands_around() -> None:
    bot = {**NESTED, "access_token": "canary-of-a-bot", "token_type": "bot"}
    assert read(bot, member="authed_user", scope_separator=",").access_token == "canary-access"


def test_an_error_is_read_from_the_response_itself() -> None:
    with pytest.raises(TokenEndpointError) as raised:
        read({**NESTED, "ok": False, "error": "invalid_code"}, member="authed_user")
    assert raised.value.error == "invalid_code"
