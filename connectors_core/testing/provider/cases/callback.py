"""Authorization responses that are not the answer to our request. RFC 6749 §4.1.2, RFC 9207, RFC 9700."""

from __future__ import annotations

from .case import (
    Case,
    Scenario,
    case,
    having,
    only_pairs,
    pairs_plus,
    pairs_with,
    pairs_without,
)

_NO = "invalid_request"
_STATE = "RFC 6749 §10.12"

TABLE: tuple[Case, ...] = (
    case("callback.state-missing", _STATE, "no state", _NO, authorization=pairs_without("state")),
    case("callback.state-empty", _STATE, "an empty state", _NO, authorization=pairs_with("state", "")),
    case(
        "callback.state-other",
        _STATE,
        "a state never given",
        "state_mismatch",
        authorization=pairs_with("state", "x" * 43),
    ),
    case(
        "callback.state-twice",
        "RFC 6749 §3.1",
        "the state stands twice",
        _NO,
        authorization=pairs_plus("state"),
    ),
    case(
        "callback.code-twice", "RFC 6749 §3.1", "the code stands twice", _NO, authorization=pairs_plus("code")
    ),
    case(
        "callback.code-missing",
        "RFC 6749 §4.1.2",
        "neither code nor error",
        _NO,
        authorization=pairs_without("code"),
    ),
    case(
        "callback.code-and-error",
        "RFC 6749 §4.1.2",
        "code and error together",
        _NO,
        authorization=pairs_plus("error", "access_denied"),
    ),
    case(
        "callback.reused",
        _STATE,
        "the same callback twice",
        "transaction_consumed",
        scenario=Scenario.CALLBACK_TWICE,
    ),
    case(
        "callback.other-browser",
        _STATE,
        "from a browser that began nothing",
        "state_mismatch",
        scenario=Scenario.OTHER_BROWSER,
    ),
    case(
        "callback.other-connector",
        "RFC 9700 §4.4",
        "at the address of another connector",
        "state_mismatch",
        scenario=Scenario.OTHER_CONNECTOR,
    ),
    case(
        "callback.late",
        _STATE,
        "after the transaction expired",
        "transaction_expired",
        scenario=Scenario.LATE,
    ),
    case(
        "callback.iss-wrong",
        "RFC 9207 §2.4",
        "the iss of another issuer, as in a mix-up",
        "issuer_mismatch",
        settings={"callback_iss": "announced"},
        authorization=pairs_with("iss", "https://other.test"),
    ),
    case(
        "callback.iss-wrong-unannounced",
        "RFC 9207 §2.4",
        "the iss of another issuer, without an announcement",
        "issuer_mismatch",
        authorization=pairs_with("iss", "https://other.test"),
    ),
    case(
        "callback.iss-missing",
        "RFC 9207 §2.4",
        "no iss though it is announced",
        "issuer_mismatch",
        settings={"callback_iss": "announced"},
        authorization=pairs_without("iss"),
    ),
    case(
        "callback.iss-twice",
        "RFC 6749 §3.1",
        "iss stands twice",
        _NO,
        settings={"callback_iss": "announced"},
        authorization=pairs_plus("iss", "https://other.test"),
    ),
    case(
        "callback.iss-right", "RFC 9207 §2", "iss as announced", None, settings={"callback_iss": "announced"}
    ),
    case(
        "callback.iss-unannounced",
        "GitHub began so in 2026",
        "the right iss without an announcement",
        None,
        settings={"callback_iss": "unannounced"},
    ),
    case(
        "callback.iss-announced-as-text",
        "RFC 9207 §3",
        "the announcement is the text true",
        "provider_error",
        metadata=having(authorization_response_iss_parameter_supported="true"),
    ),
    case(
        "callback.access-denied",
        "RFC 6749 §4.1.2.1",
        "the person said no",
        "access_denied",
        settings={"denies_with": "access_denied"},
    ),
    case(
        "callback.login-required",
        "OpenID Connect Core §3.1.2.6",
        "nobody is signed in",
        "login_required",
        authorization=only_pairs(error="login_required"),
    ),
    case(
        "callback.consent-required",
        "OpenID Connect Core §3.1.2.6",
        "consent is missing",
        "consent_required",
        authorization=only_pairs(error="consent_required"),
    ),
    case(
        "callback.interaction-required",
        "OpenID Connect Core §3.1.2.6",
        "a page must be shown",
        "interaction_required",
        authorization=only_pairs(error="interaction_required"),
    ),
    case(
        "callback.invalid-scope",
        "RFC 6749 §4.1.2.1",
        "a scope is unknown",
        "invalid_scope",
        authorization=only_pairs(error="invalid_scope"),
    ),
    case(
        "callback.error-without-state",
        "RFC 6749 §4.1.2.1",
        "an error and no state",
        _NO,
        authorization=lambda pairs, provider: [("error", "access_denied")],
    ),
    case(
        "callback.unknown-parameters",
        "RFC 6749 §4.1.2",
        "parameters nobody knows",
        None,
        authorization=pairs_with("session_state", "abc.def"),
    ),
)
