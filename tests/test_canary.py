"""The canary sings: a secret that comes out in any form is found."""

from __future__ import annotations

import base64
import logging

import pytest

from tests.canary import Canary


@pytest.fixture
def fresh() -> Canary:
    return Canary()


def logged(canary: Canary, message: str, *, exc_info: object = None) -> None:
    canary.emit(logging.LogRecord("some.module", logging.DEBUG, __file__, 1, message, (), exc_info))  # type: ignore[arg-type]


def test_finds_a_secret_in_a_log_record(fresh: Canary) -> None:
    logged(fresh, f"got {fresh.secret('code')}")
    with pytest.raises(AssertionError, match=r"the log of some\.module shows a canary"):
        fresh.check_heard()


def test_finds_a_secret_in_a_logged_exception(fresh: Canary) -> None:
    try:
        raise ValueError(fresh.secret("token"))
    except ValueError as error:
        logged(fresh, "failed", exc_info=(type(error), error, error.__traceback__))
    with pytest.raises(AssertionError):
        fresh.check_heard()


@pytest.mark.parametrize("before", ["", "i", "id", "id:", "id:x"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_finds_a_secret_wherever_it_begins_in_base64(fresh: Canary, before: str, encode: object) -> None:
    header = encode(f"{before}{fresh.secret('password')}~".encode()).decode()  # type: ignore[operator]
    with pytest.raises(AssertionError):
        fresh.check(f"Authorization: Basic {header}")


@pytest.mark.parametrize("before", ["", "i", "id"])
def test_finds_a_watched_value_that_something_else_made(fresh: Canary, before: str) -> None:
    state = fresh.watch("pZ3_k-9Qw7~fromelsewhere", "state")
    fresh.check("nothing of interest")
    with pytest.raises(AssertionError, match="shows state"):
        fresh.check(f"/callback?state={state}")
    with pytest.raises(AssertionError, match="shows state"):
        fresh.check(base64.b64encode(f"{before}{state}&".encode()))


@pytest.mark.parametrize("length", range(12, 21))
def test_finds_a_value_wherever_it_stands_among_many_others(fresh: Canary, length: int) -> None:
    for number in range(200):
        fresh.watch(f"another-value-{number:06}", "another")
    value = fresh.watch("pZ3_k-9Qw7~fromelsewhere"[-length:], "state")
    for before in range(9):
        for after in range(9):
            with pytest.raises(AssertionError, match="shows state"):
                fresh.check("x" * before + value + "y" * after)
            fresh.check("x" * before + value[1:] + "y" * after, "x" * before + value[:-1] + "y" * after)


def test_finds_the_mark_of_its_own_secrets_wherever_it_stands(fresh: Canary) -> None:
    for before in range(9):
        with pytest.raises(AssertionError, match="shows a canary"):
            fresh.check("x" * before + "canary-")


def test_finds_a_secret_in_the_cause_of_an_exception(fresh: Canary) -> None:
    error = RuntimeError("the connector failed")
    error.__cause__ = KeyError(fresh.secret("refresh_token"))
    with pytest.raises(AssertionError):
        fresh.check(error)


def test_does_not_show_the_secret_it_found(fresh: Canary) -> None:
    secret = fresh.secret("verifier")
    with pytest.raises(AssertionError) as failure:
        fresh.check(secret)
    assert secret not in str(failure.value)


def test_hears_each_record_once_a_test_and_all_at_the_end(fresh: Canary) -> None:
    logged(fresh, "harmless: LATER-known-to-be-a-secret")
    fresh.check_heard()
    fresh.watch("LATER-known-to-be-a-secret", "state")
    fresh.check_heard()
    with pytest.raises(AssertionError):
        fresh.check_heard(all_of_it=True)


def test_refuses_to_watch_what_would_be_found_by_chance(fresh: Canary) -> None:
    with pytest.raises(ValueError, match="by chance"):
        fresh.watch("openid", "state")


def test_listens_to_every_logger_of_the_run(canary: Canary) -> None:
    assert logging.getLogger("connectors_core.anything").isEnabledFor(logging.DEBUG)
    assert canary in logging.getLogger().handlers
