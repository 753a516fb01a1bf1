"""History as it is asked for: bars and ticks of the made-up past and, from the simulation's start on, of the tape.

Where both meet, at the full second before the start, the past has the price at which the live market began; from there
on history says exactly what was printed. Bars of trades of the past are parted from days (see `past`); bars of quotes
follow the trades at the listing's usual spread. Live bars of quotes come from the quotes the tape still keeps. What the
tape no longer keeps, after days of running, is told as time without trades.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from itertools import chain
from typing import Final, TypeVar

from tws_simulator.world.history.bars import Kind, added, flat, of_past, of_quotes, of_trades
from tws_simulator.world.history.past import Past
from tws_simulator.world.history.spans import Span
from tws_simulator.world.history.ticks import printed, quoted
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import QuoteChanged, Traded
from tws_simulator.world.market.tape import BAR_NS, Bar, Tape
from tws_simulator.world.time.calendar import Calendar, TradingDay, new_york_date, new_york_ns
from tws_simulator.world.time.units import DAY_NS, MINUTE_NS, SECOND_NS

_EXCHANGE: Final = Calendar(always_open=False)
Window = tuple[int, int]
Event = TypeVar("Event", Traded, QuoteChanged)


class Step(Enum):
    """Sizes of bars that follow the calendar."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


BarSize = int | Step
"""Seconds, or a step of the calendar."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayHours:
    """The hours of one day as history has them: one window, or two where the past's hours and the live ones differ."""

    day: date
    windows: tuple[Window, ...]

    @property
    def start_ns(self) -> int:
        return self.windows[0][0]

    @property
    def end_ns(self) -> int:
        return self.windows[-1][1]


class History:
    """One market's history. Times are nanoseconds; ``until_ns`` is never part of what is told."""

    def __init__(self, past: Past, tape: Tape, calendar: Calendar) -> None:
        self._past = past
        self._tape = tape
        self._calendar = calendar
        self._start_day = new_york_date(past.end_ns)

    def __repr__(self) -> str:
        return f"<History {self._past!r} {self._tape!r}>"

    def __contains__(self, con_id: int) -> bool:
        return con_id in self._past

    def first_day(self, con_id: int) -> TradingDay:
        return self._past.first_day(con_id)

    def exchange_days(self, con_id: int, since: date, until: date) -> Iterator[TradingDay]:
        """The exchange's schedule, oldest first, ``until`` included; also of a market that never closes."""
        since = max(since, self._past.first_day(con_id).day)
        for ahead in range((until - since).days + 1):
            hours = _EXCHANGE.day(since + timedelta(days=ahead))
            if hours is not None:
                yield hours

    def hours(self, con_id: int, day: date, *, regular_only: bool) -> DayHours | None:
        """None for a day without trading."""
        windows: list[Window] = []
        if day <= self._start_day:
            hours = self._past.hours(con_id, day)
            if hours is not None:
                start_ns, end_ns = window(hours, regular_only)
                windows.append((start_ns, min(end_ns, self._past.end_ns) if day == self._start_day else end_ns))
        live = self._calendar.day(day) if day >= self._start_day else None
        if live is not None:
            start_ns, end_ns = window(live, regular_only)
            windows.append((max(start_ns, self._past.end_ns), end_ns))
        joined = _joined([window for window in windows if window[0] < window[1]])
        return DayHours(day=day, windows=tuple(joined)) if joined else None

    def days(self, con_id: int, since: date, until: date, *, regular_only: bool) -> Iterator[DayHours]:
        """The days with hours, oldest first, ``until`` included."""
        since = max(since, self._past.first_day(con_id).day)
        for ahead in range((until - since).days + 1):
            hours = self.hours(con_id, since + timedelta(days=ahead), regular_only=regular_only)
            if hours is not None:
                yield hours

    def days_back(self, con_id: int, until_ns: int, *, regular_only: bool) -> Iterator[DayHours]:
        """The days that began before ``until_ns``, newest first."""
        day, first = new_york_date(until_ns), self._past.first_day(con_id).day
        while day >= first:
            hours = self.hours(con_id, day, regular_only=regular_only)
            if hours is not None and hours.start_ns < until_ns:
                yield hours
            day -= timedelta(days=1)

    def bars(
        self, listing: Listing, kind: Kind, size: BarSize, since_ns: int, until_ns: int, *, regular_only: bool
    ) -> list[Bar]:
        """Bars on marks of New York's clock; the first and the last are short where hours or the request cut them."""
        bars: list[Bar] = []
        for start_ns, windows in self._cells(listing, size, since_ns, until_ns, regular_only):
            bar = self._bar(listing, kind, start_ns, windows)
            if bar is None and bars:
                bar = flat(start_ns, bars[-1].close, kind)
            if bar is not None:
                bars.append(bar)
        return bars

    def count(self, listing: Listing, size: BarSize, since_ns: int, until_ns: int, *, regular_only: bool) -> int:
        """How many bars that would be at most; cheap."""
        if isinstance(size, Step):
            return (until_ns - since_ns) // DAY_NS + 2
        days = self.days(listing.con_id, new_york_date(since_ns), new_york_date(until_ns), regular_only=regular_only)
        return sum(
            max(min(end_ns, until_ns) - max(start_ns, since_ns), 0) // (size * SECOND_NS) + 2
            for hours in days
            for start_ns, end_ns in hours.windows
        )

    def trades(
        self, listing: Listing, since_ns: int, until_ns: int, *, regular_only: bool, newest_first: bool = False
    ) -> Iterator[list[Traded]]:
        """The trades second by second, each second's in order of time; drawn as they are taken."""
        return self._seconds(
            listing.con_id,
            (since_ns, until_ns),
            self._tape.trades,
            lambda second: printed(second, listing),
            regular_only=regular_only,
            newest_first=newest_first,
        )

    def quotes(
        self, listing: Listing, since_ns: int, until_ns: int, *, regular_only: bool, newest_first: bool = False
    ) -> Iterator[list[QuoteChanged]]:
        """The quotes second by second; those of the past stand around its trades."""
        return self._seconds(
            listing.con_id,
            (since_ns, until_ns),
            self._tape.quotes,
            lambda second: quoted(printed(second, listing), listing),
            regular_only=regular_only,
            newest_first=newest_first,
        )

    def _seconds(
        self,
        con_id: int,
        asked: Window,
        told: Callable[[int, int, int], list[Event]],
        made_up: Callable[[Span], list[Event]],
        *,
        regular_only: bool,
        newest_first: bool,
    ) -> Iterator[list[Event]]:
        since_ns, until_ns = asked
        border_ns = self._past.end_ns
        past = self._past.seconds(
            con_id, since_ns, min(until_ns, border_ns), regular_only=regular_only, newest_first=newest_first
        )
        old = (made_up(second) for second in past)
        live = self._live_seconds(con_id, (max(since_ns, border_ns), until_ns), told, regular_only, newest_first)
        return chain(live, old) if newest_first else chain(old, live)

    def _live_seconds(
        self,
        con_id: int,
        asked: Window,
        told: Callable[[int, int, int], list[Event]],
        regular_only: bool,
        newest_first: bool,
    ) -> Iterator[list[Event]]:
        """Minute by minute, because who asks for a thousand ticks does not want the whole tape."""
        minutes = range(asked[0] // MINUTE_NS, -(-asked[1] // MINUTE_NS))
        for minute in reversed(minutes) if newest_first else minutes:
            start_ns = minute * MINUTE_NS
            events = told(con_id, max(start_ns, asked[0]), min(start_ns + MINUTE_NS, asked[1]))
            seconds = _by_second([event for event in events if self._counts(event.ts_ns, regular_only)])
            yield from reversed(seconds) if newest_first else seconds

    def _counts(self, ts_ns: int, regular_only: bool) -> bool:
        hours = self._calendar.day(new_york_date(ts_ns))
        if hours is None:
            return False
        start_ns, end_ns = window(hours, regular_only)
        return start_ns <= ts_ns < end_ns

    def _cells(
        self, listing: Listing, size: BarSize, since_ns: int, until_ns: int, regular_only: bool
    ) -> Iterator[tuple[int, list[Window]]]:
        """Each bar's start and what of the hours belongs to it."""
        days = self.days(
            listing.con_id, new_york_date(since_ns), new_york_date(until_ns - 1), regular_only=regular_only
        )
        if isinstance(size, Step):
            yield from _calendar_cells(days, size, since_ns, until_ns)
            return
        for hours in days:
            for first_ns, end_ns in hours.windows:
                start_ns, end_ns = max(first_ns, since_ns), min(end_ns, until_ns)
                while start_ns < end_ns:
                    mark_ns = mark_before(start_ns, size)
                    next_ns = min(mark_ns + size * SECOND_NS, end_ns)
                    # The simulation may begin at any second; a session begins on a mark, or on its own time.
                    label_ns = mark_ns if start_ns == self._past.end_ns else start_ns
                    yield label_ns, [(start_ns, next_ns)]
                    start_ns = next_ns

    def _bar(self, listing: Listing, kind: Kind, start_ns: int, windows: Iterable[Window]) -> Bar | None:
        pieces: list[Bar] = []
        for since_ns, until_ns in windows:
            pieces += self._past_pieces(listing, kind, since_ns, until_ns)
            pieces += self._live_pieces(listing, kind, max(since_ns, self._past.end_ns), until_ns)
        return added(start_ns, pieces, kind)

    def _past_pieces(self, listing: Listing, kind: Kind, since_ns: int, until_ns: int) -> Iterator[Bar]:
        until_ns = min(until_ns, self._past.end_ns)
        if since_ns < until_ns:
            span = self._past.span(listing.con_id, since_ns, until_ns, regular_only=False)
            if span is not None:
                yield of_past(span, kind, listing)

    def _live_pieces(self, listing: Listing, kind: Kind, since_ns: int, until_ns: int) -> Iterator[Bar]:
        if since_ns >= until_ns:
            return
        if kind is not Kind.TRADES:
            yield from of_quotes(self._tape.quotes(listing.con_id, since_ns, until_ns), kind)
            return
        first_ns = min(-(-since_ns // BAR_NS) * BAR_NS, until_ns)
        last_ns = max(until_ns // BAR_NS * BAR_NS, first_ns)
        yield from of_trades(self._tape.trades(listing.con_id, since_ns, first_ns))
        yield from self._tape.bars(listing.con_id, first_ns, last_ns)
        yield from of_trades(self._tape.trades(listing.con_id, last_ns, until_ns))


def window(hours: TradingDay, regular_only: bool) -> Window:
    """The regular session alone, or with the hours before and after."""
    return (hours.open_ns, hours.close_ns) if regular_only else (hours.pre_open_ns, hours.post_close_ns)


def mark_before(ts_ns: int, size_s: int) -> int:
    """The latest mark of bars of so many seconds on New York's clock."""
    midnight_ns = new_york_ns(datetime.combine(new_york_date(ts_ns), time()))
    return ts_ns - (ts_ns - midnight_ns) % (size_s * SECOND_NS)


def _joined(windows: list[Window]) -> list[Window]:
    joined: list[Window] = []
    for start_ns, end_ns in windows:
        if joined and joined[-1][1] == start_ns:
            joined[-1] = (joined[-1][0], end_ns)
        else:
            joined.append((start_ns, end_ns))
    return joined


def _calendar_cells(
    days: Iterable[DayHours], size: Step, since_ns: int, until_ns: int
) -> Iterator[tuple[int, list[Window]]]:
    """Days, weeks from Monday, or months; each starts when its first day does."""
    cell: list[Window] = []
    of: tuple[int, int] | None = None
    for hours in days:
        windows = [(max(start_ns, since_ns), min(end_ns, until_ns)) for start_ns, end_ns in hours.windows]
        windows = [window for window in windows if window[0] < window[1]]
        if not windows:
            continue
        belongs = _cell_of(hours.day, size)
        if cell and belongs != of:
            yield cell[0][0], cell
            cell = []
        of = belongs
        cell += windows
    if cell:
        yield cell[0][0], cell


def _cell_of(day: date, size: Step) -> tuple[int, int]:
    if size is Step.DAY:
        return day.toordinal(), 0
    return (day.year, day.month) if size is Step.MONTH else day.isocalendar()[:2]


def _by_second(events: list[Event]) -> list[list[Event]]:
    seconds: list[list[Event]] = []
    for event in events:
        if seconds and seconds[-1][0].ts_ns // SECOND_NS == event.ts_ns // SECOND_NS:
            seconds[-1].append(event)
        else:
            seconds.append([event])
    return seconds
