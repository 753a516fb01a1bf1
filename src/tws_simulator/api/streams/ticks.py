"""The ticks of one market data line: each told once, and again when its value changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final

from tws_simulator.wire.row import Message, message


class Tick(IntEnum):
    """IB's numbers."""

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
    LOW_13_WEEKS = 15
    HIGH_13_WEEKS = 16
    LOW_26_WEEKS = 17
    HIGH_26_WEEKS = 18
    LOW_52_WEEKS = 19
    HIGH_52_WEEKS = 20
    AVERAGE_VOLUME = 21
    HISTORICAL_VOLATILITY = 23
    IMPLIED_VOLATILITY = 24
    CALL_OPEN_INTEREST = 27
    PUT_OPEN_INTEREST = 28
    CALL_VOLUME = 29
    PUT_VOLUME = 30
    BID_EXCHANGE = 32
    ASK_EXCHANGE = 33
    MARK_PRICE = 37
    LAST_TIMESTAMP = 45
    SHORTABLE = 46
    RT_VOLUME = 48
    HALTED = 49
    TRADE_COUNT = 54
    TRADE_RATE = 55
    VOLUME_RATE = 56
    LAST_REGULAR_TRADE = 57
    RT_HISTORICAL_VOLATILITY = 58
    DIVIDENDS = 59
    VOLUME_3_MINUTES = 63
    VOLUME_5_MINUTES = 64
    VOLUME_10_MINUTES = 65
    RT_TRADE_VOLUME = 77
    CREDITMAN_MARK = 78
    CREDITMAN_SLOW_MARK = 79
    LAST_EXCHANGE = 84
    AVERAGE_OPTION_VOLUME = 87
    SHORTABLE_SHARES = 89


_DELAYED_IDS: Final = {
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


class TickTeller:
    """``delayed`` tells the same ticks under IB's numbers for delayed ones, where there are such."""

    def __init__(self, req_id: int, *, delayed: bool) -> None:
        self.req_id = req_id
        self._ids = _DELAYED_IDS if delayed else {}
        self._told: dict[Tick, Any] = {}
        self._latest: dict[Tick, Message] = {}

    def price(self, tick: Tick, price: float) -> Iterator[Message]:
        if self._is_new(tick, price):
            yield self._price(tick, price, 0, 0)

    def quoted(self, tick: Tick, size_tick: Tick, price: float, size: int, attributes: int) -> Iterator[Message]:
        """A new price brings its size along; a new size alone goes alone."""
        new_size = self._is_new(size_tick, size)
        if self._is_new(tick, price):
            yield self._price(tick, price, size, attributes)
            yield self._size(size_tick, size)
        elif new_size:
            yield self._size(size_tick, size)

    def size(self, tick: Tick, size: int) -> Iterator[Message]:
        if self._is_new(tick, size):
            yield self._size(tick, size)

    def generic(self, tick: Tick, value: float) -> Iterator[Message]:
        if self._is_new(tick, value):
            yield self._kept(tick, message("tickGeneric", reqId=self.req_id, tickType=self._id(tick), value=value))

    def string(self, tick: Tick, value: str) -> Iterator[Message]:
        if self._is_new(tick, value):
            yield self._kept(tick, message("tickString", reqId=self.req_id, tickType=self._id(tick), value=value))

    def again(self, ticks: Iterable[Tick], count: int) -> list[Message]:
        """At most ``count`` of what was told, as it was told."""
        return [self._latest[tick] for tick in ticks if tick in self._latest][:count]

    def _is_new(self, tick: Tick, value: Any) -> bool:
        if self._told.get(tick) == value:
            return False
        self._told[tick] = value
        return True

    def _price(self, tick: Tick, price: float, size: int, attributes: int) -> Message:
        values = {"reqId": self.req_id, "tickType": self._id(tick), "price": price, "size": Decimal(size)}
        return self._kept(tick, message("tickPrice", **values, attrMask=attributes))

    def _size(self, tick: Tick, size: int) -> Message:
        values = {"reqId": self.req_id, "tickType": self._id(tick), "size": Decimal(size)}
        return self._kept(tick, message("tickSize", **values))

    def _kept(self, tick: Tick, told: Message) -> Message:
        self._latest[tick] = told
        return told

    def _id(self, tick: Tick) -> int:
        return self._ids.get(tick, int(tick))
