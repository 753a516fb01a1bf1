"""What a client asks for: the terms of an order, and the statuses that it goes through (``TRANSITIONS``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, Final

ACTIONS: Final = ("BUY", "SELL", "SSHORT")
LIMITED: Final = frozenset({"LMT", "STP LMT", "TRAIL LIMIT", "LIT", "LOC"})
TRAILING: Final = frozenset({"TRAIL", "TRAIL LIMIT"})
IF_TOUCHED: Final = frozenset({"MIT", "LIT"})  # set off from the better side, where stops are from the worse
TRIGGERED: Final = frozenset({"STP", "STP LMT"}) | TRAILING | IF_TOUCHED
OUTSIDE_RTH: Final = LIMITED - {"LOC"}  # may trade outside the regular session; others wait for it
AT_CLOSE: Final = frozenset({"MOC", "LOC"})
ORDER_TYPES: Final = frozenset({"MKT"}) | LIMITED | TRIGGERED | AT_CLOSE
TIFS: Final = frozenset({"DAY", "GTC", "IOC", "FOK", "GTD", "OPG"})
TIFS_REFUSED: Final = frozenset({"DTC", "AUC"})  # known to IB, not filled here


class OrderStatus(Enum):
    """IB's names, as they go over the wire."""

    HELD = "ApiPending"  # transmit=False: never told to anybody
    PENDING_SUBMIT = "PendingSubmit"  # only told, of an order that has not reached the exchange: see ``held_as``
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    PENDING_CANCEL = "PendingCancel"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"  # refused after it was accepted, and never works again; also told of what is held back


TRANSITIONS: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    OrderStatus.HELD: frozenset({OrderStatus.PRE_SUBMITTED, OrderStatus.CANCELLED}),
    OrderStatus.PENDING_SUBMIT: frozenset(),
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
    ``sent`` are the fields of the message as they came, to be repeated to the client; the exchange reads none of them.
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
    sent: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def signed_quantity(self) -> Decimal:
        """Of a sale, negative."""
        return self.quantity if self.action == "BUY" else -self.quantity
