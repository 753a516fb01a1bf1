"""When a gateway stops every day, as it says itself, against the windows in which it is expected to.

The answer has a time of day and no zone: it is meant by the gateway's own clock, and compared as if that were set to
the zone of the gateway's windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ibkr_adapter.windows import Window, WindowKind

DAY_MINUTES: Final = 24 * 60
DAYS: Final = range(7)
_TOLD = re.compile(r"\s*(\d{1,2}):(\d{2})(?::\d{2})?\s*([AP])?\.?M?\.?\b", re.IGNORECASE)


def minute_of(told: str) -> int | None:
    """Minutes after midnight of ``11:45 PM restart`` or ``23:45``; ``None`` for what is no time of day."""
    if (found := _TOLD.match(told)) is None:
        return None
    hour, minute, half = int(found[1]), int(found[2]), (found[3] or "").upper()
    if minute > 59 or hour > 23 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "P" else 0)
    return hour * 60 + minute


def unexpected(told: str, windows: Iterable[Window]) -> bool:
    """It would stop on some day outside every restart window. False for what cannot be read as a time."""
    minute = minute_of(told)
    if minute is None:
        return False
    restarts = [window for window in windows if window.kind is WindowKind.RESTART]
    return not all(any(_holds(window, day, minute) for window in restarts) for day in DAYS)


def _holds(window: Window, day: int, minute: int) -> bool:
    """The window of that day, or the one of the day before that runs over midnight."""
    today = minute - window.start_minute
    return (day in window.days and 0 <= today < window.minutes) or (
        (day - 1) % len(DAYS) in window.days and 0 <= today + DAY_MINUTES < window.minutes
    )


def words(told: str) -> str:
    return f"the gateway stops daily at {told}, by its own clock, which is in no restart window here"


def remedy(name: str) -> str:
    """For the gateway of that name in the configuration."""
    return (
        "set its auto restart time (Configure > Settings > Lock and Exit) into the window,"
        f" or move gateways.{name}.windows to it, and see that gateways.{name}.time_zone is the gateway's"
    )
