"""What a connector sends a browser with, and who may change what."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors_core.errors import ConfigurationError

from .conftest import typed_in


def query(uri: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(uri).query, keep_blank_values=True, strict_parsing=True)


async def test_the_authorization_request(make, transaction):
    uri = await make().authorization_uri(transaction())
    assert uri.startswith("https://as.example/authorize?response_type=code&client_id=client&")
    assert query(uri) == [
        ("response_type", "code"),
        ("client_id", "client"),
        ("redirect_uri", "https://host.example/callback/acme-main"),
        ("scope", "profile email"),
        ("state", "canary-state"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ]


@pytest.mark.parametrize(
    ("name", "attributes", "changes", "name_on_wire", "expected"),
    [
        ("PKCE off", {"pkce_off_because": "refused"}, {}, "code_challenge", None),
        ("PKCE off, method", {"pkce_off_because": "refused"}, {}, "code_challenge_method", None),
        ("a scope separator", {"scope_separator": ","}, {}, "scope", "profile,email"),
        ("no scope", {}, {"scopes": ()}, "scope", None),
        ("a response mode", {"response_mode": "form_post"}, {}, "response_mode", "form_post"),
        ("extras", {"authorization_parameters": {"accessType": "off line"}}, {}, "accessType", "off line"),
        ("an empty extra", {"authorization_parameters": {"x": ""}}, {}, "x", ""),
        ("the caller's", {}, {"parameters": {"login_hint": "a@x"}}, "login_hint", "a@x"),
        (
            "the caller's over the type's",
            {"authorization_parameters": {"prompt": "consent"}},
            {"parameters": {"prompt": "login"}},
            "prompt",
            "login",
        ),
        ("token parameters stay away", {"token_parameters": {"x": "1"}}, {}, "x", None),
        ("userinfo parameters stay away", {"userinfo_parameters": {"x": "1"}}, {}, "x", None),
    ],
)
async def test_on_the_authorization_request_is(
    name, attributes, changes, name_on_wire, expected, make, transaction
):
    uri = await make(**attributes).authorization_uri(transaction(**changes))
    assert dict(query(uri)).get(name_on_wire) == expected


async def test_the_authorization_endpoints_own_query_stays(make, transaction):
    server = typed_in(authorization_endpoint="https://as.example/a?p=B2C_1%20x")
    uri = await make(server=server).authorization_uri(transaction())
    assert uri.startswith("https://as.example/a?p=B2C_1%20x&response_type=code&")


async def test_a_caller_may_not_set_what_the_connector_sets(make, transaction):
    for name in ("state", "redirect_uri", "scope", "code_challenge_method", "nonce", "request_uri"):
        with pytest.raises(ConfigurationError) as caught:
            await make().authorization_uri(transaction(parameters={name: "canary"}))
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("authorization_parameters", "state"),
        ("token_parameters", "code_verifier"),
        ("refresh_parameters", "scope"),
        ("userinfo_parameters", "access_token"),
    ],
)
def test_a_type_that_sets_a_reserved_parameter_is_refused_before_any_request(attribute, name, make):
    with pytest.raises(ConfigurationError) as caught:
        make(**{attribute: {name: "canary"}})
    assert caught.value.problems[0].path == (attribute, name)


@pytest.mark.parametrize(
    ("scope", "separator", "asked", "expected"),
    [
        (None, " ", None, ("profile", "email")),
        (None, " ", ["repo", "email"], ("profile", "email", "repo")),
        ("a\tb\n c", " ", None, ("a", "b", "c")),
        ("a b", " ", ["c"], ("a", "b", "c")),
        ("a,b c", ",", None, ("a", "b", "c")),
        ("a,b", " ", None, ("a,b",)),
        ("", " ", None, ()),
        ("", " ", ["c"], ("c",)),
    ],
)
def test_scopes_to_request(scope, separator, asked, expected, make):
    connector = make(config={"scope": scope}, scope_separator=separator)
    assert connector.scopes_to_request(asked) == expected
