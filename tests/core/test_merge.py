"""The merge rules, as sentences and as laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.grants import InactiveReason, Occasion
from connectors_core.merge import merge
from connectors_core.tokens import TokenSet

NOW = 1_800_000_000.0
A, B, C = frozenset("a"), frozenset("b"), frozenset("c")


def tokens(name: str, scopes: frozenset[str] = A, **changes: object) -> TokenSet:
    made = TokenSet(
        access_token=f"access-{name}",
        refresh_token=f"refresh-{name}",
        id_token=f"id-{name}",
        expires_at=NOW + 60,
        requested=scopes,
        scopes=scopes,
        scopes_stated=True,
        claims={"sub": name},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def kept(previous: TokenSet | None, new: TokenSet, occasion: str, **options: object) -> TokenSet:
    return merge(previous, new, occasion=Occasion(occasion), now=NOW, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("occasion", ["refresh", "sign_in", "step_up"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_an_absent_or_empty_refresh_token_never_overwrites(occasion: str, nothing: str | None) -> None:
    merged = kept(tokens("old"), tokens("new", refresh_token=nothing), occasion)
    assert merged.access_token == "access-new"
    assert merged.refresh_token == "refresh-old"


@pytest.mark.parametrize("occasion", ["refresh", "sign_in", "step_up"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_an_absent_id_token_keeps_the_old_with_its_claims(occasion: str, nothing: str | None) -> None:
    merged = kept(tokens("old"), tokens("new", id_token=nothing, claims=None), occasion)
    assert (merged.id_token, merged.claims) == ("id-old", {"sub": "old"})


def test_an_empty_refresh_token_of_a_first_grant_is_none() -> None:
    assert kept(None, tokens("new", refresh_token="", id_token=""), "first").refresh_token is None


def test_absent_scope_on_a_first_grant_means_as_requested_and_the_record_says_so() -> None:
    merged = kept(None, tokens("new", frozenset(), requested=A | B, scopes_stated=False), "first")
    assert (merged.scopes, merged.scopes_stated, merged.requested) == (A | B, False, A | B)


@pytest.mark.parametrize("stated", [True, False])
def test_absent_scope_on_a_refresh_means_unchanged(stated: bool) -> None:
    old = tokens("old", A | B, scopes_stated=stated)
    merged = kept(old, tokens("new", A | B, scopes_stated=False), "refresh")
    assert (merged.scopes, merged.scopes_stated) == (A | B, stated)
    assert merged.effective_scopes == A | B


def test_requested_granted_and_effective_scopes_are_kept_apart() -> None:
    old = tokens("old", A | B, requested=A | B | C)
    fewer = kept(old, tokens("new", A, requested=A), "refresh")
    assert (fewer.requested, fewer.scopes, fewer.effective_scopes) == (A | B | C, A | B, A)
    unstated = kept(old, tokens("new", A, scopes_stated=False), "refresh")
    assert (unstated.scopes, unstated.effective_scopes) == (A | B, A)
    whole = kept(fewer, tokens("again", A | B), "refresh")
    assert (whole.scopes, whole.effective_scopes) == (A | B, A | B)


def test_a_refresh_that_asked_for_all_and_is_told_fewer_narrows_the_grant() -> None:
    merged = kept(tokens("old", A | B), tokens("new", A, requested=A | B), "refresh")
    assert (merged.scopes, merged.effective_scopes) == (A, A)


def test_an_ordinary_sign_in_never_narrows_a_live_wider_set() -> None:
    wide = tokens("wide", A | B)
    merged = kept(wide, tokens("narrow", A), "sign_in")
    assert (merged.access_token, merged.refresh_token) == ("access-wide", "refresh-wide")
    assert (merged.scopes, merged.effective_scopes) == (A | B, A | B)
    assert merged.id_token == "id-narrow"


@pytest.mark.parametrize(
    ("old", "reason", "access"),
    [
        ({"expires_at": NOW}, None, "wide"),
        ({"refresh_token": None}, None, "wide"),
        ({"refresh_token": None, "expires_at": None}, None, "wide"),
        ({"refresh_token": None, "expires_at": NOW}, None, "narrow"),
        ({}, InactiveReason.INVALID_GRANT, "narrow"),
        ({}, InactiveReason.CONSENT_REQUIRED, "narrow"),
    ],
)
def test_what_counts_as_live(old: dict[str, object], reason: InactiveReason | None, access: str) -> None:
    merged = kept(tokens("wide", A | B, **old), tokens("narrow", A), "sign_in", reason=reason)
    assert merged.access_token == f"access-{access}"


@pytest.mark.parametrize("occasion", ["sign_in", "step_up"])
def test_a_refresh_token_past_its_time_keeps_no_set_alive_and_is_not_carried_over(occasion: str) -> None:
    spent = tokens("old", A | B, expires_at=NOW - 1, refresh_expires_at=NOW)
    assert kept(spent, tokens("new"), occasion).access_token == "access-new"
    alone = kept(spent, tokens("new", refresh_token=None), occasion)
    assert (alone.access_token, alone.refresh_token, alone.refresh_expires_at) == ("access-new", None, None)
    assert alone.scopes == A
    living = replace(spent, expires_at=NOW + 1)
    assert kept(living, tokens("new", refresh_token=None), occasion).refresh_token is None


def test_a_sign_in_that_grants_no_less_replaces_what_is_there() -> None:
    merged = kept(tokens("old", A), tokens("new", A | B), "sign_in")
    assert (merged.access_token, merged.refresh_token, merged.scopes) == ("access-new", "refresh-new", A | B)


def test_what_a_step_up_brought_is_kept() -> None:
    merged = kept(tokens("old", A | B), tokens("new", A | C), "step_up")
    assert (merged.access_token, merged.scopes) == ("access-new", A | C)
    without = kept(tokens("old", A | B), tokens("new", A | C, refresh_token=None), "step_up")
    assert (without.access_token, without.refresh_token) == ("access-new", "refresh-old")
    assert (without.scopes, without.effective_scopes) == (A | B | C, A | C)


@pytest.mark.parametrize("reason", [r for r in InactiveReason if "required" not in r])
def test_of_a_dead_grant_nothing_is_kept(reason: InactiveReason) -> None:
    new = tokens("new", refresh_token=None, id_token=None, claims=None)
    assert kept(tokens("old"), new, "sign_in", reason=reason) == new


def test_a_grant_that_only_waited_for_the_person_keeps_its_refresh_token() -> None:
    merged = kept(
        tokens("old"),
        tokens("new", refresh_token=None),
        "sign_in",
        reason=InactiveReason.INTERACTION_REQUIRED,
    )
    assert merged.refresh_token == "refresh-old"


def test_what_else_an_answer_held_is_kept_until_another_says_otherwise() -> None:
    old = tokens("old", extra={"instance_url": "one", "realm": "r"})
    assert kept(old, tokens("new", extra={"instance_url": "two"}), "refresh").extra == {
        "instance_url": "two",
        "realm": "r",
    }


def test_the_end_of_a_refresh_token_goes_with_it() -> None:
    old = tokens("old", refresh_expires_at=NOW + 5)
    assert kept(old, tokens("new"), "refresh").refresh_expires_at is None
    assert kept(old, tokens("new", refresh_token=None), "refresh").refresh_expires_at == NOW + 5


scopes = st.frozensets(st.sampled_from("abcd"))
maybe = st.none() | st.just("") | st.text("xyz", min_size=1, max_size=3)
sets = st.builds(
    TokenSet,
    access_token=st.text("xyz", min_size=1, max_size=3),
    refresh_token=maybe,
    id_token=maybe,
    expires_at=st.none() | st.sampled_from([NOW - 1, NOW, NOW + 1]),
    requested=scopes,
    scopes=scopes,
    scopes_stated=st.booleans(),
    extra=st.dictionaries(st.sampled_from("mn"), st.integers(), max_size=2),
)
occasions = st.sampled_from(Occasion)


@given(st.none() | sets, sets, occasions)
def test_no_merge_leaves_an_empty_token(previous: TokenSet | None, new: TokenSet, occasion: Occasion) -> None:
    previous = previous and merge(None, previous, occasion=Occasion.FIRST, now=NOW)
    merged = merge(previous, new, occasion=occasion, now=NOW)
    assert merged.refresh_token != ""
    assert merged.id_token != ""


@given(sets, sets, occasions)
def test_no_refresh_token_and_no_id_token_is_lost_while_the_grant_lives(
    previous: TokenSet, new: TokenSet, occasion: Occasion
) -> None:
    if occasion is Occasion.FIRST:
        return
    merged = merge(previous, new, occasion=occasion, now=NOW)
    assert merged.refresh_token or not previous.refresh_token
    assert bool(merged.id_token) == bool(previous.id_token or new.id_token)


@given(sets, sets)
def test_no_sign_in_narrows_a_set_that_can_still_serve(previous: TokenSet, new: TokenSet) -> None:
    previous = merge(None, previous, occasion=Occasion.FIRST, now=NOW)
    live = bool(previous.refresh_token) or previous.expires_at is None or previous.expires_at > NOW
    merged = merge(previous, new, occasion=Occasion.SIGN_IN, now=NOW)
    if live:
        assert previous.scopes <= merged.scopes
        assert previous.effective_scopes <= merged.effective_scopes


@given(sets, sets, occasions)
def test_merging_the_same_again_changes_nothing(
    previous: TokenSet, new: TokenSet, occasion: Occasion
) -> None:
    once = merge(previous, new, occasion=occasion, now=NOW)
    assert merge(once, new, occasion=occasion, now=NOW) == once


@given(sets, sets, occasions)
def test_an_access_token_comes_with_its_own_expiry_and_scopes(
    previous: TokenSet, new: TokenSet, occasion: Occasion
) -> None:
    new = replace(new, access_token="new")
    merged = merge(previous, new, occasion=occasion, now=NOW)
    source = new if merged.access_token == "new" else previous
    assert (merged.access_token, merged.expires_at) == (source.access_token, source.expires_at)


@given(sets, sets, occasions)
def test_the_scopes_that_are_effective_were_granted(
    previous: TokenSet, new: TokenSet, occasion: Occasion
) -> None:
    merged = merge(previous, new, occasion=occasion, now=NOW)
    assert merged.effective_scopes <= merged.scopes
