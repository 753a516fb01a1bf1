"""One market data line: the ticks a subscriber is told, first all, then what changed.

Delayed lines show the same market under IB's delayed tick ids; the simulator does not hold them back.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import IntEnum
from typing import Any

from tws_simulator.api.streams.stream import Change, Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.world.market import Quote, Traded
from tws_simulator.world.universe import VENUE_LETTERS, Listing
from tws_simulator.world.world import World

KIND = "quote"
LIVE, DELAYED = 1, 3
RTVOLUME = 233

_BBO_EXCHANGE = "9c0001"
_SNAPSHOT_PERMISSIONS = 3
_PRECISION = "0.000001"
_CAN_AUTO_EXECUTE = 1
_MILLISECOND, _SECOND = 1_000_000, 1_000_000_000
# The market model does not say which venues stand at the best price.
_BID_VENUES, _ASK_VENUES = "KPQZ", "PQXZ"


class Tick(IntEnum):
    BID_SIZE = 0
    BID = 1
    ASK = 2
    ASK_SIZE = 3
    LAST = 4
    LAST_SIZE = 5
    HIGH = 6
    LOW = 7
    VOLUME = 8
    CLOSE = 9
    OPEN = 14
    BID_EXCHANGE = 32
    ASK_EXCHANGE = 33
    LAST_TIMESTAMP = 45
    RT_VOLUME = 48
    HALTED = 49
    LAST_EXCHANGE = 84


_DELAYED_IDS = {
    Tick.BID: 66,
    Tick.ASK: 67,
    Tick.LAST: 68,
    Tick.BID_SIZE: 69,
    Tick.ASK_SIZE: 70,
    Tick.LAST_SIZE: 71,
    Tick.HIGH: 72,
    Tick.LOW: 73,
    Tick.VOLUME: 74,
    Tick.CLOSE: 75,
    Tick.OPEN: 76,
    Tick.LAST_TIMESTAMP: 88,
    Tick.HALTED: 90,
}
_QUOTED = ((Tick.BID, Tick.BID_SIZE), (Tick.ASK, Tick.ASK_SIZE), (Tick.LAST, Tick.LAST_SIZE))


class QuoteStream:
    """What one line has told its subscriber; ``update`` yields only what differs from that."""

    def __init__(
        self, req_id: int, listing: Listing, world: World, *, generic_ticks: frozenset[int], data_type: int
    ) -> None:
        self.req_id = req_id
        self._world = world
        self.listing = listing
        self._delayed = data_type == DELAYED
        self._data_type = data_type
        self._wants_rt_volume = RTVOLUME in generic_ticks and not self._delayed
        self._told: dict[int, Any] = {}

    def parameters(self) -> Message:
        return message(
            "tickReqParams",
            reqId=self.req_id,
            minTick=Decimal(self.listing.min_tick),
            bboExchange=_BBO_EXCHANGE,
            snapshotPermissions=_SNAPSHOT_PERMISSIONS,
            lastPricePrecision=_PRECISION,
            lastSizePrecision=_PRECISION,
        )

    def data_type(self) -> Message:
        return message("marketDataType", reqId=self.req_id, marketDataType=self._data_type)

    def whole_picture(self, quote: Quote) -> Iterator[Message]:
        yield from self._exchanges(None)
        yield from self._prices(quote)
        yield from self._last_time(quote)
        yield from self._day(quote)
        yield from self._price_once(Tick.CLOSE, quote.close)
        yield from self._generic_once(Tick.HALTED, 0.0)

    def tell(self, moment: Moment) -> Iterator[Message]:
        change = moment.changes.get(self.listing.con_id)
        if change is not None:
            yield from self._update(self._world.quote(self.listing.con_id), change)

    def _update(self, quote: Quote, change: Change) -> Iterator[Message]:
        if change.trades:
            yield from self._last_time(quote)
            yield from self._exchanges(change.trades[-1].exchange)
        yield from self._prices(quote)
        yield from self._rt_volume(quote, change.trades)
        if change.trades:
            yield from self._day(quote)

    def _prices(self, quote: Quote) -> Iterator[Message]:
        pairs = ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size), (quote.last, quote.last_size))
        for (price_tick, size_tick), (price, size) in zip(_QUOTED, pairs, strict=True):
            new_size = self._is_new(size_tick, size)
            if self._is_new(price_tick, price):
                attributes = _CAN_AUTO_EXECUTE if price_tick is not Tick.LAST and not self._delayed else 0
                yield self._price(price_tick, price, Decimal(size), attributes)
                yield self._size(size_tick, size)
            elif new_size:
                yield self._size(size_tick, size)

    def _day(self, quote: Quote) -> Iterator[Message]:
        if self._is_new(Tick.VOLUME, quote.volume):
            yield self._size(Tick.VOLUME, quote.volume)
        yield from self._price_once(Tick.HIGH, quote.high)
        yield from self._price_once(Tick.LOW, quote.low)
        yield from self._price_once(Tick.OPEN, quote.open)

    def _last_time(self, quote: Quote) -> Iterator[Message]:
        stamp = str(quote.last_ts_ns // _SECOND)
        if self._is_new(Tick.LAST_TIMESTAMP, stamp):
            yield self._string(Tick.LAST_TIMESTAMP, stamp)

    def _exchanges(self, last_venue: str | None) -> Iterator[Message]:
        if self._delayed:
            return
        if last_venue is None:
            yield self._string(Tick.BID_EXCHANGE, _BID_VENUES)
            yield self._string(Tick.ASK_EXCHANGE, _ASK_VENUES)
        elif self._is_new(Tick.LAST_EXCHANGE, VENUE_LETTERS[last_venue]):
            yield self._string(Tick.LAST_EXCHANGE, VENUE_LETTERS[last_venue])

    def _rt_volume(self, quote: Quote, trades: list[Traded]) -> Iterator[Message]:
        """Price, size, time in ms, day's volume, day's average price, whether a single market maker filled it."""
        if not self._wants_rt_volume:
            return
        volume = quote.volume - sum(trade.size for trade in trades)
        for trade in trades:
            volume += trade.size
            fields = (trade.price, trade.size, trade.ts_ns // _MILLISECOND, volume, f"{quote.vwap:.8f}", "true")
            yield self._string(Tick.RT_VOLUME, ";".join(str(part) for part in fields))

    def _price_once(self, tick: Tick, price: float) -> Iterator[Message]:
        if self._is_new(tick, price):
            yield self._price(tick, price, Decimal(0), 0)

    def _generic_once(self, tick: Tick, value: float) -> Iterator[Message]:
        if self._is_new(tick, value):
            yield message("tickGeneric", reqId=self.req_id, tickType=self._id(tick), value=value)

    def _is_new(self, tick: Tick, value: Any) -> bool:
        if self._told.get(tick) == value:
            return False
        self._told[tick] = value
        return True

    def _id(self, tick: Tick) -> int:
        return _DELAYED_IDS[tick] if self._delayed else int(tick)

    def _price(self, tick: Tick, price: float, size: Decimal, attributes: int) -> Message:
        return message(
            "tickPrice", reqId=self.req_id, tickType=self._id(tick), price=price, size=size, attrMask=attributes
        )

    def _size(self, tick: Tick, size: int) -> Message:
        return message("tickSize", reqId=self.req_id, tickType=self._id(tick), size=Decimal(size))

    def _string(self, tick: Tick, value: str) -> Message:
        return message("tickString", reqId=self.req_id, tickType=self._id(tick), value=value)
