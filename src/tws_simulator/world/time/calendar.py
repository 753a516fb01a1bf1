"""When the simulated market is open: the hours of US stocks, or always.

Times are New York's. The rules are computed, so that no time-zone database is needed: daylight saving since 2007, the
holidays of the New York Stock Exchange, closes at 13:00 on the day after Thanksgiving and on the eves of Independence
Day and Christmas. Extraordinary closings are not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Final

from tws_simulator.world.time.units import SECOND_NS

_EPOCH: Final = datetime(1970, 1, 1)
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6
_JUNETEENTH_SINCE: Final = 2022


class Phase(Enum):
    """What the market is doing."""

    CLOSED = "closed"
    PRE = "pre-market"
    REGULAR = "regular"
    POST = "after hours"


@dataclass(frozen=True, kw_only=True, slots=True)
class TradingDay:
    """One day's hours in nanoseconds since 1970: a period starts at its moment and ends before the next."""

    day: date
    pre_open_ns: int
    open_ns: int
    close_ns: int
    post_close_ns: int

    def phase(self, ts_ns: int) -> Phase:
        if not self.pre_open_ns <= ts_ns < self.post_close_ns:
            return Phase.CLOSED
        if ts_ns < self.open_ns:
            return Phase.PRE
        return Phase.REGULAR if ts_ns < self.close_ns else Phase.POST


class Calendar:
    """``always_open`` makes every calendar day one regular session from midnight to midnight."""

    def __init__(self, *, always_open: bool) -> None:
        self.always_open = always_open

    def __repr__(self) -> str:
        return f"<Calendar {'always open' if self.always_open else 'of the exchange'}>"

    def phase(self, ts_ns: int) -> Phase:
        day = self.day(new_york_date(ts_ns))
        return Phase.CLOSED if day is None else day.phase(ts_ns)

    def day(self, day: date) -> TradingDay | None:
        """None for a day without trading."""
        return _whole_day(day) if self.always_open else _exchange_day(day)

    def days_from(self, ts_ns: int, days_before: int = 0) -> Iterator[TradingDay]:
        """The trading days from so many calendar days before that of ``ts_ns`` on, without end."""
        day = new_york_date(ts_ns) - timedelta(days=days_before)
        while True:
            trading_day = self.day(day)
            if trading_day is not None:
                yield trading_day
            day += timedelta(days=1)

    def next_open_ns(self, ts_ns: int) -> int:
        """The first opening of a regular session after ``ts_ns``."""
        return next(day.open_ns for day in self.days_from(ts_ns) if day.open_ns > ts_ns)

    def days_before(self, day: date, count: int) -> list[TradingDay]:
        """The latest ``count`` trading days before ``day``, oldest first."""
        found: list[TradingDay] = []
        while len(found) < count:
            day -= timedelta(days=1)
            trading_day = self.day(day)
            if trading_day is not None:
                found.append(trading_day)
        return found[::-1]


def new_york_time(ts_ns: int) -> datetime:
    """Wall-clock time in New York, without zone, in whole seconds."""
    utc = datetime.fromtimestamp(ts_ns // SECOND_NS, UTC).replace(tzinfo=None)
    summer_from, summer_to = _summer_utc(utc.year)
    return utc - timedelta(hours=4 if summer_from <= utc < summer_to else 5)


def new_york_date(ts_ns: int) -> date:
    return new_york_time(ts_ns).date()


def new_york_ns(wall: datetime) -> int:
    """The moment of a wall-clock time; of an hour that autumn repeats, the first."""
    summer_from, summer_to = _summer_utc(wall.year)
    summer = wall + timedelta(hours=4)
    utc = summer if summer_from <= summer < summer_to else wall + timedelta(hours=5)
    return int((utc - _EPOCH).total_seconds()) * SECOND_NS + utc.microsecond * 1000


@cache
def _summer_utc(year: int) -> tuple[datetime, datetime]:
    """Second Sunday of March 02:00 EST to first Sunday of November 02:00 EDT."""
    begins = datetime.combine(_nth(year, 3, _SUNDAY, 2), datetime.min.time()) + timedelta(hours=7)
    ends = datetime.combine(_nth(year, 11, _SUNDAY, 1), datetime.min.time()) + timedelta(hours=6)
    return begins, ends


@cache
def _whole_day(day: date) -> TradingDay:
    start, end = _at(day, 0), _at(day + timedelta(days=1), 0)
    return TradingDay(day=day, pre_open_ns=start, open_ns=start, close_ns=end, post_close_ns=end)


@cache
def _exchange_day(day: date) -> TradingDay | None:
    if day.weekday() >= _SATURDAY or day in _holidays(day.year):
        return None
    short = day in _short_days(day.year)
    return TradingDay(
        day=day,
        pre_open_ns=_at(day, 4),
        open_ns=_at(day, 9, 30),
        close_ns=_at(day, 13 if short else 16),
        post_close_ns=_at(day, 17 if short else 20),
    )


def _at(day: date, hour: int, minute: int = 0) -> int:
    return new_york_ns(datetime(day.year, day.month, day.day, hour, minute))


@cache
def _holidays(year: int) -> frozenset[date]:
    """As kept: one on a Saturday on the Friday before, except New Year's Day; one on a Sunday on the Monday after."""
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= _JUNETEENTH_SINCE:
        fixed.append(date(year, 6, 19))
    kept = {_kept(day) for day in fixed}
    new_year = date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:
        kept.add(_kept(new_year))
    kept |= {
        _nth(year, 1, _MONDAY, 3),  # Martin Luther King
        _nth(year, 2, _MONDAY, 3),  # Washington
        _easter(year) - timedelta(days=2),  # Good Friday
        _last_monday_of_may(year),
        _nth(year, 9, _MONDAY, 1),
        _nth(year, 11, _THURSDAY, 4),
    }
    return frozenset(kept)


@cache
def _short_days(year: int) -> frozenset[date]:
    eves = {date(year, 7, 3), date(year, 12, 24)}
    after_thanksgiving = _nth(year, 11, _THURSDAY, 4) + timedelta(days=1)
    return frozenset(
        {day for day in eves if day.weekday() <= _FRIDAY and day not in _holidays(year)} | {after_thanksgiving}
    )


def _kept(day: date) -> date:
    shift = {_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0)
    return day + timedelta(days=shift)


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())


def _easter(year: int) -> date:
    """Gregorian Easter Sunday, by the usual arithmetic of golden number, century and epact."""
    golden, century = year % 19, year // 100
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    sunday = (32 + 2 * (century % 4) + 2 * (year % 100 // 4) - moon - year % 100 % 4) % 7
    shift = (golden + 11 * moon + 22 * sunday) // 451
    month, day = divmod(moon + sunday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
