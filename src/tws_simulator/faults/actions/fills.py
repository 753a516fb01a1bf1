"""Fills that no book explains: of orders, which count them, and of orders that nobody has placed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import ClassVar, Literal

from tws_simulator.api.echoes import reply
from tws_simulator.faults.actions.base import OfAccount
from tws_simulator.faults.actions.executions import (
    COMMISSION_USD,
    CommissionTold,
    and_more,
    of_nobody,
    order_of,
    problem_of_symbol,
    tell_fill,
)
from tws_simulator.faults.event import Cause
from tws_simulator.faults.rig import Rig
from tws_simulator.world.accounts import outside
from tws_simulator.world.accounts.records import Execution
from tws_simulator.world.orders.order_events import Commissioned, Echo, Executed, OrderEvent, Status
from tws_simulator.world.orders.tickets import OrderStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Fill(OfAccount):
    """Executions nobody expects: of the order that caused this or has ``order_ref``, or of all "working" ones.

    ``count`` fills of ``shares`` each, ``at_once`` of them (0: all) every ``every_s`` seconds, at ``price`` (0: the
    order's limit, or the last trade). An order gets what it has left while it works, and no more; with ``force`` it is
    filled whatever it has left and has become. Where there is no such order they are of one of which nobody knows, in
    ``symbol`` and of ``account``, bought unless ``side`` is SLD. ``told`` ones are reported at once, the others are
    found by reqExecutions; ``commission`` is told after its execution, before it, or never. All are in the ledger.
    """

    do: ClassVar[str] = "fill"
    whose: Literal["cause's", "working"] = "cause's"
    order_ref: str = ""
    symbol: str = "AAPL"
    side: Literal["BOT", "SLD"] = "BOT"
    shares: int = 1
    price: float = 0.0
    count: int = 1
    at_once: int = 0
    every_s: float = 0.1
    force: bool = False
    told: bool = True
    commission: CommissionTold = "after"

    def problem(self) -> str:
        if self.at_once and self.every_s <= 0:
            return "every_s must be more than 0"
        return OfAccount.problem(self) or problem_of_symbol(self.symbol)

    def apply(self, rig: Rig, cause: Cause) -> None:
        self._go_on(rig, self._fillers(rig, cause), self.count)

    def _go_on(self, rig: Rig, fillers: Sequence[Callable[[], None]], left: int) -> None:
        now = min(left, self.at_once or left)
        for _ in range(now):
            for fill in fillers:
                fill()
        if left > now:
            rig.after(self.every_s, partial(self._go_on, rig, fillers, left - now))

    def _fillers(self, rig: Rig, cause: Cause) -> list[Callable[[], None]]:
        """What fills each order once."""
        if self.whose == "working":
            working = [view for view in rig.world.exchange.open_orders() if view.status is OrderStatus.SUBMITTED]
            return [partial(self._fill, rig, view.perm_id) for view in working]
        view = order_of(rig, cause, self.order_ref)
        if view is not None:
            return [partial(self._fill, rig, view.perm_id)]
        return [_Nobodys(self, rig, of_nobody(rig, self.account_name(rig), self.symbol, self.side, self.price)).fill]

    def _fill(self, rig: Rig, perm_id: int) -> None:
        price = Decimal(str(self.price)) if self.price else None
        events = rig.world.exchange.fill(perm_id, Decimal(self.shares), price, rig.now_ns, force=self.force)
        own = [event for event in events if _is_of(event, perm_id)]
        if self.told:
            for event in self._in_turn(own):
                _tell(rig, event)
        rig.gateway.deliver(event for event in events if event not in own)

    def _in_turn(self, events: list[OrderEvent]) -> list[OrderEvent]:
        reports: list[OrderEvent] = [event for event in events if isinstance(event, Commissioned)]
        others: list[OrderEvent] = [event for event in events if not isinstance(event, Commissioned)]
        match self.commission:
            case "after":
                return others + reports
            case "before":
                return reports + others
            case "never":
                return others


class _Nobodys:
    """An order of which nobody knows, fill by fill."""

    def __init__(self, terms: Fill, rig: Rig, begun: Execution) -> None:
        self._terms = terms
        self._rig = rig
        self._last = begun

    def fill(self) -> None:
        terms, rig = self._terms, self._rig
        self._last = execution = and_more(self._last, Decimal(terms.shares), rig)
        report = outside.book(rig.world.ledgers, execution, COMMISSION_USD)
        if terms.told:
            owner = rig.gateway.session_of(execution.client_id)
            for session in [owner] if owner is not None else rig.gateway.running():
                tell_fill(rig, session, execution, report, terms.commission)


def _is_of(event: OrderEvent, perm_id: int) -> bool:
    """Of one order's fill; its commission report is the only one there is."""
    match event:
        case Echo(order=order) | Status(order=order):
            return order.perm_id == perm_id
        case Executed(execution=execution):
            return execution.perm_id == perm_id
        case _:
            return isinstance(event, Commissioned)


def _tell(rig: Rig, event: OrderEvent) -> None:
    """To the owner and the master client, past all filters."""
    gateway = rig.gateway
    for session in gateway.running():
        if session.client_id in (event.client_id, gateway.options.master_client_id):
            rig.tell(session, reply(event, session.codec.server_version))
