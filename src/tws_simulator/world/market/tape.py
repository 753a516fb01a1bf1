"""What was public: quotes, trades, the day's figures and five-second bars, of every instrument.

Whatever the public sees passes ``record``: the crowd's quotes and trades, and what API orders did to them. What is kept
is bounded; of what is older the tape knows nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tws_simulator.world.market.events import LOT, MarketEvent, Quote, QuoteChanged, Traded, as_decimal
from tws_simulator.world.time.calendar import Calendar
from tws_simulator.world.time.units import SECOND_NS

BAR_NS: Final = 5 * SECOND_NS
TRADES_KEPT: Final = 100_000  # per instrument, as of the following
QUOTES_KEPT: Final = 100_000
BARS_KEPT: Final = 100_000  # six days around the clock
FOREVER_NS: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """The trades of the five seconds from ``ts_ns`` (on a grid of five seconds), of which there was at least one."""

    ts_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    wap: float
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Morning:
    """What traded on the first day before the tape began; prices and money in USD."""

    open: float
    high: float
    low: float
    volume: int
    turnover: float
    trade_count: int


class Tape:
    """Filled in order of time. ``opening`` are the first quotes, ``closes`` the closing prices of the day before.

    A day's figures start again when its first period opens: at New York's midnight where the market never closes, else
    at 04:00. Opening price, high and low are those of the regular session once that has begun. ``morning`` is asked for
    the part of the first day before the tape began whenever that day's figures are wanted.
    """

    def __init__(self, calendar: Calendar, opening: Iterable[QuoteChanged], closes: Mapping[int, float]) -> None:
        self.morning: Callable[[int], Morning | None] = _no_morning
        self._calendar = calendar
        self._reels = {first.con_id: _Reel(first, closes[first.con_id]) for first in opening}
        self.prices = _Prices(self._reels)
        self._fresh: list[MarketEvent] = []
        self._next_turn_ns = self._turn_after(max((reel.standing.ts_ns for reel in self._reels.values()), default=0))

    def record(self, event: MarketEvent) -> None:
        if event.ts_ns >= self._next_turn_ns:
            self.turn(event.ts_ns)
        reel = self._reels[event.con_id]
        if isinstance(event, QuoteChanged):
            reel.requote(event)
        else:
            reel.print(event)
        self._fresh.append(event)

    def turn(self, now_ns: int) -> None:
        """Start the days and sessions that began up to ``now_ns``."""
        while self._next_turn_ns <= now_ns:
            at_ns = self._next_turn_ns
            for ts_ns, board_turn in self._turns_from(at_ns):
                if ts_ns > at_ns:
                    break
                if ts_ns == at_ns:
                    for reel in self._reels.values():
                        board_turn(reel)
            self._next_turn_ns = self._turn_after(at_ns)

    def take_fresh(self) -> list[MarketEvent]:
        """What was recorded since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def quote(self, con_id: int) -> Quote:
        """KeyError for an instrument that is not listed."""
        reel = self._reels[con_id]
        return reel.quote(self.morning(con_id) if reel.is_first_day else None)

    def standing(self, con_id: int) -> QuoteChanged:
        """Bid and ask only."""
        return self._reels[con_id].standing

    def last(self, con_id: int) -> float:
        return self._reels[con_id].last

    def marks(self) -> dict[int, Decimal]:
        """Last price of every instrument, for valuing positions; ``prices`` are the same, one by one."""
        return {con_id: as_decimal(reel.last) for con_id, reel in self._reels.items()}

    def mark(self, con_id: int) -> Decimal:
        return as_decimal(self._reels[con_id].last)

    def trades(self, con_id: int, since_ns: int = 0, until_ns: int = FOREVER_NS) -> list[Traded]:
        """From ``since_ns`` to before ``until_ns``, oldest first; the latest ``TRADES_KEPT`` at least are known."""
        return self._reels[con_id].trades.between(since_ns, until_ns)

    def quotes(self, con_id: int, since_ns: int = 0, until_ns: int = FOREVER_NS) -> list[QuoteChanged]:
        """Changes of the quote, as for ``trades``."""
        return self._reels[con_id].quotes.between(since_ns, until_ns)

    def bars(self, con_id: int, since_ns: int = 0, until_ns: int = FOREVER_NS) -> list[Bar]:
        """Bars that start from ``since_ns`` to before ``until_ns``; the last one may still be growing."""
        return self._reels[con_id].bars.between(since_ns, until_ns)

    def __contains__(self, con_id: int) -> bool:
        return con_id in self._reels

    def __repr__(self) -> str:
        count = sum(len(reel.trades.ts_ns) for reel in self._reels.values())
        return f"<Tape of {len(self._reels)} instruments, {count} trades kept>"

    def _turn_after(self, ts_ns: int) -> int:
        return next(turn_ns for turn_ns, _ in self._turns_from(ts_ns) if turn_ns > ts_ns)

    def _turns_from(self, ts_ns: int) -> Iterator[tuple[int, _Turn]]:
        """In order of time, from those of the day before on: a day without closing hours ends on the next."""
        for day in self._calendar.days_from(ts_ns, days_before=1):
            yield day.pre_open_ns, _Reel.start_day
            yield day.open_ns, _Reel.start_session
            yield day.close_ns, _Reel.end_session


def _no_morning(con_id: int) -> Morning | None:
    return None


class _Prices(Mapping[int, Decimal]):
    """The last price of every instrument as it is now, made when asked for."""

    def __init__(self, reels: Mapping[int, _Reel]) -> None:
        self._reels = reels

    def __getitem__(self, con_id: int) -> Decimal:
        return as_decimal(self._reels[con_id].last)

    def __iter__(self) -> Iterator[int]:
        return iter(self._reels)

    def __len__(self) -> int:
        return len(self._reels)


class _Reel:
    """Everything kept of one instrument."""

    __slots__ = (
        "bars", "close", "high", "is_first_day", "is_first_session", "last", "last_size", "last_ts_ns", "low", "open",
        "quotes", "session_close", "session_count", "standing", "trade_count", "trades", "turnover", "volume",
    )  # fmt: skip

    def __init__(self, first: QuoteChanged, close: float) -> None:
        self.standing = first
        self.last = first.bid
        self.last_size = LOT
        self.last_ts_ns = first.ts_ns
        self.session_close: float | None = close
        self.quotes = _Quotes(first.con_id)
        self.trades = _Trades(first.con_id)
        self.bars = _Bars()
        self.start_day()
        self.is_first_day = self.is_first_session = True

    def start_day(self) -> None:
        self.is_first_day = self.is_first_session = False
        self.close = self.last if self.session_close is None else self.session_close
        self.open = self.high = self.low = self.last
        self.volume = 0
        self.turnover = 0.0
        self.trade_count = 0
        self.session_count = 0

    def start_session(self) -> None:
        self.is_first_session = False
        self.session_count = 0

    def end_session(self) -> None:
        self.session_close = self.last

    def requote(self, event: QuoteChanged) -> None:
        self.standing = event
        self.quotes.append(event)

    def print(self, event: Traded) -> None:
        price = event.price
        if not self.session_count:
            self.open = self.high = self.low = price
        elif price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.last = price
        self.last_size = event.size
        self.last_ts_ns = event.ts_ns
        self.volume += event.size
        self.turnover += price * event.size
        self.trade_count += 1
        self.session_count += 1
        self.trades.append(event)
        self.bars.add(event)

    def quote(self, morning: Morning | None) -> Quote:
        opened, high, low = self.open, self.high, self.low
        volume, turnover, trade_count = self.volume, self.turnover, self.trade_count
        if morning is not None:
            volume += morning.volume
            turnover += morning.turnover
            trade_count += morning.trade_count
            if self.is_first_session:
                opened = morning.open
                high = max(morning.high, high) if self.session_count else morning.high
                low = min(morning.low, low) if self.session_count else morning.low
        return Quote(
            con_id=self.standing.con_id,
            ts_ns=self.standing.ts_ns,
            bid=self.standing.bid,
            ask=self.standing.ask,
            bid_size=self.standing.bid_size,
            ask_size=self.standing.ask_size,
            last=self.last,
            last_size=self.last_size,
            last_ts_ns=self.last_ts_ns,
            open=opened,
            high=high,
            low=low,
            close=self.close,
            volume=volume,
            vwap=turnover / volume if volume else self.last,
            trade_count=trade_count,
        )


_Turn = Callable[[_Reel], None]


class _Quotes:
    """Columns, not objects: a day of one busy stock is some hundred thousand."""

    def __init__(self, con_id: int) -> None:
        self._con_id = con_id
        self.ts_ns = array("q")
        self._bid, self._ask = array("d"), array("d")
        self._bid_size, self._ask_size = array("q"), array("q")

    def append(self, event: QuoteChanged) -> None:
        self.ts_ns.append(event.ts_ns)
        self._bid.append(event.bid)
        self._ask.append(event.ask)
        self._bid_size.append(event.bid_size)
        self._ask_size.append(event.ask_size)
        if len(self.ts_ns) >= 2 * QUOTES_KEPT:
            for column in (self.ts_ns, self._bid, self._ask, self._bid_size, self._ask_size):
                del column[:QUOTES_KEPT]

    def between(self, since_ns: int, until_ns: int) -> list[QuoteChanged]:
        return [
            QuoteChanged(
                con_id=self._con_id,
                ts_ns=self.ts_ns[row],
                bid=self._bid[row],
                ask=self._ask[row],
                bid_size=self._bid_size[row],
                ask_size=self._ask_size[row],
            )
            for row in range(bisect_left(self.ts_ns, since_ns), bisect_left(self.ts_ns, until_ns))
        ]


class _Trades:
    def __init__(self, con_id: int) -> None:
        self._con_id = con_id
        self.ts_ns = array("q")
        self._price, self._size = array("d"), array("q")
        self._marks: list[tuple[str, bool, bool]] = []  # venue, past limit, unreported: few different ones
        self._mark_of: dict[tuple[str, bool, bool], int] = {}
        self._mark = array("H")

    def append(self, event: Traded) -> None:
        marks = (event.exchange, event.past_limit, event.unreported)
        mark = self._mark_of.get(marks)
        if mark is None:
            mark = self._mark_of[marks] = len(self._marks)
            self._marks.append(marks)
        self.ts_ns.append(event.ts_ns)
        self._price.append(event.price)
        self._size.append(event.size)
        self._mark.append(mark)
        if len(self.ts_ns) >= 2 * TRADES_KEPT:
            for column in (self.ts_ns, self._price, self._size, self._mark):
                del column[:TRADES_KEPT]

    def between(self, since_ns: int, until_ns: int) -> list[Traded]:
        found = []
        for row in range(bisect_left(self.ts_ns, since_ns), bisect_left(self.ts_ns, until_ns)):
            exchange, past_limit, unreported = self._marks[self._mark[row]]
            found.append(
                Traded(
                    con_id=self._con_id,
                    ts_ns=self.ts_ns[row],
                    price=self._price[row],
                    size=self._size[row],
                    exchange=exchange,
                    past_limit=past_limit,
                    unreported=unreported,
                )
            )
        return found


class _Bars:
    def __init__(self) -> None:
        self._ts_ns = array("q")
        self._open, self._high, self._low, self._close = array("d"), array("d"), array("d"), array("d")
        self._volume, self._count = array("q"), array("q")
        self._turnover = array("d")

    def add(self, trade: Traded) -> None:
        start_ns = trade.ts_ns - trade.ts_ns % BAR_NS
        price = trade.price
        if not self._ts_ns or self._ts_ns[-1] != start_ns:
            self._begin(start_ns, price)
        elif price > self._high[-1]:
            self._high[-1] = price
        elif price < self._low[-1]:
            self._low[-1] = price
        self._close[-1] = price
        self._volume[-1] += trade.size
        self._turnover[-1] += price * trade.size
        self._count[-1] += 1

    def _begin(self, start_ns: int, price: float) -> None:
        counts = (self._ts_ns, self._volume, self._count)
        prices = (self._open, self._high, self._low, self._close)
        if len(self._ts_ns) >= 2 * BARS_KEPT:
            for column in (*counts, *prices, self._turnover):
                del column[:BARS_KEPT]
        for whole, first in zip(counts, (start_ns, 0, 0), strict=True):
            whole.append(first)
        for each in prices:
            each.append(price)
        self._turnover.append(0.0)

    def between(self, since_ns: int, until_ns: int) -> list[Bar]:
        return [
            Bar(
                ts_ns=self._ts_ns[row],
                open=self._open[row],
                high=self._high[row],
                low=self._low[row],
                close=self._close[row],
                volume=self._volume[row],
                wap=self._turnover[row] / self._volume[row],
                count=self._count[row],
            )
            for row in range(bisect_left(self._ts_ns, since_ns), bisect_left(self._ts_ns, until_ns))
        ]
