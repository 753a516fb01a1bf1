"""What the exchange tells the owners of orders: each event is one message.

``client_id`` is who is told.
"""

from dataclasses import dataclass
from decimal import Decimal

from tws_simulator.world.accounts.records import Commission, Execution
from tws_simulator.world.orders.tickets import OrderStatus, OrderTicket


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderView:
    """An order at one moment: all that openOrder, orderStatus and completedOrder say about it.

    ``stop_price`` is where a trailing order's stop stands now. ``echoes`` counts the openOrder messages before this.
    """

    ticket: OrderTicket
    perm_id: int
    status: OrderStatus
    filled: Decimal
    remaining: Decimal
    average_price: Decimal
    last_price: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    parent_perm_id: int = 0
    why_held: str = ""
    commission_usd: Decimal | None = None
    completed_ts_ns: int | None = None
    completed_status: str = ""
    echoes: int = 0
    outside_rth: bool = False
    placed_ns: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Echo:
    """An openOrder message for the order's owner."""

    client_id: int
    ts_ns: int
    order: OrderView


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """An orderStatus message for the order's owner."""

    client_id: int
    ts_ns: int
    order: OrderView


@dataclass(frozen=True, kw_only=True, slots=True)
class Executed:
    """An execDetails message outside a request (reqId -1)."""

    client_id: int
    ts_ns: int
    execution: Execution


@dataclass(frozen=True, kw_only=True, slots=True)
class Commissioned:
    """A commission report; comes last."""

    client_id: int
    ts_ns: int
    report: Commission


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """An error message whose id is the order id."""

    client_id: int
    ts_ns: int
    order_id: int
    code: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """An orderBound message: an order entered at the gateway's own screen got an id that a client can name."""

    client_id: int
    ts_ns: int
    order_id: int
    perm_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """The one openOrder that answers a what-if order: margins before and after, in USD."""

    client_id: int
    ts_ns: int
    order: OrderView
    initial_margin_before_usd: Decimal
    initial_margin_after_usd: Decimal
    maintenance_margin_before_usd: Decimal
    maintenance_margin_after_usd: Decimal
    equity_before_usd: Decimal
    equity_after_usd: Decimal
    commission_usd: Decimal


OrderEvent = Echo | Status | Executed | Commissioned | Notice | Bound | WhatIf
