from __future__ import annotations

import pytest
from connectors_oidc.durations import parse_duration
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (5, 5),
        (0, 0),
        (1.5, 1.5),
        ("10 seconds", 10),
        ("10s", 10),
        ("1 sec", 1),
        ("5m", 300),
        ("5 Minutes", 300),
        ("1.5 hours", 5400),
        ("2 hrs", 7200),
        ("1 day", 86_400),
        ("+1 week", 604_800),
        ("1y", 31_557_600),
    ],
)
def test_durations_read_as_jose_reads_them(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        -1,
        True,
        None,
        float("nan"),
        float("inf"),
        1e13,
        [5],
        "",
        "10",
        "s",
        "10 parsecs",
        "-5m",
        "5 m ago",
        "5m from now",
        "1e3 s",
        "5  m",
        "٣ s",
        " 5m",
        "5m\n",
        "9" * 400 + "s",
    ],
)
def test_what_is_no_length_of_time_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_duration(written)


@given(st.text(max_size=12) | st.integers() | st.floats() | st.none())
def test_reading_is_total(written: object) -> None:
    try:
        assert parse_duration(written) >= 0
    except ValueError:
        return
