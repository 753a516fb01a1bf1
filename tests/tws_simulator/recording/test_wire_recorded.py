"""The official client cannot tell the gateway, the recorder in front of it and the replay of the recording apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from ibapi.execution import ExecutionFilter
from ibapi.order_cancel import OrderCancel

from tests.tws_simulator.official.official_client import NEWEST, OfficialClient, connected, order, stock
from tests.tws_simulator.recording.recordings import START_NS, scripts_of
from tws_simulator import Gateway, running_gateway
from tws_simulator.recording.address import Address, listening_socket
from tws_simulator.recording.format import Writer
from tws_simulator.recording.record import Recorder
from tws_simulator.recording.replay import REFUSED, Replay
from tws_simulator.recording.replay_server import ReplayServer
from tws_simulator.recording.writing import WriterThread

pytestmark = pytest.mark.wire

LOOPBACK = "127.0.0.1"
WAIT_S_MAX = 30.0
CLIENT_ID = 4
Call = tuple[str, Any]


@contextmanager
def on_a_thread(make: Callable[[], Recorder | ReplayServer]) -> Iterator[Address]:
    """The service, on a loop of its own, until the block ends."""
    loop, stop, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    address: list[Address] = []

    async def serve() -> None:
        async with make() as service:
            address.append(service.address)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="recording-test")
    thread.start()
    assert started.wait(WAIT_S_MAX)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S_MAX)
        loop.close()


@contextmanager
def recorder(path: Path, upstream_port: int) -> Iterator[Address]:
    """A recorder whose file is complete when the block ends."""
    writer = WriterThread(Writer(path, "a test", START_NS), lambda text: None)
    writer.start()
    with on_a_thread(
        lambda: Recorder(
            listening_socket((LOOPBACK, 0)),
            (LOOPBACK, upstream_port),
            writer,
            clock=lambda: START_NS,
            tell=lambda text: None,
        )
    ) as address:
        yield address
    writer.close(START_NS)
    assert writer.is_complete


@contextmanager
def replay_of(path: Path) -> Iterator[tuple[Address, Replay]]:
    replay = Replay(scripts_of(path), None)
    with on_a_thread(lambda: ReplayServer(replay, listening_socket((LOOPBACK, 0)), clock=lambda: START_NS)) as address:
        yield address, replay


@pytest.fixture(params=[176, 213])
def server_version(request: pytest.FixtureRequest) -> int:
    if request.param > NEWEST:
        pytest.skip(f"the installed client goes up to {NEWEST}")
    return int(request.param)


@contextmanager
def gateway_at(server_version: int) -> Iterator[int]:
    """Its port. Its time stands still, so that equal questions have equal answers."""
    with running_gateway(Gateway(seed=7, server_version=server_version, clock=lambda: START_NS)) as gateway:
        yield gateway.port


@pytest.fixture
def gateway_port(server_version: int) -> Iterator[int]:
    with gateway_at(server_version) as port:
        yield port


def converse(port: int, first_id: int) -> list[Call]:
    """What the client hears when it asks, under request ids from ``first_id`` on, counted from there."""
    with connected(port, CLIENT_ID) as client:
        client.wait_for("nextValidId")
        client.wait_for_error(2158, -1)
        client.reqCurrentTime()
        client.wait_for("currentTime")
        client.reqPositions()
        client.wait_for("positionEnd")
        client.reqAllOpenOrders()
        client.wait_for("openOrderEnd")
        for number, symbol in enumerate(("AAPL", "SPY", "NOSUCH")):
            client.reqContractDetails(first_id + number, stock(symbol))
        client.wait_for("contractDetailsEnd", lambda req_id: req_id == first_id + 1)
        client.wait_for_error(200, first_id + 2)
        client.reqAccountSummary(first_id + 3, "All", "NetLiquidation,TotalCashValue")
        client.wait_for("accountSummaryEnd")
        client.reqExecutions(first_id + 4, ExecutionFilter())
        client.wait_for("execDetailsEnd")
        client.reqMarketDataType(1)
        client.reqMktData(first_id + 5, stock("AAPL"), "", False, False, [])
        client.wait_for("tickGeneric", lambda _, tick, __: tick == 49)
        client.cancelMktData(first_id + 5)
        client.cancelAccountSummary(first_id + 3)
        client.reqMktData(first_id + 6, stock("NOSUCH"), "", False, False, [])
        client.wait_for_error(200, first_id + 6)
        return heard(client, first_id)


def heard(client: OfficialClient, first_id: int) -> list[Call]:
    return [(name, tuple(_plain(each, first_id) for each in arguments)) for name, arguments in list(client.calls)]


def _plain(value: Any, first_id: int) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and first_id <= value < first_id + 10:
        return ("request", value - first_id)
    if isinstance(value, list):
        return [_plain(each, first_id) for each in value]
    fields = None if isinstance(value, Enum) else getattr(value, "__dict__", None)
    return (type(value).__name__, {k: _plain(v, first_id) for k, v in fields.items()}) if fields else repr(value)


def test_through_the_recorder_and_from_the_recording_it_hears_the_same(
    server_version: int, gateway_port: int, tmp_path: Path
) -> None:
    """Callback for callback, argument for argument; only the request ids are its own."""
    with gateway_at(server_version) as port:
        directly = converse(port, 41_000)
    with recorder(tmp_path / "f", gateway_port) as address:
        recorded = converse(address[1], 42_000)
    assert recorded == directly
    with replay_of(tmp_path / "f") as (address, replay):
        for first_id in (42_000, 43_000, 7_000_000):
            assert converse(address[1], first_id) == directly
    assert not replay.counts.unanswered
    assert not replay.counts.not_rewritten


def test_orders_reach_the_gateway_when_recorded_and_nobody_when_replayed(gateway_port: int, tmp_path: Path) -> None:
    """The replay refuses them with 321, under their order ids."""
    with recorder(tmp_path / "f", gateway_port) as address, connected(address[1], CLIENT_ID) as client:
        (order_id,) = client.wait_for("nextValidId")
        client.placeOrder(order_id, stock("AAPL"), order("BUY", 1, "LMT", 1.0))
        client.wait_for("orderStatus", lambda told, status, *_: told == order_id and "Submitted" in status)
        client.cancelOrder(order_id, OrderCancel())
        client.wait_for_error(202, order_id)
    with replay_of(tmp_path / "f") as (address, replay), connected(address[1], CLIENT_ID) as client:
        (again,) = client.wait_for("nextValidId")
        assert again == order_id
        client.placeOrder(order_id, stock("AAPL"), order("BUY", 1, "LMT", 1.0))
        client.wait_for_error(REFUSED, order_id)
        client.reqGlobalCancel(OrderCancel())
        client.wait_for_error(REFUSED, -1)
        client.cancelOrder(order_id + 1, OrderCancel())
        client.wait_for_error(REFUSED, order_id + 1)
        assert not {"openOrder", "orderStatus", "execDetails"} & set(client.names())
    assert replay.counts.orders_refused == 3


def test_what_was_not_recorded_is_an_error_for_that_request(gateway_port: int, tmp_path: Path) -> None:
    """Others go on."""
    with recorder(tmp_path / "f", gateway_port) as address:
        converse(address[1], 42_000)
    with replay_of(tmp_path / "f") as (address, replay), connected(address[1], CLIENT_ID) as client:
        client.wait_for("nextValidId")
        client.reqContractDetails(7, stock("MSFT"))
        client.wait_for_error(REFUSED, 7)
        client.reqContractDetails(8, stock("SPY"))
        client.wait_for("contractDetailsEnd", lambda req_id: req_id == 8)
    assert replay.counts.unanswered == {"reqContractDetails": 1}
