"""The simulated market's hours."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from tws_simulator.world.time.calendar import Calendar, Phase, new_york_ns, new_york_time
from tws_simulator.world.time.units import SECOND_NS

NEW_YORK = ZoneInfo("America/New_York")
EXCHANGE, ALWAYS = Calendar(always_open=False), Calendar(always_open=True)

# As published by the New York Stock Exchange.
HOLIDAYS = {
    2024: "0101 0115 0219 0329 0527 0619 0704 0902 1128 1225",
    2025: "0101 0120 0217 0418 0526 0619 0704 0901 1127 1225",  # and 9 January, a day of mourning
    2026: "0101 0119 0216 0403 0525 0619 0703 0907 1126 1225",
    2027: "0101 0118 0215 0326 0531 0618 0705 0906 1125 1224",
}
SHORT = {2024: "0703 1129 1224", 2025: "0703 1128 1224", 2026: "1127 1224", 2027: "1126"}


def ns(*wall: int) -> int:
    return new_york_ns(datetime(*wall))  # type: ignore[arg-type]


@pytest.mark.parametrize("year", HOLIDAYS)
def test_holidays_and_short_days_are_those_of_the_exchange(year: int) -> None:
    """Every weekday of the year is a trading day but those, and closes at 16:00 but on the short ones."""
    closed, short = set(), set()
    for ahead in range(366):
        day = date(year, 1, 1) + timedelta(days=ahead)
        if day.year != year or day.weekday() > 4:
            continue
        trading_day = EXCHANGE.day(day)
        if trading_day is None:
            closed.add(f"{day:%m%d}")
        elif new_york_time(trading_day.close_ns).hour == 13:
            short.add(f"{day:%m%d}")
    assert closed == set(HOLIDAYS[year].split())
    assert short == set(SHORT[year].split())


def test_new_york_time_is_that_of_the_time_zone_database() -> None:
    """Each hour of two years, over four changes of the clocks, and back."""
    moment = datetime(2025, 12, 1, tzinfo=UTC)
    for _ in range(2 * 366 * 24):
        wall = new_york_time(int(moment.timestamp()) * SECOND_NS)
        assert wall == moment.astimezone(NEW_YORK).replace(tzinfo=None)
        if not moment.astimezone(NEW_YORK).fold:
            assert new_york_ns(wall) == int(moment.timestamp()) * SECOND_NS
        moment += timedelta(hours=1)


def test_a_day_goes_through_its_phases() -> None:
    """From 04:00, 09:30, 16:00 and 20:00 on."""
    phases = [
        EXCHANGE.phase(ns(2026, 11, 23, *at)) for at in ((3, 59, 59), (4, 0), (9, 29, 59), (9, 30), (16, 0), (20, 0))
    ]
    assert phases == [Phase.CLOSED, Phase.PRE, Phase.PRE, Phase.REGULAR, Phase.POST, Phase.CLOSED]
    assert EXCHANGE.phase(ns(2026, 11, 22, 12)) is Phase.CLOSED


def test_the_next_opening_skips_the_weekend() -> None:
    """Friday's evening, and the very moment of the opening, wait for the next day of trading."""
    assert EXCHANGE.next_open_ns(ns(2026, 11, 20, 16)) == ns(2026, 11, 23, 9, 30)
    assert EXCHANGE.next_open_ns(ns(2026, 11, 23, 9, 30)) == ns(2026, 11, 24, 9, 30)
    days = islice(EXCHANGE.days_from(ns(2026, 11, 25, 20), days_before=1), 4)
    assert [day.day.day for day in days] == [24, 25, 27, 30]
    assert [day.day.day for day in EXCHANGE.days_before(date(2026, 11, 30), 3)] == [24, 25, 27]


def test_an_always_open_market_knows_one_phase() -> None:
    """Every day is one session from midnight to midnight, 23 and 25 hours when the clocks change."""
    assert ALWAYS.phase(ns(2026, 12, 25, 3)) is Phase.REGULAR
    assert ALWAYS.next_open_ns(ns(2026, 12, 25, 3)) == ns(2026, 12, 26)
    spring = ALWAYS.day(date(2026, 3, 8))
    assert spring is not None
    assert spring.close_ns - spring.open_ns == 23 * 3600 * SECOND_NS
