"""Trading hours as contract details write them: "20260824:0400-20260824:2000;20260825:CLOSED"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from enum import Enum
from functools import lru_cache

from tws_simulator.world.instruments.listing import US_CENTRAL
from tws_simulator.world.time.calendar import Calendar, TradingDay, new_york_date, new_york_time

_DAYS = 6


class Session(Enum):
    """Which hours: of stocks with what comes before and after, of their exchange alone, of currencies, of futures."""

    EXTENDED = "extended"
    REGULAR = "regular"
    CURRENCIES = "currencies"
    FUTURES = "futures"


def hours(calendar: Calendar, session: Session, time_zone: str, now_ns: int) -> str:
    """Of six calendar days from today on. A market that is always open is so for every kind of instrument."""
    return _from(calendar, session, time_zone, new_york_date(now_ns))


@lru_cache(maxsize=32)
def _from(calendar: Calendar, session: Session, time_zone: str, today: date) -> str:
    days = [today + timedelta(days=ahead) for ahead in range(_DAYS)]
    return ";".join(_parts(calendar, session, time_zone, days))


def _parts(calendar: Calendar, session: Session, time_zone: str, days: list[date]) -> Iterator[str]:
    for day in days:
        if calendar.always_open:
            yield f"{day:%Y%m%d}:0000-{day + timedelta(days=1):%Y%m%d}:0000"
        elif session is Session.CURRENCIES:
            yield _overnight(day, "1715", "1700")
        elif session is Session.FUTURES:
            yield _overnight(day, "1700", "1600")
        else:
            open_day = calendar.day(day)
            yield f"{day:%Y%m%d}:CLOSED" if open_day is None else _within(open_day, session, time_zone)


def _within(day: TradingDay, session: Session, time_zone: str) -> str:
    extended = session is Session.EXTENDED
    first, last = (day.pre_open_ns, day.post_close_ns) if extended else (day.open_ns, day.close_ns)
    behind = timedelta(hours=1 if time_zone == US_CENTRAL else 0)  # both zones change their clocks on the same days
    begins, ends = (new_york_time(moment) - behind for moment in (first, last))
    return f"{begins:%Y%m%d:%H%M}-{ends:%Y%m%d:%H%M}"


def _overnight(day: date, opens: str, closes: str) -> str:
    """From the evening before until ``closes``, Monday to Friday."""
    if day.weekday() > 4:
        return f"{day:%Y%m%d}:CLOSED"
    return f"{day - timedelta(days=1):%Y%m%d}:{opens}-{day:%Y%m%d}:{closes}"
