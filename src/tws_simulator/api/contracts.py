"""Which listing a client's contract means, and what the gateway says about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tws_simulator.api import notices
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.text import Values
from tws_simulator.world.calendar import new_york_time
from tws_simulator.world.universe import SMART, Listing, find, trades_at

_DAYS_OF_HOURS = 6
_MARKET_RULE = "26"

Refusal = tuple[int, str]


def resolve(contract: Mapping[str, Any]) -> Listing | Refusal:
    """The listing, or the error that the gateway gives instead."""
    if not contract.get("conId") and not contract.get("secType"):
        return notices.invalid("Please enter a valid security type")
    listing = find(contract.get("symbol") or contract.get("localSymbol"), contract.get("conId"))
    if listing is None or not _fits(listing, contract):
        return notices.UNKNOWN_CONTRACT
    return listing


def _fits(listing: Listing, contract: Mapping[str, Any]) -> bool:
    asked = {
        "secType": listing.sec_type,
        "currency": listing.currency,
        "localSymbol": listing.local_symbol,
        "tradingClass": listing.trading_class,
    }
    return (
        all(contract.get(name) in (None, "", value) for name, value in asked.items())
        and trades_at(listing, contract.get("exchange", ""))
        and trades_at(listing, contract.get("primaryExch", ""))
    )


def described(listing: Listing, exchange: str = SMART) -> Values:
    """The contract as the gateway repeats it in orders, executions and details."""
    return {
        "conId": listing.con_id,
        "symbol": listing.symbol,
        "secType": listing.sec_type,
        "strike": 0.0,
        "exchange": exchange,
        "currency": listing.currency,
        "localSymbol": listing.local_symbol,
        "tradingClass": listing.trading_class,
    }


def details(req_id: int, contract: Mapping[str, Any], listing: Listing, now_ns: int) -> Iterator[Message]:
    """One row, or one for each exchange when a contract found by its symbol named none."""
    asked = contract.get("exchange", "")
    everywhere = not asked and not contract.get("conId")
    for exchange in listing.valid_exchanges if everywhere else (asked or SMART,):
        yield message(
            "contractDetails",
            reqId=req_id,
            contract={**described(listing, exchange), "primaryExch": listing.primary_exchange},
            contractDetails=_details(listing, now_ns),
        )


def _details(listing: Listing, now_ns: int) -> Values:
    hours = _hours(new_york_time(now_ns))
    return {
        "marketName": listing.market_name,
        "minTick": Decimal(listing.min_tick),
        "orderTypes": ",".join(listing.order_types),
        "validExchanges": ",".join(listing.valid_exchanges),
        "priceMagnifier": 1,
        "underConId": 0,
        "longName": listing.long_name,
        "timeZoneId": listing.time_zone,
        "tradingHours": hours,
        "liquidHours": hours,
        "aggGroup": 1,
        "marketRuleIds": ",".join(_MARKET_RULE for _ in listing.valid_exchanges),
        "stockType": listing.stock_type,
        "minSize": Decimal("0.0001"),
        "sizeIncrement": Decimal("0.0001"),
        "suggestedSizeIncrement": Decimal(100),
    }


def _hours(today: datetime) -> str:
    """Open around the clock, as the simulated market is."""
    days = [today + timedelta(days=ahead) for ahead in range(_DAYS_OF_HOURS)]
    return ";".join(f"{day:%Y%m%d}:0000-{day + timedelta(days=1):%Y%m%d}:0000" for day in days)
