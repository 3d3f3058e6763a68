from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import ConfigurationError, ConnectorMisconfigured, Step
from connectors_core.oauth2 import build_authorization_uri, check_extra_parameters
from connectors_core.oauth2.authorization import (
    AUTHORIZATION_RESERVED,
    REFRESH_RESERVED,
    TOKEN_RESERVED,
    USERINFO_RESERVED,
)

names = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
queries = st.text(st.sampled_from("abzAZ019-._~%20%3D&=+;:@!$'()*,/?[]"), max_size=40)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("https://as.example/a", "https://as.example/a?scope=a%20b"),
        ("https://as.example/a?", "https://as.example/a?scope=a%20b"),
        ("https://as.example/a?p=B2C_1%20x", "https://as.example/a?p=B2C_1%20x&scope=a%20b"),
        ("https://as.example/a?p=1&", "https://as.example/a?p=1&scope=a%20b"),
        ("https://as.example/a?p=%7e+~", "https://as.example/a?p=%7e+~&scope=a%20b"),
        ("https://as.example/a??", "https://as.example/a??&scope=a%20b"),
        ("http://localhost:8080/a", "http://localhost:8080/a?scope=a%20b"),
    ],
)
def test_parameters_follow_the_endpoints_own_query(endpoint, expected):
    assert build_authorization_uri(endpoint, {"scope": "a b"}) == expected


@given(parameters=st.dictionaries(names, names, max_size=6), query=queries)
def test_every_parameter_and_every_byte_of_the_endpoint_comes_back(parameters, query):
    endpoint = "https://as.example/authorize" + ("?" + query if query else "")
    own = parse_qsl(query, keep_blank_values=True)
    if {name for name, _ in own} & parameters.keys():
        with pytest.raises(ConnectorMisconfigured):
            build_authorization_uri(endpoint, parameters)
        return
    uri = build_authorization_uri(endpoint, parameters)
    assert uri.startswith(endpoint)
    assert "+" not in uri.removeprefix(endpoint)
    assert uri.isascii()
    pairs = parse_qsl(urlsplit(uri).query, keep_blank_values=True)
    assert pairs[: len(own)] == own
    assert dict(pairs[len(own) :]) == parameters


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("a fragment", "https://as.example/a#x"),
        ("an empty fragment", "https://as.example/a#"),
        ("plain http", "http://as.example/a"),
        ("no host", "https:///a"),
        ("a user name", "https://u@as.example/a"),
        ("white space", "https://as.example/a b"),
        ("our parameter", "https://as.example/a?state=fixed"),
        ("our parameter, encoded", "https://as.example/a?st%61te=fixed"),
        ("our parameter without a value", "https://as.example/a?state"),
    ],
)
def test_an_endpoint_is_refused_that_has(name, endpoint):
    with pytest.raises(ConnectorMisconfigured) as caught:
        build_authorization_uri(endpoint, {"state": "canary"})
    assert caught.value.step is Step.AUTHORIZATION_REQUEST
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(ConnectorMisconfigured):
        build_authorization_uri("https://as.example/a", {"hint": "\ud800"})


@pytest.mark.parametrize(
    ("reserved", "name"),
    [
        (set_, name)
        for set_ in (AUTHORIZATION_RESERVED, TOKEN_RESERVED, REFRESH_RESERVED, USERINFO_RESERVED)
        for name in sorted(set_)
    ],
)
def test_a_reserved_name_is_refused_and_named(reserved, name):
    with pytest.raises(ConfigurationError) as caught:
        check_extra_parameters({"ok": "1", name: "canary"}, reserved, path=("customConfig",))
    assert [problem.path for problem in caught.value.problems] == [("customConfig", name)]
    assert "canary" not in str(caught.value)


def test_all_reserved_names_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        check_extra_parameters({"state": "x", "nonce": "y", "hd": "z"}, AUTHORIZATION_RESERVED)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "extra", [{"": "x"}, {"a": 1}, {1: "a"}, {"\ud800": "a"}, {"a": "\udfff"}, {"a": None}]
)
def test_a_parameter_that_is_not_text_is_refused(extra):
    with pytest.raises(ConfigurationError) as caught:
        check_extra_parameters(extra, TOKEN_RESERVED)
    str(caught.value).encode()


@given(extra=st.dictionaries(names.filter(bool), names))
def test_whatever_is_not_reserved_may_be_sent_under_its_exact_name(extra):
    check_extra_parameters(extra, frozenset())
    uri = build_authorization_uri("https://as.example/a", extra)
    assert all(f"{quote(name, safe='')}=" in uri for name in extra)
