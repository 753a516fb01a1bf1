"""Orders that depend on each other: one-cancels-all groups."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from tws_simulator.world.accounts.records import ZERO
from tws_simulator.world.orders.working_order import WorkingOrder

CANCEL_ALL: Final = 1  # the other types, 2 and 3, take the shares that were filled off the others


def others_of(order: WorkingOrder, live: Mapping[tuple[int, int], WorkingOrder]) -> list[WorkingOrder]:
    """The living members of an order's group, which is one client's and one account's."""
    ticket = order.ticket
    if not ticket.oca_group:
        return []
    return [
        other
        for other in live.values()
        if other is not order
        and other.ticket.oca_group == ticket.oca_group
        and other.ticket.client_id == ticket.client_id
        and other.ticket.account == ticket.account
    ]


def left_after(order: WorkingOrder, shares: Decimal, other: WorkingOrder) -> Decimal:
    """What a fill of ``shares`` of one member leaves another to do: nothing, or its share in proportion."""
    if order.ticket.oca_type == CANCEL_ALL or not order.remaining:
        return ZERO
    kept = other.remaining * order.remaining / (order.remaining + shares)
    return kept.quantize(Decimal(1), ROUND_FLOOR)
