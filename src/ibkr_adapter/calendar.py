"""Local days and times of day: a US market's begin at midnight in New York, whatever the machine's zone is."""

from __future__ import annotations

import difflib
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from ibkr_adapter.clock import SECOND

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

NEW_YORK = ZoneInfo("America/New_York")


class LocalTime:
    """The clock on the wall in one zone; days are numbers that grow by one, minutes count from midnight."""

    def __init__(self, zone: str) -> None:
        """Raises ``ValueError`` for a zone that does not exist."""
        try:
            self._zone = ZoneInfo(zone)
        except (KeyError, OSError, ValueError) as error:  # none of that name, a directory of zones, no name at all
            raise ValueError(f"there is no time zone {zone!r}") from error

    def day(self, ts_ns: int) -> int:
        """The calendar day there of a moment, as a number that grows by one a day."""
        return datetime.fromtimestamp(ts_ns // SECOND, self._zone).toordinal()

    def words(self, ts_ns: int) -> str:
        """Weekday and minute there: ``Sun 17:00``."""
        local = datetime.fromtimestamp(ts_ns // SECOND, self._zone)
        return f"{_WEEKDAYS[local.weekday()]} {local:%H:%M}"

    def moments_ns(self, day: int, minute: int) -> tuple[int, int]:
        """When the clock shows that minute of that day: earliest and latest, equal on all but two days of a year.

        A time that exists twice has two moments. One that is skipped is read with the offset before and the one after
        the change, because schedulers do either. Minutes from 1440 on belong to the days after.
        """
        later, minute = divmod(minute, 24 * 60)
        wall = datetime.fromordinal(day) + timedelta(days=later, minutes=minute)
        moments = [wall.replace(tzinfo=self._zone, fold=fold).timestamp() for fold in (0, 1)]
        return round(min(moments)) * SECOND, round(max(moments)) * SECOND


new_york_day = LocalTime(NEW_YORK.key).day


def weekday(day: int) -> int:
    """Monday is 0."""
    return (day - 1) % 7


def similar_zones(name: str) -> list[str]:
    """Zones that somebody who wrote this may have meant, the likeliest first."""
    zones = sorted(available_timezones())
    lower = {zone.lower(): zone for zone in zones}
    cities: dict[str, str] = {zone.rpartition("/")[2].lower(): zone for zone in zones}
    wanted = name[:60].lower().replace(" ", "_")
    close = difflib.get_close_matches(wanted, lower, n=2, cutoff=0.7)
    near = difflib.get_close_matches(wanted.rpartition("/")[2], cities, n=1, cutoff=0.8)
    return list(dict.fromkeys([lower[each] for each in close] + [cities[each] for each in near]))
