"""Corrections and transfers behind the exchange's back, and what executions outside it are made of: all are booked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar, Literal

from tws_simulator.api.echoes import commission_report, exec_details
from tws_simulator.api.session import Session
from tws_simulator.faults.actions.base import Action, OfAccount
from tws_simulator.faults.event import Cause
from tws_simulator.faults.rig import Rig
from tws_simulator.faults.values import lookup
from tws_simulator.world.accounts import outside
from tws_simulator.world.accounts.records import ZERO, Commission, Execution
from tws_simulator.world.instruments import universe
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.orders.order_events import OrderView
from tws_simulator.world.time.units import SECOND_NS

COMMISSION_USD = Decimal("1.00")
UNKNOWN_PERM_ID = 1_990_000_000
CommissionTold = Literal["after", "before", "never"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Correct(Action):
    """An execution is told again under its id with the next number after the last dot, and then counts instead.

    That which caused this; else the latest, of any account. With other ``shares`` (-1: the same; 0: the trade was
    busted) and a price moved by ``price_by``.
    """

    do: ClassVar[str] = "correct"
    shares: int = -1
    price_by: float = 0.01
    told: bool = True

    def apply(self, rig: Rig, cause: Cause) -> None:
        caused = lookup(cause.message.values, "execution.execId") if cause.message is not None else None
        ledgers = rig.world.ledgers
        wrong = outside.revised(ledgers, caused) if isinstance(caused, str) else outside.latest(ledgers)
        if wrong is None:
            return
        shares = wrong.shares if self.shares < 0 else Decimal(self.shares)
        price = wrong.price + Decimal(str(self.price_by))
        corrected, report = outside.correct(ledgers, wrong, shares, price)
        owner = rig.gateway.session_of(wrong.client_id)
        if self.told and owner is not None:
            tell_fill(rig, owner, corrected, report)


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer(OfAccount):
    """The position changes without any execution, as by assignment, transfer or split: ``shares`` may be negative."""

    do: ClassVar[str] = "transfer"
    symbol: str = "AAPL"
    shares: int
    price: float = 0.0

    def problem(self) -> str:
        return OfAccount.problem(self) or problem_of_symbol(self.symbol)

    def apply(self, rig: Rig, cause: Cause) -> None:
        side = "BOT" if self.shares > 0 else "SLD"
        execution = of_nobody(rig, self.account_name(rig), self.symbol, side, self.price)
        outside.transfer(rig.world.ledgers, and_more(execution, Decimal(abs(self.shares)), rig))


def problem_of_symbol(symbol: str) -> str:
    return "" if universe.find(symbol) is not None else f"{symbol} is not listed"


def order_of(rig: Rig, cause: Cause, order_ref: str) -> OrderView | None:
    """The order of a reference, or that which the cause is about, in whatever state it is; of twins the elder."""
    order_id = order_id_of(cause)
    exchange = rig.world.exchange
    working = sorted(exchange.open_orders(), key=lambda view: view.perm_id)
    for view in [*working, *reversed(exchange.completed_orders())]:
        if order_ref:
            if view.ticket.order_ref == order_ref:
                return view
        elif order_id == view.ticket.order_id and cause.peer and cause.peer.client_id == view.ticket.client_id:
            return view
    return None


def order_id_of(cause: Cause) -> int | None:
    if cause.message is None:
        return None
    found = cause.message.get("orderId", lookup(cause.message.values, "execution.orderId"))
    return found if isinstance(found, int) else None


def tell_fill(
    rig: Rig, session: Session, execution: Execution, report: Commission, commission: CommissionTold = "after"
) -> None:
    told = [exec_details(-1, execution, session.codec.server_version)]
    if commission != "never":
        told.insert(0 if commission == "before" else 1, commission_report(report))
    for each in told:
        rig.tell(session, each)


def and_more(execution: Execution, shares: Decimal, rig: Rig) -> Execution:
    """The next execution of the same order, at the same price."""
    filled = execution.cum_qty + shares
    paid = execution.cum_qty * execution.avg_price + shares * execution.price
    return replace(
        execution,
        exec_id=f"0000fa17.{rig.now_ns // SECOND_NS & 0xFFFF_FFFF:08x}.{rig.serial():x}.01",
        shares=shares,
        cum_qty=filled,
        avg_price=paid / filled if filled else ZERO,
    )


def of_nobody(rig: Rig, account: str, symbol: str, side: str, price: float) -> Execution:
    """As the execution begins of an order that no client has placed: id 0, client 0, as those from elsewhere have."""
    return replace(_of_instrument(rig, universe.listing_named(symbol), price), account=account, side=side)


def _of_instrument(rig: Rig, listing: Listing, price: float) -> Execution:
    """``price`` 0 is the last trade's."""
    return Execution(
        exec_id="",
        perm_id=UNKNOWN_PERM_ID,
        client_id=0,
        order_id=0,
        order_ref="",
        account="",
        con_id=listing.con_id,
        symbol=listing.symbol,
        exchange=listing.primary_exchange,
        side="",
        shares=ZERO,
        price=Decimal(str(price)) if price else rig.world.marks()[listing.con_id],
        cum_qty=ZERO,
        avg_price=ZERO,
        liquidity=1,
        ts_ns=rig.now_ns,
        sec_type=listing.sec_type,
        multiplier=listing.multiplier or 1,
    )
