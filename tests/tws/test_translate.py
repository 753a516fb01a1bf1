"""Their values into ours: unset is None, times are UTC nanoseconds, what may not go out is refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter import requests
from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.tws import translate
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
from ibkr_adapter.tws.translate import Malformed

pytestmark = pytest.mark.wire


def ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000_000  # type: ignore[arg-type, misc]  # year to second


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260413 15:27:04 US/Eastern", ns(2026, 4, 13, 19, 27, 4)),
        ("20260113 15:27:04 US/Eastern", ns(2026, 1, 13, 20, 27, 4)),
        ("20260413  15:27:04 America/New_York", ns(2026, 4, 13, 19, 27, 4)),
        ("20260824 22:23:44 CET", ns(2026, 8, 24, 20, 23, 44)),
        ("20260713 15:27:04 EST", ns(2026, 7, 13, 19, 27, 4)),
        ("20240307 13:56:35 Greenwich Mean Time", ns(2024, 3, 7, 13, 56, 35)),
        ("20260113 15:27:04 Japan", ns(2026, 1, 13, 6, 27, 4)),
        ("20260413-15:27:04", ns(2026, 4, 13, 15, 27, 4)),
        ("20260413-15:27:04Z", ns(2026, 4, 13, 15, 27, 4)),
        ("20260413 15:27:04 UTC", ns(2026, 4, 13, 15, 27, 4)),
        ("1752606307", 1_752_606_307_000_000_000),
        ("20161231 18:59:60 US/Eastern", ns(2017, 1, 1, 0, 0, 0)),
        ("20161231-23:59:60", ns(2017, 1, 1, 0, 0, 0)),
        ("20161231-23:59:61", None),
        ("20281231-23:59:59", ns(2028, 12, 31, 23, 59, 59)),
        ("20280229 23:59:59 US/Eastern", ns(2028, 3, 1, 4, 59, 59)),
        ("20270229-00:00:00", None),
        ("20230224  12:04:56", None),
        ("20230224 12:04:56 Middle/Earth", None),
        ("20230224 12:04:56 ../../etc/passwd", None),
        ("20230231 12:04:56 UTC", None),
        ("20230224", None),
        ("noon", None),
        ("", None),
    ],
)
def test_times_are_utc_or_unknown(text: str, expected: int | None) -> None:
    """Each format seen on the wire; a local time whose zone is not told is not guessed."""
    assert translate.time_ns(text) == expected


@given(st.text())
def test_no_text_makes_the_time_reader_fail(text: str) -> None:
    """A broken time is no time, never an exception."""
    translate.time_ns(text)


def test_sentinels_are_none() -> None:
    """Every way IB has to say that there is no value."""
    assert translate.number(UNSET_DOUBLE) is None
    assert translate.number(math.nan) is None
    assert translate.number(math.inf) is None
    assert translate.number(-math.inf) is None
    assert translate.number(None) is None
    assert translate.number(-1.0) == -1.0
    assert translate.decimal(UNSET_DOUBLE) is None
    assert translate.decimal(0.1) == Decimal("0.1")
    assert translate.size(UNSET_DECIMAL) is None
    assert translate.size(Decimal("NaN")) is None
    assert translate.size(Decimal(-1)) is None
    assert translate.size(Decimal(0)) == 0
    assert translate.integer(UNSET_INTEGER) == 0
    assert translate.integer(UNSET_LONG) == 0
    assert translate.integer(None) == 0
    assert translate.millis_ns(0) is None
    assert translate.money(UNSET_DOUBLE, "x") == 0.0


@pytest.mark.parametrize("value", [None, UNSET_DECIMAL, Decimal("NaN"), Decimal("Infinity"), UNSET_DOUBLE, math.nan])
def test_a_quantity_that_must_be_there_is_never_invented(value: Decimal | float | None) -> None:
    """A missing number of shares is not zero shares."""
    with pytest.raises(Malformed):
        translate.quantity(value, "shares")


def test_a_contract_becomes_an_instrument() -> None:
    """One venue has one name, no route is SMART, no number is None."""
    contract = Contract()
    contract.symbol, contract.secType, contract.currency = "AAPL", "STK", "USD"
    contract.primaryExchange = "ISLAND"
    assert translate.instrument(contract) == Instrument(symbol="AAPL", primary_exchange="NASDAQ")
    contract.conId, contract.exchange = 265598, "NYSE"
    assert translate.instrument(contract).con_id == 265598
    assert translate.instrument(contract).exchange == "NYSE"


def test_an_instrument_becomes_a_contract_and_comes_back() -> None:
    """What we ask for is what we would read."""
    wanted = Instrument(symbol="BRK B", primary_exchange="NYSE", con_id=72063691)
    assert translate.instrument(translate.contract(wanted)) == wanted


def test_contract_details_are_read_into_tuples_and_decimals() -> None:
    """Lists without empty entries, the smallest tick exactly as written."""
    details = ContractDetails()
    details.contract.symbol, details.contract.secType, details.contract.currency = "SPY", "STK", "USD"
    details.minTick = 0.01
    details.validExchanges = "SMART,ARCA,"
    details.marketRuleIds = "26,26"
    details.orderTypes = "LMT,MKT"
    details.timeZoneId = "US/Eastern"
    described = translate.contract_described(5, details, epoch=1, now_ns=2)
    assert described.min_tick == Decimal("0.01")
    assert described.valid_exchanges == ("SMART", "ARCA")
    assert described.market_rule_ids == (26, 26)
    assert described.order_types == ("LMT", "MKT")


def test_an_echo_of_a_market_order_has_no_limit_price() -> None:
    """Text writes 0.0 where there is no limit; an order with a limit keeps even a strange one."""
    order, state = Order(), OrderState()
    order.totalQuantity, order.orderType, order.lmtPrice = Decimal(1), "MKT", 0.0
    assert translate.open_order(1, Contract(), order, state, epoch=1, now_ns=2).limit_price is None
    order.orderType = "LMT"
    assert translate.open_order(1, Contract(), order, state, epoch=1, now_ns=2).limit_price == 0


def test_an_execution_is_read_with_its_time() -> None:
    """Quantities as Decimal, IB's time in UTC."""
    execution = Execution()
    execution.execId, execution.shares, execution.cumQty = "0001.02", Decimal("0.5"), Decimal("1.5")
    execution.price, execution.avgPrice, execution.side = 10.25, 10.2, "BOT"
    execution.time = "20260413 15:27:04 US/Eastern"
    fill = translate.execution(-1, Contract(), execution, epoch=1, now_ns=2)
    assert (fill.quantity, fill.cumulative_quantity) == (Decimal("0.5"), Decimal("1.5"))
    assert fill.ts_event_ns == ns(2026, 4, 13, 19, 27, 4)
    execution.price = math.nan
    with pytest.raises(Malformed):
        translate.execution(-1, Contract(), execution, epoch=1, now_ns=2)


def send(**changes: object) -> requests.SendOrder:
    order_ref = str(changes.pop("order_ref", "key"))
    fields: dict[str, object] = {
        "instrument": Instrument(symbol="SPY"),
        "action": "BUY",
        "order_type": "LMT",
        "quantity": Decimal(100),
        "limit_price": Decimal("10.5"),
        "account": "DU1",
    }
    terms = OrderTerms(**(fields | changes))  # type: ignore[arg-type]  # a test may break any of them
    return requests.SendOrder(order_id=5, order_ref=order_ref, terms=terms)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", Decimal("NaN")),
        ("quantity", Decimal("Infinity")),
        ("quantity", Decimal(0)),
        ("quantity", Decimal(-5)),
        ("limit_price", Decimal("NaN")),
        ("limit_price", Decimal("-Infinity")),
        ("limit_price", Decimal(0)),
        ("limit_price", Decimal(-1)),
        ("account", "DU1\0"),
        ("order_ref", "a\nb"),
        ("tif", "DAY\t"),
        ("action", "BUY\x1b"),
        ("order_type", "LMT\u00e9"),
    ],
)
def test_what_must_not_go_out_is_refused_by_name(field: str, value: object) -> None:
    """The official encoders let NaN, infinity, negative sizes and line breaks pass; we do not."""
    with pytest.raises(InvalidRequest) as refused:
        translate.order(send(**{field: value}))
    assert refused.value.field == field


def test_a_quantity_goes_out_without_an_exponent() -> None:
    """1E+2 is a number for Python and a riddle for a gateway."""
    assert str(translate.order(send(quantity=Decimal("1E+2"))).totalQuantity) == "100"


def test_a_market_order_has_no_price_on_the_wire() -> None:
    """No limit is the sentinel, not zero."""
    assert translate.order(send(order_type="MKT", limit_price=None)).lmtPrice == UNSET_DOUBLE


@pytest.mark.parametrize("symbol", ["SPY\0AAPL", "SPY\n", "SPY\r", "SPY\t", "\u2028", "SP\u00dd", "SPY\x7f"])
def test_a_symbol_cannot_smuggle_fields(symbol: str) -> None:
    """Wire injection: NUL separates fields in text, and the protobuf encoders check nothing."""
    with pytest.raises(InvalidRequest):
        translate.contract(Instrument(symbol=symbol))


CALL = Instrument(
    symbol="SPX",
    sec_type="OPT",
    con_id=7,
    expiry="20261218",
    strike=Decimal("6012.5"),
    right="C",
    multiplier=Decimal(100),
    trading_class="SPXW",
)


@pytest.mark.parametrize(
    "instrument",
    [
        Instrument(symbol="SPY", primary_exchange="ARCA"),
        CALL,
        Instrument(symbol="ES", sec_type="FUT", exchange="CME", expiry="202612", multiplier=Decimal(50)),
    ],
)
def test_a_contract_of_ours_comes_back_as_the_same_instrument(instrument: Instrument) -> None:
    """Every term goes both ways; a stock has none of them."""
    assert translate.instrument(translate.contract(instrument)) == instrument


@pytest.mark.parametrize("strike", [0.0, UNSET_DOUBLE])
def test_a_contract_without_a_strike_has_none(strike: float) -> None:
    """Text writes 0, newer releases keep their sentinel; neither is a price at which anything can be exercised."""
    stock = Contract()
    stock.symbol, stock.strike, stock.right = "SPY", strike, "?"
    seen = translate.instrument(stock)
    assert (seen.strike, seen.right, seen.expiry, seen.multiplier) == (None, "", "", None)


@pytest.mark.parametrize("expiry", ["20261218", "20261218 08:30:00 US/Central", "20261218-14:30:00"])
def test_an_option_is_called_what_the_occ_calls_it(expiry: str) -> None:
    """However the gateway writes right, multiplier and day."""
    listed = Contract()
    listed.symbol, listed.secType, listed.currency, listed.right = "SPX", "OPT", "USD", "CALL"
    listed.lastTradeDateOrContractMonth, listed.strike = expiry, 6012.5
    listed.multiplier, listed.tradingClass = "100.0", "SPXW"
    seen = translate.instrument(listed)
    assert seen.key == CALL.key == "SPXW261218C06012500"
    assert str(seen.multiplier) == "100"
