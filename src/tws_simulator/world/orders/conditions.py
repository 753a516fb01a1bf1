"""Orders that wait for something to become true: a price, a time, a volume, a change, a fill, a cushion.

They are looked at once a second. Conditions are joined from left to right, each with what the one before it says, "and"
or "or".
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders.order_store import OrderStore
from tws_simulator.world.orders.tickets import Condition, ConditionKind
from tws_simulator.world.orders.working_order import WorkingOrder
from tws_simulator.world.time.schedule import Schedule
from tws_simulator.world.time.units import SECOND_NS

_LOOK_AGAIN_NS: Final = SECOND_NS


class Conditions:
    """Holds orders until what they wait for has come."""

    def __init__(self, store: OrderStore, schedule: Schedule, tape: Tape) -> None:
        self._store = store
        self._schedule = schedule
        self._tape = tape

    def wait(self, order: WorkingOrder, then: Callable[[WorkingOrder], None]) -> None:
        """``then`` is done once, at the first look at which all is true; told again, the latest ``then`` counts."""
        if order.conditions_met:
            return
        if self._are_met(order, order.ticket.conditions):
            order.conditions_met = True
            self.forget(order)
            then(order)
        else:
            at_ns = self._store.now_ns + _LOOK_AGAIN_NS
            self._schedule.note(at_ns, lambda: self.wait(order, then), key=_look(order))

    def forget(self, order: WorkingOrder) -> None:
        """It has ended, or got other terms."""
        self._schedule.forget(_look(order))

    def _are_met(self, order: WorkingOrder, terms: tuple[Condition, ...]) -> bool:
        met, joined_by_and = True, True
        for term in terms:
            met = (met and self._is_met(order, term)) if joined_by_and else (met or self._is_met(order, term))
            joined_by_and = term.joined_by_and
        return met

    def _is_met(self, order: WorkingOrder, term: Condition) -> bool:
        if term.kind is ConditionKind.EXECUTION:
            return any(execution.symbol == term.symbol for execution in self._store.executions())
        now = self._now(order, term)
        return now >= term.threshold if term.is_more else now <= term.threshold

    def _now(self, order: WorkingOrder, term: Condition) -> Decimal:
        match term.kind:
            case ConditionKind.TIME:
                return Decimal(self._store.now_ns)
            case ConditionKind.MARGIN:
                margins = self._store.ledger(order).margins(self._tape.prices)
                return 100 * (margins.equity_usd - margins.maintenance_usd) / margins.equity_usd
            case ConditionKind.VOLUME:
                return Decimal(self._tape.quote(term.con_id).volume)
            case ConditionKind.CHANGE:
                quote = self._tape.quote(term.con_id)
                return 100 * (self._tape.mark(term.con_id) / Decimal(str(quote.close)) - 1)
            case _:
                return self._tape.mark(term.con_id)


def _look(order: WorkingOrder) -> tuple[str, int]:
    return "conditions", order.perm_id
