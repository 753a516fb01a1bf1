"""Ticks folded into the top of book, one quote per instrument.

IB sends changes only, each price followed by its size, delayed data under numbers of its own, and says separately
(message 58) which kind of data a stream now is. A quote always carries that kind: a delayed price looks like a live one
and is none.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import TypeVar

import msgspec

from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.events import DataTypeReported, PriceTick, Quote, SizeTick, Source, TextTick, Trade, ValueTick

T = TypeVar("T", float, Decimal)

_PRICES = {1: "bid", 2: "ask", 4: "last", 6: "high", 7: "low", 9: "close", 14: "open"}
_DELAYED_PRICES = {66: "bid", 67: "ask", 68: "last", 72: "high", 73: "low", 75: "close", 76: "open"}
PRICE_FIELDS = _PRICES | _DELAYED_PRICES
SIZE_FIELDS = {0: "bid_size", 3: "ask_size", 5: "last_size", 8: "volume"} | {
    69: "bid_size",
    70: "ask_size",
    71: "last_size",
    74: "volume",
}
_DELAYED_FIELDS = frozenset(_DELAYED_PRICES) | {69, 70, 71, 74, 88}
_LAST_TIMESTAMP = frozenset({45, 88})
_RT_VOLUME = frozenset({48, 77})
_HALTED = 49

_SOURCES = {1: Source.LIVE, 2: Source.FROZEN, 3: Source.DELAYED, 4: Source.DELAYED_FROZEN}
_LATE = frozenset({Source.DELAYED, Source.DELAYED_FROZEN})
_FOLDED = frozenset(PRICE_FIELDS.values()) | frozenset(SIZE_FIELDS.values()) | {"ts_event_ns"}


class QuoteBook:
    """The present quote of one stream. Changed fields are collected and become one ``Quote`` per batch."""

    __slots__ = ("_changes", "instrument", "quote", "source", "trades")

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.source = Source.UNKNOWN
        self.quote = Quote(ts_recv_ns=0, instrument=instrument)
        self.trades: list[Trade] = []
        self._changes: dict[str, object] = {}

    @property
    def changed(self) -> bool:
        return bool(self._changes)

    def price(self, tick: PriceTick) -> None:
        if name := PRICE_FIELDS.get(tick.field):
            self._set(name, tick.price, tick.field, tick.ts_recv_ns)

    def size(self, tick: SizeTick) -> None:
        if name := SIZE_FIELDS.get(tick.field):
            self._set(name, tick.size, tick.field, tick.ts_recv_ns)

    def value(self, tick: ValueTick) -> None:
        if tick.field == _HALTED and tick.value is not None:
            self._set("halted", tick.value > 0, tick.field, tick.ts_recv_ns)

    def text(self, tick: TextTick) -> None:
        if tick.field in _LAST_TIMESTAMP:
            if (ts_ns := _time_ns(tick.text, SECOND)) is not None:
                self._set("ts_event_ns", ts_ns, tick.field, tick.ts_recv_ns)
        elif tick.field in _RT_VOLUME and (trade := self._trade(tick)) is not None:
            self.trades.append(trade)

    def begin_anew(self) -> None:
        """A new subscription: neither what kind of data it brings nor any price is known before the gateway says so."""
        self.source = Source.UNKNOWN
        self.quote = Quote(ts_recv_ns=0, instrument=self.instrument)
        self._changes.clear()

    def data_type(self, event: DataTypeReported) -> None:
        self._turn(_SOURCES.get(event.data_type, Source.UNKNOWN))
        self._changes["ts_recv_ns"] = event.ts_recv_ns

    def delayed(self, ts_recv_ns: int) -> None:
        """10167: what this subscription brings is delayed. It may be frozen too, which says more."""
        if self.source not in _LATE:
            self._turn(Source.DELAYED)
            self._changes["ts_recv_ns"] = ts_recv_ns

    def take(self) -> Quote:
        """The quote with all changes of the batch in it."""
        self.quote = msgspec.structs.replace(self.quote, **self._changes)
        self._changes.clear()
        return self.quote

    def _set(self, name: str, value: object, field: int, ts_recv_ns: int) -> None:
        if field in _DELAYED_FIELDS and self.source not in _LATE:
            self._turn(Source.DELAYED)  # the numbers prove it even where message 58 is missing
        self._changes[name] = value
        self._changes["ts_recv_ns"] = ts_recv_ns

    def _turn(self, source: Source) -> None:
        """From now on the data is of this kind; prices of the other kind do not stay behind under its label."""
        if (source in _LATE) != (self.source in _LATE):
            self._changes.update(dict.fromkeys(_FOLDED))
        self.source = source
        self._changes["source"] = source

    def _trade(self, tick: TextTick) -> Trade | None:
        """``price;size;milliseconds;total volume;vwap;single market maker``, of which price and size may be empty."""
        parts = tick.text.split(";")
        ts_event_ns = _time_ns(parts[2], MILLISECOND) if len(parts) == 6 else None
        if ts_event_ns is None:
            return None
        return Trade(
            ts_recv_ns=tick.ts_recv_ns,
            instrument=self.instrument,
            price=_number(parts[0], float),
            size=_number(parts[1], Decimal),
            total_volume=_number(parts[3], Decimal),
            vwap=_number(parts[4], float),
            single=parts[5] == "true",
            ts_event_ns=ts_event_ns,
            source=self.source,
        )


def _number(text: str, kind: Callable[[str], T]) -> T | None:
    try:
        number = kind(text)
        return number if isfinite(number) else None
    except (ValueError, InvalidOperation):
        return None


def _time_ns(text: str, unit_ns: int) -> int | None:
    """A time of IB's in nanoseconds; None for what is none, or lies beyond what 64 bits hold (the year 2262)."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        return None
    ts_ns = int(text) * unit_ns
    return ts_ns if ts_ns < 2**63 else None
