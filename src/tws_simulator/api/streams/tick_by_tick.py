"""One tick-by-tick subscription: each trade, each change of the quote or of the midpoint, with nothing left out.

Times are whole seconds. "Last" leaves out what does not count as a last price, "AllLast" tells it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, TypeVar

from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.world.history.history import History
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import MarketEvent, Quote, QuoteChanged, Traded
from tws_simulator.world.time.units import SECOND_NS
from tws_simulator.world.world import World

KIND = "tick-by-tick"
LAST, ALL_LAST, BID_ASK, MIDPOINT = 1, 2, 3, 4
TYPES: Final = {"Last": LAST, "AllLast": ALL_LAST, "BidAsk": BID_ASK, "MidPoint": MIDPOINT}
TICKS_MAX: Final = 1000
"""Of the past that a request may ask for along with the ticks to come."""
LOT: Final = 100
_ODD_LOT: Final = "   I"


class TickByTickStream:
    """``tick_type`` is one of ``TYPES``; ``ignore_size`` leaves out quotes in which only a size changed."""

    def __init__(self, req_id: int, listing: Listing, world: World, *, tick_type: int, ignore_size: bool) -> None:
        self.req_id = req_id
        self.con_id = listing.con_id
        self._listing = listing
        self._world = world
        self._type = tick_type
        self._ignore_size = ignore_size
        quote = world.quote(listing.con_id)
        self._prices = (quote.bid, quote.ask)
        self._midpoint = midpoint(quote)

    def tell(self, moment: Moment) -> Iterator[Message]:
        change = moment.changes.get(self.con_id)
        if change is None:
            return
        if self._type in (LAST, ALL_LAST):
            for trade in change.trades:
                if self._type == ALL_LAST or counts_as_last(trade):
                    yield self._message(historicalTickLast=trade_tick(trade))
        elif self._type == BID_ASK:
            day = self._world.quote(self.con_id)
            for quote in self._moves(change.quotes):
                yield self._message(historicalTickBidAsk=quote_tick(quote, day.low, day.high))
        else:
            for quote in self._midpoint_moves(change.quotes):
                yield self._message(historicalTickMidPoint=midpoint_tick(quote))

    def past(self, now_ns: int, count: int) -> Message:
        """The latest ``count`` ticks up to now, of the time before the simulator's start too."""
        name, of, tick = _PAST[self._type]
        seconds = of(self._world.history, self._listing, now_ns + 1)
        ticks = [tick(event) for event in _latest(seconds, min(count, TICKS_MAX))]
        return message(name, **{"reqId": self.req_id, name: ticks, "isDone": True})

    def _moves(self, quotes: Iterable[QuoteChanged]) -> Iterator[QuoteChanged]:
        for quote in quotes:
            moved = self._prices != (quote.bid, quote.ask)
            self._prices = (quote.bid, quote.ask)
            if moved or not self._ignore_size:
                yield quote

    def _midpoint_moves(self, quotes: Iterable[QuoteChanged]) -> Iterator[QuoteChanged]:
        for quote in quotes:
            before, self._midpoint = self._midpoint, midpoint(quote)
            if self._midpoint != before:
                yield quote

    def _message(self, **tick: Any) -> Message:
        return message("tickByTick", reqId=self.req_id, tickType=self._type, **tick)


def counts_as_last(trade: Traded) -> bool:
    """Odd lots, and what was printed away from the market, move no last price."""
    return not trade.unreported and trade.size >= LOT


def trade_tick(trade: Traded) -> dict[str, Any]:
    """As IB's message for a historical trade."""
    odd = trade.size < LOT
    return {
        "time": trade.ts_ns // SECOND_NS,
        "tickAttribLast": {"pastLimit": trade.past_limit, "unreported": trade.unreported or odd},
        "price": trade.price,
        "size": Decimal(trade.size),
        "exchange": trade.exchange,
        "specialConditions": _ODD_LOT if odd else "",
    }


def quote_tick(quote: QuoteChanged, low: float = 0.0, high: float = float("inf")) -> dict[str, Any]:
    """``low`` and ``high`` are the day's: a bid below, an ask above is marked."""
    return {
        "time": quote.ts_ns // SECOND_NS,
        "tickAttribBidAsk": {"bidPastLow": quote.bid < low, "askPastHigh": quote.ask > high},
        "priceBid": quote.bid,
        "priceAsk": quote.ask,
        "sizeBid": Decimal(quote.bid_size),
        "sizeAsk": Decimal(quote.ask_size),
    }


def midpoint_tick(quote: QuoteChanged) -> dict[str, Any]:
    return {"time": quote.ts_ns // SECOND_NS, "price": midpoint(quote), "size": Decimal(0)}


def midpoint(quote: Quote | QuoteChanged) -> float:
    """Without the dust of binary fractions."""
    return round((quote.bid + quote.ask) / 2, 6)


_Event = TypeVar("_Event", bound=MarketEvent)
_Seconds = Iterator[list[_Event]]


def _trades(history: History, listing: Listing, until_ns: int) -> _Seconds[Traded]:
    """Second by second, the latest first."""
    since_ns = history.first_day(listing.con_id).pre_open_ns
    return history.trades(listing, since_ns, until_ns, regular_only=False, newest_first=True)


def _last_trades(history: History, listing: Listing, until_ns: int) -> _Seconds[Traded]:
    return ([trade for trade in second if counts_as_last(trade)] for second in _trades(history, listing, until_ns))


def _quotes(history: History, listing: Listing, until_ns: int) -> _Seconds[QuoteChanged]:
    since_ns = history.first_day(listing.con_id).pre_open_ns
    return history.quotes(listing, since_ns, until_ns, regular_only=False, newest_first=True)


def _latest(seconds: Iterable[list[_Event]], count: int) -> list[_Event]:
    found: list[_Event] = []
    for second in seconds:
        found = second + found
        if len(found) >= count:
            break
    return found[-count:]


_PAST: Final[dict[int, tuple[str, Callable[..., Iterable[list[Any]]], Callable[..., dict[str, Any]]]]] = {
    LAST: ("historicalTicksLast", _last_trades, trade_tick),
    ALL_LAST: ("historicalTicksLast", _trades, trade_tick),
    BID_ASK: ("historicalTicksBidAsk", _quotes, quote_tick),
    MIDPOINT: ("historicalTicks", _quotes, midpoint_tick),
}
