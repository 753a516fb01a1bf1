"""Market data lines of options, and a client's own calculations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, START_NS, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.world.time.calendar import new_york_ns

CALL = {"localSymbol": "SPY   261218C00640000", "secType": "OPT", "exchange": "SMART", "currency": "USD"}
PUT = {**CALL, "localSymbol": "SPY   261218P00640000"}
BID, ASK, LAST, MODEL = 10, 11, 12, 13


def _computations(told: list[Any]) -> dict[int, Any]:
    return {each["tickType"]: each.values for each in of(told, "tickOptionComputation")}


def _prices(told: list[Any]) -> dict[int, float]:
    return {each["tickType"]: each["price"] for each in of(told, "tickPrice")}


@pytest.fixture(params=[151, 176, 200, 226], ids=lambda version: f"sv{version}")
def client(request: pytest.FixtureRequest) -> ScriptedClient:
    return ScriptedClient(gateway_core(server_version=request.param))


def test_a_line_of_an_option_tells_quote_and_worth(client: ScriptedClient) -> None:
    """Parameters, kind of data, prices with sizes, and four computations that agree with each other."""
    told = client.ask("reqMktData", reqId=1, contract=CALL)
    assert names(told)[:2] == ["tickReqParams", "marketDataType"]
    assert "error" not in names(told)
    prices, computed = _prices(told), _computations(told)
    assert 0 < prices[1] < prices[2]
    assert {1, 2, 4, 9} <= set(prices)
    assert set(computed) == {BID, ASK, LAST, MODEL}
    assert computed[BID]["optPrice"] == prices[1]
    assert computed[ASK]["optPrice"] == prices[2]
    assert computed[BID]["impliedVol"] < computed[MODEL]["impliedVol"] < computed[ASK]["impliedVol"]
    model = computed[MODEL]
    assert prices[1] < model["optPrice"] < prices[2]
    assert 0.3 < model["delta"] < 0.7
    assert model["gamma"] > 0
    assert model["vega"] > 0 > model["theta"]
    spy = client.core.state.world.quote(756733)
    assert model["undPrice"] == pytest.approx((spy.bid + spy.ask) / 2, abs=1e-4)
    if client.codec.server_version >= 156:
        assert (model["tickAttrib"], computed[BID]["tickAttrib"]) == (0, 1)


def test_an_option_follows_its_underlying(client: ScriptedClient) -> None:
    """Its worth is told anew when the share moves, and it trades now and then: at what was bid or asked."""
    client.ask("reqMktData", reqId=1, contract=CALL)
    seen: set[float] = set()
    told = client.until(lambda message: message.name == "tickOptionComputation" and message["tickType"] == MODEL)
    while len(seen) < 5:
        told = client.until(lambda message: message.name == "tickOptionComputation" and message["tickType"] == MODEL)
        seen.add(told[-1]["undPrice"])
    told = client.until(lambda message: message.name == "tickPrice" and message["tickType"] == 4)
    assert told[-1]["price"] > 0
    client.ask("cancelMktData", reqId=1)
    client.core.advance(client.core.state.now_ns + 60 * SECOND)
    assert client.replies() == []


def test_a_put_has_a_negative_delta(client: ScriptedClient) -> None:
    """One less than the call's, but for dividends."""
    call = _computations(client.ask("reqMktData", reqId=1, contract=CALL))[MODEL]
    put = _computations(client.ask("reqMktData", reqId=2, contract=PUT))[MODEL]
    assert put["delta"] == pytest.approx(call["delta"] - 1, abs=0.01)


def test_an_option_on_an_index_follows_the_fund(client: ScriptedClient) -> None:
    """SPX is ten times SPY."""
    spx = {**CALL, "localSymbol": "SPXW  261218P06400000"}
    model = _computations(client.ask("reqMktData", reqId=1, contract=spx))[MODEL]
    spy = client.core.state.world.quote(756733)
    assert model["undPrice"] == pytest.approx(5 * (spy.bid + spy.ask), abs=1e-3)
    client.until(lambda message: message.name == "tickOptionComputation")


def test_a_worthless_option_has_no_bid(client: ScriptedClient) -> None:
    """-1 with size 0; no volatility follows from it."""
    far = {**CALL, "localSymbol": "SPY   261123C00700000"}
    told = client.ask("reqMktData", reqId=1, contract=far)
    assert _prices(told)[1] == -1.0
    assert _prices(told)[2] == 0.01
    assert BID not in _computations(told)


def test_a_snapshot_of_an_option_ends(client: ScriptedClient) -> None:
    """And nothing follows."""
    told = client.ask("reqMktData", reqId=1, contract=CALL, snapshot=True)
    assert names(told)[-1] == "tickSnapshotEnd"
    client.core.advance(client.core.state.now_ns + 5 * SECOND)
    assert client.replies() == []


def test_volume_and_open_interest_are_told_when_asked_for(client: ScriptedClient) -> None:
    """Ticks 27 to 30: the other right's are 0."""
    told = client.ask("reqMktData", reqId=1, contract=CALL, genericTickList="100,101")
    sizes = {each["tickType"]: each["size"] for each in of(told, "tickSize")}
    assert sizes[27] > 0 == sizes[28]
    assert sizes[29] > 0 == sizes[30]
    assert codes(client.ask("reqMktData", reqId=2, contract=CALL, genericTickList="1")) == [(2, 321)]


def test_delayed_lines_have_numbers_of_their_own(client: ScriptedClient) -> None:
    """66 and on for prices, 80 to 83 for computations, after the notice; refused without delayed data."""
    delayed = ScriptedClient(gateway_core(server_version=client.codec.server_version, entitled=False))
    assert codes(delayed.ask("reqMktData", reqId=1, contract=CALL)) == [(1, 10089)]
    delayed.ask("reqMarketDataType", marketDataType=3)
    told = delayed.ask("reqMktData", reqId=1, contract=CALL)
    assert codes(told) == [(1, 10167)]
    assert set(_computations(told)) == {80, 81, 82, 83}
    assert {66, 67, 68, 75} <= set(_prices(told))


def test_lines_of_options_count_like_others(client: ScriptedClient) -> None:
    """A request id in use, and a line too many."""
    one = ScriptedClient(gateway_core(server_version=client.codec.server_version, lines_max=1))
    one.ask("reqMktData", reqId=1, contract=CALL)
    assert codes(one.ask("reqMktData", reqId=1, contract=CALL)) == [(1, 102)]
    assert codes(one.ask("reqMktData", reqId=2, contract=CALL)) == [(2, 101)]
    assert codes(one.ask("cancelMktData", reqId=1)) == []
    assert codes(one.ask("reqMktData", reqId=2, contract={**CALL, "exchange": ""})) == [(2, 321)]
    assert "tickReqParams" in names(one.ask("reqMktData", reqId=2, contract=CALL))


def test_an_expired_option_is_unknown() -> None:
    """On the day after its last."""
    core = gateway_core()
    client = ScriptedClient(core)
    today = {**CALL, "localSymbol": "SPY   261123C00640000"}
    assert codes(client.ask("reqMktData", reqId=1, contract=today)) == []
    core.state.now_ns = new_york_ns(datetime(2026, 11, 24, 0, 0, 1))
    assert codes(client.ask("reqMktData", reqId=2, contract=today)) == [(2, 200)]


def test_a_price_implies_a_volatility(client: ScriptedClient) -> None:
    """Tick 53, at once; what was made from a volatility gives it back."""
    asked = {"contract": CALL, "underPrice": 645.0}
    (made,) = client.ask("calculateOptionPrice", reqId=5, volatility=0.25, **asked)
    assert (made["reqId"], made["tickType"]) == (5, 53)
    assert (made["impliedVol"], made["undPrice"]) == (0.25, 645.0)
    (found,) = client.ask("calculateImpliedVolatility", reqId=6, optionPrice=made["optPrice"], **asked)
    assert found["impliedVol"] == pytest.approx(0.25, abs=1e-6)
    assert found["delta"] == pytest.approx(made["delta"], abs=1e-6)
    assert client.ask("cancelCalculateImpliedVolatility", reqId=6) == []
    assert client.ask("cancelCalculateOptionPrice", reqId=5) == []


def test_a_price_beyond_reason_computes_nothing(client: ScriptedClient) -> None:
    """-1 and -2, in text and in protobuf: seen in captures."""
    (found,) = client.ask("calculateImpliedVolatility", reqId=6, contract=CALL, optionPrice=5000.0, underPrice=640.0)
    assert [found[name] for name in ("impliedVol", "delta", "gamma", "vega", "theta", "pvDividend")] == [
        -1.0, -2.0, -2.0, -2.0, -2.0, -1.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"contract": AAPL}, 200),
        ({"contract": {**CALL, "localSymbol": "SPY   261218C00640001"}}, 200),
        ({"underPrice": 0.0}, 321),
        ({"underPrice": -1.0}, 321),
        ({"volatility": 1e9}, 321),
    ],
)
def test_a_calculation_of_nothing_is_refused(client: ScriptedClient, change: dict[str, Any], code: int) -> None:
    """Other instruments, and numbers that are none of a market."""
    asked = {"contract": CALL, "volatility": 0.2, "underPrice": 640.0, **change}
    assert codes(client.ask("calculateOptionPrice", reqId=7, **asked)) == [(7, code)]


def test_unquoted_instruments_stand_still(client: ScriptedClient) -> None:
    """They have a price, and keep it; those of a gateway's own choice trade."""
    ibm = {"symbol": "IBM", "secType": "STK", "exchange": "SMART", "currency": "USD"}
    assert {1, 2, 4} <= set(_prices(client.ask("reqMktData", reqId=1, contract=ibm)))
    client.core.advance(client.core.state.now_ns + 30 * SECOND)
    assert client.replies() == []
    chosen = ScriptedClient(gateway_core(symbols=("IBM", "SPY")))
    chosen.ask("reqMktData", reqId=1, contract=ibm)
    chosen.until(lambda message: message.name == "tickPrice")
    assert "Market 2 listings" in repr(chosen.core.state.world)


def test_an_always_open_market_quotes_options_on_a_sunday() -> None:
    """The default world never closes."""
    assert new_york_ns(datetime(2026, 11, 22, 11, 30)) == START_NS
    assert _prices(ScriptedClient(gateway_core()).ask("reqMktData", reqId=1, contract=CALL))[1] > 0


def test_a_closed_exchange_has_no_bid_and_no_ask_unless_frozen() -> None:
    """On a Sunday; what it was worth at the last prices is told all the same."""
    client = ScriptedClient(gateway_core(always_open=False))
    told = client.ask("reqMktData", reqId=1, contract=CALL)
    assert (_prices(told)[1], _prices(told)[2]) == (-1.0, -1.0)
    assert set(_computations(told)) == {LAST, MODEL}
    client.ask("reqMarketDataType", marketDataType=2)
    frozen = client.ask("reqMktData", reqId=2, contract=CALL)
    assert of(frozen, "marketDataType")[0]["marketDataType"] == 2
    assert 0 < _prices(frozen)[1] < _prices(frozen)[2]


def test_a_currency_line_has_no_venues_to_ask_for() -> None:
    """Its parameters are the captured ones: a price increment and nothing else."""
    euro = {"symbol": "EUR", "secType": "CASH", "currency": "USD", "exchange": "IDEALPRO"}
    for server_version in (200, 226):
        told = ScriptedClient(gateway_core(server_version=server_version)).ask("reqMktData", reqId=1, contract=euro)
        (parameters,) = of(told, "tickReqParams")
        assert parameters.values == {"reqId": 1, "minTick": Decimal("0.00001"), "snapshotPermissions": 0}
