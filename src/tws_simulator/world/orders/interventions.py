"""What befalls orders past the exchange's own rules: filled by nobody in the book, held back, working twice.

Real accounts meet all three. Whatever is done here is done to the order itself, so that its statuses, the lists, the
executions and the books go on telling one story.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts.records import ZERO
from tws_simulator.world.orders.lifecycle import OrderLifecycle
from tws_simulator.world.orders.order_store import OrderStore
from tws_simulator.world.orders.tickets import OrderStatus
from tws_simulator.world.orders.working_order import Key, WorkingOrder

HOLDS_MAX: Final = 1_000  # on orders that have not come yet; the oldest is forgotten
_FILLABLE: Final = frozenset({OrderStatus.PRE_SUBMITTED, OrderStatus.SUBMITTED})


class Interventions:
    def __init__(self, store: OrderStore, lifecycle: OrderLifecycle) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._awaited: dict[Key, OrderStatus] = {}

    def fill(self, order: WorkingOrder, shares: Decimal, price: Decimal, *, force: bool) -> None:
        """No more than an order has left while it works; with ``force`` whatever it has left, and has become."""
        if not force:
            shares = min(shares, order.remaining) if order.status in _FILLABLE and not order.held_as else ZERO
        if shares > 0 and order.status is not OrderStatus.HELD:
            self._lifecycle.fill_outside(order, shares, price)

    def await_order(self, key: Key, told_as: OrderStatus) -> None:
        """Hold the next order of this id as soon as it is accepted."""
        self._awaited[key] = told_as
        if len(self._awaited) > HOLDS_MAX:
            del self._awaited[next(iter(self._awaited))]

    def arrived(self, key: Key) -> OrderStatus | None:
        """How the order that comes now is to be held, if it is."""
        return self._awaited.pop(key, None)

    def hold(self, order: WorkingOrder, told_as: OrderStatus) -> None:
        """It stays an open order, and neither trades nor waits for anything."""
        if order.status in _FILLABLE:
            self._lifecycle.hold(order, told_as)

    def release(self, order: WorkingOrder) -> None:
        """As if it had only now been accepted."""
        if order.held_as is not None and order.is_live:
            self._lifecycle.release(order)

    def release_all(self) -> None:
        self._awaited.clear()
        for order in list(self._store.live.values()):
            self.release(order)

    def double(self, order: WorkingOrder) -> WorkingOrder:
        """The same terms once more, under the same order id and another permanent id."""
        twin = WorkingOrder(order.ticket, self._store.next_perm_id(), order.parent, is_twin=True)
        self._store.add(twin)
        self._lifecycle.transmit(twin)
        return twin
