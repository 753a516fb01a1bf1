"""One order's life at the exchange: terms, status, fills, what it has cost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts.records import ZERO
from tws_simulator.world.orders.commissions import commission_usd
from tws_simulator.world.orders.order_events import OrderView
from tws_simulator.world.orders.tickets import (
    AT_CLOSE,
    LIMITED,
    TIFS,
    TRAILING,
    TRANSITIONS,
    TRIGGERED,
    OrderStatus,
    OrderTicket,
)

NOBODY: Final = -1  # a client id that no client has

Key = tuple[int, int]
"""Client and order id."""


class WorkingOrder:
    """``elected`` is whether a stop was reached, ``stop_price`` where it stands.

    ``expires_ns`` is when the order ends by itself. ``bound`` False is an order of the gateway's own screen that no
    client has a number for. ``refused`` was never accepted, but a cancel still finds it. ``held_as`` is the status told
    of an order that something holds back. ``is_twin`` is one that works beside another of the same id.
    """

    def __init__(
        self, ticket: OrderTicket, perm_id: int, parent: WorkingOrder | None, *, is_twin: bool = False
    ) -> None:
        self.ticket = ticket
        self.perm_id = perm_id
        self.parent = parent
        self.children: list[WorkingOrder] = []
        if parent is not None:
            parent.children.append(self)
        self.status = OrderStatus.HELD
        self.filled = ZERO
        self.last_price = ZERO
        self.commission_usd: Decimal | None = None
        self.completed_ts_ns: int | None = None
        self.completed_status = ""
        self.elected = ticket.order_type not in TRIGGERED
        self.stop_price = ticket.trail_stop_price if self.trails else ticket.aux_price
        self.echoes = 0
        self.placed_ns = 0
        self.expires_ns: int | None = None
        self.outside_rth = ticket.outside_rth
        self.bound = True
        self.refused = False
        self.held_as: OrderStatus | None = None
        self.is_twin = is_twin
        self.conditions_met = not ticket.conditions
        self._value_usd = ZERO

    @property
    def key(self) -> Key:
        """Unlike any other's: a twin's has its permanent id, negative, as no client numbers orders."""
        return self.ticket.client_id, -self.perm_id if self.is_twin else self.ticket.order_id

    @property
    def told_status(self) -> OrderStatus:
        return self.held_as if self.held_as and self.status is OrderStatus.PRE_SUBMITTED else self.status

    @property
    def owner(self) -> int:
        """The client that is told of it."""
        return self.ticket.client_id if self.bound else NOBODY

    @property
    def buys(self) -> bool:
        return self.ticket.action == "BUY"

    @property
    def limit(self) -> Decimal | None:
        """What it may cost at most, or bring at least; a trailing limit moves with the stop."""
        ticket = self.ticket
        if ticket.order_type not in LIMITED:
            return None
        if ticket.order_type != "TRAIL LIMIT":
            return ticket.limit_price
        if self.stop_price is None or ticket.limit_offset is None:
            return ticket.limit_price
        return self.stop_price + ticket.limit_offset if self.buys else self.stop_price - ticket.limit_offset

    @property
    def trails(self) -> bool:
        return self.ticket.order_type in TRAILING

    @property
    def at_auction(self) -> bool:
        """Whether it trades only when the market opens or closes."""
        return self.ticket.order_type in AT_CLOSE or self.ticket.tif == "OPG"

    @property
    def remaining(self) -> Decimal:
        return self.ticket.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        return self._value_usd / self.filled if self.filled else ZERO

    @property
    def is_live(self) -> bool:
        return bool(TRANSITIONS[self.status])

    @property
    def waits(self) -> bool:
        """Whether the order starts only once its parent is filled."""
        return self.parent is not None and self.parent.status is not OrderStatus.FILLED

    @property
    def why_held(self) -> str:
        if self.status not in (OrderStatus.PRE_SUBMITTED, OrderStatus.PENDING_CANCEL):
            return ""
        return ",".join(why for why, held in (("child", self.waits), ("trigger", not self.elected)) if held)

    @property
    def family(self) -> list[WorkingOrder]:
        """The parent first, then its children by age."""
        head = self.parent or self
        return [head, *head.children]

    def move(self, status: OrderStatus) -> None:
        if status not in TRANSITIONS[self.status]:
            raise AssertionError(f"{self!r} cannot become {status.value}")
        self.status = status

    def differs(self, ticket: OrderTicket) -> bool:
        """True unless only prices, size, type or time in force changed."""
        same = ticket.action == self.ticket.action and ticket.parent_id == self.ticket.parent_id
        same = same and ticket.symbol in ("", self.ticket.symbol) and ticket.con_id in (0, self.ticket.con_id)
        return not (same and ticket.tif in TIFS)

    def change(self, ticket: OrderTicket) -> None:
        """New terms. A stop that was reached stays reached; a trailing stop starts again where it is told to.

        A working order that becomes a stop waits for it.
        """
        group, account = self.ticket.oca_group, self.ticket.account
        was_stop, conditions = self.ticket.order_type in TRIGGERED, self.ticket.conditions
        self.ticket = replace(ticket, oca_group=group or ticket.oca_group, account=account)
        self.outside_rth = ticket.outside_rth
        if ticket.conditions != conditions:
            self.conditions_met = not ticket.conditions
        if ticket.order_type not in TRIGGERED:
            self.elected = True
        elif self.status is not OrderStatus.SUBMITTED or not was_stop:
            self.elected = False
            if self.status is OrderStatus.SUBMITTED:
                self.move(OrderStatus.PRE_SUBMITTED)
        if not self.trails:
            self.stop_price = ticket.aux_price
        elif ticket.trail_stop_price is not None:
            self.stop_price = ticket.trail_stop_price

    def reduce(self, quantity: Decimal) -> None:
        self.ticket = replace(self.ticket, quantity=quantity)

    def fill(self, shares: Decimal, price: Decimal, multiplier: int = 1, *, force: bool = False) -> Decimal:
        """Count a fill, with ``force`` of more than is left; what it adds to the commission."""
        most = shares if force else self.remaining
        assert 0 < shares <= most, f"{self!r} overfilled by {shares}"
        charged_usd = commission_usd(self.filled, self._value_usd * multiplier)
        self.filled += shares
        self._value_usd += shares * price
        self.last_price = price
        return commission_usd(self.filled, self._value_usd * multiplier) - charged_usd

    def view(self) -> OrderView:
        return OrderView(
            ticket=self.ticket if self.bound else replace(self.ticket, order_id=0),
            perm_id=self.perm_id,
            status=self.told_status,
            filled=self.filled,
            remaining=max(self.remaining, ZERO),
            average_price=self.average_price,
            last_price=self.last_price,
            limit_price=self.limit,
            stop_price=self.stop_price if self.ticket.order_type in TRIGGERED else None,
            parent_perm_id=self.parent.perm_id if self.parent else 0,
            why_held=self.why_held,
            commission_usd=self.commission_usd,
            completed_ts_ns=self.completed_ts_ns,
            completed_status=self.completed_status,
            echoes=self.echoes,
            outside_rth=self.outside_rth,
            placed_ns=self.placed_ns,
        )

    def __repr__(self) -> str:
        ticket = self.ticket
        terms = ticket.order_type if self.limit is None else f"{ticket.order_type} {self.limit}"
        return (
            f"<Order {ticket.client_id}/{ticket.order_id} {ticket.action} {ticket.quantity} {ticket.symbol} {terms} "
            f"{self.status.value} filled {self.filled}>"
        )
