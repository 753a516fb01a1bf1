"""Dates and times as clients may write them, and as the gateway writes them.

Seen in captures: to clients of server versions before 174 times of executions and of historical bars have two spaces
and no zone; the time at which an order was completed has a zone there too, so the times of orders are given one at
every version.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from tws_simulator.world.instruments.listing import US_EASTERN
from tws_simulator.world.time.calendar import new_york_ns, new_york_time
from tws_simulator.world.time.units import SECOND_NS

FIRST_SERVER_VERSION_WITH_ZONES: Final = 174
_NEW_YORK: Final = frozenset({"", US_EASTERN, "America/New_York", "EST", "EST5EDT", "EDT"})
_WORLD: Final = frozenset({"UTC", "GMT", "Etc/UTC", "Z"})
_WITH_DASH: Final = re.compile(r"(\d{8})-(\d{2}:\d{2}:\d{2})\Z")
_DAY_ALONE: Final = re.compile(r"(\d{8})(?: +([A-Za-z][\w/+-]*))?\Z")
_WITH_SPACE: Final = re.compile(r"(?:(\d{8}) +)?(\d{1,2}:\d{2}(?::\d{2})?)(?: +([A-Za-z][\w/+-]*))?\Z")
_EPOCH: Final = datetime(1970, 1, 1)
_YEARS: Final = range(1970, 2101)


DayMeans = Literal["nothing", "its start", "its end"]


def read_time(text: str, now_ns: int, *, day_means: DayMeans = "nothing") -> int | None:
    """ "20260824 16:00:00 US/Eastern", "20260824-20:00:00" (UTC), "16:00:00"; None for anything else.

    Without a date today is meant, without a zone the gateway's own, which is New York. Zones other than New York's and
    UTC are looked up in the machine's database. Years are those in which there can be data. ``day_means`` is how a date
    alone is read: its end is its last second.
    """
    try:
        found = _read(text.strip(), now_ns, day_means)
    except (ValueError, OverflowError, OSError):
        return None
    return found


def _read(text: str, now_ns: int, day_means: DayMeans) -> int | None:
    if match := _WITH_DASH.match(text):
        wall, zone = datetime.strptime("".join(match.groups()), "%Y%m%d%H:%M:%S"), "UTC"
    elif match := _WITH_SPACE.match(text):
        day, clock, zone = match[1] or f"{new_york_time(now_ns):%Y%m%d}", match[2], match[3] or ""
        wall = datetime.strptime(f"{day} {clock}" if clock.count(":") == 2 else f"{day} {clock}:00", "%Y%m%d %H:%M:%S")
    elif day_means != "nothing" and (match := _DAY_ALONE.match(text)):
        wall, zone = datetime.strptime(match[1], "%Y%m%d"), match[2] or ""
        wall += timedelta(days=1, seconds=-1) if day_means == "its end" else timedelta()
    else:
        return None
    return _in_zone(wall, zone) if wall.year in _YEARS else None


def _in_zone(wall: datetime, zone: str) -> int:
    if zone in _NEW_YORK:
        return new_york_ns(wall)
    if zone in _WORLD:
        return _utc_ns(wall)
    try:
        known = ZoneInfo(zone)
    except KeyError:
        raise ValueError(f"no zone {zone}") from None
    return _utc_ns(wall.replace(tzinfo=known).astimezone(UTC).replace(tzinfo=None))


def _utc_ns(utc: datetime) -> int:
    return int((utc - _EPOCH).total_seconds()) * SECOND_NS


def exchange_time(ts_ns: int) -> str:
    """ "20260413 15:27:04 US/Eastern"."""
    return f"{new_york_time(ts_ns):%Y%m%d %H:%M:%S} {US_EASTERN}"


def gateway_time(ts_ns: int, server_version: int) -> str:
    """As ``exchange_time``; to older clients, with two spaces and no zone."""
    if server_version >= FIRST_SERVER_VERSION_WITH_ZONES:
        return exchange_time(ts_ns)
    return f"{new_york_time(ts_ns):%Y%m%d  %H:%M:%S}"


def schedule_time(ts_ns: int) -> str:
    """New York's clock with a dash: "20260713-09:30:00"."""
    return f"{new_york_time(ts_ns):%Y%m%d-%H:%M:%S}"


def utc_time(ts_ns: int) -> str:
    """UTC with a dash: "19801212-14:30:00"."""
    return f"{datetime.fromtimestamp(ts_ns // SECOND_NS, UTC):%Y%m%d-%H:%M:%S}"


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last."""
    month = day.year * 12 + day.month - 1 - months
    year, month = max(month // 12, 1), month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def earlier(ts_ns: int, *, days: int = 0, months: int = 0) -> int:
    """So many calendar days or months before, at the same time of New York's clock."""
    wall = new_york_time(ts_ns)
    day = months_before(wall.date(), months) - timedelta(days=days)
    return new_york_ns(datetime.combine(day, wall.time()))
