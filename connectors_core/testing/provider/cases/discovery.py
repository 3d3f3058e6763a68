"""Metadata that must not be believed. OpenID Connect Discovery §3, §4.3; RFC 8414 §3.3."""

from __future__ import annotations

from ..messages import Fault
from .case import Case, Scenario, answer, case, changed, fails, having, respond, with_status, without

_NO = "provider_error"
_HTML = "<!doctype html><title>Sign in</title>"
_ISSUER = "OpenID Connect Discovery §4.3"

TABLE: tuple[Case, ...] = (
    case(
        "discovery.issuer-mismatch",
        _ISSUER,
        "the issuer is another",
        _NO,
        metadata=having(issuer="https://other.test"),
    ),
    case(
        "discovery.issuer-slash",
        _ISSUER,
        "the issuer ends in a slash",
        _NO,
        metadata=changed("issuer", lambda i: i + "/"),
    ),
    case(
        "discovery.issuer-path",
        _ISSUER,
        "the issuer has a path more",
        _NO,
        metadata=changed("issuer", lambda i: i + "/tenant"),
    ),
    case(
        "discovery.issuer-upper-case",
        _ISSUER,
        "the issuer is in upper case",
        _NO,
        metadata=changed("issuer", str.upper),
    ),
    case(
        "discovery.issuer-missing",
        "OpenID Connect Discovery §3",
        "no issuer",
        _NO,
        metadata=without("issuer"),
    ),
    case(
        "discovery.authorization-endpoint-missing",
        "OpenID Connect Discovery §3",
        "no authorization_endpoint",
        _NO,
        metadata=without("authorization_endpoint"),
    ),
    case(
        "discovery.token-endpoint-list",
        "OpenID Connect Discovery §3",
        "token_endpoint is a list",
        _NO,
        metadata=changed("token_endpoint", lambda url: [url]),
    ),
    case(
        "discovery.authorization-endpoint-javascript",
        "RFC 6749 §3.1",
        "a javascript: URL as authorization_endpoint",
        _NO,
        metadata=having(authorization_endpoint="javascript:alert(1)"),
    ),
    case(
        "discovery.jwks-file",
        "OpenID Connect Discovery §3",
        "a file: URL as jwks_uri",
        _NO,
        metadata=having(jwks_uri="file:/keys.json"),
    ),
    case(
        "discovery.token-endpoint-http",
        "RFC 6749 §3.2",
        "token_endpoint in plain http",
        _NO,
        metadata=having(token_endpoint="http://provider.test/token"),
    ),
    case(
        "discovery.methods-string",
        "OpenID Connect Discovery §3",
        "auth methods as one string",
        _NO,
        metadata=having(token_endpoint_auth_methods_supported="client_secret_basic"),
    ),
    case(
        "discovery.redirect",
        "OpenID Connect Discovery §4.2",
        "a redirect to another host",
        _NO,
        answer_discovery=with_status(302, location="https://other.test/.well-known/openid-configuration"),
    ),
    case(
        "discovery.html",
        "OpenID Connect Discovery §4.2",
        "a page instead of JSON",
        _NO,
        answer_discovery=answer(_HTML, media="text/html"),
    ),
    case(
        "discovery.large",
        "resource exhaustion",
        "300 kB in one member",
        _NO,
        metadata=having(padding="x" * 300_000),
    ),
    case(
        "discovery.huge",
        "resource exhaustion",
        "two megabytes of white space before the document",
        _NO,
        answer_discovery=answer(b" " * (2 << 20) + b"{}"),
    ),
    case(
        "discovery.deep",
        "resource exhaustion",
        "JSON a hundred thousand levels deep",
        _NO,
        answer_discovery=answer(b"[" * 100_000 + b"]" * 100_000),
    ),
    case(
        "discovery.array",
        "OpenID Connect Discovery §4.2",
        "an array instead of an object",
        _NO,
        answer_discovery=answer([]),
    ),
    case(
        "discovery.repeated-member",
        "RFC 8259 §4",
        "two issuers in one document",
        _NO,
        answer_discovery=lambda response, provider: respond(
            body=response.body.replace(b"{", b'{"issuer": "https://other.test", ', 1)
        )(response, provider),
    ),
    case(
        "discovery.unavailable",
        "outage",
        "status 503",
        "provider_unavailable",
        answer_discovery=with_status(503),
    ),
    case(
        "discovery.reset",
        "outage",
        "the connection is reset",
        "provider_unavailable",
        answer_discovery=fails(Fault.RESET),
    ),
    case(
        "discovery.silence",
        "outage",
        "no answer before the deadline",
        "provider_unavailable",
        answer_discovery=fails(Fault.SILENCE),
    ),
    case(
        "discovery.unavailable-after-success",
        "outage",
        "status 503 while good metadata is cached",
        None,
        scenario=Scenario.HOURS_LATER,
        answer_discovery=with_status(503),
    ),
    case(
        "discovery.unknown-members",
        "OpenID Connect Discovery §3",
        "members nobody knows",
        None,
        metadata=having(x_vendor={"any": ["thing"]}, mtls_endpoint_aliases={}),
    ),
)
