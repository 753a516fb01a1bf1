"""Whether positions are what our records say they must be.

The journal does not hold positions, and its executions do not reach back to the first share. So the count begins at
the last moment at which everything was known, with every list complete: what was held then, and what was executed
since, must be what is held now. Before the first such moment of this process nothing agrees.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ibkr_adapter.core.trading.executions import Executions
from ibkr_adapter.events import PositionReported

Held = dict[tuple[str, str], Decimal]
"""Shares by account and instrument key; what is not named is not held."""


class Holdings:
    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._origin: Held | None = None
        """What was held when all was known, less what was executed by then."""

    def confirmed(self, positions: Iterable[PositionReported]) -> None:
        """Every list is complete, so this is what is held."""
        self._origin = _sum(_held(positions), self._executions.net(), sign=-1)

    @property
    def known(self) -> bool:
        """There was a moment at which all was known."""
        return self._origin is not None

    def agree(self, positions: Iterable[PositionReported]) -> bool:
        if self._origin is None:
            return False
        return _sum(self._origin, self._executions.net(), sign=1) == _sum(_held(positions), {}, sign=1)


def _held(positions: Iterable[PositionReported]) -> Held:
    held: Held = {}
    for position in positions:
        key = position.account, position.instrument.key
        held[key] = held.get(key, Decimal(0)) + position.quantity
    return held


def _sum(one: Held, other: Held, *, sign: int) -> Held:
    """Both together; what is nothing is left out, so that equal holdings are equal."""
    total = {key: one.get(key, Decimal(0)) + sign * other.get(key, Decimal(0)) for key in one.keys() | other.keys()}
    return {key: shares for key, shares in total.items() if shares}
