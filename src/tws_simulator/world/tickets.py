"""What is said about orders: tickets in, events out, and the statuses between.

An order goes through the statuses in ``TRANSITIONS``.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from tws_simulator.world.accounts import Commission, Execution

ACTIONS: Final = ("BUY", "SELL", "SSHORT")
ORDER_TYPES: Final = ("MKT", "LMT")
TIFS: Final = ("DAY", "GTC", "IOC")
TIFS_REFUSED: Final = ("FOK", "GTD", "OPG", "DTC", "AUC")  # known to IB, not filled here


class OrderStatus(Enum):
    """IB's names, as they go over the wire."""

    HELD = "ApiPending"  # transmit=False: never told to anybody
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"  # refused after it was accepted; never works again


TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    OrderStatus.HELD: frozenset({OrderStatus.PRE_SUBMITTED, OrderStatus.CANCELLED}),
    OrderStatus.PRE_SUBMITTED: frozenset({OrderStatus.SUBMITTED, OrderStatus.CANCELLED, OrderStatus.INACTIVE}),
    OrderStatus.SUBMITTED: frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED}),
    OrderStatus.FILLED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.INACTIVE: frozenset(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTicket:
    """A placeOrder message, decoded. ``limit_price`` is None where the client left it unset."""

    client_id: int
    order_id: int
    con_id: int
    symbol: str
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None = None
    tif: str = "DAY"
    order_ref: str = ""
    account: str = ""
    exchange: str = "SMART"
    transmit: bool = True
    outside_rth: bool = False
    parent_id: int = 0
    oca_group: str = ""
    what_if: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderView:
    """An order at one moment: all that openOrder, orderStatus and completedOrder say about it."""

    ticket: OrderTicket
    perm_id: int
    status: OrderStatus
    filled: Decimal
    remaining: Decimal
    average_price: Decimal
    last_price: Decimal
    parent_perm_id: int = 0
    why_held: str = ""
    commission_usd: Decimal | None = None
    completed_ts_ns: int | None = None
    completed_status: str = ""


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


OrderEvent = Echo | Status | Executed | Commissioned | Notice | WhatIf


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionFilter:
    """Which executions reqExecutions asks for; None matches all. ``side`` is BUY or SELL, as clients write it."""

    client_id: int | None = None
    account: str | None = None
    since_ns: int | None = None
    symbol: str | None = None
    sec_type: str | None = None
    exchange: str | None = None
    side: str | None = None
