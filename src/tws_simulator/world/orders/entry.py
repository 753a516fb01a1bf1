"""Which placeOrder messages become orders, and with which words the others are turned away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.instruments import universe
from tws_simulator.world.instruments.listing import SMART, Listing
from tws_simulator.world.instruments.universe import find, trades_at
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders import notices
from tws_simulator.world.orders.auctions import too_late_for_close
from tws_simulator.world.orders.notices import CodedText
from tws_simulator.world.orders.tickets import (
    ACTIONS,
    AT_CLOSE,
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
from tws_simulator.world.time.calendar import Calendar

_OF_INSTRUMENTS: Final = frozenset({ConditionKind.PRICE, ConditionKind.VOLUME, ConditionKind.CHANGE})
_UNTRADED: Final = frozenset({"IND"})


def refusal(
    ticket: OrderTicket, ledgers: Mapping[str, Ledger], tape: Tape, parent: WorkingOrder | None
) -> CodedText | None:
    """The error that turns a placeOrder away before there is an order."""
    listing = find(symbol=ticket.symbol, con_id=ticket.con_id)
    if listing is None or listing.con_id not in tape or not trades_at(listing, ticket.exchange):
        return notices.NO_SECURITY
    if ticket.action not in ACTIONS:
        return notices.BAD_ACTION
    if ticket.order_type not in ORDER_TYPES:
        return notices.BAD_ORDER_TYPE
    if ticket.tif not in TIFS and ticket.tif not in TIFS_REFUSED:
        return notices.bad_tif(ticket.tif)
    if ticket.tif == "GTD" and ticket.good_till_ns is None:
        return notices.BAD_GTD
    if not ticket.quantity.is_finite() or ticket.quantity <= 0:
        return notices.ZERO_SIZE
    if ticket.quantity % 1:
        return notices.FRACTIONAL_SIZE
    if ticket.quantity > notices.ORDER_SHARES_MAX:
        return notices.SIZE_LIMIT
    if ticket.account and ticket.account not in ledgers:
        return notices.BAD_ACCOUNT
    if ticket.trigger_method not in TRIGGER_METHODS:
        return notices.BAD_TRIGGER
    if ticket.display_size:
        return notices.DISPLAY_SIZE
    if any(condition.kind in _OF_INSTRUMENTS and condition.con_id not in tape for condition in ticket.conditions):
        return notices.BAD_CONDITION
    if ticket.has_active_times:
        return notices.ACTIVE_TIMES
    return _bad_price(ticket, listing) or _bad_parent(ticket, parent)


def rejection(ticket: OrderTicket, calendar: Calendar, now_ns: int) -> str | None:
    """Why an order that was well formed is not taken on (201), whatever the account could carry."""
    listing = universe.listing(ticket.con_id)
    if ticket.tif in TIFS_REFUSED:
        return notices.bad_tif_for_venue(ticket.tif)
    if listing.sec_type in _UNTRADED:
        return notices.NOT_TRADED
    if listing.sec_type == "CASH":
        return notices.CURRENCY_LEVERAGE
    if ticket.tif == "GTD" and ticket.good_till_ns is not None and ticket.good_till_ns <= now_ns:
        return notices.ALREADY_EXPIRED
    if ticket.order_type in AT_CLOSE and ticket.tif != "OPG" and too_late_for_close(calendar, now_ns):
        return notices.TOO_LATE_FOR_CLOSE
    return None


def completed(ticket: OrderTicket, ledgers: Mapping[str, Ledger]) -> OrderTicket:
    """The ticket with what the client may leave out: conId or symbol, account, exchange."""
    listing = universe.listing(ticket.con_id) if ticket.con_id else universe.listing_named(ticket.symbol)
    return replace(
        ticket,
        con_id=listing.con_id,
        symbol=listing.symbol,
        account=ticket.account or next(iter(ledgers)),
        exchange=ticket.exchange or SMART,
    )


def _bad_price(ticket: OrderTicket, listing: Listing) -> CodedText | None:
    tick, kind = Decimal(listing.min_tick), ticket.order_type
    has_own_limit = kind in LIMITED and not (kind in TRAILING and ticket.limit_offset is not None)
    if has_own_limit and not _is_price(ticket.limit_price):
        return notices.BAD_LIMIT
    if kind in TRAILING:
        if not _is_price(ticket.aux_price) and not _is_price(ticket.trailing_percent):
            return notices.BAD_STOP
    elif kind in TRIGGERED and not _is_price(ticket.aux_price):
        return notices.BAD_STOP
    prices = [ticket.limit_price if has_own_limit else None, ticket.limit_offset if kind in TRAILING else None]
    if kind in TRIGGERED:
        prices += [ticket.aux_price, ticket.trail_stop_price if kind in TRAILING else None]
    for price in prices:
        if price is not None and (not price.is_finite() or price % tick):
            return notices.OFF_TICK
    return None


def _is_price(price: Decimal | None) -> bool:
    return price is not None and price.is_finite() and price > 0


def _bad_parent(ticket: OrderTicket, parent: WorkingOrder | None) -> CodedText | None:
    if not ticket.parent_id:
        return None
    if parent is None or parent.status in (OrderStatus.CANCELLED, OrderStatus.INACTIVE):
        return notices.NO_PARENT
    if ticket.order_type in TRAILING and parent.ticket.order_type not in ("LMT", "STP LMT"):
        return notices.TRAIL_UNDER_MARKET
    return None
