"""How a token set that came is merged with the one that is kept. The only place that knows."""

from __future__ import annotations

from dataclasses import replace

from .grants import InactiveReason, Occasion
from .tokens import TokenSet

ALIVE = frozenset({InactiveReason.INTERACTION_REQUIRED, InactiveReason.CONSENT_REQUIRED})
"""Reasons that leave the refresh token good: the person only had to be asked."""


def merge(
    previous: TokenSet | None,
    new: TokenSet,
    *,
    occasion: Occasion,
    now: float,
    reason: InactiveReason | None = None,
) -> TokenSet:
    """Return the set to keep when ``new`` comes and ``previous`` is there.

    ``reason`` is why ``previous`` no longer served, None while it did. Of a dead set nothing is kept.

    - An absent or empty refresh token or ID token never replaces one that is there.
    - ``scopes`` of a refresh that states none are unchanged; of any other, those asked for, and
      ``scopes_stated`` is False (RFC 6749 §5.1, §6).
    - A refresh that asked for fewer scopes narrows ``effective``, not the grant; one that asked for
      all and is told fewer narrows the grant, because the provider has.
    - A sign-in without the scopes of a live set keeps that set's access and refresh token, as the
      pair they are: a caller who needs the wider scopes would otherwise lose them to a person who
      only signed in, and the narrower token can do nothing that the wider cannot.
    - A refresh token that is past its time is none, where anything but its own refresh comes.
    - What incremental authorization brought is kept: the person was asked for just these scopes.
      Where it brings no refresh token the old one stays, and with it what that covers.
    """
    new = _plain(new)
    if previous is None or occasion is Occasion.FIRST or (reason is not None and reason not in ALIVE):
        return new
    if occasion is Occasion.REFRESH:
        return _refreshed(previous, new)
    if previous.refresh_expires_at is not None and previous.refresh_expires_at <= now:
        previous = replace(previous, refresh_token=None, refresh_expires_at=None)
    live = reason is None and (
        bool(previous.refresh_token) or previous.expires_at is None or previous.expires_at > now
    )
    merged = _identified(previous, new)
    requested = previous.requested | new.requested
    if occasion is Occasion.SIGN_IN and live and not previous.scopes <= new.scopes:
        return replace(
            merged,
            access_token=previous.access_token,
            token_type=previous.token_type,
            expires_at=previous.expires_at,
            refresh_token=previous.refresh_token,
            refresh_expires_at=previous.refresh_expires_at,
            requested=requested,
            scopes=previous.scopes,
            scopes_stated=previous.scopes_stated,
            effective=previous.effective,
            extra={**new.extra, **previous.extra},
        )
    if new.refresh_token is None and previous.refresh_token:
        return replace(
            merged,
            refresh_token=previous.refresh_token,
            refresh_expires_at=previous.refresh_expires_at,
            requested=requested,
            scopes=previous.scopes | new.scopes,
            scopes_stated=previous.scopes_stated and new.scopes_stated,
            effective=_fewer(new.scopes, than=previous.scopes | new.scopes),
        )
    return replace(merged, requested=requested)


def keeps_refresh_token(merged: TokenSet, previous: TokenSet) -> bool:
    """Tell whether ``merged`` lives on by the refresh token that was there before."""
    return merged.refresh_token is not None and merged.refresh_token == previous.refresh_token


def _refreshed(previous: TokenSet, new: TokenSet) -> TokenSet:
    asked_for_all = not new.requested or previous.scopes <= new.requested
    if not new.scopes_stated:
        granted, stated = previous.scopes, previous.scopes_stated
        effective = previous.scopes if asked_for_all else previous.scopes & new.requested
    elif asked_for_all:
        granted, stated, effective = new.scopes, True, new.scopes
    else:
        granted, stated, effective = previous.scopes | new.scopes, previous.scopes_stated, new.scopes
    kept = _identified(previous, new)
    if new.refresh_token is None:
        ends = new.refresh_expires_at or previous.refresh_expires_at
        kept = replace(kept, refresh_token=previous.refresh_token, refresh_expires_at=ends)
    return replace(
        kept,
        requested=previous.requested,
        scopes=granted,
        scopes_stated=stated,
        effective=_fewer(effective, than=granted),
    )


def _identified(previous: TokenSet, new: TokenSet) -> TokenSet:
    """``new`` with the ID token, its claims and further answers of ``previous`` where it has none."""
    extra = {**previous.extra, **new.extra}
    if new.id_token or (previous.id_token is None and new.claims is not None):
        return replace(new, extra=extra)
    return replace(new, extra=extra, id_token=previous.id_token, claims=previous.claims)


def _plain(tokens: TokenSet) -> TokenSet:
    """An empty token is none, and a grant whose scopes nobody stated is of those asked for."""
    return replace(
        tokens,
        refresh_token=tokens.refresh_token or None,
        id_token=tokens.id_token or None,
        scopes=tokens.scopes if tokens.scopes_stated else tokens.scopes or tokens.requested,
    )


def _fewer(effective: frozenset[str], *, than: frozenset[str]) -> frozenset[str] | None:
    return None if effective == than else effective
