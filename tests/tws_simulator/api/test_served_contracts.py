"""Contract details of every kind of instrument, and what becomes of contracts that name none or several."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.universe import everything

SPY_CALL = {
    "symbol": "SPY",
    "secType": "OPT",
    "lastTradeDateOrContractMonth": "20261218",
    "strike": 640.0,
    "right": "C",
    "exchange": "SMART",
    "currency": "USD",
}


def _details(contract: dict[str, Any], server_version: int = 226) -> list[Message]:
    client = ScriptedClient(gateway_core(server_version=server_version))
    told = client.ask("reqContractDetails", reqId=4, contract=contract)
    while told[-1].name == "contractDetails":
        told += client.until(lambda message: message.name == "contractDetailsEnd")
    return told


def _only(contract: dict[str, Any], server_version: int = 226) -> tuple[dict[str, Any], dict[str, Any]]:
    told = _details(contract, server_version)
    assert names(told) == ["contractDetails", "contractDetailsEnd"]
    return told[0]["contract"], told[0]["contractDetails"]


@pytest.mark.parametrize("server_version", [151, 176, 200, 226])
def test_an_option_is_described_with_its_underlying(server_version: int) -> None:
    """Conid, padded local symbol, class, multiplier, last trading day with time, rules for every exchange."""
    contract, details = _only(SPY_CALL, server_version)
    assert contract["localSymbol"] == "SPY   261218C00640000"
    assert (contract["tradingClass"], contract["multiplier"], contract["right"]) == ("SPY", 100.0, "C")
    assert contract["lastTradeDateOrContractMonth"] == "20261218 16:00:00 US/Eastern"
    assert contract.get("lastTradeDate") == ("20261218" if server_version >= 182 else None)
    assert (details["underConId"], details["underSymbol"], details["underSecType"]) == (756733, "SPY", "STK")
    assert (details["contractMonth"], details["realExpirationDate"]) == ("202612", "20261218")
    assert details["marketName"] == "SPY"
    assert details["aggGroup"] == 2
    rules, venues = details["marketRuleIds"].split(","), details["validExchanges"].split(",")
    assert len(rules) == len(venues)
    assert set(rules) == {"26"}


@pytest.mark.parametrize(
    "asked",
    [
        {"localSymbol": "SPY   261218C00640000", "secType": "OPT", "exchange": "SMART"},
        {"conId": 1094576640, "exchange": "SMART"},
        {**SPY_CALL, "right": "CALL"},
        {**SPY_CALL, "tradingClass": "SPY", "multiplier": 100.0},
        {**SPY_CALL, "exchange": "CBOE"},
    ],
)
def test_an_option_is_found_by_any_of_its_names(asked: dict[str, Any]) -> None:
    """By local symbol, by conId, by what it is."""
    contract, _ = _only(asked)
    assert contract["conId"] == 1094576640
    assert contract["exchange"] == asked["exchange"]


@pytest.mark.parametrize(
    "change",
    [
        {"strike": 640.01},
        {"lastTradeDateOrContractMonth": "20261217"},
        {"tradingClass": "SPXW"},
        {"multiplier": 10.0},
        {"exchange": "NASDAQ"},
        {"currency": "EUR"},
        {"symbol": "IBM"},
        {"conId": 265598},
    ],
)
def test_an_option_that_is_not_listed_is_unknown(change: dict[str, Any]) -> None:
    """Error 200 with IB's text, no end."""
    told = _details({**SPY_CALL, **change})
    assert codes(told) == [(4, 200)]
    assert told[0]["errorMsg"] == "No security definition has been found for the request"


def test_a_partial_option_gives_all_that_fit() -> None:
    """Both rights of one strike; all strikes of one day; all days of a month."""
    both = of(_details({**SPY_CALL, "right": ""}), "contractDetails")
    assert [row["contract"]["right"] for row in both] == ["C", "P"]
    day = of(_details({**SPY_CALL, "strike": 0.0}), "contractDetails")
    strikes = [row["contract"]["strike"] for row in day]
    assert strikes == sorted(set(strikes))
    assert len(strikes) > 100
    month = of(_details({**SPY_CALL, "lastTradeDateOrContractMonth": "202612"}), "contractDetails")
    assert {row["contractDetails"]["realExpirationDate"] for row in month} >= {"20261204", "20261218", "20261231"}


def test_a_whole_chain_comes_in_pieces_and_other_requests_are_answered_between() -> None:
    """Thousands of rows without a pause in which nobody else is served; a cancel ends them."""
    client = ScriptedClient(gateway_core())
    first = client.ask("reqContractDetails", reqId=4, contract={"symbol": "SPY", "secType": "OPT", "exchange": "SMART"})
    assert 100 < len(first) <= 200
    assert names(client.ask("reqIds", numIds=1)) == ["nextValidId"]
    rest = client.until(lambda message: message.name == "contractDetailsEnd")
    rows = [*first, *of(rest, "contractDetails")]
    assert len({row["contract"]["conId"] for row in rows}) == len(rows) > 5000
    assert not client.session.streams
    client.ask("reqContractDetails", reqId=5, contract={"symbol": "SPX", "secType": "OPT", "exchange": "SMART"})
    assert codes(client.ask("reqContractDetails", reqId=5, contract=AAPL)) == [(5, 102)]
    assert client.ask("cancelContractData", reqId=5) == []
    assert not client.session.streams


def test_index_options_have_two_classes_on_the_same_day() -> None:
    """SPX settles in the morning after its last day, SPXW on it; ambiguous without the class."""
    spx = {**SPY_CALL, "symbol": "SPX", "strike": 6400.0}
    contract, details = _only(spx)
    assert (contract["tradingClass"], details["underConId"]) == ("SPXW", 416904)
    contract, details = _only({**spx, "lastTradeDateOrContractMonth": "20261217", "tradingClass": "SPX"})
    assert contract["lastTradeDateOrContractMonth"] == "20261217 15:00:00 US/Central"
    assert contract["localSymbol"] == "SPX   261218C06400000"
    assert details["realExpirationDate"] == "20261218"
    assert details["timeZoneId"] == "US/Central"


def test_an_ambiguous_contract_is_refused_where_one_is_needed() -> None:
    """IB's text; contract details would list them."""
    client = ScriptedClient(gateway_core())
    refused = client.ask("reqMktData", reqId=8, contract={**SPY_CALL, "right": ""})
    assert codes(refused) == [(8, 200)]
    assert refused[0]["errorMsg"] == "The contract description specified for SPY is ambiguous."


@pytest.mark.parametrize("server_version", [176, 226])
def test_a_stock_has_its_industry_and_its_isin(server_version: int) -> None:
    """As captured for AAPL."""
    _, details = _only(AAPL, server_version)
    assert (details["industry"], details["category"]) == ("Technology", "Computers")
    assert details["secIdList"] == {"ISIN": "US0378331005"}
    assert details["stockType"] == "COMMON"
    assert details["minTick"] == Decimal("0.01")
    assert "TRAIL" in details["orderTypes"].split(",")


def test_a_stock_is_found_by_its_isin() -> None:
    """With its type and exchange, as IB asks for."""
    contract, _ = _only({"secIdType": "ISIN", "secId": "US88160R1014", "secType": "STK", "exchange": "SMART"})
    assert contract["symbol"] == "TSLA"


@pytest.mark.parametrize(
    ("asked", "local_symbol"),
    [
        ({"symbol": "EUR", "secType": "CASH", "currency": "USD", "exchange": "IDEALPRO"}, "EUR.USD"),
        ({"symbol": "SPX", "secType": "IND", "exchange": "CBOE"}, "SPX"),
        ({"symbol": "ES", "secType": "FUT", "exchange": "CME", "lastTradeDateOrContractMonth": "202612"}, "ESZ6"),
        ({"localSymbol": "ESZ6", "secType": "FUT", "exchange": "CME"}, "ESZ6"),
        ({"symbol": "BRK B", "secType": "STK", "exchange": "SMART", "currency": "USD"}, "BRK B"),
    ],
)
def test_currencies_indexes_and_futures_are_described(asked: dict[str, Any], local_symbol: str) -> None:
    """Each under its own exchange."""
    contract, details = _only(asked)
    assert contract["localSymbol"] == local_symbol
    assert len(details["marketRuleIds"].split(",")) == len(details["validExchanges"].split(","))


def test_a_future_is_described_as_captured() -> None:
    """Every field of a captured row of ESZ6 but the orders, and the hours that the simulated market keeps."""
    contract, details = _only({"conId": 515416632, "exchange": "CME"}, 200)
    assert contract["lastTradeDateOrContractMonth"] == "20261218 08:30:00 US/Central"
    assert contract["lastTradeDate"] == "20261218"
    assert contract["multiplier"] == 50.0
    assert (details["minTick"], details["underConId"], details["underSecType"]) == (Decimal("0.25"), 11004968, "IND")
    assert (details["contractMonth"], details["marketRuleIds"]) == ("202612", "67,67")
    assert "aggGroup" not in details


@pytest.mark.parametrize("listing", everything(), ids=lambda listing: listing.local_symbol)
def test_every_instrument_is_described_by_its_con_id(listing: Any) -> None:
    """At the oldest and the newest version alike."""
    for server_version in (151, 226):
        contract, details = _only({"conId": listing.con_id, "exchange": listing.valid_exchanges[0]}, server_version)
        assert (contract["symbol"], contract["secType"]) == (listing.symbol, listing.sec_type)
        assert details["longName"] == listing.long_name


@pytest.mark.parametrize("server_version", [151, 200, 226])
def test_a_contract_for_difference_is_sent_to_its_share(server_version: int) -> None:
    """One message, nothing else; the request id stays free for the share: as captured."""
    client = ScriptedClient(gateway_core(server_version=server_version))
    cfd = {"symbol": "IBM", "secType": "CFD", "exchange": "SMART", "currency": "USD"}
    (told,) = client.ask("reqMktData", reqId=3, contract=cfd)
    assert (told.name, told.values) == ("rerouteMktDataReq", {"reqId": 3, "conId": 8314, "exchange": "SMART"})
    share = {"conId": told["conId"], "exchange": told["exchange"]}
    assert "tickPrice" in names(client.ask("reqMktData", reqId=3, contract=share))
    (told,) = client.ask("reqMktDepth", reqId=4, contract=cfd, numRows=5)
    assert (told.name, told["conId"]) == ("rerouteMktDepthReq", 8314)
    assert codes(client.ask("reqMktData", reqId=5, contract={**cfd, "symbol": "NOSUCH"})) == [(5, 200)]


ANYTHING: dict[str, dict[str, Any]] = {
    "reqMktData": {"genericTickList": "100,101,104,106,165,233,236,456"},
    "reqMktDepth": {"numRows": 5, "isSmartDepth": True},
    "reqTickByTickData": {"tickType": "BidAsk"},
    "reqRealTimeBars": {"barSize": 5, "whatToShow": "TRADES"},
    "reqHistoricalData": {"duration": "1 D", "barSizeSetting": "1 hour", "whatToShow": "TRADES", "formatDate": 1},
    "reqHeadTimeStamp": {"whatToShow": "TRADES", "formatDate": 1},
}


@pytest.mark.parametrize("con_id", [8314, 12087792, 416904, 515416632, 1094576640, 265598])
def test_every_instrument_may_be_asked_for_anything(con_id: int) -> None:
    """A stock that nobody trades, a currency, an index, a future, an option: answered or refused, never a failure."""
    client = ScriptedClient(gateway_core())
    venues = client.ask("reqContractDetails", reqId=1, contract={"conId": con_id})[0]["contractDetails"][
        "validExchanges"
    ]
    contract = {"conId": con_id, "exchange": venues.split(",")[0]}
    for req_id, (name, asked) in enumerate(ANYTHING.items(), 10):
        client.ask(name, reqId=req_id, contract=contract, **asked)
    order = {"action": "BUY", "totalQuantity": Decimal(1), "orderType": "MKT", "tif": "DAY", "transmit": True}
    client.ask("placeOrder", orderId=1, contract=contract, order=order)
    for _ in range(8):
        client.core.advance(client.core.state.now_ns + SECOND)
        client.replies()
    assert names(client.ask("reqIds", numIds=1))[-1] == "nextValidId"
