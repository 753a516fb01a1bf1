"""Their objects into our words and back: the last place where an untyped value of the official client is seen.

What IB leaves unset becomes ``None``: sentinels of four kinds, -1 for a price that does not exist, values that are no
number. A money field that cannot be read is no event: it raises ``Malformed`` and the session ends.
"""

from __future__ import annotations

import calendar
import math
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibkr_adapter import events, requests
from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.instruments import Instrument, venue
from ibkr_adapter.tws.official import (
    UNSET_DECIMAL,
    UNSET_DOUBLE,
    UNSET_INTEGER,
    UNSET_LONG,
    Contract,
    ContractDetails,
    Execution,
    Order,
    OrderState,
)

TRUSTED_ADDRESSES_MAX: Final = 100
"""More than anybody enters by hand."""


class Malformed(Exception):
    """A message that its own decoder accepts and that still cannot be true."""


# --- Numbers ------------------------------------------------------------------------------------------------------


def number(value: float | None) -> float | None:
    """A finite number, or ``None`` for the sentinel, infinities and NaN."""
    return value if value is not None and -UNSET_DOUBLE < value < UNSET_DOUBLE else None


def price(value: float) -> float | None:
    """A price, or ``None`` where IB says there is none: -1 besides the sentinels."""
    return value if -UNSET_DOUBLE < value < UNSET_DOUBLE and value != -1.0 else None


def size(value: Decimal) -> Decimal | None:
    """A size, never negative, or ``None``."""
    return value if value.is_finite() and value != UNSET_DECIMAL and not value.is_signed() else None


def integer(value: int | None) -> int:
    """An id, 0 where there is none: an order nobody numbered has permId 0, in IB's words too."""
    return 0 if value is None or value in (UNSET_INTEGER, UNSET_LONG) else int(value)


def quantity(value: Decimal | float | None, field: str) -> Decimal:
    """A quantity of money or shares that must be there."""
    exact = value if isinstance(value, Decimal) else decimal(value)
    if exact is None or not exact.is_finite() or exact == UNSET_DECIMAL:
        raise Malformed(f"{field} is missing or no number: {value!r}")
    return exact


def decimal(value: float | None) -> Decimal | None:
    """The shortest decimal that reads back as this float: what the gateway meant when it wrote 0.1."""
    finite = number(value)
    return None if finite is None else Decimal(repr(finite))


def money(value: float | None, field: str) -> float:
    """A price of an execution or an average: unset counts as 0, as in the text protocol; NaN and infinity do not."""
    if value is None or value == UNSET_DOUBLE:
        return 0.0
    if not math.isfinite(value):
        raise Malformed(f"{field} is no number: {value!r}")
    return float(value)


# --- Times --------------------------------------------------------------------------------------------------------

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:-|\s+)(\d\d):(\d\d):(\d\d)(Z?)(?:\s+(\S.*?))?\s*")

_ZONES = {
    "Greenwich Mean Time": "GMT",
    "Coordinated Universal Time": "UTC",
    "Eastern Standard Time": "America/New_York",
    "Eastern Daylight Time": "America/New_York",
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Central Daylight Time": "America/Chicago",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "MST": "America/Denver",
    "MDT": "America/Denver",
    "Pacific Standard Time": "America/Los_Angeles",
    "Pacific Daylight Time": "America/Los_Angeles",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "British Summer Time": "Europe/London",
    "BST": "Europe/London",
    "Central European Standard Time": "Europe/Berlin",
    "Central European Summer Time": "Europe/Berlin",
    "CEST": "Europe/Berlin",
    "Japan Standard Time": "Asia/Tokyo",
    "JST": "Asia/Tokyo",
    "Hong Kong Time": "Asia/Hong_Kong",
    "HKT": "Asia/Hong_Kong",
}
"""Display names of Java that are no zones of the tz database, or are fixed offsets there (EST has no summer)."""


def utc_time(ns: int) -> str:
    """A moment as requests write it, in UTC, to the second below: ``20260824-20:23:44``."""
    return datetime.fromtimestamp(ns // SECOND, UTC).strftime("%Y%m%d-%H:%M:%S")


def time_ns(text: str) -> int | None:
    """UTC nanoseconds of one of IB's time strings, ``None`` if it is none or its zone is not known.

    ``20260824 22:23:44 US/Eastern``, the same with two spaces, ``20260824-20:23:44`` (UTC, with or without a final
    ``Z``), whole seconds since 1970. A local time without a zone is the gateway's, whose zone nobody told us. A leap
    second (``23:59:60``) is the first of the next minute: UTC nanoseconds have no number of their own for it.
    """
    if text.isdigit() and len(text) == 10:
        return int(text) * SECOND
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    *parts, utc, name = match.groups()
    in_utc = bool(utc) or text[8] == "-"
    zone = UTC if in_utc and not name else _zone(name)
    if zone is None:
        return None
    year, month, day, hour, minute, second = map(int, parts)
    leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=zone)
    except ValueError:
        return None
    return (calendar.timegm(moment.utctimetuple()) + leap) * SECOND


def millis_ns(millis: int) -> int | None:
    """The time of a notice; 0 says that the gateway is too old to give one."""
    return millis * MILLISECOND if 0 < millis < UNSET_LONG else None


@lru_cache(maxsize=64)
def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(_ZONES.get(name, name)) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


# --- Contracts ----------------------------------------------------------------------------------------------------


_RIGHTS = {"C": "C", "CALL": "C", "P": "P", "PUT": "P"}
"""Of others the gateway says ``?`` or ``0``."""


def instrument(contract: Contract) -> Instrument:
    """What a contract trades. Positions name no route: then it is SMART."""
    return Instrument(
        symbol=contract.symbol,
        primary_exchange=venue(contract.primaryExchange),
        sec_type=contract.secType,
        exchange=contract.exchange or "SMART",
        currency=contract.currency,
        con_id=integer(contract.conId) or None,
        expiry=_expiry(contract.lastTradeDateOrContractMonth),
        strike=_strike(contract.strike),
        right=_RIGHTS.get(contract.right, ""),
        multiplier=_multiplier(contract.multiplier),
        trading_class=contract.tradingClass,
    )


def contract(wanted: Instrument) -> Contract:
    """IB's contract for an instrument."""
    built = Contract()  # type: ignore[no-untyped-call]  # partly typed upstream
    built.symbol = word("symbol", wanted.symbol)
    built.secType = word("sec_type", wanted.sec_type)
    built.exchange = word("exchange", wanted.exchange)
    built.primaryExchange = word("primary_exchange", wanted.primary_exchange)
    built.currency = word("currency", wanted.currency)
    if wanted.con_id is not None:
        built.conId = wanted.con_id
    built.lastTradeDateOrContractMonth = word("expiry", wanted.expiry)
    if wanted.strike is not None:
        built.strike = float(_positive("strike", wanted.strike))
    built.right = word("right", wanted.right)
    if wanted.multiplier is not None:
        built.multiplier = f"{_positive('multiplier', wanted.multiplier):f}"
    built.tradingClass = word("trading_class", wanted.trading_class)
    return built


def _expiry(text: str) -> str:
    """The day or month of ``20261218``, ``202612``, ``20261218 08:30:00 US/Central`` or ``20261218-08:30``."""
    day = text[:8].strip()
    return day if day.isdecimal() and len(day) in (6, 8) else ""


def _multiplier(text: str) -> Decimal | None:
    """``100``, and ``100.0`` where protobuf carried it as a float."""
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return None
    return _plain(exact.normalize()) if exact.is_finite() and exact > 0 else None


def _strike(value: float | None) -> Decimal | None:
    """A strike; stocks have 0, or the sentinel."""
    exact = decimal(value)
    return _plain(exact.normalize()) if exact else None


def gateway_configured(response: Any, *, epoch: int, now_ns: int) -> events.GatewayConfigured:
    """What of a ``ConfigResponse`` matters here. Each field, and each part it stands in, may be absent."""
    settings, stop = response.api.settings, response.lockAndExit
    return events.GatewayConfigured(
        epoch=epoch,
        ts_recv_ns=now_ns,
        req_id=response.reqId,
        maintains_orders=_present(settings, "maintainAndResubmitOrdersOnReconnect"),
        read_only=_present(settings, "readOnlyApi"),
        rejects_above_rate=_present(settings, "rejectMessagesAboveMaxRate"),
        localhost_only=_present(settings, "allowLocalhostOnly"),
        trusted_addresses=tuple(settings.trustedIPs)[:TRUSTED_ADDRESSES_MAX],
        daily_stop=" ".join(filter(None, (stop.autoLogoffTime, stop.autoLogoffPeriod, stop.autoLogoffType))),
    )


def _present(message: Any, name: str) -> bool | None:
    return getattr(message, name) if message.HasField(name) else None


def contract_described(req_id: int, details: ContractDetails, *, epoch: int, now_ns: int) -> events.ContractDescribed:
    described = details.contract
    return events.ContractDescribed(
        epoch=epoch,
        ts_recv_ns=now_ns,
        req_id=req_id,
        instrument=instrument(described),
        local_symbol=described.localSymbol,
        trading_class=described.tradingClass,
        long_name=details.longName,
        min_tick=decimal(float(details.minTick)),
        multiplier=described.multiplier,
        valid_exchanges=_listed(details.validExchanges),
        market_rule_ids=_numbers(details.marketRuleIds),
        order_types=_listed(details.orderTypes),
        time_zone=details.timeZoneId,
        trading_hours=details.tradingHours,
        liquid_hours=details.liquidHours,
        stock_type=details.stockType,
    )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, _listed(text)))
    except ValueError as unreadable:
        raise Malformed(f"not a list of numbers: {text!r}") from unreadable


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


# --- Orders and executions ----------------------------------------------------------------------------------------


def order(wanted: requests.SendOrder) -> Order:
    """IB's order for ours; every field is judged here, because the official encoders let NaN and line breaks pass."""
    built = Order()  # type: ignore[no-untyped-call]  # partly typed upstream
    terms = wanted.terms
    built.action = word("action", terms.action)
    built.orderType = word("order_type", terms.order_type)
    built.totalQuantity = _plain(_positive("quantity", terms.quantity))
    if terms.limit_price is not None:
        built.lmtPrice = float(_positive("limit_price", terms.limit_price))
    built.tif = word("tif", terms.tif)
    built.account = word("account", terms.account)
    built.orderRef = word("order_ref", wanted.order_ref)
    built.outsideRth = terms.outside_rth
    return built


def open_order(
    order_id: int, traded: Contract, echoed: Order, state: OrderState, *, epoch: int, now_ns: int
) -> events.OpenOrderReported:
    return events.OpenOrderReported(
        epoch=epoch,
        ts_recv_ns=now_ns,
        order_id=integer(order_id),
        client_id=integer(echoed.clientId),
        perm_id=integer(echoed.permId),
        order_ref=echoed.orderRef,
        account=echoed.account,
        instrument=instrument(traded),
        action=echoed.action,
        order_type=echoed.orderType,
        quantity=quantity(echoed.totalQuantity, "the quantity of an open order"),
        limit_price=_limit_price(echoed),
        tif=echoed.tif,
        status=state.status,
        completed_status=state.completedStatus,
        completed_time=state.completedTime,
    )


def completed_order(
    traded: Contract, echoed: Order, state: OrderState, *, epoch: int, now_ns: int
) -> events.CompletedOrderReported:
    """A finished order. Text names neither order id nor client id: then both are 0 and permId is its name."""
    return events.CompletedOrderReported(
        epoch=epoch,
        ts_recv_ns=now_ns,
        order_id=integer(echoed.orderId),
        client_id=integer(echoed.clientId),
        perm_id=integer(echoed.permId),
        order_ref=echoed.orderRef,
        account=echoed.account,
        instrument=instrument(traded),
        action=echoed.action,
        order_type=echoed.orderType,
        quantity=quantity(echoed.totalQuantity, "the quantity of a completed order"),
        limit_price=_limit_price(echoed),
        tif=echoed.tif,
        status=state.status,
        completed_status=state.completedStatus,
        completed_time=state.completedTime,
        filled=size(Decimal(echoed.filledQuantity)),
    )


def execution(req_id: int, traded: Contract, filled: Execution, *, epoch: int, now_ns: int) -> events.ExecutionReported:
    return events.ExecutionReported(
        epoch=epoch,
        ts_recv_ns=now_ns,
        req_id=req_id,
        exec_id=filled.execId,
        order_id=integer(filled.orderId),
        client_id=integer(filled.clientId),
        perm_id=integer(filled.permId),
        order_ref=filled.orderRef,
        account=filled.acctNumber,
        instrument=instrument(traded),
        side=filled.side,
        quantity=quantity(filled.shares, "the quantity of an execution"),
        price=money(filled.price, "the price of an execution"),
        cumulative_quantity=quantity(filled.cumQty, "the cumulative quantity of an execution"),
        average_price=money(filled.avgPrice, "the average price of an execution"),
        exchange=filled.exchange,
        liquidity=integer(filled.lastLiquidity),
        ts_event_ns=time_ns(filled.time),
    )


def _limit_price(echoed: Order) -> Decimal | None:
    """``None`` for orders that have no limit: text writes 0.0 there."""
    if echoed.lmtPrice == 0 and "LMT" not in echoed.orderType:
        return None
    return decimal(echoed.lmtPrice)


# --- What may go out ----------------------------------------------------------------------------------------------


def word(field: str, text: str) -> str:
    """Printable ASCII only: NUL separates fields on the wire, and the protobuf encoders check nothing."""
    if not all(" " <= character <= "~" for character in text):
        raise InvalidRequest(field, f"only printable ASCII can be sent, not {text!r}")
    return str(text)


def _positive(field: str, value: Decimal) -> Decimal:
    if not value.is_finite() or value <= 0:
        raise InvalidRequest(field, f"must be a number above 0, not {value}")
    return value


def _plain(value: Decimal) -> Decimal:
    """The same number without an exponent: ``1E+2`` would go out as it is written."""
    return Decimal(f"{value:f}")
