"""Orders outside the exchange's rules: placed by others, ended or doubled behind their owner's back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import ClassVar, Literal

from tws_simulator.api.echoes import open_order, order_status
from tws_simulator.faults.actions.base import Action, OfAccount
from tws_simulator.faults.actions.executions import (
    COMMISSION_USD,
    UNKNOWN_PERM_ID,
    and_more,
    of_order,
    order_id_of,
    order_of,
    problem_of_symbol,
    tell_fill,
)
from tws_simulator.faults.event import Cause
from tws_simulator.faults.rig import Rig
from tws_simulator.world.accounts import outside
from tws_simulator.world.instruments.universe import listing_named
from tws_simulator.world.orders.order_events import OrderView
from tws_simulator.world.orders.tickets import OrderTicket

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
        for view in exchange.open_orders(self.client_id(cause)):
            if wanted in (None, view.ticket.order_id) and self.order_ref in ("", view.ticket.order_ref):
                events = exchange.cancel(view.ticket.client_id, view.ticket.order_id, rig.now_ns)
                if not self.silent:
                    rig.gateway.deliver(events)


@dataclass(frozen=True, kw_only=True, slots=True)
class TwinOrder(Action):
    """An order works twice: a second one with the same order id, reference and terms and another permanent id.

    The second is told by openOrder and orderStatus pairs; a fill of it is reported under its own permanent id.
    """

    do: ClassVar[str] = "twin_order"
    filled_after_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        view = order_of(rig, cause, "")
        owner = None if view is None else rig.gateway.session_of(view.ticket.client_id)
        if view is None or owner is None:
            return
        twin = replace(view, perm_id=UNKNOWN_PERM_ID + rig.serial())
        rig.tell(owner, open_order(twin))
        rig.tell(owner, order_status(twin))
        if self.filled_after_s:
            rig.after(self.filled_after_s, partial(_fill_twin, rig, twin))


def _fill_twin(rig: Rig, twin: OrderView) -> None:
    begun = of_order(rig, twin)
    execution = and_more(begun, twin.ticket.quantity - begun.cum_qty, rig)
    report = outside.book(rig.world.ledgers, execution, COMMISSION_USD)
    owner = rig.gateway.session_of(twin.ticket.client_id)
    if owner is not None:
        tell_fill(rig, owner, execution, report)
