"""How long a lease lasts, and how long a silent holder is waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors_core.access.rotation import Rotation
from connectors_core.access.timing import Timing
from connectors_core.grants import GrantRef, GrantState

STATE = GrantState(
    ref=GrantRef(
        tenant="t", owner="o", identity="i", subject="s", connector="c", target="t", issuer="i", urls=b""
    ),
    secret_id="secret",
    expires_at=1_000.0,
    lease_holder="gone",
    lease_until=900.0,
)


@pytest.mark.parametrize(
    ("text", "rotation"),
    [
        ("none", Rotation("none")),
        ("overlap", Rotation("overlap")),
        ("strict", Rotation("strict")),
        ("grace:30", Rotation("grace", 30.0)),
        ("grace", Rotation("strict")),
        ("grace:soon", Rotation("strict")),
        ("", Rotation("strict")),
        ("sometimes", Rotation("strict")),
    ],
)
def test_what_is_unknown_counts_as_strict(text, rotation):
    assert Rotation.read(text) == rotation


@pytest.mark.parametrize(
    ("text", "lease"),
    [("strict", 15), ("none", 15), ("grace:30", 15), ("grace:10", 5), ("grace:3", 2), ("grace:0", 2)],
)
def test_a_lease_ends_within_the_grace(text, lease):
    assert Rotation.read(text).lease(Timing()) == lease


@pytest.mark.parametrize(
    ("text", "changes", "at"),
    [
        ("strict", {}, 960.0),
        ("strict", {"expires_at": 920.0}, 920.0),
        ("strict", {"expires_at": None}, 0.0),
        ("strict", {"lease_holder": None, "lease_until": None}, 0.0),
        ("grace:30", {}, 0.0),
        ("none", {}, 0.0),
        ("none", {"retry_at": 930.0}, 930.0),
        ("strict", {"retry_at": 990.0}, 990.0),
    ],
)
def test_a_strict_provider_is_asked_late(text, changes, at):
    assert Rotation.read(text).free_at(replace(STATE, **changes), 910.0, Timing()) == at


def test_a_holder_that_lives_is_no_silent_one():
    strict = Rotation("strict")
    assert strict.free_at(STATE, 899.0, Timing()) == 0
    assert strict.spared(STATE, 899.0, Timing())
    assert not strict.spared(STATE, 900.0, Timing())
    assert not strict.spared(replace(STATE, expires_at=890.0), 899.0, Timing()), "nothing else serves"
    assert not Rotation("none").spared(STATE, 899.0, Timing())


@pytest.mark.parametrize(
    ("text", "loses"), [("none", False), ("overlap", False), ("grace:5", True), ("strict", True)]
)
def test_only_rotation_loses_answers(text, loses):
    assert Rotation.read(text).loses is loses
