"""Which placeOrder messages become orders, and with which words the others are turned away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.instruments.universe import SMART, Listing, find, trades_at
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders.tickets import (
    ACTIONS,
    LIMITED,
    ORDER_TYPES,
    TIFS,
    TIFS_REFUSED,
    TRAILING,
    TRIGGERED,
    ConditionKind,
    OrderStatus,
    OrderTicket,
)
from tws_simulator.world.orders.triggers import TRIGGER_METHODS
from tws_simulator.world.orders.working_order import WorkingOrder

Refusal = tuple[int, str]

# Texts as captured from a gateway (server version 225), except where a comment says otherwise.
NO_SECURITY: Final = (200, "No security definition has been found for the request")
BAD_ORDER_TYPE: Final = (321, "Error validating request.-'bz' : cause - Invalid order type was entered")
BAD_ACTION: Final = (321, "Error validating request.-'bz' : cause - Invalid side was entered")  # wording ours
BAD_LIMIT: Final = (321, "Error validating request.-'bz' : cause - Invalid limit price was entered")  # wording ours
BAD_STOP: Final = (403, "Invalid stop price.")  # wording ours
BAD_ACCOUNT: Final = (321, "Error validating request.-'bz' : cause - Invalid account code")  # wording ours
BAD_TRIGGER: Final = (321, "Error validating request.-'bz' : cause - Invalid trigger method")  # wording ours
BAD_GTD: Final = (391, "The time or time-zone entered is invalid.")  # wording ours
BAD_CONDITION: Final = (321, "Error validating request.-'bz' : cause - Invalid condition")  # wording ours
ZERO_SIZE: Final = (434, "The order size cannot be zero.")
FRACTIONAL_SIZE: Final = (10243, "Fractional-sized order cannot be placed via API.")  # wording ours
OFF_TICK: Final = (110, "The price does not conform to the minimum price variation for this contract.")
DUPLICATE_ID: Final = (103, "Duplicate order id")
CHANGED_ORDER: Final = (105, "Order being modified does not match original order")
NO_PARENT: Final = (10006, "Missing parent order")  # wording ours
DISPLAY_SIZE: Final = (10255, "The 'Display Size' order attribute may not be specified for this order.")
MIN_QTY: Final = (10256, "The 'Minimum Quantity' order attribute may not be specified for this order.")
ACTIVE_TIMES: Final = (10315, "Invalid time format.")  # wording ours
TRAIL_UNDER_MARKET: Final = (328, "Trailing stop orders can be attached to limit or stop-limit orders only.")
BAD_TIF_FOR_VENUE: Final = "The time-in-force {} is invalid for this combination of exchange and security type."
EXPIRES_TOO_SOON: Final = "Order will be expired before market opens."
CURRENCY_LEVERAGE: Final = "FX trade would expose account to currency leverage."
NOT_TRADED: Final = "The instrument is quoted but not traded here."  # wording ours
TOO_MANY: Final = "Too many orders today."  # wording ours
MARGIN: Final = (  # wording ours
    "Your order is not accepted: your equity with loan value [{:.2f} USD] must exceed the initial margin [{:.2f} USD]."
)
_OF_INSTRUMENTS: Final = frozenset({ConditionKind.PRICE, ConditionKind.VOLUME, ConditionKind.CHANGE})
_UNTRADED: Final = frozenset({"IND"})


def refusal(
    ticket: OrderTicket, ledgers: Mapping[str, Ledger], tape: Tape, parent: WorkingOrder | None
) -> Refusal | None:
    """The error that turns a placeOrder away before there is an order."""
    listing = find(symbol=ticket.symbol, con_id=ticket.con_id)
    if listing is None or listing.con_id not in tape or not trades_at(listing, ticket.exchange):
        return NO_SECURITY
    if ticket.action not in ACTIONS:
        return BAD_ACTION
    if ticket.order_type not in ORDER_TYPES:
        return BAD_ORDER_TYPE
    if ticket.tif not in TIFS and ticket.tif not in TIFS_REFUSED:
        return 10052, f"Invalid time in force:{ticket.tif or 'Empty'}"
    if ticket.tif == "GTD" and ticket.good_till_ns is None:
        return BAD_GTD
    if not ticket.quantity.is_finite() or ticket.quantity <= 0:
        return ZERO_SIZE
    if ticket.quantity % 1:
        return FRACTIONAL_SIZE
    if ticket.account and ticket.account not in ledgers:
        return BAD_ACCOUNT
    if ticket.trigger_method not in TRIGGER_METHODS:
        return BAD_TRIGGER
    if ticket.display_size:
        return DISPLAY_SIZE
    if any(condition.kind in _OF_INSTRUMENTS and condition.con_id not in tape for condition in ticket.conditions):
        return BAD_CONDITION
    if ticket.has_active_times:
        return ACTIVE_TIMES
    return _bad_price(ticket, listing) or _bad_parent(ticket, parent)


def rejection(ticket: OrderTicket, ledger: Ledger, tape: Tape) -> str | None:
    """Why an order that was well formed is not taken on (201)."""
    listing = find(con_id=ticket.con_id)
    assert listing is not None
    if ticket.tif in TIFS_REFUSED:
        return BAD_TIF_FOR_VENUE.format(ticket.tif)
    if listing.sec_type in _UNTRADED:
        return NOT_TRADED
    if listing.sec_type == "CASH":
        return CURRENCY_LEVERAGE
    if ticket.parent_id:
        return None  # it will reduce what the parent opens
    marks, multiplier = tape.prices, listing.multiplier or 1
    before = ledger.margins(marks)
    after = ledger.margins(marks, ticket.con_id, signed(ticket), multiplier)
    if after.initial_usd > max(before.initial_usd, after.equity_usd):
        return MARGIN.format(after.equity_usd, after.initial_usd)
    return None


def completed(ticket: OrderTicket, ledgers: Mapping[str, Ledger]) -> OrderTicket:
    """The ticket with what the client may leave out: conId or symbol, account, exchange."""
    listing = find(symbol=ticket.symbol, con_id=ticket.con_id)
    assert listing is not None
    return replace(
        ticket,
        con_id=listing.con_id,
        symbol=listing.symbol,
        account=ticket.account or next(iter(ledgers)),
        exchange=ticket.exchange or SMART,
    )


def signed(ticket: OrderTicket) -> Decimal:
    return ticket.quantity if ticket.action == "BUY" else -ticket.quantity


def _bad_price(ticket: OrderTicket, listing: Listing) -> Refusal | None:
    tick, kind = Decimal(listing.min_tick), ticket.order_type
    has_own_limit = kind in LIMITED and not (kind in TRAILING and ticket.limit_offset is not None)
    if has_own_limit and not _is_price(ticket.limit_price):
        return BAD_LIMIT
    if kind in TRAILING:
        if not _is_price(ticket.aux_price) and not _is_price(ticket.trailing_percent):
            return BAD_STOP
    elif kind in TRIGGERED and not _is_price(ticket.aux_price):
        return BAD_STOP
    prices = [ticket.limit_price if has_own_limit else None, ticket.limit_offset if kind in TRAILING else None]
    if kind in TRIGGERED:
        prices += [ticket.aux_price, ticket.trail_stop_price if kind in TRAILING else None]
    for price in prices:
        if price is not None and (not price.is_finite() or price % tick):
            return OFF_TICK
    return None


def _is_price(price: Decimal | None) -> bool:
    return price is not None and price.is_finite() and price > 0


def _bad_parent(ticket: OrderTicket, parent: WorkingOrder | None) -> Refusal | None:
    if not ticket.parent_id:
        return None
    if parent is None or parent.status in (OrderStatus.CANCELLED, OrderStatus.INACTIVE):
        return NO_PARENT
    if ticket.order_type in TRAILING and parent.ticket.order_type not in ("LMT", "STP LMT"):
        return TRAIL_UNDER_MARKET
    return None
