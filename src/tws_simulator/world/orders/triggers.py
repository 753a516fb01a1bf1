"""Stops, and orders if touched: which of them a trade or a quote sets off, and where trailing stops follow to.

By default stocks are triggered by the last price. The other methods are IB's: two lasts in a row, bid and ask, two of
them in a row, last or bid and ask, the middle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from tws_simulator.world.instruments import universe
from tws_simulator.world.market.events import MarketEvent, Traded, as_decimal
from tws_simulator.world.orders.tickets import IF_TOUCHED
from tws_simulator.world.orders.working_order import WorkingOrder

_DOUBLE_LAST, _DOUBLE_BID_ASK, _BID_ASK, _LAST_OR_BID_ASK, _MIDDLE = 1, 3, 4, 7, 8
_BY_LAST: Final = frozenset({0, _DOUBLE_LAST, 2, _LAST_OR_BID_ASK})
_BY_BID_ASK: Final = frozenset({_DOUBLE_BID_ASK, _BID_ASK, _LAST_OR_BID_ASK})
_TWICE: Final = frozenset({_DOUBLE_LAST, _DOUBLE_BID_ASK})
TRIGGER_METHODS: Final = _BY_LAST | _BY_BID_ASK | {_MIDDLE}


@dataclass(slots=True)
class _Watch:
    order: WorkingOrder
    times: int = 0


class Triggers:
    """``watched`` are the stops that were not reached, by instrument, oldest first."""

    def __init__(self) -> None:
        self.watched: dict[int, dict[int, _Watch]] = {}

    def watch(self, order: WorkingOrder, last: Decimal) -> None:
        """A trailing stop without a price of its own starts from the last trade."""
        if order.trails and order.stop_price is None:
            order.stop_price = _trailing(order, last)
        self.watched.setdefault(order.ticket.con_id, {})[order.perm_id] = _Watch(order)

    def forget(self, order: WorkingOrder) -> None:
        watches = self.watched.get(order.ticket.con_id)
        if watches is not None:
            watches.pop(order.perm_id, None)
            if not watches:
                del self.watched[order.ticket.con_id]

    def see(self, events: Iterable[MarketEvent]) -> list[WorkingOrder]:
        """The orders that these events set off; they are watched no longer."""
        elected = []
        for event in events:
            watches = self.watched.get(event.con_id)
            if not watches:
                continue
            shown = _Shown(event)
            for watch in list(watches.values()):
                if _sets_off(watch, shown):
                    watch.order.elected = True
                    self.forget(watch.order)
                    elected.append(watch.order)
        return elected


class _Shown:
    """One event's prices, as far as it has them."""

    __slots__ = ("ask", "bid", "last")

    def __init__(self, event: MarketEvent) -> None:
        self.last: Decimal | None = None
        self.bid: Decimal | None = None
        self.ask: Decimal | None = None
        if isinstance(event, Traded):
            self.last = as_decimal(event.price)
        else:
            self.bid, self.ask = as_decimal(event.bid), as_decimal(event.ask)

    def to(self, order: WorkingOrder) -> Decimal | None:
        """What the order's method makes of it; None when it does not look at such events."""
        method = order.ticket.trigger_method
        if self.bid is None or self.ask is None:
            return self.last if method in _BY_LAST else None
        if method == _MIDDLE:
            return (self.bid + self.ask) / 2
        if method in _BY_BID_ASK:
            return self.ask if order.buys else self.bid
        return None


def _sets_off(watch: _Watch, shown: _Shown) -> bool:
    order = watch.order
    price = shown.to(order)
    if price is None:
        return False
    stop = order.stop_price
    assert stop is not None, f"{order!r} is watched without a stop"
    upwards = order.buys is not (order.ticket.order_type in IF_TOUCHED)
    if price >= stop if upwards else price <= stop:
        watch.times += 1
        return watch.times == (2 if order.ticket.trigger_method in _TWICE else 1)
    watch.times = 0
    if order.trails:
        follow = _trailing(order, price)
        order.stop_price = min(stop, follow) if order.buys else max(stop, follow)
    return False


def _trailing(order: WorkingOrder, price: Decimal) -> Decimal:
    """The stop that belongs to a price, rounded away from it to the tick."""
    ticket, tick = order.ticket, Decimal(universe.listing(order.ticket.con_id).min_tick)
    distance = price * (ticket.trailing_percent or Decimal(0)) / 100 if ticket.aux_price is None else ticket.aux_price
    raw = price + distance if order.buys else price - distance
    return (raw / tick).quantize(Decimal(1), ROUND_CEILING if order.buys else ROUND_FLOOR) * tick
