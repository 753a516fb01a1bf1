"""Order entry and matching of the simulated gateway against the market's quotes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from tws_simulator.accounts import Commission, Execution, Ledger
from tws_simulator.market import Market, MarketEvent


class OrderStatus(Enum):
    """IB's names, as they go over the wire."""

    HELD = "ApiPending"  # transmit=False: never told to anybody
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"


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


class Exchange:
    """Accepts, matches and remembers the orders of every client of one account."""

    def __init__(self, market: Market, ledger: Ledger, seed: int, start_ns: int) -> None:
        raise NotImplementedError

    def place(self, ticket: OrderTicket, now_ns: int) -> list[OrderEvent]:
        """A new order, or new terms for a working one with the same id."""
        raise NotImplementedError

    def cancel(self, client_id: int, order_id: int, now_ns: int) -> list[OrderEvent]:
        raise NotImplementedError

    def global_cancel(self, client_id: int, now_ns: int) -> list[OrderEvent]:
        """Cancel every working order of every client; events go to their owners."""
        raise NotImplementedError

    def advance(self, now_ns: int, market_events: Sequence[MarketEvent]) -> list[OrderEvent]:
        """What the market's events did to the working orders."""
        raise NotImplementedError

    def open_orders(self, client_id: int | None = None) -> list[OrderView]:
        raise NotImplementedError

    def completed_orders(self) -> list[OrderView]:
        """Today's finished orders of every client."""
        raise NotImplementedError

    def executions(self, wanted: ExecutionFilter | None = None) -> list[Execution]:
        """Today's fills, oldest first; the gateway knows no other day. Reports are in ``ledger.commissions``."""
        raise NotImplementedError

    def next_order_id(self, client_id: int) -> int:
        """One above the highest id this client used, in this or an earlier connection."""
        raise NotImplementedError
