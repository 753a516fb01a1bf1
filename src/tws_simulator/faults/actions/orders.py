"""What happens to orders and positions outside the exchange's rules: it is booked, so the ledger stays the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import ClassVar, Literal

from tws_simulator.api.echoes import commission_report, exec_details, order_status
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.event import Cause
from tws_simulator.faults.stage import Stage
from tws_simulator.faults.values import lookup
from tws_simulator.world.accounts.records import Commission, Execution
from tws_simulator.world.instruments.universe import find
from tws_simulator.world.orders.order_events import OrderView
from tws_simulator.world.orders.tickets import OrderTicket

_COMMISSION_USD = Decimal("1.00")
_UNKNOWN_PERM_ID = 1_990_000_000
_MANUAL_CLIENT = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fill(Action):
    """Executions nobody expects: of the order that caused this or has ``order_ref``, whatever its state; else of none.

    ``count`` fills of ``shares`` each, at ``price`` (0: the order's limit, or the last trade). An order of which nobody
    knows is in ``symbol``. ``told`` ones are reported at once, the others are found by reqExecutions; ``commission`` is
    told after its execution, before it, or never. All are in the ledger.
    """

    do: ClassVar[str] = "fill"
    order_ref: str = ""
    symbol: str = "AAPL"
    side: Literal["order's", "BOT", "SLD"] = "order's"
    shares: int = 1
    price: float = 0.0
    count: int = 1
    told: bool = True
    commission: Literal["after", "before", "never"] = "after"

    def problem(self) -> str:
        return _problem_of_symbol(self.symbol)

    def apply(self, stage: Stage, cause: Cause) -> None:
        first = _execution(self, stage, cause)
        filled = first.cum_qty
        for _ in range(self.count):
            filled += self.shares
            execution = replace(first, exec_id=_exec_id(stage), cum_qty=filled, shares=Decimal(self.shares))
            report = stage.gateway.world.ledger.apply(execution, _COMMISSION_USD)
            if self.told:
                self._report(stage, execution, report)

    def _report(self, stage: Stage, execution: Execution, report: Commission) -> None:
        owner = stage.gateway.session_of(execution.client_id)
        for session in [owner] if owner is not None else stage.gateway.running():
            told = [exec_details(-1, execution, session.codec.server_version)]
            if self.commission != "never":
                told.insert(0 if self.commission == "before" else 1, commission_report(report))
            for each in told:
                stage.tell(session, each)


@dataclass(frozen=True, kw_only=True, slots=True)
class Correct(Action):
    """The latest execution is told again under its id with the next number after the last dot, and then counts instead.

    With other ``shares`` (-1: the same; 0: the trade was busted) and a price moved by ``price_by``.
    """

    do: ClassVar[str] = "correct"
    shares: int = -1
    price_by: float = 0.01
    told: bool = True

    def apply(self, stage: Stage, cause: Cause) -> None:
        ledger = stage.gateway.world.ledger
        if not ledger.executions:
            return
        wrong = ledger.executions[-1]
        shares = wrong.shares if self.shares < 0 else Decimal(self.shares)
        corrected = replace(
            wrong,
            exec_id=_next_revision(wrong.exec_id),
            shares=shares,
            price=wrong.price + Decimal(str(self.price_by)),
            cum_qty=wrong.cum_qty - wrong.shares + shares,
        )
        _book_aside(stage, replace(wrong, exec_id=f"{wrong.exec_id}.undone", side=_opposite(wrong.side)))
        report = ledger.apply(corrected, Decimal(0))
        ledger.executions[-2:] = ledger.executions[-1:]
        owner = stage.gateway.session_of(wrong.client_id)
        if self.told and owner is not None:
            stage.tell(owner, exec_details(-1, corrected, owner.codec.server_version))
            stage.tell(owner, commission_report(report))


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer(Action):
    """The position changes without any execution, as by assignment, transfer or split: ``shares`` may be negative."""

    do: ClassVar[str] = "transfer"
    symbol: str = "AAPL"
    shares: int
    price: float = 0.0

    def problem(self) -> str:
        return _problem_of_symbol(self.symbol)

    def apply(self, stage: Stage, cause: Cause) -> None:
        execution = _of_nobody(stage, self.symbol, "BOT" if self.shares > 0 else "SLD", self.price)
        _book_aside(stage, replace(execution, shares=Decimal(abs(self.shares))))


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceOrder(Action):
    """Another client, or with ``owner`` 0 a person at the gateway's own screen, places an order."""

    do: ClassVar[str] = "place_order"
    owner: int = _MANUAL_CLIENT
    symbol: str = "AAPL"
    action: Literal["BUY", "SELL"] = "BUY"
    quantity: int = 1
    limit_price: float = 0.0
    order_ref: str = ""

    def problem(self) -> str:
        return _problem_of_symbol(self.symbol)

    def apply(self, stage: Stage, cause: Cause) -> None:
        listing = find(self.symbol)
        assert listing is not None, f"{self.symbol} is not listed"
        exchange = stage.gateway.world.exchange
        ticket = OrderTicket(
            client_id=self.owner,
            order_id=exchange.next_order_id(self.owner),
            con_id=listing.con_id,
            symbol=listing.symbol,
            action=self.action,
            order_type="LMT" if self.limit_price else "MKT",
            quantity=Decimal(self.quantity),
            limit_price=Decimal(str(self.limit_price)) if self.limit_price else None,
            order_ref=self.order_ref,
        )
        place = exchange.place_manually if self.owner == _MANUAL_CLIENT else exchange.place
        stage.gateway.deliver(place(ticket, stage.now_ns))


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelOrders(Action):
    """Working orders end at the exchange, all or that of the cause; the gateway tells nobody if ``silent``."""

    do: ClassVar[str] = "cancel_orders"
    order_ref: str = ""
    silent: bool = True

    def apply(self, stage: Stage, cause: Cause) -> None:
        exchange = stage.gateway.world.exchange
        wanted = _order_id(cause)
        for view in exchange.open_orders(self.client_id(cause)):
            if wanted in (None, view.ticket.order_id) and self.order_ref in ("", view.ticket.order_ref):
                events = exchange.cancel(view.ticket.client_id, view.ticket.order_id, stage.now_ns)
                if not self.silent:
                    stage.gateway.deliver(events)


@dataclass(frozen=True, kw_only=True, slots=True)
class TwinOrder(Action):
    """An order works twice: a second one with the same order id, reference and terms and another permanent id.

    The second is told by openOrder and orderStatus pairs; a fill of it is reported under its own permanent id.
    """

    do: ClassVar[str] = "twin_order"
    filled_after_s: float = 0.0

    def apply(self, stage: Stage, cause: Cause) -> None:
        view = _view(stage, cause, "")
        owner = None if view is None else stage.gateway.session_of(view.ticket.client_id)
        if view is None or owner is None:
            return
        twin = replace(view, perm_id=_UNKNOWN_PERM_ID + stage.serial())
        stage.tell(owner, stage.gateway.echoes.open_order(twin))
        stage.tell(owner, order_status(twin))
        if self.filled_after_s:
            stage.after(self.filled_after_s, partial(_fill_twin, stage, twin))


def _problem_of_symbol(symbol: str) -> str:
    return "" if find(symbol) is not None else f"{symbol} is not listed"


def _fill_twin(stage: Stage, twin: OrderView) -> None:
    execution = _execution_of(stage, twin, 0.0)
    execution = replace(execution, exec_id=_exec_id(stage), shares=twin.remaining, cum_qty=twin.ticket.quantity)
    report = stage.gateway.world.ledger.apply(execution, _COMMISSION_USD)
    owner = stage.gateway.session_of(twin.ticket.client_id)
    if owner is not None:
        stage.tell(owner, exec_details(-1, execution, owner.codec.server_version))
        stage.tell(owner, commission_report(report))


def _execution(fill: Fill, stage: Stage, cause: Cause) -> Execution:
    view = _view(stage, cause, fill.order_ref)
    if view is None:
        side = "SLD" if fill.side == "SLD" else "BOT"
        return _of_nobody(stage, fill.symbol, side, fill.price)
    execution = _execution_of(stage, view, fill.price)
    return execution if fill.side == "order's" else replace(execution, side=fill.side)


def _view(stage: Stage, cause: Cause, order_ref: str) -> OrderView | None:
    """The order of a reference, or that which the cause is about, in whatever state it is."""
    order_id = _order_id(cause)
    exchange = stage.gateway.world.exchange
    for view in [*exchange.open_orders(), *reversed(exchange.completed_orders())]:
        if order_ref:
            if view.ticket.order_ref == order_ref:
                return view
        elif order_id == view.ticket.order_id and cause.peer and cause.peer.client_id == view.ticket.client_id:
            return view
    return None


def _order_id(cause: Cause) -> int | None:
    if cause.message is None:
        return None
    found = cause.message.get("orderId", lookup(cause.message.values, "execution.orderId"))
    return found if isinstance(found, int) else None


def _execution_of(stage: Stage, view: OrderView, price: float) -> Execution:
    ticket = view.ticket
    at = Decimal(str(price)) if price else ticket.limit_price or stage.gateway.world.marks()[ticket.con_id]
    base = _of_nobody(stage, ticket.symbol, "BOT" if ticket.action == "BUY" else "SLD", float(at))
    return replace(
        base,
        perm_id=view.perm_id,
        client_id=ticket.client_id,
        order_id=ticket.order_id,
        order_ref=ticket.order_ref,
        con_id=ticket.con_id,
        cum_qty=view.filled,
    )


def _of_nobody(stage: Stage, symbol: str, side: str, price: float) -> Execution:
    """An execution of an order that no client has placed: id 0, client 0, as orders from other places have."""
    listing = find(symbol)
    assert listing is not None, f"{symbol} is not listed"
    world = stage.gateway.world
    at = Decimal(str(price)) if price else world.marks()[listing.con_id]
    return Execution(
        exec_id=_exec_id(stage),
        perm_id=_UNKNOWN_PERM_ID,
        client_id=0,
        order_id=0,
        order_ref="",
        account=world.account,
        con_id=listing.con_id,
        symbol=listing.symbol,
        exchange=listing.primary_exchange,
        side=side,
        shares=Decimal(0),
        price=at,
        cum_qty=Decimal(0),
        avg_price=at,
        liquidity=1,
        ts_ns=stage.now_ns,
    )


def _book_aside(stage: Stage, execution: Execution) -> None:
    """The position and the cash change, and no list of executions shows why."""
    ledger = stage.gateway.world.ledger
    ledger.apply(execution, Decimal(0))
    ledger.executions.pop()


def _exec_id(stage: Stage) -> str:
    return f"0000fa17.{stage.now_ns // 1_000_000_000 & 0xFFFF_FFFF:08x}.{stage.serial():x}.01"


def _next_revision(exec_id: str) -> str:
    base, _, revision = exec_id.rpartition(".")
    return f"{base}.{int(revision) + 1:02d}"


def _opposite(side: str) -> str:
    return "SLD" if side == "BOT" else "BOT"
