"""Trading hours as contract details write them."""

from __future__ import annotations

from datetime import datetime

from tws_simulator.api.contracts.hours import Session, hours
from tws_simulator.world.instruments.listing import US_CENTRAL, US_EASTERN
from tws_simulator.world.time.calendar import Calendar, new_york_ns

EXCHANGE = Calendar(always_open=False)
WEDNESDAY_NS = new_york_ns(datetime(2026, 11, 25, 22, 0))  # before Thanksgiving


def test_stocks_keep_extended_and_regular_hours() -> None:
    """A holiday and a weekend are closed, the day after Thanksgiving is short; in the form that was captured."""
    assert hours(EXCHANGE, Session.REGULAR, US_EASTERN, WEDNESDAY_NS) == (
        "20261125:0930-20261125:1600;20261126:CLOSED;20261127:0930-20261127:1300;"
        "20261128:CLOSED;20261129:CLOSED;20261130:0930-20261130:1600"
    )
    assert hours(EXCHANGE, Session.EXTENDED, US_EASTERN, WEDNESDAY_NS).startswith(
        "20261125:0400-20261125:2000;20261126:CLOSED;20261127:0400-20261127:1700;20261128:CLOSED"
    )


def test_chicago_is_an_hour_behind() -> None:
    """Index options are described in their exchange's zone."""
    assert hours(EXCHANGE, Session.REGULAR, US_CENTRAL, WEDNESDAY_NS).startswith("20261125:0830-20261125:1500;")


def test_currencies_and_futures_open_the_evening_before() -> None:
    """Monday to Friday; as captured for a future."""
    told = hours(EXCHANGE, Session.FUTURES, US_CENTRAL, WEDNESDAY_NS)
    assert told.startswith("20261124:1700-20261125:1600;")
    assert "20261128:CLOSED" in told
    assert hours(EXCHANGE, Session.CURRENCIES, US_EASTERN, WEDNESDAY_NS).startswith("20261124:1715-20261125:1700;")


def test_a_market_that_never_closes_says_so() -> None:
    """Around the clock, for every kind of instrument."""
    always = Calendar(always_open=True)
    for session in Session:
        told = hours(always, session, US_EASTERN, WEDNESDAY_NS)
        assert told.startswith("20261125:0000-20261126:0000;20261126:0000-20261127:0000;")
        assert told.count(";") == 5
