"""When the auctions are, and until when orders for the close are taken.

They take place at the opening and the close, and at the same hours of every day where the market never closes.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

from tws_simulator.world.time.calendar import Calendar, new_york_date, new_york_ns
from tws_simulator.world.time.units import MINUTE_NS

ENTRY_ENDS_BEFORE_CLOSE_NS: Final = 10 * MINUTE_NS
"""The New York exchange takes orders for the close until 15:50, on short days until 12:50; here every venue does."""

_OPENING, _CLOSING = time(9, 30), time(16)


def auctions_of(calendar: Calendar, day: date) -> tuple[int, int] | None:
    """The opening's and the close's moment; None for a day without trading."""
    hours = calendar.day(day)
    if hours is None:
        return None
    if calendar.always_open:
        return new_york_ns(datetime.combine(day, _OPENING)), new_york_ns(datetime.combine(day, _CLOSING))
    return hours.open_ns, hours.close_ns


def too_late_for_close(calendar: Calendar, now_ns: int) -> bool:
    """From the end of entry until the auction itself; after it, orders are for the next one."""
    auctions = auctions_of(calendar, new_york_date(now_ns))
    return auctions is not None and auctions[1] - ENTRY_ENDS_BEFORE_CLOSE_NS <= now_ns < auctions[1]


def next_opening_ns(calendar: Calendar, now_ns: int) -> int:
    """The first opening auction after ``now_ns``."""
    day = new_york_date(now_ns)
    while True:
        auctions = auctions_of(calendar, day)
        if auctions is not None and auctions[0] > now_ns:
            return auctions[0]
        day += timedelta(days=1)
