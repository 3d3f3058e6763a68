"""What is answered when something goes wrong."""

from __future__ import annotations

import pytest
from connectors_host.errors import STATUS, HostError, failure
from connectors_host.texts import ERRORS, PAGES

from connectors_core import errors
from connectors_core.errors import ConnectorError, Step
from tests.canary import Canary
from tests.host.conftest import Running


def every(kind: type[ConnectorError]) -> list[type[ConnectorError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in every(child))]


@pytest.mark.parametrize("kind", every(ConnectorError), ids=lambda kind: kind.__name__)
def test_every_code_of_the_core_has_a_status(kind: type[ConnectorError]) -> None:
    assert kind.code in STATUS


@pytest.mark.parametrize(
    ("error", "status", "members"),
    [
        (errors.AccessDenied("access_denied", error_description="no"), 403, {"error_description": "no"}),
        (errors.IdTokenRejected("nonce", expected="ours", actual="another"), 502, {"claim": "nonce"}),
        (errors.ScopeRequired(missing=["b", "a"], granted=[]), 403, {"missing": ["a", "b"]}),
        (errors.ReauthorizationRequired("revoked"), 403, {"reason": "revoked"}),
        (errors.StorageError("gone"), 503, {}),
        (errors.ConnectorFault("raised"), 500, {}),
        (errors.AddressRefused("refused"), 500, {}),
        (HostError("sign_up_closed"), 403, {}),
    ],
)
def test_a_problem_says_status_code_step_and_what_else_is_known(
    error: ConnectorError | HostError, status: int, members: dict[str, object]
) -> None:
    problem = failure(error).problem()
    assert problem["status"] == status
    assert problem["code"] == error.code
    assert problem["step"] in set(Step)
    assert {key: problem[key] for key in members} == members
    assert set(problem) == {"type", "title", "status", "detail", "code", "step", *members}


def test_a_code_that_nobody_listed_is_our_fault() -> None:
    class Odd(ConnectorError):
        code = "odd"

    assert failure(Odd("odd")).status == 500


def test_retry_after_is_what_the_provider_said() -> None:
    assert failure(errors.TemporarilyUnavailable(retry_after=7)).headers["Retry-After"] == "7"


def test_every_language_says_everything() -> None:
    assert PAGES["en"].keys() == PAGES["ja"].keys()
    assert ERRORS["en"].keys() == ERRORS["ja"].keys()


JSON = {"Accept": "application/json"}


async def test_programs_get_problem_json(running: Running) -> None:
    answer = await running.browser().get("/sign-in/nobody", headers=JSON)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["code"], body["step"]) == ("not_found", "configuration")


async def test_browsers_get_a_page_with_the_same_status(running: Running) -> None:
    answer = await running.browser().get("/nothing-here")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<code>not_found</code>" in answer.text


async def test_what_nobody_foresaw_is_a_page_and_its_message_stays_inside(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, canary: Canary
) -> None:
    code = canary.secret("code")

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"{code} is unknown")

    monkeypatch.setattr(type(running.host.hub), "begin", broken)
    answer = await running.browser().get("/sign-in/acme")
    assert answer.status_code == 500
    assert "server_error" in answer.text
    canary.check(answer.text, caplog.text)
    assert "unforeseen RuntimeError" in caplog.text


async def test_a_provider_s_words_are_shown_as_text_when_the_state_was_valid(running: Running) -> None:
    browser = running.browser()
    started = await browser.begin()
    state = dict(pair.split("=", 1) for pair in started.headers["location"].partition("?")[2].split("&"))[
        "state"
    ]
    words = {"error": "access_denied", "error_description": "<b>ask your admin</b>"}
    forged = await browser.get("/callback/acme", query={**words, "state": "another"})
    assert "ask your admin" not in forged.text
    answered = await browser.get("/callback/acme", query={**words, "state": state})
    assert "&lt;b&gt;ask your admin&lt;/b&gt;" in answered.text


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/sign-in/acme", 405, "GET, OPTIONS"),
        ("HEAD", "/sign-in/acme", 405, "GET, OPTIONS"),
        ("HEAD", "/callback/acme", 405, "GET, OPTIONS, POST"),
        ("PUT", "/callback/acme", 405, "GET, OPTIONS, POST"),
        ("GET", "/switch", 405, "OPTIONS, POST"),
        ("DELETE", "/user", 405, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/user", 204, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/callback/acme", 204, "GET, OPTIONS, POST"),
        ("HEAD", "/sign-in", 200, None),
        ("HEAD", "/user", 200, None),
        ("OPTIONS", "/nothing", 404, None),
    ],
)
async def test_methods(running: Running, method: str, path: str, status: int, allow: str | None) -> None:
    answer = await running.browser().request(method, path)
    assert answer.status_code == status
    assert answer.headers.get("allow") == allow
