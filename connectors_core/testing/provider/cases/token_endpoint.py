"""Answers of the token endpoint to a code. RFC 6749 §5.1, §5.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..messages import Fault, Response
from .case import Case, answer, case, fails, having, respond, with_status, without

if TYPE_CHECKING:
    from ..provider import Provider

_NO = "invalid_token_response"
_OAUTH = "RFC 6749 §5.1"


def _echo(response: Response, provider: Provider) -> Response:
    """An error that repeats what was sent, secrets and all."""
    sent = provider.requests.last("token")
    said = " ".join([*sent.parameters.values(), sent.headers.get("authorization", "")])
    return Response.json({"error": "invalid_grant", "error_description": f"bad: {said}"}, status=400)


def _redirect(status: int) -> Case:
    return case(
        f"token_endpoint.redirect-{status}",
        "RFC 9700 §4.12",
        f"a redirect {status} that would carry the code elsewhere",
        _NO,
        answer_token=with_status(status, location="https://other.test/token"),
    )


def _expiry(name: str, value: Any, expected: str | None = _NO) -> Case:
    changes = f"expires_in is {str(value)[:20]!r}"
    return case(
        f"token_endpoint.expires-in-{name}", _OAUTH, changes, expected, token=having(expires_in=value)
    )


TABLE: tuple[Case, ...] = (
    case(
        "token_endpoint.html",
        _OAUTH,
        "a page with status 200",
        _NO,
        answer_token=answer("<html>busy", media="text/html"),
    ),
    case(
        "token_endpoint.json-invalid",
        _OAUTH,
        "JSON that ends early",
        _NO,
        answer_token=answer('{"access_token": "fake'),
    ),
    case("token_endpoint.json-array", _OAUTH, "an array", _NO, answer_token=answer([])),
    case(
        "token_endpoint.json-deep",
        "resource exhaustion",
        "JSON a hundred thousand levels deep",
        _NO,
        answer_token=answer(b'{"a":' * 100_000),
    ),
    case("token_endpoint.empty", _OAUTH, "nothing at all with status 200", _NO, answer_token=answer()),
    case("token_endpoint.no-access-token", _OAUTH, "no access_token", _NO, token=without("access_token")),
    case(
        "token_endpoint.access-token-number",
        _OAUTH,
        "access_token is a number",
        _NO,
        token=having(access_token=7),
    ),
    case(
        "token_endpoint.access-token-line-break",
        "RFC 6749 §A.12",
        "a line break in the access token",
        _NO,
        token=having(access_token="a\r\nb"),
    ),
    case("token_endpoint.alien-type", "RFC 6749 §7.1", "token_type mac", _NO, token=having(token_type="mac")),
    case(
        "token_endpoint.type-lower-case",
        "RFC 6749 §7.1",
        "token_type bearer",
        None,
        token=having(token_type="bearer"),
    ),
    case(
        "token_endpoint.no-id-token",
        "OpenID Connect Core §3.1.3.3",
        "no id_token though openid was asked",
        "id_token_invalid",
        token=without("id_token"),
    ),
    case(
        "token_endpoint.error-in-200",
        "GitHub answers so",
        "an error with status 200",
        "provider_error",
        answer_token=answer({"error": "bad_verification_code"}),
    ),
    case(
        "token_endpoint.token-in-400",
        "RFC 6749 §5.2",
        "a token with status 400",
        "provider_error",
        answer_token=with_status(400),
    ),
    case(
        "token_endpoint.error-echo",
        "RFC 6749 §5.2",
        "an error that repeats code, verifier and secret",
        "provider_error",
        answer_token=_echo,
    ),
    case(
        "token_endpoint.invalid-client",
        "RFC 6749 §5.2",
        "invalid_client with status 401",
        "provider_error",
        answer_token=answer({"error": "invalid_client"}, status=401),
    ),
    case(
        "token_endpoint.unavailable",
        "outage",
        "status 503 and a page",
        "provider_unavailable",
        answer_token=answer("<html>", status=503, media="text/html"),
    ),
    case(
        "token_endpoint.form",
        "GitHub and Facebook answered so",
        "form-encoded",
        None,
        settings={"token_answer": "form"},
    ),
    _expiry("text", "3600", None),
    _expiry("missing", None, None),
    _expiry("words", "soon"),
    _expiry("negative", -1),
    _expiry("true", True),
    _expiry("not-a-number", float("nan")),
    _expiry("milliseconds", 3_600_000_000),
    *(_redirect(status) for status in (301, 302, 303, 307, 308)),
    case(
        "token_endpoint.repeated-member",
        "RFC 8259 §4",
        "two access tokens in one answer",
        _NO,
        answer_token=lambda response, provider: respond(
            body=response.body.replace(b"{", b'{"access_token": "fake-other", ', 1)
        )(response, provider),
    ),
    case(
        "token_endpoint.form-repeated",
        "RFC 6749 §3.2",
        "form-encoded, with two access tokens",
        _NO,
        settings={"token_answer": "form"},
        answer_token=lambda response, provider: respond(body=b"access_token=fake-other&" + response.body)(
            response, provider
        ),
    ),
    case(
        "token_endpoint.scope-odd",
        _OAUTH,
        "a number among the scopes",
        _NO,
        token=having(scope=["openid", 7]),
    ),
    case(
        "token_endpoint.closed",
        "outage",
        "the connection is closed after the request",
        "provider_unavailable",
        answer_token=fails(Fault.CLOSE),
    ),
    case(
        "token_endpoint.reset",
        "outage",
        "the connection is reset after the request",
        "provider_unavailable",
        answer_token=fails(Fault.RESET),
    ),
    case(
        "token_endpoint.cut",
        "outage",
        "half of the body, then the end",
        "provider_unavailable",
        answer_token=fails(Fault.CUT),
    ),
    case(
        "token_endpoint.garbage",
        "RFC 9112 §2",
        "bytes that are no HTTP",
        "provider_unavailable",
        answer_token=fails(Fault.GARBAGE),
    ),
    case(
        "token_endpoint.endless",
        "resource exhaustion",
        "a body that never ends",
        "provider_error",
        answer_token=fails(Fault.ENDLESS),
    ),
    case(
        "token_endpoint.trickle",
        "resource exhaustion",
        "a byte now and then, past the deadline",
        "provider_unavailable",
        answer_token=fails(Fault.TRICKLE),
    ),
    case(
        "token_endpoint.silence",
        "outage",
        "no answer until the deadline",
        "provider_unavailable",
        answer_token=fails(Fault.SILENCE),
    ),
    case(
        "token_endpoint.compressed-bomb",
        "resource exhaustion",
        "sixteen megabytes in a few kilobytes of gzip",
        "provider_error",
        answer_token=lambda response, provider: bomb(),
    ),
)


def bomb() -> Response:
    """A small body that is large once decoded."""
    import gzip

    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    return Response(headers=headers, body=gzip.compress(b" " * (16 << 20), 9))
