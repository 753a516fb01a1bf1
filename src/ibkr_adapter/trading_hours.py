"""Trading hours as contract details write them, read into moments.

``20251003:0930-20251003:1600;20251004:CLOSED``, in the instrument's own zone. Gateways before server version 970 wrote
``20251003:0930-1600``, and several sessions of a day after commas. Zones are named as IB names them: ``US/Eastern``,
``MET``, and in older builds ``EST (Eastern Standard Time)``, which observes summer time whatever its name says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from ibkr_adapter.clock import SECOND

_ZONES = {"EST": "America/New_York", "CST": "America/Chicago", "PST": "America/Los_Angeles", "JST": "Asia/Tokyo"}
"""Abbreviations that gateways have written, and where they mean; the zone database has some of them without summer."""

PARTS_MAX = 200
TEXT_MAX = 20_000


class TradingHours(Struct, frozen=True):
    """``sessions``: from and to, in order. Outside ``known_ns`` nothing is known, which is not the same as closed."""

    sessions: tuple[tuple[int, int], ...]
    known_ns: tuple[int, int]

    def knows(self, now_ns: int) -> bool:
        return self.known_ns[0] <= now_ns < self.known_ns[1]

    def opened_ns(self, now_ns: int) -> int | None:
        """Since when the present session runs; ``None`` if there is none, or if nobody knows."""
        return next((opens for opens, closes in self.sessions if opens <= now_ns < closes), None)

    def next_open_ns(self, now_ns: int) -> int | None:
        return next((opens for opens, _ in self.sessions if opens > now_ns), None)


UNKNOWN = TradingHours(sessions=(), known_ns=(0, 0))


def read_hours(text: str, zone: str) -> TradingHours:
    """``UNKNOWN`` for what cannot be read: a market is never taken for open on a guess."""
    parts = [part.strip() for part in text[:TEXT_MAX].split(";") if part.strip()][:PARTS_MAX]
    try:
        where = _zone(zone)
        days = [datetime.strptime(part[:8], "%Y%m%d").replace(tzinfo=where) for part in parts]
        sessions = sorted({session for part in parts for session in _sessions(part, where)})
    except (ValueError, KeyError, OSError, OverflowError):
        return UNKNOWN
    if not days:
        return UNKNOWN
    first, last = min(days), max(days) + timedelta(days=1)
    begins = [_ns(first), *(opens for opens, _ in sessions)]
    ends = [_ns(last), *(closes for _, closes in sessions)]
    return TradingHours(sessions=tuple(sessions), known_ns=(min(begins), max(ends)))


def _zone(name: str) -> ZoneInfo:
    word = name.split(" ")[0]
    return ZoneInfo(_ZONES.get(word, word))


def _sessions(part: str, where: ZoneInfo) -> Iterator[tuple[int, int]]:
    day, _, spans = part.partition(":")
    if spans.upper() == "CLOSED":
        return
    for span in spans.split(","):
        opens, _, closes = span.rpartition("-")
        begins, ends = _moment(opens, day, where), _moment(closes, day, where)
        if ends <= begins and ":" not in closes:
            ends = _moment(closes, day, where, days=1)
        if begins >= ends:
            raise ValueError(part)
        yield _ns(begins), _ns(ends)


def _moment(text: str, day: str, where: ZoneInfo, days: int = 0) -> datetime:
    """``20251003:0930``, or ``0930`` of the given day; IB writes midnight behind a day as 2400 too."""
    own_day, _, clock = text.rpartition(":")
    if len(clock) != 4 or not clock.isdecimal():
        raise ValueError(text)
    midnight = datetime.strptime(own_day or day, "%Y%m%d") + timedelta(days=days)
    return (midnight + timedelta(hours=int(clock[:2]), minutes=int(clock[2:]))).replace(tzinfo=where)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND
