"""What is told of orders while the market is closed for them: rounds of identical echoes, and one warning.

Seen in captures of server version 225: an order that waits for the opening draws two to five identical pairs of
openOrder and orderStatus within a second or so. The warning (399) comes before the first pair for types without a limit
price and after it for those with one, and never for GTC and good-after orders. Of a bracket, each child is told of in
turn, then the children again, then all. A cancel that comes before the echoes have settled draws two pairs of
PendingCancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tws_simulator.world.instruments import universe
from tws_simulator.world.orders import notices
from tws_simulator.world.orders.auctions import next_opening_ns
from tws_simulator.world.orders.order_store import OrderStore
from tws_simulator.world.orders.tickets import LIMITED, OrderStatus
from tws_simulator.world.orders.working_order import WorkingOrder
from tws_simulator.world.time.calendar import Calendar, new_york_time
from tws_simulator.world.time.schedule import Schedule

ROUND_NS: Final = 250_000_000
_PAIRS_OF_LIMITED, _PAIRS_OF_OTHERS = 4, 3
_MORE_OR_FEWER: Final = (0, 0, 1, -1)  # by the permanent id


class ClosedMarket:
    """Remembers whose echoes have not settled, and who is still to be warned."""

    def __init__(self, store: OrderStore, schedule: Schedule, calendar: Calendar) -> None:
        self._store = store
        self._schedule = schedule
        self._calendar = calendar
        self._unsettled: set[int] = set()
        self._unwarned: set[int] = set()

    def announce(self, family: Sequence[WorkingOrder]) -> None:
        """An order, or a parent and its children, that wait from now on."""
        for order in family:
            self._unsettled.add(order.perm_id)
            if order.ticket.tif != "GTC" and order.ticket.good_after_ns is None:
                self._unwarned.add(order.perm_id)
            if order.ticket.order_type not in LIMITED:
                self._warn(order)
            self._store.tell_order(order)
            if len(family) > 1 and order.perm_id in self._unwarned:
                self._warn(order)
                self._store.tell_order(order)
        if len(family) > 1:
            self._later([family[1:], family])
        else:
            self._later([family] * (_pairs(family[0]) - 1))

    def tell_accepted(self, order: WorkingOrder) -> None:
        """An order that the market is open for; if it is for the opening, that is the next one."""
        if order.ticket.tif != "OPG":
            self._store.tell_order(order)
            return
        opens_ns, limited = next_opening_ns(self._calendar, self._store.now_ns), order.ticket.order_type in LIMITED
        if not limited:
            self._tell_when(order, opens_ns)
        self._store.tell_order(order)
        if limited:
            self._tell_when(order, opens_ns)

    def changed(self, order: WorkingOrder) -> None:
        """New terms are echoed twice."""
        self._store.tell_order(order)
        self._later([[order]])

    def hurry(self, order: WorkingOrder) -> None:
        """A cancel came; what is told before the end, if the echoes have not settled."""
        if order.perm_id not in self._unsettled:
            return
        self._warn(order)
        self._store.tell_order(order)
        self.forget(order)
        order.move(OrderStatus.PENDING_CANCEL)
        self._store.tell_order(order)
        self._store.tell_order(order)

    def forget(self, order: WorkingOrder) -> None:
        self._unsettled.discard(order.perm_id)
        self._unwarned.discard(order.perm_id)

    def _later(self, rounds: Sequence[Sequence[WorkingOrder]]) -> None:
        self._schedule.note(self._store.now_ns + ROUND_NS, lambda: self._round(rounds))

    def _round(self, rounds: Sequence[Sequence[WorkingOrder]]) -> None:
        for order in rounds[0]:
            if order.status is OrderStatus.PRE_SUBMITTED:
                self._warn(order)
                self._store.tell_order(order)
        if len(rounds) > 1:
            self._later(rounds[1:])
        else:
            for order in rounds[0]:
                self.forget(order)

    def _warn(self, order: WorkingOrder) -> None:
        if order.perm_id not in self._unwarned:
            return
        self._unwarned.discard(order.perm_id)
        self._tell_when(order, self._calendar.next_open_ns(self._store.now_ns))

    def _tell_when(self, order: WorkingOrder, opens_ns: int) -> None:
        ticket, listing, opens = order.ticket, universe.listing(order.ticket.con_id), new_york_time(opens_ns)
        self._store.tell_notice(ticket, notices.market_closed(ticket.action, ticket.quantity, listing, opens))


def _pairs(order: WorkingOrder) -> int:
    usual = _PAIRS_OF_LIMITED if order.ticket.order_type in LIMITED else _PAIRS_OF_OTHERS
    return usual + _MORE_OR_FEWER[order.perm_id % len(_MORE_OR_FEWER)]
