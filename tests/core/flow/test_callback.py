"""The callback parser."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import (
    AccessDenied,
    AuthorizationError,
    AuthorizationUnavailable,
    ConsentRequired,
    InteractionRequired,
    InvalidCallback,
    InvalidScope,
    LoginRequired,
)
from connectors_core.flow.callback import CallbackAnswer, authorization_error, parse_callback


def test_reads_a_code():
    answer = parse_callback("code=c%2B1&state=s&iss=https%3A%2F%2Fas.example&realmId=7")
    assert (answer.code, answer.state, answer.iss) == ("c+1", "s", "https://as.example")
    assert answer.parameters == {"realmId": "7"}


def test_reads_an_error():
    answer = parse_callback("?error=access_denied&error_description=no+thanks&state=s")
    assert (answer.code, answer.error, answer.error_description) == (None, "access_denied", "no thanks")


@pytest.mark.parametrize(
    "received",
    [
        "code=c&state=s",
        b"code=c&state=s",
        {"code": "c", "state": "s"},
        {"code": ["c"], "state": ["s"]},
        [("code", "c"), ("state", "s")],
        "code=c&state=s&empty=&iss=",
    ],
)
def test_takes_every_form_a_framework_hands_over(received):
    assert parse_callback(received) == CallbackAnswer(state="s", code="c")


@pytest.mark.parametrize(
    ("received", "message"),
    [
        ("", "no state"),
        ("code=c", "no state"),
        ("code=c&state=", "no state"),
        ("state=s", "either a code or an error"),
        ("state=s&code=&error=", "either a code or an error"),
        ("state=s&code=c&error=e", "either a code or an error"),
        ("state=s&code=c&code=c", "repeats the parameter code"),
        ("state=s&state=t&code=c", "repeats the parameter state"),
        ("state=s&code=c&iss=a&iss=a", "repeats the parameter iss"),
        ("state=s&code=c&x=1&x=2", "repeats the parameter x"),
        ("state=s&code=", "either a code or an error"),
        ("state=s&code=&code=c", "repeats the parameter code"),
        ({"state": "s", "code": ["c", "d"]}, "repeats the parameter code"),
        ({"state": "s", "code": 1}, "not text"),
        ({"state": None, "code": "c"}, "not text"),
        ([("state",)], "not name and value pairs"),
        ([1, 2], "not name and value pairs"),
        ("state=%ff&code=c", "cannot be decoded"),
        (b"state=\xff&code=c", "cannot be decoded"),
        ("state=s&code=" + "c" * 40_000, "too large"),
        ("&".join(f"p{n}=1" for n in range(100)), "cannot be decoded"),
        ([(f"p{n}", "1") for n in range(100)], "too large"),
    ],
)
def test_refuses(received, message):
    with pytest.raises(InvalidCallback, match=message):
        parse_callback(received)


class Multi(dict):
    """A framework's multi-mapping: ``items`` shows the last value, another method shows all."""

    def multi_items(self):
        return [("state", "s"), ("code", "evil"), ("code", "good")]

    def items(self):
        return {"state": "s", "code": "good"}.items()


class Lists(Multi):
    multi_items = None

    def lists(self):
        return [("state", ["s"]), ("code", ["evil", "good"])]


@pytest.mark.parametrize("received", [Multi(), Lists()])
def test_a_repetition_that_a_framework_hides_is_seen(received):
    with pytest.raises(InvalidCallback, match="repeats the parameter code"):
        parse_callback(received)


def test_a_lone_surrogate_is_not_text():
    """JSON can carry one; no URL can."""
    with pytest.raises(InvalidCallback, match="not text"):
        parse_callback({"state": "\ud800", "code": "c"})


def test_decodes_exactly_once():
    """A provider's code may hold a literal percent sequence."""
    assert parse_callback("state=s&code=a%252Fb").code == "a%2Fb"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(st.text() | st.binary() | st.dictionaries(st.text(), json_like) | st.lists(json_like))
def test_is_total(received):
    """Any input gives an answer with a state, or InvalidCallback."""
    try:
        answer = parse_callback(received)
    except InvalidCallback:
        return
    assert answer.state
    assert (answer.code is None) != (answer.error is None)


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name not in ("error", "error_description", "iss")),
        st.text(min_size=1),
        max_size=5,
    ),
    st.text(min_size=1),
    st.text(min_size=1),
)
def test_reads_back_what_a_provider_encodes(extra, code, state):
    try:
        query = urlencode({**extra, "code": code, "state": state})
    except UnicodeEncodeError:
        return
    answer = parse_callback(query.encode())
    extra.pop("code", None)
    extra.pop("state", None)
    assert (answer.code, answer.state, answer.parameters) == (code, state, extra)


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        ("access_denied", AccessDenied, "access_denied"),
        ("login_required", LoginRequired, "login_required"),
        ("consent_required", ConsentRequired, "consent_required"),
        ("interaction_required", InteractionRequired, "interaction_required"),
        ("account_selection_required", InteractionRequired, "interaction_required"),
        ("invalid_scope", InvalidScope, "invalid_scope"),
        ("temporarily_unavailable", AuthorizationUnavailable, "provider_unavailable"),
        ("server_error", AuthorizationUnavailable, "provider_unavailable"),
        ("user_cancelled_login", AuthorizationError, "provider_error"),
    ],
)
def test_every_error_answer_is_its_own_error(error, expected, code):
    raised = authorization_error(CallbackAnswer(state="s", error=error))
    assert type(raised) is expected
    assert raised.code == code
    assert raised.error == error


def test_an_error_text_shows_no_secret_and_no_control_character():
    answer = CallbackAnswer(
        state="the-state", error="e" * 100, error_description="bad\x1b[31m the-state\n<b>"
    )
    raised = authorization_error(answer, secrets=("the-state", None))
    assert len(raised.error) == 64
    assert "the-state" not in raised.error_description
    assert raised.error_description.isprintable()


def test_a_repeated_parameter_is_named_without_its_value():
    with pytest.raises(InvalidCallback) as caught:
        parse_callback("state=the-secret-state&state=the-secret-state&code=c")
    assert "the-secret-state" not in str(caught.value)


def test_a_providers_own_word_for_a_refusal_is_one() -> None:
    answer = CallbackAnswer(state="s", error="user_cancelled_login")
    assert type(authorization_error(answer)) is not AccessDenied
    assert type(authorization_error(answer, denied=("user_cancelled_login",))) is AccessDenied
