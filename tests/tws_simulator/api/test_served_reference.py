"""Option chains, matching symbols, price rules, venues, user and settings, as a gateway answers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.wire.codec import Codec
from tws_simulator.world.instruments.listing import VENUE_LETTERS

OTHER_FAMILIES = Path(__file__).parents[2] / "data" / "wire" / "other_families" / "inbound.jsonl"


@pytest.fixture(params=[151, 176, 200, 226], ids=lambda version: f"sv{version}")
def client(request: pytest.FixtureRequest) -> ScriptedClient:
    return ScriptedClient(gateway_core(server_version=request.param))


def _captured(msg_id: int) -> list[Any]:
    records = [json.loads(line) for line in OTHER_FAMILIES.read_text().splitlines()]
    return [
        Codec(record["server_version"]).decode_reply(bytes.fromhex(record["hex"]))
        for record in records
        if record["msg_id"] == msg_id
    ]


def test_a_chain_has_one_message_for_each_exchange_and_class(client: ScriptedClient) -> None:
    """SMART among the exchanges, equal lists on all of them, an adjusted class with one strike, the end last."""
    asked = {"underlyingSymbol": "AAPL", "underlyingSecType": "STK", "underlyingConId": 265598}
    told = client.ask("reqSecDefOptParams", reqId=3, **asked)
    assert told[-1].name == "securityDefinitionOptionParameterEnd"
    rows = of(told, "securityDefinitionOptionParameter")
    assert len({(row["exchange"], row["tradingClass"]) for row in rows}) == len(rows) == len(told) - 1
    assert {row["tradingClass"] for row in rows} == {"AAPL", "2AAPL"}
    assert {row["exchange"] for row in rows} >= {"SMART", "CBOE", "AMEX"}
    for row in rows:
        assert (row["underlyingConId"], row["multiplier"]) == (265598, "100")
        assert "20261218" in row["expirations"]
        assert row["strikes"] == ([230.0] if row["tradingClass"] == "2AAPL" else rows[0]["strikes"])


def test_what_a_chain_promises_can_be_asked_for(client: ScriptedClient) -> None:
    """Each expiration of a class has options, at some of its strikes."""
    asked = {"underlyingSymbol": "SPX", "underlyingSecType": "IND", "underlyingConId": 416904}
    rows = of(client.ask("reqSecDefOptParams", reqId=3, **asked), "securityDefinitionOptionParameter")
    spx = next(row for row in rows if row["tradingClass"] == "SPX")
    assert "20261217" in spx["expirations"]
    for req_id, day in enumerate(spx["expirations"], 10):
        option = {
            "symbol": "SPX",
            "secType": "OPT",
            "tradingClass": "SPX",
            "exchange": "CBOE",
            "lastTradeDateOrContractMonth": day,
            "strike": 6400.0,
            "right": "P",
        }
        found = client.ask("reqContractDetails", reqId=req_id, contract=option)
        assert names(found) == ["contractDetails", "contractDetailsEnd"]


@pytest.mark.parametrize(
    "asked",
    [
        {"underlyingSymbol": "NOSUCH", "underlyingSecType": "STK", "underlyingConId": 1},
        {"underlyingSymbol": "AAPL", "underlyingSecType": "STK", "underlyingConId": 756733},
        {"underlyingSymbol": "AAPL", "underlyingSecType": "IND", "underlyingConId": 265598},
        {},
    ],
)
def test_a_chain_of_nothing_is_refused(client: ScriptedClient, asked: dict[str, Any]) -> None:
    """Name, type and conId must agree."""
    assert codes(client.ask("reqSecDefOptParams", reqId=3, **asked)) == [(3, 200)]


def test_a_share_without_options_has_only_an_end(client: ScriptedClient) -> None:
    """An empty chain."""
    asked = {"underlyingSymbol": "IBM", "underlyingSecType": "STK", "underlyingConId": 8314}
    assert names(client.ask("reqSecDefOptParams", reqId=3, **asked)) == ["securityDefinitionOptionParameterEnd"]


def test_matching_symbols_begin_with_the_symbol_itself(client: ScriptedClient) -> None:
    """As captured for AAPL: the share with its derivatives, then its bonds, by issuer alone."""
    (told,) = client.ask("reqMatchingSymbols", reqId=6, pattern="aapl")
    share, bonds = told["contractDescriptions"]
    ((captured),) = _captured(79)
    if client.codec.server_version >= 176:
        assert share == captured["contractDescriptions"][0]
        assert bonds["contract"] == {**bonds["contract"], **captured["contractDescriptions"][4]["contract"]}
    assert share["derivativeSecTypes"] == ["CFD", "OPT", "IOPT", "WAR", "BAG"]
    assert bonds["contract"]["secType"] == "BOND"


def test_matching_symbols_also_look_at_names(client: ScriptedClient) -> None:
    """By beginning of the symbol, and by a word of the name; nothing for nonsense."""

    def found(pattern: str) -> list[str]:
        client.core.advance(client.core.state.now_ns + SECOND)
        client.replies()
        (told,) = client.ask("reqMatchingSymbols", reqId=6, pattern=pattern)
        return [row["contract"].get("symbol", "") for row in told.get("contractDescriptions", [])]

    assert found("GO") == ["GOOG", "GOOGL", "GLD"]
    assert "MSFT" in found("microsoft")
    assert found("ZZZZ") == []
    assert found("") == []


def test_a_second_search_within_a_second_is_not_answered(client: ScriptedClient) -> None:
    """The pause that IB asks for; another client is not held up by it."""
    assert names(client.ask("reqMatchingSymbols", reqId=6, pattern="IBM")) == ["symbolSamples"]
    assert client.ask("reqMatchingSymbols", reqId=7, pattern="IBM") == []
    other = ScriptedClient(client.core, 2)
    assert names(other.ask("reqMatchingSymbols", reqId=7, pattern="IBM")) == ["symbolSamples"]
    client.core.advance(client.core.state.now_ns + SECOND)
    client.replies()
    assert names(client.ask("reqMatchingSymbols", reqId=8, pattern="IBM")) == ["symbolSamples"]


def test_a_market_rule_is_as_captured(client: ScriptedClient) -> None:
    """Rule 26: a cent from zero on."""
    (told,) = client.ask("reqMarketRule", marketRuleId=26)
    ((captured),) = _captured(93)
    assert told["marketRuleId"] == captured["marketRuleId"] == 26
    assert [(each.get("lowEdge", 0), each["increment"]) for each in told["priceIncrements"]] == [(0, 0.01)]
    assert codes(client.ask("reqMarketRule", marketRuleId=99_999)) == [(-1, 321)]


def test_every_rule_of_a_contract_is_known(client: ScriptedClient) -> None:
    """The ids of contract details can be asked for."""
    contracts = [AAPL, {"conId": 12087792, "exchange": "IDEALPRO"}, {"conId": 515416632, "exchange": "CME"}]
    for req_id, contract in enumerate(contracts):
        details = client.ask("reqContractDetails", reqId=req_id, contract=contract)[0]["contractDetails"]
        for rule in set(details["marketRuleIds"].split(",")):
            assert names(client.ask("reqMarketRule", marketRuleId=int(rule))) == ["marketRule"]


def test_smart_components_are_those_of_the_code_a_line_told(client: ScriptedClient) -> None:
    """Twenty venues, as captured, the first without a bit number; other codes are refused."""
    line = client.ask("reqMktData", reqId=1, contract=AAPL)
    code = of(line, "tickReqParams")[0]["bboExchange"]
    (told,) = client.ask("reqSmartComponents", reqId=2, bboExchange=code)
    ((captured),) = _captured(82)
    if client.codec.server_version >= 212:
        assert told["smartComponents"] == captured["smartComponents"]
    letters = {each["exchange"]: each["exchangeLetter"] for each in told["smartComponents"]}
    assert letters == VENUE_LETTERS
    assert codes(client.ask("reqSmartComponents", reqId=3, bboExchange="x")) == [(3, 321)]


def test_depth_exchanges_name_the_venues_of_stocks(client: ScriptedClient) -> None:
    """NASDAQ with its market makers."""
    (told,) = client.ask("reqMktDepthExchanges")
    rows = {row["exchange"]: row for row in told["depthMarketDataDescriptions"]}
    assert rows["NASDAQ"] == {"exchange": "NASDAQ", "secType": "STK", "serviceDataType": "Deep2"}
    assert {"ARCA", "IEX", "NYSE"} <= set(rows)


def test_a_paper_account_is_nobody_special(client: ScriptedClient) -> None:
    """No white branding, no tiers, no family, the three news providers that everybody has: as captured at 200."""
    assert names(client.ask("reqUserInfo", reqId=1)) == ["userInfo"]
    for name, asked, msg_id in (
        ("softDollarTiers", {"reqId": 1001}, 77),
        ("familyCodes", {}, 78),
        ("newsProviders", {}, 85),
    ):
        (told,) = client.ask(f"req{name[0].upper()}{name[1:]}", **asked)
        if client.codec.server_version == 200:
            assert told == _captured(msg_id)[0], name


def test_settings_are_told_and_changed_together_or_not_at_all() -> None:
    """Protobuf alone; facts about the process stay."""
    client = ScriptedClient(gateway_core())
    (told,) = client.ask("reqConfig", reqId=9)
    settings = told["api"]["settings"]
    assert (settings["readOnlyApi"], settings["trustedIPs"]) == (False, ["127.0.0.1"])
    change = {"api": {"settings": {"roundAccountValuesToNearestWholeNumber": True, "bulkDataTimeout": 30}}}
    (changed,) = client.ask("updateConfig", reqId=10, **change)
    assert changed["changedFields"] == ["api.settings.roundAccountValuesToNearestWholeNumber"]
    (refused,) = client.ask("updateConfig", reqId=11, api={"settings": {"socketPort": 1, "bulkDataTimeout": 60}})
    assert refused["errors"] == ["api.settings.socketPort cannot be changed"]
    assert "changedFields" not in refused.values
    (again,) = ScriptedClient(client.core, 2).ask("reqConfig", reqId=9)
    assert again["api"]["settings"]["roundAccountValuesToNearestWholeNumber"] is True
    assert again["api"]["settings"]["bulkDataTimeout"] == 30


def test_one_gateway_does_not_inherit_the_settings_of_another() -> None:
    """Each starts with those of a new installation."""
    first, second = ScriptedClient(gateway_core()), ScriptedClient(gateway_core())
    first.ask("updateConfig", reqId=1, api={"settings": {"bulkDataTimeout": 77}})
    assert second.ask("reqConfig", reqId=1)[0]["api"]["settings"]["bulkDataTimeout"] == 30


def test_a_read_only_gateway_says_so() -> None:
    """The setting is the one the gateway was started with, and no client changes it."""
    client = ScriptedClient(gateway_core(read_only=True))
    assert client.ask("reqConfig", reqId=1)[0]["api"]["settings"]["readOnlyApi"] is True
    (refused,) = client.ask("updateConfig", reqId=2, api={"settings": {"readOnlyApi": False}})
    assert refused["errors"] == ["api.settings.readOnlyApi cannot be changed"]


def test_settings_are_those_the_simulator_was_started_with() -> None:
    """Whether orders are maintained is only told; how a fast client is treated is told as it is done."""
    settings = ScriptedClient(gateway_core(maintain_orders=False, pacing="reject")).ask("reqConfig", reqId=1)
    assert settings[0]["api"]["settings"]["maintainAndResubmitOrdersOnReconnect"] is False
    assert settings[0]["api"]["settings"]["rejectMessagesAboveMaxRate"] is True
