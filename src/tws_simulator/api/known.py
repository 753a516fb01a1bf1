"""What the gateway knows of orders, executions and accounts: all there is, or without a link to the broker the last it
heard, and the orders that it has taken itself since.
"""

from __future__ import annotations

from dataclasses import dataclass

from tws_simulator.api.accounts.books import Books
from tws_simulator.api.notices import Notice
from tws_simulator.world.accounts.records import Execution
from tws_simulator.world.orders.executions import ExecutionFilter
from tws_simulator.world.orders.order_events import OrderView
from tws_simulator.world.orders.tickets import OrderTicket
from tws_simulator.world.world import World


@dataclass(frozen=True, slots=True)
class _Orders:
    """``working`` are everybody's; ``by_client`` those that each client may call its own."""

    working: list[OrderView]
    by_client: dict[int, list[OrderView]]
    completed: list[OrderView]
    executions: list[Execution]


class Known:
    """``lost`` is what newcomers are told while there is no link; None while there is one, or where they hear nothing.

    ``hears`` is whether the broker's reports get through all the same. ``pending`` are orders that wait for the link.
    """

    def __init__(self, world: World) -> None:
        self.books = Books(world)
        self.lost: Notice | None = None
        self.pending: dict[tuple[int, int], OrderTicket] = {}
        self._world = world
        self._orders: _Orders | None = None
        self._ids_taken: dict[int, int] = {}

    @property
    def hears(self) -> bool:
        return self._orders is None

    def lose_link(self, notice: Notice | None, *, hears: bool) -> None:
        self.lost = notice
        if hears or self._orders is not None:
            return
        exchange = self._world.exchange
        working = exchange.open_orders()
        clients = {view.ticket.client_id for view in working}
        by_client = {client_id: exchange.open_orders(client_id) for client_id in clients}
        self._orders = _Orders(working, by_client, exchange.completed_orders(), exchange.executions())
        self.books.freeze()

    def restore_link(self) -> list[OrderView]:
        """The orders that worked when the link was lost and of which there is news now."""
        known, self._orders, self.lost = self._orders, None, None
        self.pending.clear()
        self.books.thaw()
        if known is None:
            return []
        now = {view.perm_id: view for view in (*self.completed_orders(), *self.open_orders())}
        owned = [view for views in known.by_client.values() for view in views]
        return [now[before.perm_id] for before in owned if now.get(before.perm_id, before) != before]

    def take(self, client_id: int, order_id: int) -> None:
        """An order's id came while there was no link: it is never offered again."""
        self._ids_taken[client_id] = max(self._ids_taken.get(client_id, 0), order_id)

    def await_link(self, ticket: OrderTicket) -> None:
        """A new order, or new terms for one that waits; of new terms for a working order nothing shows yet."""
        is_new = all(view.ticket.order_id != ticket.order_id for view in self.open_orders(ticket.client_id))
        if is_new and ticket.transmit and not ticket.what_if:
            self.pending[ticket.client_id, ticket.order_id] = ticket

    def next_order_id(self, client_id: int) -> int:
        return max(self._world.exchange.next_order_id(client_id), self._ids_taken.get(client_id, 0) + 1)

    def open_orders(self, client_id: int | None = None) -> list[OrderView]:
        """Of one client or of all, without those that wait for the link."""
        if self._orders is None:
            return self._world.exchange.open_orders(client_id)
        return self._orders.working if client_id is None else self._orders.by_client.get(client_id, [])

    def pending_orders(self, client_id: int | None = None) -> list[OrderTicket]:
        return [ticket for ticket in self.pending.values() if client_id in (None, ticket.client_id)]

    def completed_orders(self) -> list[OrderView]:
        return self._world.exchange.completed_orders() if self._orders is None else self._orders.completed

    def executions(self, wanted: ExecutionFilter) -> list[Execution]:
        """Today's, oldest first."""
        if self._orders is None:
            return self._world.exchange.executions(wanted)
        return [execution for execution in self._orders.executions if wanted.matches(execution)]
