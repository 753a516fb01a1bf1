"""Orders that go other ways than their owner's: placed by others, held back, ended or doubled behind its back."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import ClassVar, Literal

from tws_simulator.faults.actions.base import Action, OfAccount
from tws_simulator.faults.actions.executions import order_id_of, order_of, problem_of_symbol
from tws_simulator.faults.event import Cause
from tws_simulator.faults.rig import Rig
from tws_simulator.world.instruments.universe import listing_named
from tws_simulator.world.orders.order_events import OrderView
from tws_simulator.world.orders.tickets import OrderStatus, OrderTicket

_MANUAL_CLIENT = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceOrder(OfAccount):
    """Another client, or with ``owner`` 0 a person at the gateway's own screen, places an order."""

    do: ClassVar[str] = "place_order"
    owner: int = _MANUAL_CLIENT
    symbol: str = "AAPL"
    action: Literal["BUY", "SELL"] = "BUY"
    quantity: int = 1
    limit_price: float = 0.0
    order_ref: str = ""

    def problem(self) -> str:
        return OfAccount.problem(self) or problem_of_symbol(self.symbol)

    def apply(self, rig: Rig, cause: Cause) -> None:
        listing = listing_named(self.symbol)
        exchange = rig.world.exchange
        ticket = OrderTicket(
            client_id=self.owner,
            order_id=exchange.next_order_id(self.owner),
            con_id=listing.con_id,
            symbol=listing.symbol,
            action=self.action,
            order_type="LMT" if self.limit_price else "MKT",
            quantity=Decimal(self.quantity),
            limit_price=Decimal(str(self.limit_price)) if self.limit_price else None,
            order_ref=self.order_ref,
            account=self.account_name(rig),
        )
        place = exchange.place_manually if self.owner == _MANUAL_CLIENT else exchange.place
        rig.gateway.deliver(place(ticket, rig.now_ns))


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelOrders(Action):
    """Working orders end at the exchange, all or that of the cause; the gateway tells nobody if ``silent``."""

    do: ClassVar[str] = "cancel_orders"
    order_ref: str = ""
    silent: bool = True

    def apply(self, rig: Rig, cause: Cause) -> None:
        exchange = rig.world.exchange
        wanted = order_id_of(cause)
        ids = dict.fromkeys(
            (view.ticket.client_id, view.ticket.order_id)
            for view in exchange.open_orders(self.client_id(cause))
            if wanted in (None, view.ticket.order_id) and self.order_ref in ("", view.ticket.order_ref)
        )
        for client_id, order_id in ids:
            events = exchange.cancel(client_id, order_id, rig.now_ns)
            if not self.silent:
                rig.gateway.deliver(events)


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldOrder(Action):
    """The gateway holds an order back for ``for_s`` seconds (0: for good), which then starts as if newly placed.

    That of the cause, from its beginning if its placeOrder is the cause, or that with ``order_ref``. Meanwhile it is
    an open order of this ``status``, which can be cancelled and does not trade.
    """

    do: ClassVar[str] = "hold_order"
    order_ref: str = ""
    status: Literal["Inactive", "PendingSubmit"] = "Inactive"
    for_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        view = order_of(rig, cause, self.order_ref)
        order_id, client_id = order_id_of(cause), self.client_id(cause)
        if view is not None:
            order_id, client_id = view.ticket.order_id, view.ticket.client_id
        if order_id is None or client_id is None or (self.order_ref and view is None):
            return
        rig.gateway.deliver(rig.world.exchange.hold(client_id, order_id, OrderStatus(self.status), rig.now_ns))
        if self.for_s:
            rig.after(self.for_s, partial(_release, rig, client_id, order_id))


@dataclass(frozen=True, kw_only=True, slots=True)
class TwinOrder(Action):
    """The working order of the cause works twice: once more under the same order id, reference and terms.

    The second has another permanent id and is an order like any other. A cancel ends both, new terms change the first.
    ``filled_after_s`` seconds later the second is filled, if it still works (0: when the market does it).
    """

    do: ClassVar[str] = "twin_order"
    filled_after_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        view = order_of(rig, cause, "")
        if view is None:
            return
        rig.gateway.deliver(rig.world.exchange.double(view.perm_id, rig.now_ns))
        twins = [
            each
            for each in rig.world.exchange.open_orders(view.ticket.client_id)
            if each.ticket.order_id == view.ticket.order_id and each.perm_id != view.perm_id
        ]
        if twins and self.filled_after_s:
            youngest = max(twins, key=lambda twin: twin.perm_id)
            rig.after(self.filled_after_s, partial(_fill_all, rig, youngest))


def _release(rig: Rig, client_id: int, order_id: int) -> None:
    rig.gateway.deliver(rig.world.exchange.release(client_id, order_id, rig.now_ns))


def _fill_all(rig: Rig, view: OrderView) -> None:
    rig.gateway.deliver(rig.world.exchange.fill(view.perm_id, view.ticket.quantity, None, rig.now_ns))
