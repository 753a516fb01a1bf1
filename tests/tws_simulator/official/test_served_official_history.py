"""The official client asks for history, account values and profit over a socket, in text and in protobuf."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.tws_simulator.official.official_client import NEWEST, OfficialClient, connected, stock
from tws_simulator import Gateway, running_gateway

pytestmark = pytest.mark.wire

MONDAY_NS = 1_795_450_000_000_000_000  # 2026-11-23 11:06:40 in New York
FRIDAY = "20261120 16:00:00 US/Eastern"
VERSIONS = [version for version in (176, 200, 213, 226) if version <= NEWEST]
SPY = 756733


def _shown(value: Any) -> Any:
    """Objects of the official client as plain values; floats as they print, so that encodings compare."""
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    if hasattr(value, "__dict__"):
        return {name: _shown(each) for name, each in vars(value).items()}
    return repr(float(value)) if type(value) in (int, float) else str(value)


def _history(client: OfficialClient, account: str) -> dict[str, Any]:
    client.reqHistoricalData(1, stock("AAPL"), FRIDAY, "1 D", "30 mins", "TRADES", 1, 1, False, [])
    client.wait_for("historicalDataEnd", lambda req_id, *_: req_id == 1)
    client.reqHistoricalData(2, stock("AAPL"), FRIDAY, "1 W", "1 day", "SCHEDULE", 1, 1, False, [])
    client.wait_for("historicalSchedule")
    client.reqHistoricalData(3, stock("TSLA"), "", "600 S", "30 secs", "MIDPOINT", 0, 2, False, [])
    client.wait_for("historicalDataEnd", lambda req_id, *_: req_id == 3)
    client.reqHeadTimeStamp(4, stock("AAPL"), "TRADES", 1, 1)
    client.wait_for("headTimestamp")
    client.reqHistogramData(5, stock("AAPL"), True, "2 days")
    client.wait_for("histogramData")
    for req_id, what in ((6, "TRADES"), (7, "BID_ASK"), (8, "MIDPOINT")):
        client.reqHistoricalTicks(req_id, stock("AAPL"), "", FRIDAY, 50, what, 1, False, [])
    names = ("historicalTicksLast", "historicalTicksBidAsk", "historicalTicks")
    for name in names:
        client.wait_for(name)
    told = ("historicalData", "historicalDataEnd", "historicalSchedule", "headTimestamp", "histogramData", *names)
    return {name: _shown(client.named(name)) for name in told}


def _account(client: OfficialClient, account: str) -> dict[str, Any]:
    client.reqAccountUpdates(True, account)
    client.wait_for("accountDownloadEnd")
    client.reqAccountUpdatesMulti(1, account, "", False)
    client.wait_for("accountUpdateMultiEnd")
    client.reqPositionsMulti(2, account, "")
    client.wait_for("positionMultiEnd")
    client.reqPnL(3, account, "")
    client.wait_for("pnl")
    client.reqPnLSingle(4, account, "", SPY)
    client.wait_for("pnlSingle")
    client.reqAccountSummary(5, "All", "NetLiquidation,$LEDGER:ALL")
    client.wait_for("accountSummaryEnd")
    told = (
        "updateAccountValue", "updateAccountTime", "accountDownloadEnd", "accountUpdateMulti", "accountUpdateMultiEnd",
        "positionMultiEnd", "pnl", "pnlSingle", "accountSummary", "accountSummaryEnd",
    )  # fmt: skip
    answers = {name: _shown(client.named(name)) for name in told}
    portfolio = client.named("updatePortfolio")
    answers["updatePortfolio"] = [(held.symbol, *_shown(figures)) for held, *figures in portfolio]
    return answers


@pytest.mark.parametrize("ask", [_history, _account])
def test_every_encoding_tells_the_official_client_the_same(
    ask: Callable[[OfficialClient, str], dict[str, Any]],
) -> None:
    """One moment of one market, asked for at several server versions; nothing is refused."""
    answers = []
    for version in VERSIONS:
        gateway = Gateway(seed=7, server_version=version, clock=lambda: MONDAY_NS, tick_interval_s=0.02)
        with running_gateway(gateway) as running, connected(running.port) as client:
            client.wait_for("nextValidId")
            answers.append(ask(client, gateway.account))
            assert [call for call in client.named("error") if call[0] != -1] == []
    assert all(all(answer.values()) for answer in answers)
    for answer in answers[1:]:
        for name, told in answer.items():
            assert told == answers[0][name], name


@pytest.mark.parametrize("version", VERSIONS)
def test_updates_go_on_until_they_are_cancelled(version: int) -> None:
    """Bars that are kept up to date, and profit; the cancel of the bars is answered by 162, of an unknown id by 366."""
    begun_ns = time.monotonic_ns()
    gateway = Gateway(
        seed=7,
        server_version=version,
        clock=lambda: MONDAY_NS + (time.monotonic_ns() - begun_ns) * 60,
        tick_interval_s=0.02,
    )
    with running_gateway(gateway) as running, connected(running.port) as client:
        client.wait_for("nextValidId")
        client.reqHistoricalData(1, stock("SPY"), "", "60 S", "5 secs", "TRADES", 0, 1, True, [])
        client.reqPnLSingle(2, gateway.account, "", SPY)
        client.wait_for("historicalDataEnd", lambda req_id, *_: req_id == 1)
        last = client.named("historicalData")[-1][1].date
        req_id, bar = client.wait_for("historicalDataUpdate", lambda _, bar: bar.date > last)
        assert (req_id, bar.low <= bar.close <= bar.high) == (1, True)
        first = client.wait_for("pnlSingle")
        client.wait_for("pnlSingle", lambda *told: told[-1] != first[-1])
        client.cancelHistoricalData(1)
        client.wait_for_error(162, 1)
        client.cancelHistoricalData(1)
        client.wait_for_error(366, 1)
        client.cancelPnLSingle(2)
