"""Refresh: what comes back, or does not. RFC 6749 §6; OpenID Connect Core §12.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..messages import Fault
from .case import Case, Scenario, answer, case, fails, having, with_status, without

if TYPE_CHECKING:
    from ..provider import Provider


def _refresh(
    name: str,
    source: str,
    changes: str,
    expected: str | None,
    *,
    settings: dict[str, Any] | None = None,
    **edits: Any,
) -> Case:
    return case(
        f"refresh.{name}", source, changes, expected, scenario=Scenario.REFRESH, settings=settings, **edits
    )


def _used_before(form: dict[str, str], provider: Provider) -> dict[str, str]:
    entry = provider.ledger.refresh_tokens.get(form.get("refresh_token", ""))
    if entry is not None:
        entry.used_at = 0.0
    return form


_OIDC = "OpenID Connect Core §12.2"

TABLE: tuple[Case, ...] = (
    _refresh(
        "rotated", "RFC 9700 §4.14.2", "a new refresh token each time", None, settings={"rotation": "strict"}
    ),
    _refresh(
        "reused",
        "RFC 9700 §4.14.2",
        "the refresh token was used by somebody else before",
        "provider_error",
        settings={"rotation": "strict"},
        form=_used_before,
    ),
    _refresh("no-id-token", _OIDC, "no id_token", None, settings={"id_token_on_refresh": False}),
    _refresh(
        "empty-refresh-token", "RFC 6749 §6", "an empty refresh_token", None, refresh=having(refresh_token="")
    ),
    _refresh(
        "sub-other",
        _OIDC,
        "an ID token about another person",
        "id_token_invalid",
        refresh_claims=having(sub="mallory-1"),
    ),
    _refresh(
        "iss-other",
        _OIDC,
        "an ID token of another issuer",
        "id_token_invalid",
        refresh_claims=having(iss="https://other.test"),
    ),
    _refresh(
        "aud-other",
        _OIDC,
        "an ID token for another client",
        "id_token_invalid",
        refresh_claims=having(aud="client-2"),
    ),
    _refresh(
        "nonce-other",
        _OIDC,
        "an ID token with a new nonce",
        "id_token_invalid",
        refresh_claims=having(nonce="n-other"),
    ),
    _refresh(
        "narrower-scope", "RFC 6749 §6", "fewer scopes than before", None, refresh=having(scope="openid")
    ),
    _refresh(
        "no-access-token",
        "RFC 6749 §5.1",
        "no access_token",
        "invalid_token_response",
        refresh=without("access_token"),
    ),
    _refresh(
        "invalid-grant",
        "RFC 6749 §5.2",
        "the refresh token is dead",
        "provider_error",
        answer_refresh=answer({"error": "invalid_grant"}, status=400),
    ),
    _refresh(
        "invalid-client",
        "RFC 6749 §5.2",
        "the client is unknown by now",
        "provider_error",
        answer_refresh=answer({"error": "invalid_client"}, status=401),
    ),
    _refresh(
        "error-in-200",
        "GitHub answers so",
        "an error with status 200",
        "provider_error",
        answer_refresh=answer({"error": "bad_refresh_token"}),
    ),
    _refresh(
        "throttled",
        "RFC 6585 §4",
        "status 429 with Retry-After",
        "provider_unavailable",
        answer_refresh=answer({"error": "slow_down"}, status=429, retry_after="7"),
    ),
    _refresh(
        "redirect",
        "RFC 9700 §4.12",
        "a redirect that would carry the token elsewhere",
        "invalid_token_response",
        answer_refresh=with_status(307, location="https://other.test/token"),
    ),
    _refresh(
        "cut",
        "outage",
        "half of the body: the token may have rotated",
        "provider_unavailable",
        settings={"rotation": "strict"},
        answer_refresh=fails(Fault.CUT),
    ),
)
