"""What is said about orders: tickets in, events out, and the statuses between.

An order goes through the statuses in ``TRANSITIONS``.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from tws_simulator.world.accounts.ledger import Commission, Execution

ACTIONS: Final = ("BUY", "SELL", "SSHORT")
LIMITED: Final = frozenset({"LMT", "STP LMT", "TRAIL LIMIT", "LIT", "LOC"})
TRAILING: Final = frozenset({"TRAIL", "TRAIL LIMIT"})
IF_TOUCHED: Final = frozenset({"MIT", "LIT"})  # set off from the better side, where stops are from the worse
TRIGGERED: Final = frozenset({"STP", "STP LMT"}) | TRAILING | IF_TOUCHED
AT_CLOSE: Final = frozenset({"MOC", "LOC"})
ORDER_TYPES: Final = frozenset({"MKT"}) | LIMITED | TRIGGERED | AT_CLOSE
TIFS: Final = frozenset({"DAY", "GTC", "IOC", "FOK", "GTD", "OPG"})
TIFS_REFUSED: Final = frozenset({"DTC", "AUC"})  # known to IB, not filled here


class OrderStatus(Enum):
    """IB's names, as they go over the wire."""

    HELD = "ApiPending"  # transmit=False: never told to anybody
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    PENDING_CANCEL = "PendingCancel"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"  # refused after it was accepted; never works again


TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    OrderStatus.HELD: frozenset({OrderStatus.PRE_SUBMITTED, OrderStatus.CANCELLED}),
    OrderStatus.PRE_SUBMITTED: frozenset(
        {OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL, OrderStatus.CANCELLED, OrderStatus.INACTIVE}
    ),
    OrderStatus.SUBMITTED: frozenset(
        {OrderStatus.PRE_SUBMITTED, OrderStatus.FILLED, OrderStatus.PENDING_CANCEL, OrderStatus.CANCELLED}
    ),
    OrderStatus.PENDING_CANCEL: frozenset({OrderStatus.CANCELLED}),
    OrderStatus.FILLED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.INACTIVE: frozenset(),
}


class ConditionKind(Enum):
    """IB's numbers."""

    PRICE = 1
    TIME = 3
    MARGIN = 4
    EXECUTION = 5
    VOLUME = 6
    CHANGE = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """``threshold`` is a price, a percentage or a volume, or a time in nanoseconds; ``is_more`` from which side.

    ``con_id`` is what a price, volume or change is of, ``symbol`` what an execution is of.
    """

    kind: ConditionKind
    threshold: Decimal = Decimal(0)
    is_more: bool = True
    con_id: int = 0
    symbol: str = ""
    joined_by_and: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTicket:
    """A placeOrder message, decoded. What the client left unset is None.

    ``aux_price`` is the trigger of STP, STP LMT, MIT and LIT and the distance of TRAIL; ``limit_offset`` the distance
    of a TRAIL LIMIT's limit from its stop. ``conditions`` start the order once they are true, or cancel it if told so.
    """

    client_id: int
    order_id: int
    con_id: int
    symbol: str
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None = None
    aux_price: Decimal | None = None
    trail_stop_price: Decimal | None = None
    trailing_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    tif: str = "DAY"
    good_till_ns: int | None = None
    good_after_ns: int | None = None
    order_ref: str = ""
    account: str = ""
    exchange: str = "SMART"
    transmit: bool = True
    outside_rth: bool = False
    parent_id: int = 0
    oca_group: str = ""
    oca_type: int = 3
    trigger_method: int = 0
    min_qty: int = 0
    display_size: int = 0
    has_active_times: bool = False
    what_if: bool = False
    conditions: tuple[Condition, ...] = ()
    conditions_cancel: bool = False


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
