from __future__ import annotations

import json
from email.utils import formatdate

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import (
    ConfigurationError,
    ConnectorMisconfigured,
    InvalidGrant,
    InvalidTokenResponse,
    ProviderError,
    Step,
    TokenEndpointError,
)
from connectors_core.oauth2 import (
    ClientAuthentication,
    build_code_request,
    build_refresh_request,
    read_token_response,
    request_secrets,
)
from connectors_core.oauth2.authorization import REFRESH_RESERVED, TOKEN_RESERVED

NOW = 1_700_000_000.0
BASIC = ClientAuthentication(method="client_secret_basic", client_id="client", client_secret="canary secret+")
POST = ClientAuthentication(method="client_secret_post", client_id="client", client_secret="canary secret+")


def code_request(endpoint="https://as.example/token", authentication=BASIC, **changes):
    settings = {
        "code": "canary-code",
        "redirect_uri": "https://host.example/callback/a?x=1",
        "code_verifier": "canary-verifier",
        "now": NOW,
        **changes,
    }
    return build_code_request(endpoint, authentication=authentication, **settings)


def refresh_request(**changes):
    settings = {"refresh_token": "canary-refresh", "scope": None, "now": NOW, **changes}
    return build_refresh_request("https://as.example/token", authentication=BASIC, **settings)


def answer(body=None, status=200, content_type="application/json", **headers):
    content = json.dumps(body).encode() if isinstance(body, dict | list) else (body or b"")
    return httpx.Response(
        status,
        content=content,
        headers={"Content-Type": content_type, **{k.replace("_", "-"): v for k, v in headers.items()}},
    )


def read(body, *, status=200, content_type="application/json", **settings):
    return read_token_response(
        answer(body, status, content_type), **{"requested": ("a", "b"), "now": NOW, **settings}
    )


def granted(**fields):
    return {"access_token": "at", "token_type": "Bearer", **fields}


def test_a_code_request_is_that_of_rfc_6749():
    request = code_request()
    assert request.method == "POST"
    assert str(request.url) == "https://as.example/token"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.content == (
        b"grant_type=authorization_code&code=canary-code"
        b"&redirect_uri=https%3A%2F%2Fhost.example%2Fcallback%2Fa%3Fx%3D1&code_verifier=canary-verifier"
    )


def test_without_pkce_no_verifier_is_sent():
    assert b"code_verifier" not in code_request(code_verifier=None).content


def test_the_token_endpoints_own_query_stays():
    request = code_request("https://as.example/token?p=B2C_1%20x&y=%7e+")
    assert request.url.raw_path == b"/token?p=B2C_1%20x&y=%7e+"


def test_a_refresh_request_asks_for_what_was_granted():
    assert refresh_request().content == b"grant_type=refresh_token&refresh_token=canary-refresh"
    assert refresh_request(scope="a b").content.endswith(b"&scope=a+b")


def test_extra_parameters_are_added_to_the_form():
    assert code_request(parameters={"Audience": "x y"}).content.endswith(b"&Audience=x+y")


@pytest.mark.parametrize("name", sorted(TOKEN_RESERVED))
def test_reserved_parameters_of_the_code_request_are_refused(name):
    with pytest.raises(ConfigurationError):
        code_request(parameters={name: "canary"})


@pytest.mark.parametrize("name", sorted(REFRESH_RESERVED))
def test_reserved_parameters_of_the_refresh_request_are_refused(name):
    with pytest.raises(ConfigurationError):
        refresh_request(parameters={name: "canary"})


@pytest.mark.parametrize(
    ("endpoint", "changes"),
    [
        ("http://as.example/token", {}),
        ("https://as.example/token#f", {}),
        ("https://u:canary@as.example/token", {}),
        ("https://as.example:99999/token", {}),
        ("https://xn--a.example\u2028/token", {}),
        ("https://as.example/token", {"code": "canary\ud800"}),
    ],
)
def test_a_request_that_cannot_be_made_is_told_without_its_values(endpoint, changes):
    with pytest.raises(ConnectorMisconfigured) as caught:
        code_request(endpoint, **changes)
    assert "canary" not in str(caught.value)


def test_a_plain_answer_is_read_and_dated():
    tokens = read(
        granted(expires_in=3600, refresh_token="rt", id_token="a.b.c", scope="a", instance_url="https://x")
    )
    assert tokens.access_token == "at"
    assert tokens.token_type == "Bearer"
    assert tokens.expires_at == NOW + 3600
    assert tokens.refresh_token == "rt"
    assert tokens.id_token == "a.b.c"
    assert tokens.requested == {"a", "b"}
    assert tokens.scopes == {"a"}
    assert tokens.scopes_stated
    assert tokens.extra == {"instance_url": "https://x"}
    assert tokens.claims is None


def test_silence_about_scope_grants_what_was_asked():
    tokens = read({"access_token": "at"})
    assert tokens.scopes == {"a", "b"}
    assert not tokens.scopes_stated
    assert tokens.token_type == "Bearer"
    assert tokens.expires_at is None
    assert tokens.refresh_token is None


def test_null_is_absent():
    fields = ("token_type", "expires_in", "refresh_token", "id_token", "scope", "error")

    tokens = read({"access_token": "at", **dict.fromkeys(fields)})
    assert (tokens.expires_at, tokens.refresh_token, tokens.id_token) == (None, None, None)
    assert not tokens.scopes_stated


@pytest.mark.parametrize(
    ("value", "separator", "expected"),
    [
        ("x y", " ", {"x", "y"}),
        ("x  y\n", " ", {"x", "y"}),
        ("x,y", ",", {"x", "y"}),
        ("x, y", ",", {"x", "y"}),
        ("x,y", " ", {"x,y"}),
        (["x", "y"], " ", {"x", "y"}),
        ("", " ", set()),
        ([], " ", set()),
    ],
)
def test_scope_as(value, separator, expected):
    tokens = read(granted(scope=value), scope_separator=separator)
    assert tokens.scopes == expected
    assert tokens.scopes_stated


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        (3599.5, 3599.5),
        ("3599.5", 3599.5),
        (0, 0),
        ("0", 0),
        (10 * 365 * 86400, 10 * 365 * 86400),
    ],
)
def test_lifetime_as(value, seconds):
    assert read(granted(expires_in=value)).expires_at == NOW + seconds


@pytest.mark.parametrize(
    "value",
    [
        *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1", b"true", b"false", b"[]", b"{}"),
        *(b'""', b'"NaN"', b'"3600abc"', b'"-1"', b'"+1"', b'" 1"', b'"1e3"', b'"0x10"', b'"1_000"'),
        *(b"315360001", b"1700003600000", b'"99999999999"', b"9" * 5000, b'"' + b"9" * 5000 + b'"'),
        '"３６００"'.encode(),
    ],
)
def test_a_lifetime_that_is_none_is_refused(value):
    with pytest.raises(InvalidTokenResponse):
        read(b'{"access_token": "at", "expires_in": ' + value + b"}")


@pytest.mark.parametrize("value", ["Bearer", "bearer", "BEARER", "", None])
def test_token_type_is_told_in_one_spelling(value):
    assert read(granted(token_type=value)).token_type == "Bearer"


@pytest.mark.parametrize(
    "value", ["mac", "N_A", "DPoP", "dpop", "user", "Bearer ", "bearer\r\nX: y", 1, True, ["Bearer"]]
)
def test_a_token_of_a_type_that_cannot_be_used_is_refused(value):
    with pytest.raises(InvalidTokenResponse) as caught:
        read(granted(token_type=value))
    assert "token_type" in str(caught.value)


def test_a_servers_own_name_for_bearer_is_an_option():
    assert read(granted(token_type="user"), bearer_aliases=("User", "bot")).token_type == "Bearer"


def test_an_empty_refresh_token_is_none():
    assert read(granted(refresh_token="")).refresh_token is None


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("nothing", b""),
        ("a list", [granted()]),
        ("no access token", {"token_type": "Bearer"}),
        ("an empty access token", granted(access_token="")),
        ("a number as access token", granted(access_token=1)),
        ("a header in the access token", granted(access_token="canary\r\nX: y")),
        ("an access token beyond ASCII", granted(access_token="canaryé")),
        ("a list as refresh token", granted(refresh_token=["canary"])),
        ("a refresh token with a lone surrogate", b'{"access_token": "at", "refresh_token": "\\ud800"}'),
        ("an object as ID token", granted(id_token={"sub": "canary"})),
        ("a number as scope", granted(scope=1)),
        ("a lone surrogate in the scope", b'{"access_token": "at", "scope": "\\ud800"}'),
        ("numbers in the scope list", granted(scope=["a", 1])),
        ("access_token twice", b'{"access_token": "canary", "access_token": "b"}'),
        ("nesting", b'{"access_token": "canary", "x": ' + b"[" * 100_000),
        ("cut off", b'{"access_token": "canary"'),
        ("HTML", b"<html><body>canary</body></html>"),
        ("bytes that are not UTF-8", b'{"access_token": "canary\xff"}'),
        ("access_token twice in a form", b"access_token=canary&access_token=b"),
        ("a form without a token", b"a=b"),
        ("JSON with a colon too many", b"access_token: canary"),
    ],
)
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
)
def test_a_success_is_refused_that_is(name, body, content_type):
    with pytest.raises(InvalidTokenResponse) as caught:
        read(body, content_type=content_type, step=Step.REFRESH)
    assert caught.value.step is Step.REFRESH
    assert caught.value.code == "invalid_token_response"
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "text/javascript", "text/plain", "text/html", ""]
)
def test_json_is_told_by_content(content_type):
    assert read(b'\n {"access_token": "at"}', content_type=content_type).access_token == "at"


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain; charset=utf-8", "text/html", ""]
)
def test_form_encoded_answers_are_read_with_their_lifetime(content_type):
    """GitHub answers so when Accept is not heard."""
    tokens = read(
        b"access_token=at&expires_in=3600&scope=a%2Cb&token_type=bearer&refresh_token=",
        content_type=content_type,
        scope_separator=",",
    )
    assert tokens.expires_at == NOW + 3600
    assert tokens.scopes == {"a", "b"}
    assert tokens.refresh_token is None


def test_the_encoding_may_be_fixed():
    assert read(b"access_token=at", encoding="form").access_token == "at"
    assert read(granted(), encoding="json", content_type="text/plain").access_token == "at"
    for body, encoding in ((granted(), "form"), (b"access_token=at", "json")):
        with pytest.raises(InvalidTokenResponse):
            read(body, encoding=encoding, content_type="")
    with pytest.raises(TokenEndpointError):
        read({"error": "invalid_client"}, encoding="form")


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 429, 500, 503])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ({"error": "invalid_client", "error_description": "who?"}, "application/json"),
        ({"error": "invalid_client", "error_description": "who?", "access_token": "at"}, "text/plain"),
        (b"error=invalid_client&error_description=who%3F", "application/x-www-form-urlencoded"),
    ],
)
def test_an_error_body_is_an_error_whatever_the_status(status, body, content_type):
    with pytest.raises(TokenEndpointError) as caught:
        read(body, status=status, content_type=content_type, step=Step.REFRESH)
    error = caught.value
    assert (error.error, error.error_description, error.status) == ("invalid_client", "who?", status)
    assert not isinstance(error, InvalidGrant)
    assert error.step is Step.REFRESH


@pytest.mark.parametrize("body", [b"", b"<html>", {"message": "no"}, granted(), [1], b'{"a":', b"a=b"])
@pytest.mark.parametrize("status", [400, 404, 429, 502])
def test_a_failed_status_is_an_error_whatever_the_body(status, body):
    with pytest.raises(TokenEndpointError) as caught:
        read(body, status=status)
    assert (caught.value.error, caught.value.status) == ("unspecified", status)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_grants_nothing(status):
    with pytest.raises(InvalidTokenResponse):
        read(granted(), status=status)


def test_invalid_grant_is_a_class_of_its_own():
    with pytest.raises(InvalidGrant):
        read({"error": "invalid_grant"}, status=400)
    with pytest.raises(InvalidGrant) as caught:
        read({"error": "bad_refresh_token"}, invalid_grant_aliases=("bad_refresh_token",))
    assert caught.value.error == "bad_refresh_token"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("x" * 500, "x" * 64),
        ("in\r\nvalid\x1b[0m", "in  valid [0m"),
        (1, "unspecified"),
        (True, "unspecified"),
        ({"message": "gone", "type": "OAuthException"}, "unspecified"),
        (["invalid_grant"], "unspecified"),
    ],
)
def test_an_error_code_is_made_fit_to_be_shown(error, code):
    with pytest.raises(TokenEndpointError) as caught:
        read({"error": error})
    assert caught.value.error == code


def test_a_secret_that_is_part_of_a_known_error_code_does_not_spoil_it():
    for error, kind in (("invalid_grant", InvalidGrant), ("invalid_client", TokenEndpointError)):
        with pytest.raises(kind) as caught:
            read({"error": error, "error_description": "no a"}, secrets=("a",))
        assert (caught.value.error, caught.value.error_description) == (error, "no [redacted]")


def test_the_message_of_an_error_object_is_kept():
    with pytest.raises(TokenEndpointError) as caught:
        read({"error": {"message": "Code has expired", "code": 190}}, status=400)
    assert caught.value.error_description == "Code has expired"


@pytest.mark.parametrize("authentication", [BASIC, POST])
def test_a_server_that_echoes_our_secrets_does_not_get_them_into_an_error(authentication):
    request = code_request(authentication=authentication)
    echo = "canary-code canary-verifier canary secret+ canary+secret%2B canary%20secret%2B"
    echo += " " + request.headers.get("Authorization", "")
    for body in ({"error": "invalid_request", "error_description": echo}, {"error": echo}):
        with pytest.raises(TokenEndpointError) as caught:
            read(body, status=400, secrets=request_secrets(request))
        said = f"{caught.value} {caught.value.error} {caught.value.error_description}"
        assert "canary" not in said
        assert request.headers.get("Authorization", "Basic x")[6:] + "=" not in said + "="
        assert "[redacted]" in said


def test_a_refresh_token_is_among_the_secrets_of_its_request():
    assert "canary-refresh" in request_secrets(refresh_request())


def test_an_authorization_header_of_any_kind_is_secret():
    request = httpx.Request("POST", "https://a.example", headers={"Authorization": "Bearer canary"})
    assert request_secrets(request) == ("canary",)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("901", 900),
        ("9" * 400, 900),
        (formatdate(NOW + 20, usegmt=True), 20),
        (formatdate(NOW - 20, usegmt=True), 0),
        (formatdate(NOW + 90_000, usegmt=True), 900),
        ("Tue, 14 Nov 2023 22:13:30", 10),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("Fri, 99 Foo 0000 99:99:99 GMT", None),
        ("1.5", None),
    ],
)
def test_retry_after(value, seconds):
    response = answer({"error": "slow_down"}, 429, Retry_After=value)
    with pytest.raises(TokenEndpointError) as caught:
        read_token_response(response, requested=(), now=NOW)
    assert caught.value.retry_after == seconds


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    ["access_token", "token_type", "expires_in", "refresh_token", "id_token", "scope", "error", "message"]
)


@given(
    body=st.dictionaries(names | st.text(max_size=3), json_values, max_size=8).map(
        lambda value: json.dumps(value).encode()
    )
    | st.binary(),
    status=st.integers(200, 599),
    content_type=st.sampled_from(["application/json", "text/plain", ""]),
    encoding=st.sampled_from([None, "json", "form"]),
    retry_after=st.text(st.characters(codec="latin-1"), max_size=30),
)
def test_any_answer_is_a_token_set_or_an_error_of_ours(body, status, content_type, encoding, retry_after):
    response = httpx.Response(
        status,
        content=body,
        headers=[(b"Content-Type", content_type.encode()), (b"Retry-After", retry_after.encode("latin-1"))],
    )
    try:
        tokens = read_token_response(response, requested=("a",), now=NOW, encoding=encoding)
    except ProviderError as error:
        str(error).encode()
    else:
        assert 200 <= status < 300
        assert tokens.access_token
        assert tokens.token_type == "Bearer"
        assert tokens.expires_at is None or NOW <= tokens.expires_at <= NOW + 10 * 365 * 86400
