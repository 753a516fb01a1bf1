"""Executions: each counted once, whoever brings it and however often.

A fill comes live, comes again when executions are asked for, and may be corrected: the same id with a higher number
behind the last dot replaces the earlier one. Commissions join by id, before or after.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from ibkr_adapter.events import CommissionReported, ExecutionReported
from ibkr_adapter.naming import base_id, revision
from ibkr_adapter.snapshot import ExecutionView

BOUGHT = "BOT"


@dataclass(slots=True)
class Fill:
    """The latest revision of one execution. ``order_key`` is empty for an order that is not ours."""

    event: ExecutionReported
    order_key: str
    commission: CommissionReported | None = None


class Executions:
    """All executions known, by account and base id (the id without its revision)."""

    COMMISSIONS_KEPT = 10_000
    """Commissions that wait for their execution; beyond it the oldest are dropped and counted."""

    def __init__(self) -> None:
        self._fills: dict[tuple[str, str], Fill] = {}
        self._by_exec_id: dict[str, Fill] = {}
        self._commission_of: dict[str, Decimal] = {}
        self._early: dict[str, CommissionReported] = {}
        self._newest: deque[Fill] = deque(maxlen=200)
        self.duplicates = 0
        self.commissions_dropped = 0

    def __len__(self) -> int:
        return len(self._fills)

    def is_news(self, event: ExecutionReported) -> bool:
        """False for one that was counted already, and for a revision older than the one we hold."""
        known = self._fills.get(_identity(event))
        if known is None or revision(event.exec_id) > revision(known.event.exec_id):
            return True
        self.duplicates += 1
        return False

    def is_news_of_commission(self, event: CommissionReported) -> bool:
        fill = self._by_exec_id.get(event.exec_id)
        held = fill.commission if fill is not None else self._early.get(event.exec_id)
        return held is None or (held.commission, held.realized_pnl) != (event.commission, event.realized_pnl)

    def apply(self, event: ExecutionReported, order_key: str) -> Fill | None:
        """Count it; returns the earlier revision that it replaces, if any."""
        identity = _identity(event)
        replaced = self._fills.get(identity)
        commission = self._early.pop(event.exec_id, None) or (replaced.commission if replaced is not None else None)
        fill = Fill(event=event, order_key=order_key, commission=commission)
        self._fills[identity] = fill
        self._by_exec_id[event.exec_id] = fill
        if replaced is not None:
            self._charge(replaced, sign=-1)
            if replaced in self._newest:
                self._newest.remove(replaced)
        self._charge(fill, sign=1)
        self._newest.append(fill)
        return replaced

    def apply_commission(self, event: CommissionReported) -> str:
        """Join it to its execution; the key of the order it belongs to, or an empty string."""
        fill = self._by_exec_id.get(event.exec_id)
        if fill is not None:
            self._charge(fill, sign=-1)
            fill.commission = event
            self._charge(fill, sign=1)
            return fill.order_key
        if len(self._early) >= self.COMMISSIONS_KEPT:
            self._early.pop(next(iter(self._early)))
            self.commissions_dropped += 1
        self._early[event.exec_id] = event
        return ""

    def commission_of(self, order_key: str) -> Decimal | None:
        """What the fills of an order have cost so far; None while nothing was said of it."""
        return self._commission_of.get(order_key)

    def net(self) -> dict[tuple[str, str], Decimal]:
        """Shares bought less shares sold, by account and instrument key, of everything that was counted."""
        net: dict[tuple[str, str], Decimal] = {}
        for fill in self._fills.values():
            key = fill.event.account, fill.event.instrument.key
            signed = fill.event.quantity if fill.event.side == BOUGHT else -fill.event.quantity
            net[key] = net.get(key, Decimal(0)) + signed
        return net

    def views(self) -> tuple[ExecutionView, ...]:
        """The newest first, at most 200."""
        return tuple(_view(fill) for fill in reversed(self._newest))

    def _charge(self, fill: Fill, *, sign: int) -> None:
        if fill.commission is not None:
            so_far = self._commission_of.get(fill.order_key, Decimal(0))
            self._commission_of[fill.order_key] = so_far + sign * fill.commission.commission


def _identity(event: ExecutionReported) -> tuple[str, str]:
    return event.account, base_id(event.exec_id)


def _view(fill: Fill) -> ExecutionView:
    commission: Decimal | None = fill.commission.commission if fill.commission else None
    return ExecutionView(
        exec_id=fill.event.exec_id,
        order_key=fill.order_key,
        account=fill.event.account,
        instrument=fill.event.instrument.key,
        side=fill.event.side,
        quantity=fill.event.quantity,
        price=fill.event.price,
        exchange=fill.event.exchange,
        commission=commission,
        realized_pnl=fill.commission.realized_pnl if fill.commission else None,
        ts_event_ns=fill.event.ts_event_ns,
        ts_recv_ns=fill.event.ts_recv_ns,
    )
