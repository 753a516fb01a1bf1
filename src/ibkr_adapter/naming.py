"""Whose order a broker message names, and which execution an id means: one set of rules for core and projections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ibkr_adapter.events import ExecutionReported, OpenOrderReported, OrderStatusReported

T = TypeVar("T")

NamesAnOrder = OpenOrderReported | OrderStatusReported | ExecutionReported

REVISION_DIGITS_MAX = 9
"""Longer tails are no revision: nobody corrects a fill so often, and the id then stands for itself."""


def whose(
    event: NamesAnOrder,
    gateway: str,
    *,
    by_key: Callable[[str], T | None],
    by_id: Callable[[str, int, int], T | None],
    by_perm_id: Callable[[int], T | None],
    numbers: Callable[[T], tuple[int, int]],
) -> T | None:
    """Our order that a message names: by our key, which the broker carries; without one, by its numbers.

    Gateway, client and order id are never used twice. But a person may copy an order with its orderRef, or edit the
    orderRef of ours: where key and numbers (``numbers``: client id, order id) disagree, a permId that we know decides,
    and without one it is not our order. Completed orders in text have no numbers at all.
    """
    by_perm = by_perm_id(event.perm_id) if event.perm_id else None
    key = named_key(event)
    if not key:
        return by_id(gateway, event.client_id, event.order_id) or by_perm
    ours = by_key(key)
    if ours is None or event.order_id == 0 or numbers(ours) == (event.client_id, event.order_id):
        return ours or by_perm
    return by_perm


def named_key(event: NamesAnOrder) -> str:
    return "" if isinstance(event, OrderStatusReported) else event.order_ref


def foreign_key(event: NamesAnOrder, gateway: str) -> str:
    """Our name for an order that is not ours. Its orderRef is no name: people give one to a whole strategy.

    By permId, the account's own number: completed orders in text name neither client nor order id.
    """
    if event.perm_id:
        return f"perm:{event.perm_id}"
    return f"client:{gateway}:{event.client_id}:{event.order_id}"


def base_id(exec_id: str) -> str:
    """The id without its revision: ``e0d5.65a1.01`` of ``e0d5.65a1.01.02``; all of it if it has none."""
    base, _, digits = exec_id.rpartition(".")
    return base if base and _is_revision(digits) else exec_id


def revision(exec_id: str) -> int:
    base, _, digits = exec_id.rpartition(".")
    return int(digits) if base and _is_revision(digits) else 0


def _is_revision(digits: str) -> bool:
    return digits.isascii() and digits.isdecimal() and len(digits) <= REVISION_DIGITS_MAX
