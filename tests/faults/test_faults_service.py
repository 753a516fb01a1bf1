"""The service over real sockets, on lines that end, are late or say everything twice; and a loop that never waits."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ibkr_adapter.clock import SECOND, SystemClock
from ibkr_adapter.config import Config
from ibkr_adapter.events import (
    BrokerEvent,
    ExecutionReported,
    FrameSent,
    GateChanged,
    JournalEvent,
    LossCause,
    SessionLost,
    SessionOpened,
)
from ibkr_adapter.journal.reader import read
from ibkr_adapter.requests import SendCancel, SubscribeQuotes
from ibkr_adapter.tws.mailbox import Mailbox
from tests.faults.proxy import Proxy
from tests.faults.virtual_desk import SPY
from tests.test_service import asked, configured, served
from tests.tws.scripted_gateway import PATIENCE_S, Inbox, Peer, gateway, session
from tws_simulator.faults.actions.sockets import Close
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway

pytestmark = pytest.mark.wire

LOADED_MACHINE_NS = 5 * SECOND
"""What takes milliseconds may take so long where many programs share a processor; in virtual time it takes nothing."""


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def behind(line: Proxy, simulator: GatewayThread, directory: Path) -> Config:
    """A service that reaches the gateway through this line."""
    config = configured(simulator, directory)
    gateways = {name: replace(each, port=line.port) for name, each in config.gateways.items()}
    return replace(config, gateways=gateways)


def journal(config: Config) -> list[JournalEvent]:
    return [event for _, event in read(Path(config.journal.directory))]


def tradable(epoch: int) -> Callable[[dict[str, Any]], bool]:
    """The picture of a session whose gate is open, with a price of everything wanted."""
    return lambda seen: seen["link"]["epoch"] >= epoch and seen["gate"]["open"] and len(seen["proven"]) == 10


def filled(seen: dict[str, Any]) -> bool:
    """The one order, and its executions are known."""
    return [(order["state"], float(order["filled"])) for order in seen["orders"]] == [("filled", 10.0)]


def counted_twice(seen: dict[str, Any]) -> int:
    return seen["counters"].get("executions_duplicate", 0)


def placements(simulator: GatewayThread) -> int:
    return simulator.call(lambda inside: len(inside.ledger.placements))


@pytest.mark.fault("A02", "A03")
@pytest.mark.parametrize("end", ["reset", "close"])
async def test_the_gate_closes_when_the_connection_ends(end: str, tmp_path: Path) -> None:
    """Within 100 ms where the machine is idle; and until the next session nothing leaves."""
    clock = SystemClock()
    with (
        running_gateway(Gateway(seed=7)) as simulator,
        Proxy(simulator.port) as line,
        socket.create_server(("127.0.0.1", 0)) as placeholder,
    ):
        config = behind(line, simulator, tmp_path)
        nowhere: int = placeholder.getsockname()[1]
        async with served(config) as desk:
            await desk.until(tradable(1))
            placeholder.close()
            line.target = nowhere
            died_ns = clock.now_ns()
            await asyncio.to_thread(getattr(line, end))
            await desk.until(lambda seen: not seen["gate"]["open"])
            answer = await desk.place()
            assert answer.status_code == 409
            assert "link" in answer.text
            line.target = simulator.port
            await desk.until(tradable(2))
        assert placements(simulator) == 0
        assert asked(simulator)["placeOrder"] == 0
    changes = [event for event in journal(config) if isinstance(event, GateChanged) and event.ts_recv_ns >= died_ns]
    assert [change.open for change in changes[:2]] == [False, True]
    assert changes[0].ts_recv_ns - died_ns <= LOADED_MACHINE_NS


@pytest.mark.fault("A22")
async def test_what_is_said_behind_the_end_of_a_connection_counts_once(tmp_path: Path) -> None:
    """The gateway fills and is cut; its words are on the way for a while, and the next session asks for the same."""
    with running_gateway(Gateway(seed=7)) as simulator, Proxy(simulator.port) as line:
        config = behind(line, simulator, tmp_path)
        async with served(config) as desk:
            await desk.until(tradable(1))
            line.inbound.latency_s = 0.3
            answer = await desk.place()
            assert answer.status_code == 202, answer.text
            await asyncio.to_thread(_until_placed_then_cut, simulator)
            line.inbound.latency_s = 0.0
            after = await desk.until(lambda seen: tradable(2)(seen) and filled(seen))
        assert asked(simulator)["placeOrder"] == 1 == placements(simulator)
        assert asked(simulator)["reqMktData"] == 2 * 10
    assert after["link"]["epoch"] == 2
    assert len([event for event in journal(config) if isinstance(event, ExecutionReported)]) == 1
    assert len([event for event in journal(config) if isinstance(event, FrameSent)]) == 1


def _until_placed_then_cut(simulator: GatewayThread) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not placements(simulator):
        assert time.monotonic() < deadline_s
    simulator.call(lambda inside: inside.director.do(Close(everyone=True)))


@pytest.mark.fault("A23")
async def test_a_service_that_is_told_everything_twice_counts_it_once(tmp_path: Path) -> None:
    """Frames replayed on the wire: one order, one fill of each execution, the position of the gateway."""
    with running_gateway(Gateway(seed=7, scenario="replayed-frames")) as simulator:
        config = configured(simulator, tmp_path)
        async with served(config) as desk:
            await desk.until(tradable(1))
            answer = await desk.place()
            assert answer.status_code == 202, answer.text
            picture = await desk.until(
                lambda seen: filled(seen) and seen["counters"].get("executions_duplicate", 0) > 0
            )
        assert asked(simulator)["placeOrder"] == 1 == placements(simulator)
    assert picture["link"]["epoch"] == 1
    executions = [event.exec_id for event in journal(config) if isinstance(event, ExecutionReported)]
    assert len(executions) == len(set(executions)) >= 1


@pytest.mark.fault("A10")
async def test_the_loop_never_waits_for_a_gateway_that_does_not_read() -> None:
    """Two seconds of a blocked socket, as the service waits: a loop that took part in it would stand as long."""
    over = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        over.wait(PATIENCE_S)

    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    inbox = Inbox()
    inbox.mailbox = Mailbox(lambda: loop.call_soon_threadsafe(woken.set))
    told: list[BrokerEvent] = []

    async def until(kind: type[BrokerEvent]) -> None:
        while not any(isinstance(event, kind) for event in told):
            await woken.wait()
            woken.clear()
            told.extend(inbox.mailbox.drain(1_000))

    with gateway(script, receive_buffer_bytes=4096) as playing:
        subject = session(playing.port, inbox, send_buffer_bytes=4096)
        subject.start()
        async with asyncio.timeout(PATIENCE_S):
            await until(SessionOpened)
            stood_s = [0.0]
            watching = asyncio.create_task(_watch(stood_s))
            began_ns = SystemClock().now_ns()
            for req_id in range(500):
                subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
                await asyncio.sleep(0)
            subject.perform(SendCancel(order_id=1))
            await until(SessionLost)
            watching.cancel()
        over.set()
    end = told[-1]
    assert isinstance(end, SessionLost)
    assert end.cause is LossCause.WRITE_DEADLINE
    assert 2 * SECOND <= end.ts_recv_ns - began_ns <= 2.5 * SECOND + LOADED_MACHINE_NS
    assert end.unsent > 0
    assert not any(isinstance(event, FrameSent) for event in told)
    assert max(stood_s) < 1.9, "the socket is given up after two seconds"


async def _watch(stood_s: list[float]) -> None:
    """How much later than asked for the loop comes back."""
    while True:
        asked_s = time.monotonic() + 0.01
        await asyncio.sleep(0.01)
        stood_s.append(time.monotonic() - asked_s)
