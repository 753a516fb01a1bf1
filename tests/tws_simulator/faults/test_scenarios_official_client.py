"""The stock official client under faults: where it is known to fail, it fails, which proves that the fault is real."""

from __future__ import annotations

import os

import pytest
from ibapi.order_cancel import OrderCancel

from tests.tws_simulator.official.official_client import NEWEST, connected, order, stock
from tws_simulator import Gateway, running_gateway
from tws_simulator.faults.reading import read_scenario
from tws_simulator.faults.scenario import Scenario
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION

pytestmark = pytest.mark.wire

SERVER_VERSIONS = os.environ.get("TWS_SERVER_VERSIONS", "176,200,206,max").split(",")


@pytest.fixture(params=SERVER_VERSIONS, ids=lambda name: f"sv{name}")
def server_version(request: pytest.FixtureRequest) -> int:
    version = min(NEWEST, NEWEST_SERVER_VERSION) if request.param.strip() == "max" else int(request.param)
    if version > NEWEST:
        pytest.skip(f"the installed client goes up to {NEWEST}")
    return version


def playing(scenario: str | Scenario, server_version: int) -> Gateway:
    return Gateway(seed=7, server_version=server_version, scenario=scenario, tick_interval_s=0.01, symbols=("AAPL",))


def test_it_loses_what_comes_with_the_answer_to_its_hello(server_version: int) -> None:
    """It learns no order id, though the gateway has told it one."""
    with (
        running_gateway(playing("frames-with-handshake", server_version)) as gateway,
        connected(gateway.port) as client,
    ):
        client.wait_for_error(2158)
        assert client.named("nextValidId") == []


def test_it_is_told_of_the_lost_link_and_its_return(server_version: int) -> None:
    """1100 and 1102, in text and in protobuf; then data goes on."""
    table = {
        "name": "of-a-test",
        "step": [
            {"when": {"served": "reqPositions"}, "do": "link_lost"},
            {"when": {"served": "reqPositions", "after_s": 0.2}, "do": "link_back"},
        ],
    }
    with running_gateway(playing(read_scenario(table), server_version)) as gateway, connected(gateway.port) as client:
        client.wait_for("nextValidId")
        client.reqPositions()
        client.wait_for_error(1102)
        assert [code for told in client.named("error") for code in (1100, 1102) if code in told[1:3]] == [1100, 1102]


def test_it_reads_orders_that_are_held_back(server_version: int) -> None:
    """PendingSubmit, with contract and order as they were sent; a cancel ends it."""
    with (
        running_gateway(playing("pending-submit-forever", server_version)) as gateway,
        connected(gateway.port) as client,
    ):
        client.wait_for("nextValidId")
        client.placeOrder(1, stock("AAPL"), order("BUY", 5, "LMT", 10.0, ref="mine"))
        status = client.wait_for("orderStatus")
        assert status[:4] == (1, "PendingSubmit", 0, 5)
        _, contract, sent, state = client.wait_for("openOrder")
        assert (contract.symbol, sent.orderRef, sent.totalQuantity, state.status) == (
            "AAPL",
            "mine",
            5,
            "PendingSubmit",
        )
        client.cancelOrder(1, OrderCancel())
        client.wait_for_error(202, 1)


def test_it_reads_corrections_and_refusals(server_version: int) -> None:
    """The first execution comes again with .02; a refused cancellation is an error under the order's id."""
    table = {
        "name": "of-a-test",
        "step": [
            {"when": {"fill": 1, "after_s": 0.1}, "do": "correct", "price_by": 0.5},
            {"do": "refuse", "names": ["cancelOrder"], "code": 10148},
        ],
    }
    with running_gateway(playing(read_scenario(table), server_version)) as gateway, connected(gateway.port) as client:
        client.wait_for("nextValidId")
        client.placeOrder(1, stock("AAPL"), order("BUY", 5))
        first = client.wait_for("execDetails")[2]
        again = client.wait_for("execDetails", lambda _, __, execution: execution.execId.endswith(".02"))[2]
        assert again.execId.rpartition(".")[0] == first.execId.rpartition(".")[0]
        client.cancelOrder(1, OrderCancel())
        client.wait_for_error(10148, 1)
