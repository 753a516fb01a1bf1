"""What the gateway says about an instrument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from tws_simulator.api.contracts.contracts import Instrument, described
from tws_simulator.api.contracts.hours import Session, hours
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.values import Values
from tws_simulator.world.instruments.listing import US_CENTRAL, US_EASTERN, Listing
from tws_simulator.world.options.chains import OPTION_ORDER_TYPES, Option
from tws_simulator.world.time.calendar import Calendar

# Futures and indexes are filed under none; of options and currencies IB's samples show these.
_AGGREGATION_GROUPS = {"STK": 1, "CASH": 4}
_OPTIONS_GROUP = 2


def details(
    req_id: int, contract: Mapping[str, Any], instrument: Instrument, calendar: Calendar, now_ns: int
) -> Iterator[Message]:
    """One row, or one for each exchange when a contract found by its symbol named none."""
    if isinstance(instrument, Option):
        told = _of_option(instrument, calendar, now_ns)
    else:
        told = _of_listing(instrument, calendar, now_ns)
    venues = told["validExchanges"].split(",")
    asked = contract.get("exchange", "")
    everywhere = not asked and not contract.get("conId")
    for exchange in venues if everywhere else (asked or venues[0],):
        yield message(
            "contractDetails",
            reqId=req_id,
            contract=_named(instrument, exchange),
            contractDetails=told,
        )


def _named(instrument: Instrument, exchange: str) -> Values:
    """Only here the time at which trading ends stands behind the day."""
    if isinstance(instrument, Option):
        ends = instrument.last_moment
    elif instrument.expiry is not None:
        ends = f"{instrument.expiry:%Y%m%d} 08:30:00 {instrument.time_zone}"
    else:
        return {**described(instrument, exchange), "primaryExch": instrument.primary_exchange}
    return {
        **described(instrument, exchange),
        "lastTradeDateOrContractMonth": ends,
        "lastTradeDate": ends.partition(" ")[0],
    }


def _of_listing(listing: Listing, calendar: Calendar, now_ns: int) -> Values:
    extended, regular = _sessions(listing)
    industry, category, subcategory = listing.industry
    fractional = listing.sec_type == "STK"
    values: Values = {
        "marketName": listing.market_name,
        "minTick": Decimal(listing.min_tick),
        "orderTypes": ",".join(listing.order_types),
        "validExchanges": ",".join(listing.valid_exchanges),
        "priceMagnifier": 1,
        "underConId": listing.underlying_con_id,
        "longName": listing.long_name,
        "industry": industry,
        "category": category,
        "subcategory": subcategory,
        "timeZoneId": listing.time_zone,
        "tradingHours": hours(calendar, extended, listing.time_zone, now_ns),
        "liquidHours": hours(calendar, regular, listing.time_zone, now_ns),
        "marketRuleIds": ",".join(str(listing.market_rule) for _ in listing.valid_exchanges),
        "stockType": listing.stock_type,
        "minSize": Decimal("0.0001") if fractional else Decimal(1),
        "sizeIncrement": Decimal("0.0001") if fractional else Decimal(1),
        "suggestedSizeIncrement": Decimal(100) if fractional else Decimal(1),
    }
    if group := _AGGREGATION_GROUPS.get(listing.sec_type):
        values["aggGroup"] = group
    if listing.isin:
        values["secIdList"] = {"ISIN": listing.isin}
    if listing.expiry is not None:
        values |= {
            "contractMonth": f"{listing.expiry:%Y%m}",
            "realExpirationDate": f"{listing.expiry:%Y%m%d}",
            "underSymbol": listing.symbol,
            "underSecType": "IND",
        }
    return values


def _sessions(listing: Listing) -> tuple[Session, Session]:
    match listing.sec_type:
        case "CASH":
            return Session.CURRENCIES, Session.CURRENCIES
        case "FUT":
            return Session.FUTURES, Session.REGULAR
        case "IND":
            return Session.REGULAR, Session.REGULAR
    return Session.EXTENDED, Session.REGULAR


def _of_option(option: Option, calendar: Calendar, now_ns: int) -> Values:
    kind, underlying = option.option_class, option.underlying
    zone = US_CENTRAL if underlying.sec_type == "IND" else US_EASTERN
    open_hours = hours(calendar, Session.REGULAR, zone, now_ns)
    return {
        "marketName": kind.name,
        "minTick": Decimal("0.05") if underlying.sec_type == "IND" else Decimal("0.01"),
        "orderTypes": ",".join(OPTION_ORDER_TYPES),
        "validExchanges": ",".join(kind.exchanges),
        "priceMagnifier": 1,
        "underConId": underlying.con_id,
        "longName": underlying.long_name,
        "contractMonth": f"{option.expiry:%Y%m}",
        "timeZoneId": zone,
        "tradingHours": open_hours,
        "liquidHours": open_hours,
        "aggGroup": _OPTIONS_GROUP,
        "underSymbol": underlying.symbol,
        "underSecType": underlying.sec_type,
        "marketRuleIds": ",".join(str(kind.market_rule) for _ in kind.exchanges),
        "realExpirationDate": f"{option.expiry:%Y%m%d}",
        "minSize": Decimal(1),
        "sizeIncrement": Decimal(1),
        "suggestedSizeIncrement": Decimal(1),
    }
