"""What a request for historical bars asks for, read from its texts; or why it is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, takewhile
from typing import Final

from tws_simulator.api.notices import history as notices
from tws_simulator.api.refused import Refused
from tws_simulator.api.wire_times import earlier, months_before, read_time
from tws_simulator.wire.row import Message
from tws_simulator.world.history.bars import Kind
from tws_simulator.world.history.history import BarSize, DayHours, History, Step
from tws_simulator.world.time.calendar import new_york_date
from tws_simulator.world.time.units import SECOND_NS

SCHEDULE: Final = "SCHEDULE"
ADJUSTED: Final = "ADJUSTED_LAST"
VOLATILITIES: Final = frozenset({"HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY"})
KINDS: Final = {
    "TRADES": Kind.TRADES,
    ADJUSTED: Kind.TRADES,
    "MIDPOINT": Kind.MIDPOINT,
    "BID": Kind.BID,
    "ASK": Kind.ASK,
    "BID_ASK": Kind.BID_ASK,
}
_WITHOUT_DATA: Final = frozenset(
    {"FEE_RATE", "YIELD_BID", "YIELD_ASK", "YIELD_BID_ASK", "YIELD_LAST"}  # of bonds and of loans of shares
)
_KEPT_KINDS: Final = frozenset({"TRADES", "MIDPOINT", "BID", "ASK"})
_BAR_SIZES: Final[dict[str, BarSize]] = {
    "1 secs": 1, "5 secs": 5, "10 secs": 10, "15 secs": 15, "30 secs": 30, "1 min": 60, "2 mins": 120, "3 mins": 180,
    "5 mins": 300, "10 mins": 600, "15 mins": 900, "20 mins": 1200, "30 mins": 1800, "1 hour": 3600, "2 hours": 7200,
    "3 hours": 10_800, "4 hours": 14_400, "8 hours": 28_800, "1 day": Step.DAY, "1 week": Step.WEEK, "1W": Step.WEEK,
    "1 month": Step.MONTH, "1M": Step.MONTH,
}  # fmt: skip
_LONGEST_S: Final = {1: 2000, 5: 10_800, 10: 14_400, 15: 28_800, 30: 86_400}
"""Of a request for small bars, about as IB's table of step sizes has it; a longer one is an invalid step."""
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5}) ?([SDWMY])\Z")
_SECONDS_MAX, _DAYS_MAX = 86_400, 365
_APPROXIMATE_S: Final = {"S": 1, "D": 86_400, "W": 604_800, "M": 2_592_000, "Y": 31_536_000}


@dataclass(frozen=True, slots=True)
class Duration:
    """``count`` seconds, or trading days, weeks, months or years."""

    count: int
    unit: str

    def before(self, end_ns: int) -> int:
        """The start as the gateway states it: by the calendar, whether trading or not."""
        if self.unit == "S":
            return end_ns - self.count * SECOND_NS
        if self.unit in "DW":
            return earlier(end_ns, days=self.count * (7 if self.unit == "W" else 1))
        return earlier(end_ns, months=self.count * (12 if self.unit == "Y" else 1))

    def first_ns(self, history: History, con_id: int, end_ns: int, *, regular_only: bool) -> int:
        """From when on there are bars: whole trading days, or so many seconds of trading."""
        days = history.days_back(con_id, end_ns, regular_only=regular_only)
        found = {"S": self._first_second, "D": self._first_of_days}.get(self.unit, self._first_since)(days, end_ns)
        return history.first_day(con_id).pre_open_ns if found is None else found

    def _first_second(self, days: Iterator[DayHours], end_ns: int) -> int | None:
        left_ns = self.count * SECOND_NS
        for hours in days:
            for start_ns, until_ns in reversed(hours.windows):
                length_ns = max(min(until_ns, end_ns) - start_ns, 0)
                if length_ns >= left_ns:
                    return min(until_ns, end_ns) - left_ns
                left_ns -= length_ns
        return None

    def _first_of_days(self, days: Iterator[DayHours], end_ns: int) -> int | None:
        hours = next(islice(days, self.count - 1, None), None)
        return None if hours is None else hours.start_ns

    def _first_since(self, days: Iterator[DayHours], end_ns: int) -> int | None:
        """The first trading day after the same date that many weeks, months or years before."""
        end_day = new_york_date(end_ns)
        months = self.count * {"W": 0, "M": 1, "Y": 12}[self.unit]
        border = months_before(end_day, months) if months else end_day - timedelta(days=7 * self.count)
        first_ns = end_ns
        for hours in takewhile(lambda hours: hours.day > border, days):
            first_ns = hours.start_ns
        return first_ns


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """``kind`` is None where the bars are not of prices."""

    what: str
    kind: Kind | None
    size: BarSize
    duration: Duration
    end_ns: int
    ends_now: bool
    regular_only: bool
    as_seconds: bool
    kept: bool


def read(request: Message, now_ns: int) -> Asked:
    what = request.get("whatToShow", "").upper()
    end_text = request.get("endDateTime", "")
    if what == "AGGTRADES":
        raise Refused(notices.AGGREGATED_TRADES)
    if what not in KINDS and what not in VOLATILITIES and what not in _WITHOUT_DATA and what != SCHEDULE:
        raise Refused(notices.bad_what_to_show(what))
    size = _BAR_SIZES.get(request.get("barSizeSetting", "").strip())
    if size is None:
        raise Refused(notices.BAD_BAR_SIZE)
    duration = read_duration(request.get("duration", ""))
    end_ns = read_time(end_text, now_ns) if end_text else now_ns
    if end_ns is None:
        raise Refused(notices.bad_time("End"))
    asked = Asked(
        what=what,
        kind=KINDS.get(what),
        size=size,
        duration=duration,
        end_ns=end_ns,
        ends_now=not end_text,
        regular_only=request.get("useRTH", False),
        as_seconds=request.get("formatDate", 1) == 2,
        kept=request.get("keepUpToDate", False),
    )
    _check_combination(asked)
    return asked


def read_duration(text: str) -> Duration:
    match = _DURATION.match(text.strip())
    if match is None:
        raise Refused(notices.BAD_DURATION)
    count, unit = int(match[1]), match[2]
    if unit == "S" and count > _SECONDS_MAX:
        raise Refused(notices.MUST_BE_DAYS)
    if unit in "DWM" and count * {"D": 1, "W": 7, "M": 30}[unit] > _DAYS_MAX:
        raise Refused(notices.MUST_BE_YEARS)
    return Duration(min(count, 100), unit) if unit == "Y" else Duration(count, unit)


def _check_combination(asked: Asked) -> None:
    if asked.what == ADJUSTED and not asked.ends_now:
        raise Refused(notices.END_WITH_ADJUSTED)
    if asked.what == SCHEDULE and asked.size is not Step.DAY:
        raise Refused(notices.SCHEDULE_BAR_SIZE)
    if asked.kept:
        if not asked.ends_now:
            raise Refused(notices.END_WITH_UPDATES)
        if asked.what not in _KEPT_KINDS:
            raise Refused(notices.kind_with_updates(asked.what))
        if asked.size == 1:
            raise Refused(notices.SMALL_WITH_UPDATES)
    if isinstance(asked.size, int) and asked.size in _LONGEST_S:
        length_s = asked.duration.count * _APPROXIMATE_S[asked.duration.unit]
        if length_s > _LONGEST_S[asked.size]:
            raise Refused(notices.invalid_step(asked.size))
