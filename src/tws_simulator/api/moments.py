"""The times that clients write in orders and filters, and those that the gateway writes in its own zone."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta

from tws_simulator.world.time.calendar import new_york_ns, new_york_time

_UTC_NAMES = ("UTC", "GMT", "Z")
_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1)
_CLOSE = timedelta(hours=16)


def read_moment(text: str) -> int | None:
    """ "20260413 15:27:04" with or without a zone in New York, or with UTC, or "20260413-15:27:04", which is UTC.

    A date alone is its last second. None for anything else.
    """
    for layout, length, is_utc in (("%Y%m%d-%H:%M:%S", 17, True), ("%Y%m%d %H:%M:%S", 17, False), ("%Y%m%d", 8, False)):
        try:
            moment = datetime.strptime(text[:length], layout)
        except ValueError:
            continue
        if length == 8:
            moment += timedelta(days=1, seconds=-1)
        if is_utc or text.rstrip().endswith(_UTC_NAMES):
            return int((moment - _EPOCH).total_seconds()) * _SECOND
        return new_york_ns(moment)
    return None


def auto_cancel_date(now_ns: int) -> str:
    """When a GTC order ends by itself: at the close of the next quarter's last day, in the gateway's own zone."""
    now = new_york_time(now_ns)
    month = (now.month - 1) // 3 * 3 + 6
    year, month = (now.year + 1, month - 12) if month > 12 else (now.year, month)
    close_ns = new_york_ns(datetime(year, month, monthrange(year, month)[1]) + _CLOSE)
    return f"{_EPOCH + timedelta(seconds=close_ns // _SECOND):%Y%m%d %H:%M:%S} GMT"
