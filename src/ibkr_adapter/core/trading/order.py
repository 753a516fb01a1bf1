"""One order: its states, the table by which it moves between them, and what it is at a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from msgspec.structs import replace

from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.events import (
    CompletedOrderReported,
    OpenOrderReported,
    OrderChanged,
    OrderIntended,
    OrderStatusReported,
)
from ibkr_adapter.snapshot import OrderView


class OrderState(StrEnum):
    INTENDED = "intended"
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    WORKING = "working"
    HELD = "held"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    LAPSED = "lapsed"


S = OrderState

TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    S.INTENDED: frozenset({S.SENT, S.IN_DOUBT, S.REFUSED, S.WORKING, S.HELD, S.FILLED, S.CANCELLED, S.REJECTED}),
    S.SENT: frozenset({S.IN_DOUBT, S.WORKING, S.HELD, S.FILLED, S.CANCELLED, S.REJECTED}),
    S.IN_DOUBT: frozenset({S.WORKING, S.HELD, S.FILLED, S.CANCELLED, S.REJECTED, S.NOT_FOUND, S.LAPSED}),
    S.WORKING: frozenset({S.IN_DOUBT, S.HELD, S.FILLED, S.CANCELLED, S.REJECTED}),
    S.HELD: frozenset({S.IN_DOUBT, S.WORKING, S.FILLED, S.CANCELLED, S.REJECTED}),
    S.FILLED: frozenset(),
    # A fill may arrive while a cancel is under way, and after it.
    # The reason of a rejection may come behind the status that reports it as cancelled.
    S.CANCELLED: frozenset({S.FILLED, S.REJECTED}),
    S.REJECTED: frozenset({S.FILLED}),
    # We never handed it to a session, so the broker cannot know it.
    S.REFUSED: frozenset(),
    # Evidence beats the absence of evidence.
    S.NOT_FOUND: frozenset({S.WORKING, S.HELD, S.FILLED, S.CANCELLED, S.REJECTED}),
    S.LAPSED: frozenset({S.WORKING, S.HELD, S.FILLED, S.CANCELLED, S.REJECTED}),
}

AWAITING_WORD = frozenset({S.IN_DOUBT, S.NOT_FOUND, S.LAPSED})
"""Where any word of the broker is news, even one that it said before."""

TERMINAL = frozenset({S.FILLED, S.CANCELLED, S.REJECTED, S.REFUSED, S.NOT_FOUND, S.LAPSED})
UNACKNOWLEDGED = frozenset({S.INTENDED, S.SENT})

STATUS_STATES = {
    "ApiPending": S.WORKING,
    "PendingSubmit": S.WORKING,
    "PreSubmitted": S.WORKING,
    "Submitted": S.WORKING,
    "PendingCancel": S.WORKING,
    "PreCancelled": S.WORKING,
    "WarnState": S.WORKING,
    "Inactive": S.HELD,
    "Filled": S.FILLED,
    "Cancelled": S.CANCELLED,
    "ApiCancelled": S.CANCELLED,
}
"""IB's order statuses. Inactive may be a rejection or an order held back, so it is not terminal."""


@dataclass(slots=True)
class Order:
    """One order. ``key`` is ours and travels as orderRef; one order may have several permIds over its life.

    ``handed_ns``: when it was given to a session in this life of the process; from then on it may be at the broker.
    """

    key: str
    order_id: int
    client_id: int
    gateway: str
    terms: OrderTerms
    created_ns: int
    updated_ns: int
    intent: OrderIntended | None = None
    foreign: bool = False
    state: OrderState = OrderState.INTENDED
    perm_ids: set[int] = field(default_factory=set)
    detail: str = ""
    rejection: str = ""
    absent: bool = False
    suspect: bool = False
    handed_ns: int | None = None
    cancel_asked: bool = False
    filled: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    commission: Decimal | None = None
    echo: OpenOrderReported | None = None
    status: OrderStatusReported | None = None
    told: OrderChanged | None = None

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def at_risk(self) -> bool:
        """May still trade, as far as anybody can tell."""
        return self.state not in TERMINAL

    @property
    def stated_filled(self) -> Decimal:
        """What the broker says is filled, in statuses and lists of completed orders; fills come by executions."""
        completed = self.echo.filled if isinstance(self.echo, CompletedOrderReported) else None
        return max(completed or Decimal(0), self.status.filled if self.status is not None else Decimal(0))

    @property
    def short_of_fills(self) -> bool:
        """More is filled than executions were shown for: one was lost, or happened before midnight."""
        return not self.foreign and self.stated_filled > self.filled

    @property
    def remaining(self) -> Decimal:
        return max(self.terms.quantity - self.filled, Decimal(0))

    def move(self, state: OrderState) -> bool:
        """Along the table, or not at all: what would lead back is old news.

        What ended because lists did not name it (``absent``) lives again when the broker does.
        """
        if state not in TRANSITIONS[self.state] and not (self.absent and state in (S.WORKING, S.HELD, S.CANCELLED)):
            return False
        self.state = state
        self.absent = False
        if self.terminal:
            self.suspect = False
        return True


def stated(order: Order, ts_ns: int) -> OrderChanged:
    """What an order is at this moment, in full."""
    return OrderChanged(
        ts_recv_ns=ts_ns,
        order_key=order.key,
        order_id=order.order_id,
        client_id=order.client_id,
        gateway=order.gateway,
        terms=order.terms,
        state=order.state.value,
        filled=order.filled,
        remaining=order.remaining if order.at_risk else Decimal(0),
        average_price=float(order.paid / order.filled) if order.filled else None,
        commission=order.commission,
        perm_ids=tuple(sorted(order.perm_ids)),
        detail=_shortage(order) or order.detail,
        created_ns=order.created_ns,
        idempotency_key=order.intent.idempotency_key if order.intent is not None else "",
        actor=order.intent.actor if order.intent is not None else "",
        cancel_asked=order.cancel_asked,
        foreign=order.foreign,
    )


def news_of(order: Order, ts_ns: int) -> OrderChanged | None:
    """What must be told of an order: None while it is as it was last told."""
    statement = stated(order, ts_ns)
    if order.told is not None and replace(order.told, ts_recv_ns=ts_ns) == statement:
        return None
    return statement


def _shortage(order: Order) -> str:
    if not order.short_of_fills:
        return ""
    return f"{order.stated_filled} stated as filled, executions show {order.filled}: compare positions"


def view(order: Order) -> OrderView:
    statement = stated(order, order.updated_ns)
    return OrderView(
        order_key=statement.order_key,
        order_id=statement.order_id,
        client_id=statement.client_id,
        perm_ids=statement.perm_ids,
        account=statement.terms.account,
        instrument=statement.terms.instrument.key,
        action=statement.terms.action,
        order_type=statement.terms.order_type,
        quantity=statement.terms.quantity,
        limit_price=statement.terms.limit_price,
        tif=statement.terms.tif,
        state=statement.state,
        filled=statement.filled,
        remaining=statement.remaining,
        average_price=statement.average_price,
        commission=statement.commission,
        detail=statement.detail,
        created_ns=statement.created_ns,
        updated_ns=order.updated_ns,
        foreign=statement.foreign,
        cancel_asked=statement.cancel_asked,
    )
