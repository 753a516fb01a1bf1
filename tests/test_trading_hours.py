"""Trading hours as IB writes them, and what may be concluded from them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.clock import SECOND
from ibkr_adapter.trading_hours import UNKNOWN, read_hours

WEEK = "20251003:0930-20251003:1600;20251004:CLOSED;20251005:CLOSED;20251006:0930-20251006:1600"


def ns(text: str) -> int:
    """A moment in UTC."""
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()) * SECOND


def test_hours_are_in_the_zone_of_the_instrument():
    """Half past nine in New York is 13:30 UTC in summer."""
    hours = read_hours(WEEK, "US/Eastern")

    assert hours.opened_ns(ns("2025-10-03 13:29")) is None
    assert hours.opened_ns(ns("2025-10-03 13:30")) == ns("2025-10-03 13:30")
    assert hours.opened_ns(ns("2025-10-03 19:59")) == ns("2025-10-03 13:30")
    assert hours.opened_ns(ns("2025-10-03 20:00")) is None


def test_the_next_opening_is_behind_the_weekend():
    """Closed days are named, and open nothing."""
    hours = read_hours(WEEK, "US/Eastern")

    assert hours.next_open_ns(ns("2025-10-03 20:00")) == ns("2025-10-06 13:30")
    assert hours.next_open_ns(ns("2025-10-06 13:30")) is None


def test_what_lies_outside_the_list_is_not_known():
    """Not known is not closed, and above all not open."""
    hours = read_hours(WEEK, "US/Eastern")

    assert hours.knows(ns("2025-10-04 12:00"))
    assert not hours.knows(ns("2025-10-07 12:00"))
    assert not hours.knows(ns("2025-10-02 12:00"))
    assert hours.opened_ns(ns("2025-10-07 14:00")) is None


@pytest.mark.parametrize(
    ("text", "opens", "closes"),
    [
        ("20251003:0930-1600", "2025-10-03 13:30", "2025-10-03 20:00"),
        ("20251003:0400-0930,0930-1600", "2025-10-03 13:30", "2025-10-03 20:00"),
        ("20251003:1700-0500", "2025-10-03 21:00", "2025-10-04 09:00"),
        ("20251002:1700-20251003:1600", "2025-10-02 21:00", "2025-10-03 20:00"),
        ("20251003:0000-2400", "2025-10-03 04:00", "2025-10-04 04:00"),
        (" 20251003:0930-20251003:1600 ;", "2025-10-03 13:30", "2025-10-03 20:00"),
    ],
)
def test_other_ways_of_writing_them_are_read(text: str, opens: str, closes: str):
    """Older gateways wrote no second date, several sessions of a day, and sessions through the night."""
    hours = read_hours(text, "US/Eastern")

    assert (ns(opens), ns(closes)) in hours.sessions


@pytest.mark.parametrize("zone", ["EST (Eastern Standard Time)", "EST5EDT", "US/Eastern", "America/New_York", "EST"])
def test_names_of_zones_that_gateways_use(zone: str):
    """``EST`` of a gateway observes summer time, which the zone database's does not."""
    assert read_hours(WEEK, zone).sessions[0][0] == ns("2025-10-03 13:30")


def test_a_session_over_the_change_of_the_clock_keeps_its_wall_times():
    """On the second of November New York goes back by an hour: 09:30 is 14:30 UTC from then on."""
    hours = read_hours("20251031:0930-20251031:1600;20251103:0930-20251103:1600", "US/Eastern")

    assert [opens for opens, _ in hours.sessions] == [ns("2025-10-31 13:30"), ns("2025-11-03 14:30")]


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("", "US/Eastern"),
        (WEEK, ""),
        (WEEK, "Nowhere/Land"),
        (WEEK, "../../etc/passwd"),
        ("CLOSED", "US/Eastern"),
        ("20251003:930-1600", "US/Eastern"),
        ("20251003:0930-20251002:1600", "US/Eastern"),
        ("20251399:0930-1600", "US/Eastern"),
    ],
)
def test_what_cannot_be_read_is_unknown(text: str, zone: str):
    """A market is never taken for open on a guess."""
    assert read_hours(text, zone) == UNKNOWN


@given(st.text(alphabet="0123456789:;-,CLOSED ", max_size=80), st.sampled_from(["US/Eastern", "MET", "x", ""]))
def test_no_text_breaks_the_reader(text: str, zone: str):
    """Whatever it is, what comes out is sessions in order, or nothing."""
    hours = read_hours(text, zone)

    assert list(hours.sessions) == sorted(hours.sessions)
    assert all(opens < closes for opens, closes in hours.sessions)
