"""What the generic ticks of a stock say.

What the world has, they tell: trades, volumes, mark prices. What it has not (options traded on the stock, shares to
borrow, dividends) is made up from the listing and stays the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from tws_simulator.api.streams.stream import Change
from tws_simulator.api.streams.ticks import Tick, TickTeller
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import Quote, Traded
from tws_simulator.world.world import World

SHORTABLE: Final = 236
RT_VOLUME, RT_TRADE_VOLUME = 233, 375
_EASY_TO_BORROW: Final = 3.0
_MILLISECOND_NS, _MINUTE_NS = 1_000_000, 60_000_000_000
_WEEKS_A_YEAR: Final = 52
_TYPICAL_RANGE: Final = 0.8
"""Of high and low about today's price, in standard deviations of the period."""


class GenericValues:
    """``codes`` are those asked for; of delayed lines only the shares to borrow are told, as captured."""

    def __init__(
        self, codes: frozenset[int], listing: Listing, world: World, teller: TickTeller, *, delayed: bool
    ) -> None:
        self._listing = listing
        self._world = world
        self._teller = teller
        self._codes = codes & {SHORTABLE} if delayed else codes
        self._minute = 0

    def first(self, quote: Quote, now_ns: int) -> Iterator[Message]:
        for code, told in _ONCE.items():
            if code in self._codes:
                yield from told(self._listing, quote, self._teller)
        yield from self._current(quote, now_ns)

    def update(self, quote: Quote, change: Change, now_ns: int) -> Iterator[Message]:
        yield from self._volumes(quote, change.trades)
        yield from self._current(quote, now_ns)

    def _volumes(self, quote: Quote, trades: list[Traded]) -> Iterator[Message]:
        volume = quote.volume - sum(trade.size for trade in trades)
        for trade in trades:
            volume += trade.size
            text = _time_and_sales(trade, volume, quote.vwap)
            if RT_VOLUME in self._codes:
                yield from self._teller.string(Tick.RT_VOLUME, text)
            if RT_TRADE_VOLUME in self._codes and not trade.unreported:
                yield from self._teller.string(Tick.RT_TRADE_VOLUME, text)

    def _current(self, quote: Quote, now_ns: int) -> Iterator[Message]:
        mark = sorted((quote.bid, quote.ask, quote.last))[1]
        for code, tick in _MARKS.items():
            if code in self._codes:
                yield from self._teller.price(tick, mark)
        if 318 in self._codes:
            yield from self._teller.price(Tick.LAST_REGULAR_TRADE, quote.last)
        if 293 in self._codes:
            yield from self._teller.generic(Tick.TRADE_COUNT, float(quote.trade_count))
        if self._codes & _BY_THE_MINUTE and now_ns // _MINUTE_NS != self._minute:
            self._minute = now_ns // _MINUTE_NS
            yield from self._rates(now_ns)

    def _rates(self, now_ns: int) -> Iterator[Message]:
        bars = self._world.tape.bars(self._listing.con_id, now_ns - 10 * _MINUTE_NS, now_ns)
        trades = [bar.count for bar in bars if bar.ts_ns >= now_ns - _MINUTE_NS]
        volumes = {
            minutes: sum(bar.volume for bar in bars if bar.ts_ns >= now_ns - minutes * _MINUTE_NS)
            for minutes in (1, 3, 5, 10)
        }
        if 294 in self._codes:
            yield from self._teller.generic(Tick.TRADE_RATE, float(sum(trades)))
        if 295 in self._codes:
            yield from self._teller.generic(Tick.VOLUME_RATE, float(volumes[1]))
        if 595 in self._codes:
            yield from self._teller.size(Tick.VOLUME_3_MINUTES, volumes[3])
            yield from self._teller.size(Tick.VOLUME_5_MINUTES, volumes[5])
            yield from self._teller.size(Tick.VOLUME_10_MINUTES, volumes[10])


_MARKS: Final = {232: Tick.MARK_PRICE, 221: Tick.CREDITMAN_MARK, 619: Tick.CREDITMAN_SLOW_MARK}
_BY_THE_MINUTE: Final = frozenset({294, 295, 595})


def _time_and_sales(trade: Traded, volume: int, vwap: float) -> str:
    """Price, size, time in ms, day's volume, day's average price, whether a single market maker filled it."""
    fields = (trade.price, trade.size, trade.ts_ns // _MILLISECOND_NS, volume, f"{vwap:.8f}", "true")
    return ";".join(str(part) for part in fields)


def _shortable(listing: Listing, quote: Quote, teller: TickTeller) -> Iterator[Message]:
    yield from teller.generic(Tick.SHORTABLE, _EASY_TO_BORROW)
    yield from teller.size(Tick.SHORTABLE_SHARES, listing.average_volume + _dice(listing, 10_000_000))


def _statistics(listing: Listing, quote: Quote, teller: TickTeller) -> Iterator[Message]:
    lows = (Tick.LOW_13_WEEKS, Tick.LOW_26_WEEKS, Tick.LOW_52_WEEKS)
    highs = (Tick.HIGH_13_WEEKS, Tick.HIGH_26_WEEKS, Tick.HIGH_52_WEEKS)
    for weeks, low, high in zip((13, 26, 52), lows, highs, strict=True):
        width = _TYPICAL_RANGE * listing.volatility * math.sqrt(weeks / _WEEKS_A_YEAR)
        yield from teller.price(low, round(quote.close * (1 - width / (1 + width)), 2))
        yield from teller.price(high, round(quote.close * (1 + width), 2))
    yield from teller.size(Tick.AVERAGE_VOLUME, listing.average_volume)


def _option_volume(listing: Listing, quote: Quote, teller: TickTeller) -> Iterator[Message]:
    yield from teller.size(Tick.CALL_VOLUME, listing.average_volume // 100 + _dice(listing, 9_000))
    yield from teller.size(Tick.PUT_VOLUME, listing.average_volume // 150 + _dice(listing, 7_000))


def _open_interest(listing: Listing, quote: Quote, teller: TickTeller) -> Iterator[Message]:
    yield from teller.size(Tick.CALL_OPEN_INTEREST, listing.average_volume // 12 + _dice(listing, 90_000))
    yield from teller.size(Tick.PUT_OPEN_INTEREST, listing.average_volume // 15 + _dice(listing, 70_000))


def _average_option_volume(listing: Listing, quote: Quote, teller: TickTeller) -> Iterator[Message]:
    yield from teller.size(Tick.AVERAGE_OPTION_VOLUME, listing.average_volume // 60)


def _volatility(tick: Tick, share: float) -> Callable[[Listing, Quote, TickTeller], Iterator[Message]]:
    def told(listing: Listing, quote: Quote, teller: TickTeller) -> Iterator[Message]:
        yield from teller.generic(tick, round(listing.volatility * share, 6))

    return told


def _dividends(listing: Listing, quote: Quote, teller: TickTeller) -> Iterator[Message]:
    """Of the past year, of the next, the next one's date and amount."""
    amount = Decimal(str(round(quote.close * 0.0015, 2)))
    yield from teller.string(Tick.DIVIDENDS, f"{4 * amount},{4 * amount},20270208,{amount}")


def _dice(listing: Listing, sides: int) -> int:
    return int.from_bytes(blake2b(str(listing.con_id).encode(), digest_size=4).digest(), "big") % sides


_ONCE: Final[dict[int, Callable[[Listing, Quote, TickTeller], Iterator[Message]]]] = {
    236: _shortable,
    100: _option_volume,
    101: _open_interest,
    104: _volatility(Tick.HISTORICAL_VOLATILITY, 0.95),
    105: _average_option_volume,
    106: _volatility(Tick.IMPLIED_VOLATILITY, 1.05),
    165: _statistics,
    411: _volatility(Tick.RT_HISTORICAL_VOLATILITY, 0.97),
    456: _dividends,
}
