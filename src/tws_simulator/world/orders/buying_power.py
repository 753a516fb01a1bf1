"""Whether an account carries what its orders may come to: each instrument's worst outcome needs initial margin.

The worst is when all orders of one side are filled and none of the other. Of a one-cancels-all group only the largest
counts on each side. A child that only closes what its parent opens ties up nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.margin import INITIAL_MARGIN
from tws_simulator.world.accounts.records import ZERO
from tws_simulator.world.instruments.universe import listing
from tws_simulator.world.orders import notices
from tws_simulator.world.orders.tickets import OrderStatus, OrderTicket
from tws_simulator.world.orders.working_order import WorkingOrder


def shortfall(
    ticket: OrderTicket,
    order: WorkingOrder,
    live: Iterable[WorkingOrder],
    untested: Collection[WorkingOrder],
    ledger: Ledger,
    marks: Mapping[int, Decimal],
) -> str | None:
    """Why the account does not carry an order with these terms; what needs no more margin than before is carried.

    ``untested`` of the ``live`` orders count for nothing yet; if ``order`` is not among them, it works already.
    """
    if _only_closes(ticket, order.parent):
        return None
    now = ledger.margins(marks)
    demand = _Demand()
    for other in live:
        if (
            other is not order
            and other.ticket.account == order.ticket.account
            and other.status is not OrderStatus.HELD
            and other not in untested
        ):
            demand.add(other.ticket, other.remaining, other.parent)
    before = demand.copy()
    if order not in untested:
        before.add(order.ticket, order.remaining, order.parent)
    asked = replace(ticket, oca_group=order.ticket.oca_group or ticket.oca_group)  # new terms keep the group
    demand.add(asked, ticket.quantity - order.filled, order.parent)
    needed_usd = now.initial_usd + demand.extra_usd(ledger, marks)
    if needed_usd <= now.equity_usd or needed_usd <= now.initial_usd + before.extra_usd(ledger, marks):
        return None
    return notices.too_little_equity(now.equity_usd, needed_usd)


class _Demand:
    """Shares that orders ask for, by instrument and whether they are bought."""

    def __init__(self) -> None:
        self._alone: dict[tuple[int, bool], Decimal] = {}
        self._largest: dict[tuple[int, bool, int, str], Decimal] = {}

    def copy(self) -> _Demand:
        other = _Demand()
        other._alone, other._largest = self._alone.copy(), self._largest.copy()
        return other

    def add(self, ticket: OrderTicket, shares: Decimal, parent: WorkingOrder | None) -> None:
        if parent is not None and _only_closes(ticket, parent):
            return
        side = ticket.con_id, ticket.action == "BUY"
        if ticket.oca_group:
            member = *side, ticket.client_id, ticket.oca_group
            self._largest[member] = max(self._largest.get(member, ZERO), shares)
        else:
            self._alone[side] = self._alone.get(side, ZERO) + shares

    def extra_usd(self, ledger: Ledger, marks: Mapping[int, Decimal]) -> Decimal:
        """The initial margin of the worst, beyond that of the positions."""
        sides = self._alone.copy()
        for (con_id, buys, _, _), shares in self._largest.items():
            sides[con_id, buys] = sides.get((con_id, buys), ZERO) + shares
        extra_usd = ZERO
        for con_id in dict.fromkeys(con_id for con_id, _ in sides):
            position = ledger.position(con_id)
            held = ZERO if position is None else position.shares
            bought, sold = held + sides.get((con_id, True), ZERO), held - sides.get((con_id, False), ZERO)
            worst = max(abs(held), abs(bought), abs(sold))
            extra_usd += (worst - abs(held)) * marks[con_id] * (listing(con_id).multiplier or 1) * INITIAL_MARGIN
        return extra_usd


def _only_closes(ticket: OrderTicket, parent: WorkingOrder | None) -> bool:
    return (
        parent is not None
        and parent.ticket.con_id == ticket.con_id
        and parent.buys is not (ticket.action == "BUY")
        and ticket.quantity <= parent.ticket.quantity
    )
