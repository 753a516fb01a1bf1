"""The days of a US market: whatever the machine's zone is, they begin at midnight in New York."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from ibkr_adapter.clock import SECOND

NEW_YORK = ZoneInfo("America/New_York")


def new_york_day(ts_ns: int) -> int:
    """The calendar day in New York of a moment, as a number that grows by one a day."""
    return datetime.fromtimestamp(ts_ns // SECOND, NEW_YORK).toordinal()
