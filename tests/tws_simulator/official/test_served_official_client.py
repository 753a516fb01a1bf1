"""A program written against the official client, and nothing of ours, finds what it expects.

`TWS_SERVER_VERSIONS` chooses the server versions, comma separated; `max` is the newest the installed release takes
part in. Versions above that are skipped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from ibapi.execution import ExecutionFilter
from ibapi.order_cancel import OrderCancel

from tests.tws_simulator.official.official_client import NEWEST, connected, order, stock
from tws_simulator import Gateway, GatewayThread, running_gateway
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION

pytestmark = pytest.mark.wire

OWN_MAXIMUM = min(NEWEST, NEWEST_SERVER_VERSION)
SERVER_VERSIONS = os.environ.get("TWS_SERVER_VERSIONS", "187,200,206,213,max").split(",")
START_NS = 1_795_444_200_000_000_000  # Monday 2026-11-23 09:30 in New York
SPEED = 60


@pytest.fixture(params=SERVER_VERSIONS, ids=lambda name: f"sv{name}")
def server_version(request: pytest.FixtureRequest) -> int:
    version = OWN_MAXIMUM if request.param.strip() == "max" else int(request.param)
    if version > NEWEST:
        pytest.skip(f"the installed client goes up to {NEWEST}")
    return version


@pytest.fixture
def gateway(server_version: int) -> Iterator[GatewayThread]:
    """Busy hours at sixty times the speed, so that nobody waits for a quote to change."""
    begun_ns = time.monotonic_ns()

    def clock() -> int:
        return START_NS + (time.monotonic_ns() - begun_ns) * SPEED

    simulated = Gateway(seed=7, server_version=server_version, clock=clock, tick_interval_s=0.02)
    with running_gateway(simulated) as running:
        yield running


def _wait_until_left(gateway: GatewayThread) -> None:
    """The official client's reader keeps its closed socket for up to a second; until then its id is in use."""
    deadline = time.monotonic() + 20
    while gateway.call(lambda inside: bool(inside.core.state.sessions)):
        assert time.monotonic() < deadline, "the client is still connected"


def test_it_connects_and_learns_account_and_next_id(gateway: GatewayThread, server_version: int) -> None:
    """The version agreed is the one asked for; farm notices follow."""
    with connected(gateway.port) as client:
        assert client.wait_for("managedAccounts") == (gateway.account,)
        assert client.wait_for("nextValidId") == (1,)
        assert client.serverVersion() == server_version
        for code in (2104, 2106, 2158):
            client.wait_for_error(code, -1)
        client.reqCurrentTime()
        (told,) = client.wait_for("currentTime")
        assert abs(told - START_NS // 1_000_000_000) < 3600


def test_it_streams_quotes(gateway: GatewayThread) -> None:
    """A first picture, then changes; nothing after the cancel is acknowledged by another answer."""
    with connected(gateway.port) as client:
        client.wait_for("nextValidId")
        client.reqMarketDataType(1)
        client.reqMktData(11, stock("AAPL"), "233", False, False, [])
        client.wait_for("tickReqParams", lambda req_id, *_: req_id == 11)
        client.wait_for("marketDataType", lambda req_id, kind: (req_id, kind) == (11, 1))
        first = client.wait_for("tickPrice", lambda req_id, tick, *_: (req_id, tick) == (11, 1))[2]
        client.wait_for("tickSize", lambda req_id, tick, size: (req_id, tick) == (11, 0) and size > 0)
        client.wait_for("tickGeneric", lambda req_id, tick, value: (req_id, tick, value) == (11, 49, 0.0))
        client.wait_for("tickPrice", lambda _, tick, price, __: tick == 1 and price != first)
        client.wait_for("tickString", lambda _, tick, value: tick == 48 and value.count(";") == 5)
        client.cancelMktData(11)
        client.cancelMktData(12)
        client.wait_for_error(300, 12)
        told = len(client.named("tickPrice"))
        client.reqMktData(13, stock("SPY"), "", True, False, [])
        client.wait_for("tickSnapshotEnd", lambda req_id: req_id == 13)
        assert all(args[0] == 13 for args in client.named("tickPrice")[told:])


def test_it_reads_contract_details(gateway: GatewayThread) -> None:
    """Of what is listed; 200 for what is not."""
    with connected(gateway.port) as client:
        client.wait_for("nextValidId")
        client.reqContractDetails(1, stock("AAPL"))
        client.wait_for("contractDetailsEnd", lambda req_id: req_id == 1)
        ((_, details),) = client.named("contractDetails")
        assert (details.contract.conId, details.contract.primaryExchange) == (265598, "NASDAQ")
        assert (details.longName, float(details.minTick)) == ("APPLE INC", 0.01)
        client.reqContractDetails(2, stock("NOSUCH"))
        client.wait_for_error(200, 2)
        client.reqMktData(3, stock("NOSUCH"), "", False, False, [])
        client.wait_for_error(200, 3)


def test_it_reads_account_and_positions(gateway: GatewayThread) -> None:
    """All rows, then the end; a third summary is refused with 322."""
    with connected(gateway.port) as client:
        client.wait_for("nextValidId")
        client.reqAccountSummary(1, "All", "NetLiquidation,BuyingPower")
        client.wait_for("accountSummaryEnd", lambda req_id: req_id == 1)
        rows = {tag: value for _, _, tag, value, _ in client.named("accountSummary")}
        assert float(rows["NetLiquidation"]) > 0
        assert set(rows) == {"NetLiquidation", "BuyingPower"}
        client.reqAccountSummary(2, "All", "TotalCashValue")
        client.reqAccountSummary(3, "All", "TotalCashValue")
        client.wait_for_error(322, 3)
        client.reqPositions()
        client.wait_for("positionEnd")
        ((account, contract, shares, cost),) = client.named("position")
        assert (account, contract.symbol, shares) == (gateway.account, "SPY", Decimal(100))
        assert cost > 0


def test_it_trades(gateway: GatewayThread) -> None:
    """Execution before Filled, commission last, the position follows, and all of it can be asked for again."""
    with connected(gateway.port) as client:
        (order_id,) = client.wait_for("nextValidId")
        client.reqPositions()
        client.wait_for("positionEnd")
        client.placeOrder(order_id, stock("AAPL"), order("BUY", 5, ref="wire-test"))
        client.wait_for("orderStatus", lambda *args: args[0] == order_id and args[1] == "Filled")
        (report,) = client.wait_for("commissionAndFeesReport")
        _, _, execution = client.wait_for("execDetails", lambda req_id, *_: req_id == -1)
        assert (execution.orderId, execution.side, execution.shares) == (order_id, "BOT", Decimal(5))
        assert (execution.orderRef, report.execId) == ("wire-test", execution.execId)
        names = client.names()
        assert names.index("execDetails") < names.index("commissionAndFeesReport")
        filled = client.wait_for("orderStatus", lambda *args: args[1] == "Filled")
        assert (filled[2], filled[3]) == (Decimal(5), Decimal(0))
        echo = client.named("openOrder")[0]
        assert (echo[1].conId, echo[2].orderRef, echo[2].totalQuantity) == (265598, "wire-test", Decimal(5))
        client.wait_for("position", lambda _, contract, shares, __: contract.symbol == "AAPL" and shares == 5)
        client.reqExecutions(7, ExecutionFilter())
        client.wait_for("execDetailsEnd", lambda req_id: req_id == 7)
        assert [args[2].execId for args in client.named("execDetails") if args[0] == 7] == [execution.execId]
        client.reqCompletedOrders(False)
        client.wait_for("completedOrdersEnd")
        ((_, _, state),) = client.named("completedOrder")
        assert (state.status, state.completedStatus) == ("Filled", "Filled Size: 5")
        assert gateway.call(lambda inside: inside.ledger.placements_by_ref()) == {"wire-test": 1}


def test_it_changes_lists_and_cancels_a_resting_order(gateway: GatewayThread) -> None:
    """Status Cancelled, then 202; 10147 for what was never placed."""
    with connected(gateway.port) as client:
        (order_id,) = client.wait_for("nextValidId")
        client.placeOrder(order_id, stock("AAPL"), order("BUY", 5, "LMT", 10.0))
        client.wait_for("orderStatus", lambda *args: args[1] == "Submitted")
        client.placeOrder(order_id, stock("AAPL"), order("BUY", 7, "LMT", 11.0))
        client.wait_for("openOrder", lambda *args: args[2].lmtPrice == 11.0 and args[2].totalQuantity == 7)
        client.reqOpenOrders()
        client.wait_for("openOrderEnd")
        client.cancelOrder(order_id, OrderCancel())
        client.wait_for_error(202, order_id)
        names = [name for name, args in client.calls if name != "error" or args[2] == 202]
        cancelled = client.wait_for("orderStatus", lambda *args: args[1] == "Cancelled")
        assert (cancelled[2], cancelled[3]) == (Decimal(0), Decimal(7))
        assert names[-1] == "error"
        client.cancelOrder(order_id + 1, OrderCancel())
        client.wait_for_error(10147, order_id + 1)


def test_it_finds_its_live_orders_again_after_a_reconnect(gateway: GatewayThread) -> None:
    """Before ids and accounts, and a global cancel then ends them."""
    with connected(gateway.port) as client:
        (order_id,) = client.wait_for("nextValidId")
        client.placeOrder(order_id, stock("AAPL"), order("BUY", 5, "LMT", 10.0))
        client.wait_for("orderStatus", lambda *args: args[1] == "Submitted")
        permanent = client.named("openOrder")[0][2].permId
    _wait_until_left(gateway)
    with connected(gateway.port, client_id=2) as other:
        other.wait_for("nextValidId")
        other.reqAllOpenOrders()
        other.wait_for("openOrderEnd")
        assert other.named("openOrder")[0][2].permId == permanent
        assert other.named("orderStatus")[0][8] == 1
    with connected(gateway.port) as again:
        assert again.wait_for("nextValidId") == (order_id + 1,)
        names = [name for name in again.names() if name not in ("connectAck", "error")]
        assert names[:3] == ["openOrder", "orderStatus", "openOrderEnd"]
        assert again.named("openOrder")[0][2].permId == permanent
        again.reqGlobalCancel(OrderCancel())
        again.wait_for_error(202, order_id)


def test_a_client_id_in_use_is_refused(gateway: GatewayThread) -> None:
    """326 and the end of that connection; the first client goes on."""
    with connected(gateway.port, client_id=5) as first:
        first.wait_for("nextValidId")
        with connected(gateway.port, client_id=5) as second:
            second.wait_for_error(326)
            second.wait_for("connectionClosed")
            assert second.named("nextValidId") == []
        first.reqIds(1)
        first.reqManagedAccts()
        first.wait_for("managedAccounts")


def test_what_is_not_served_is_refused(gateway: GatewayThread) -> None:
    """321: the client's request ends."""
    with connected(gateway.port) as client:
        client.wait_for("nextValidId")
        client.reqScannerParameters()
        client.wait_for_error(321, -1)
