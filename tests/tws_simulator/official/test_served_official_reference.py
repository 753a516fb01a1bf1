"""The official client gets reference data and option computations in every form of the protocol, with equal values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from ibapi.contract import Contract

from tests.tws_simulator.official.official_client import NEWEST, OfficialClient, connected, stock
from tws_simulator import Gateway, running_gateway

pytestmark = pytest.mark.wire

START_NS = 1_795_444_200_000_000_000  # Monday 2026-11-23 09:30 in New York
VERSIONS = [version for version in (176, 200, 213, 226) if version <= NEWEST]
Asking = Callable[[OfficialClient], Any]


def _option(local_symbol: str) -> Contract:
    contract = Contract()
    contract.secType, contract.exchange, contract.currency = "OPT", "SMART", "USD"
    contract.localSymbol = local_symbol
    return contract


CALL = _option("SPY   261218C00640000")


@contextmanager
def _client(server_version: int) -> Iterator[OfficialClient]:
    """Of a gateway whose time stands still."""
    with (
        running_gateway(Gateway(seed=7, server_version=server_version, clock=lambda: START_NS)) as gateway,
        connected(gateway.port) as client,
    ):
        client.wait_for("nextValidId")
        yield client


def _plain(value: Any) -> Any:
    """Objects of the official client as what is in them."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set):
        return sorted(value)
    if hasattr(value, "__dict__") and not isinstance(value, Enum):
        return {name: _plain(content) for name, content in vars(value).items()}
    return value


def _chain(client: OfficialClient) -> Any:
    client.reqSecDefOptParams(11, "AAPL", "", "STK", 265598)
    client.wait_for("securityDefinitionOptionParameterEnd", lambda req_id: req_id == 11)
    return client.named("securityDefinitionOptionParameter")


def _details(contract: Contract) -> Asking:
    def ask(client: OfficialClient) -> Any:
        client.reqContractDetails(12, contract)
        client.wait_for("contractDetailsEnd", lambda req_id: req_id == 12)
        return client.named("contractDetails")

    return ask


def _symbols(client: OfficialClient) -> Any:
    client.reqMatchingSymbols(13, "AAPL")
    return client.wait_for("symbolSamples")


def _rule(client: OfficialClient) -> Any:
    client.reqMarketRule(110)
    return client.wait_for("marketRule")


def _components(client: OfficialClient) -> Any:
    """A list in text and a mapping in protobuf: a whim of the official client."""
    client.reqSmartComponents(14, "9c0001")
    req_id, told = client.wait_for("smartComponents")
    if isinstance(told, dict):
        return req_id, [(bit, *names) for bit, names in told.items()]
    return req_id, [(each.bitNumber, each.exchange, each.exchangeLetter) for each in told]


def _depth_exchanges(client: OfficialClient) -> Any:
    client.reqMktDepthExchanges()
    return client.wait_for("mktDepthExchanges")


def _user(client: OfficialClient) -> Any:
    client.reqUserInfo(15)
    return client.wait_for("userInfo")


def _tiers(client: OfficialClient) -> Any:
    client.reqSoftDollarTiers(16)
    return client.wait_for("softDollarTiers")


def _families(client: OfficialClient) -> Any:
    client.reqFamilyCodes()
    return client.wait_for("familyCodes")


def _news(client: OfficialClient) -> Any:
    client.reqNewsProviders()
    return client.wait_for("newsProviders")


def _implied(client: OfficialClient) -> Any:
    client.calculateImpliedVolatility(17, CALL, 12.0, 640.0, [])
    client.calculateOptionPrice(18, CALL, 0.25, 640.0, [])
    client.calculateImpliedVolatility(19, CALL, 5000.0, 640.0, [])
    client.wait_for("tickOptionComputation", lambda req_id, *_: req_id == 19)
    client.cancelCalculateImpliedVolatility(17)
    client.cancelCalculateOptionPrice(18)
    return client.named("tickOptionComputation")


def _option_snapshot(client: OfficialClient) -> Any:
    client.reqMktData(20, CALL, "", True, False, [])
    client.wait_for("tickSnapshotEnd", lambda req_id: req_id == 20)
    return client.named("tickOptionComputation"), client.named("tickPrice"), client.named("tickSize")


ASKED: dict[str, Asking] = {
    "chain": _chain,
    "details of a stock": _details(stock("AAPL")),
    "details of an option": _details(CALL),
    "details of an index option": _details(_option("SPX   261218P06400000")),
    "symbols": _symbols,
    "rule": _rule,
    "components": _components,
    "depth exchanges": _depth_exchanges,
    "user": _user,
    "tiers": _tiers,
    "families": _families,
    "news": _news,
    "calculations": _implied,
    "option snapshot": _option_snapshot,
}


@pytest.fixture(scope="module")
def told() -> dict[int, dict[str, Any]]:
    """By version, all that was asked."""
    found: dict[int, dict[str, Any]] = {}
    for version in VERSIONS:
        with _client(version) as client:
            found[version] = {}
            for what, ask in ASKED.items():
                client.calls.clear()
                found[version][what] = _comparable(_plain(ask(client)))
    return found


@pytest.mark.parametrize("what", ASKED)
def test_every_form_of_the_protocol_tells_the_same(told: dict[int, dict[str, Any]], what: str) -> None:
    """Text of 176 and 200, protobuf of 213 and 226."""
    first = told[VERSIONS[0]][what]
    assert first
    for version in VERSIONS:
        assert told[version][what] == first, version


def _comparable(value: Any) -> Any:
    """The last trading day has a field of its own from 182 on; an empty list may be none."""
    if isinstance(value, dict):
        return {name: _comparable(content) for name, content in value.items() if name != "lastTradeDate"}
    if isinstance(value, list):
        return [_comparable(item) for item in value] or None
    return float(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chain_is_a_set_of_days_and_of_strikes(version: int) -> None:
    """As the official client hands them over."""
    with _client(version) as client:
        rows = _chain(client)
        req_id, _, underlying, trading_class, multiplier, days, strikes = rows[0]
        assert (req_id, underlying, trading_class, multiplier) == (11, 265598, "AAPL", "100")
        assert "20261218" in days
        assert 230.0 in strikes
        assert {row[1] for row in rows} >= {"SMART", "CBOE"}
        assert {row[3] for row in rows} == {"AAPL", "2AAPL"}


@pytest.mark.parametrize("version", VERSIONS)
def test_details_of_an_option_are_parted_as_the_client_does(version: int) -> None:
    """Day, time and zone of the last trade stand in one field on the wire."""
    with _client(version) as client:
        ((_, details),) = _details(_option("SPX   261218P06400000"))(client)
        contract = details.contract
        assert (contract.lastTradeDateOrContractMonth, details.lastTradeTime) == ("20261217", "15:00:00")
        assert (contract.strike, contract.right, str(contract.multiplier)) == (6400.0, "P", "100")
        assert (details.underConId, details.underSymbol, details.underSecType) == (416904, "SPX", "IND")
        assert details.realExpirationDate == "20261218"
        assert details.aggGroup == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_not_computed_is_none(version: int) -> None:
    """A price that no volatility explains."""
    with _client(version) as client:
        client.calculateImpliedVolatility(19, CALL, 5000.0, 640.0, [])
        told = client.wait_for("tickOptionComputation")
        req_id, kind, _, volatility, delta, price, dividend, gamma, vega, theta, under = told
        assert (req_id, kind, price, under) == (19, 53, 5000.0, 640.0)
        assert (volatility, delta, dividend, gamma, vega, theta) == (None,) * 6


@pytest.mark.parametrize("version", VERSIONS)
def test_refusals_come_under_the_request_id(version: int) -> None:
    """Unknown option 200, ambiguous option 200, unknown chain 200, unknown venue code 321."""
    with _client(version) as client:
        ambiguous = _option("")
        ambiguous.symbol, ambiguous.lastTradeDateOrContractMonth, ambiguous.strike = "SPY", "20261218", 640.0
        client.reqMktData(31, ambiguous, "", False, False, [])
        assert "is ambiguous" in str(client.wait_for_error(200, 31))
        client.reqContractDetails(32, _option("SPY   261218C00640001"))
        assert "No security definition" in str(client.wait_for_error(200, 32))
        client.reqSecDefOptParams(33, "NOSUCH", "", "STK", 1)
        client.wait_for_error(200, 33)
        client.reqSmartComponents(34, "none")
        client.wait_for_error(321, 34)


@pytest.mark.skipif(NEWEST < 226, reason="this release knows no settings")
def test_settings_are_read_and_changed() -> None:
    """By messages that exist as protobuf alone."""
    from ibapi.protobuf.ConfigRequest_pb2 import ConfigRequest
    from ibapi.protobuf.UpdateConfigRequest_pb2 import UpdateConfigRequest

    with _client(226) as client:
        client.configResponseProtoBuf = lambda told: client.record("config", (told,))
        client.updateConfigResponseProtoBuf = lambda told: client.record("update", (told,))
        client.reqConfigProtoBuf(ConfigRequest(reqId=5))
        (told,) = client.wait_for("config")
        assert (told.reqId, told.api.settings.socketPort, list(told.api.settings.trustedIPs)) == (
            5,
            4002,
            ["127.0.0.1"],
        )
        change = UpdateConfigRequest(reqId=6)
        change.api.settings.bulkDataTimeout = 45
        client.updateConfigProtoBuf(change)
        (changed,) = client.wait_for("update")
        assert (changed.reqId, list(changed.changedFields)) == (6, ["api.settings.bulkDataTimeout"])
        client.cancelContractData(7)
        client.reqIds(1)
        client.wait_for("nextValidId")
        assert client.named("error") == [call for call in client.named("error") if call[0] == -1]
