"""A time of day as a gateway tells it, against restart windows."""

from __future__ import annotations

import pytest

from ibkr_adapter.core.link.daily_stop import minute_of, unexpected
from ibkr_adapter.windows import Window, WindowKind


@pytest.mark.parametrize(
    ("told", "minute"),
    [
        ("11:45 PM restart", 1425),
        ("04:45 AM", 285),
        ("12:00 AM logoff", 0),
        ("12:30 PM", 750),
        ("23:45", 1425),
        ("4:45:00 am", 285),
        ("", None),
        ("restart", None),
        ("13:00 PM", None),
        ("24:00", None),
        ("04:60 AM", None),
    ],
)
def test_the_times_that_can_be_read(told: str, minute: int | None) -> None:
    """Twelve or twenty-four hours, with what the stop is; anything else is no time."""
    assert minute_of(told) == minute


NIGHTLY = Window(name="n", start_minute=23 * 60 + 30, minutes=60)


@pytest.mark.parametrize(
    ("told", "outside"), [("11:29 PM", True), ("11:30 PM", False), ("00:29", False), ("00:30", True)]
)
def test_a_window_runs_over_midnight(told: str, outside: bool) -> None:
    """It holds from its first minute up to, but not including, its last."""
    assert unexpected(told, [NIGHTLY]) is outside


def test_a_stop_of_every_day_needs_a_window_on_every_day() -> None:
    """Weekdays only leave two nights; two windows together may have all seven."""
    week = Window(name="w", start_minute=285, minutes=45, days=frozenset(range(5)))
    weekend = Window(name="e", start_minute=270, minutes=60, days=frozenset({5, 6}))
    assert unexpected("04:45 AM", [week])
    assert not unexpected("04:45 AM", [week, weekend])


def test_other_kinds_of_windows_expect_no_restart() -> None:
    """IB's own reset leaves the socket alone."""
    assert unexpected("04:45 AM", [Window(name="b", kind=WindowKind.BROKER, start_minute=285, minutes=45)])
    assert unexpected("04:45 AM", [])
    assert not unexpected("whenever", [])
