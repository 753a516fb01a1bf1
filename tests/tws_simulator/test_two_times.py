"""The market's time may stand still or run; the traffic on the wire is judged by the machine's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.tws_simulator.official.test_served_sockets import SocketClient
from tests.tws_simulator.scripted_client import START_NS, ScriptedClient, gateway_core
from tws_simulator import Gateway, Interference, VirtualClock
from tws_simulator.api.peer import Peer
from tws_simulator.server import Server
from tws_simulator.wire.codec import frame
from tws_simulator.wire.row import message

SECOND = 1_000_000_000


def _names(client: ScriptedClient, steady_ns: int, *asked: str) -> list[str]:
    """What is answered to requests at a moment of the machine's time; the market's stands."""
    for name in asked:
        request = frame(client.codec.encode_request(message(name)))
        client.core.receive(client.session, request, START_NS, steady_ns)
    client.core.advance(START_NS, steady_ns)
    return [reply.name for reply in client.replies()]


def test_messages_are_served_as_the_machines_seconds_pass() -> None:
    """Fifty in each, though no market time passes at all."""
    client = ScriptedClient(gateway_core(pacing="pace"))
    _names(client, 100 * SECOND)
    assert len(_names(client, 110 * SECOND, *["reqIds"] * 120)) == 50
    assert len(_names(client, 111 * SECOND)) == 50
    assert len(_names(client, 112 * SECOND)) == 20


def test_the_time_is_told_again_after_seconds_of_the_machine() -> None:
    """And it is the market's time that is told."""
    client = ScriptedClient(gateway_core())
    assert _names(client, 100 * SECOND, "reqCurrentTime", "reqCurrentTime") == ["currentTime"]
    assert _names(client, 105 * SECOND, "reqCurrentTime") == ["currentTime"]
    client.core.receive(client.session, frame(client.codec.encode_request(message("reqCurrentTime"))), START_NS, 10**12)
    assert client.replies()[0]["currentTime"] == START_NS // SECOND


def test_who_has_one_time_only_lets_both_pass() -> None:
    """As scripted tests do; the machine's time follows the market's, from wherever it is."""
    core = gateway_core()
    core.advance(START_NS + 5 * SECOND)
    assert core.state.steady_ns == START_NS + 5 * SECOND
    core.advance(START_NS + 5 * SECOND, 7 * SECOND)
    core.advance(START_NS + 8 * SECOND)
    assert core.state.steady_ns == 10 * SECOND


@asynccontextmanager
async def _served(market: VirtualClock, steady: VirtualClock) -> AsyncIterator[Server]:
    core = gateway_core(pacing="pace")
    server = Server(
        core, host="127.0.0.1", port=0, clock=market, steady=steady, tick_interval_s=0.005, unread_bytes_max=1 << 20
    )
    core.state.steady_ns = steady()
    await server.start()
    yield server
    await server.stop()


async def test_a_clock_that_stands_still_silences_nobody() -> None:
    """On a socket: what was held back is told when the machine's second is over."""
    market, steady = VirtualClock(START_NS), VirtualClock(0)
    async with _served(market, steady) as server:
        client = await SocketClient.connect(server.port, 1)
        steady.advance(2)
        for _ in range(60):
            client.request("reqIds")
        for _ in range(50):
            await client.until("nextValidId")
        steady.advance(1)
        for _ in range(10):
            await client.until("nextValidId")
        client.close()


class _Breaks(Interference):
    """Wherever a test wants it."""

    def __init__(self, door: str) -> None:
        self._door = door

    def opened(self, peer: Peer) -> None:
        self._break("opened")

    def output(self, peer: Peer, data: bytes) -> bytes:
        if data:
            self._break("output")
        return data

    def closed(self, peer: Peer) -> None:
        self._break("closed")

    def _break(self, door: str) -> None:
        if door == self._door:
            raise KeyError(door)


@pytest.mark.parametrize("door", ["opened", "output", "closed"])
async def test_a_fault_at_any_door_is_one_of_the_simulator(door: str) -> None:
    """Where a client comes, is written to, or goes: nothing is left to the log of the loop."""
    gateway = Gateway(interference=_Breaks(door))
    await gateway.server.start()
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"API\0" + frame(b"v100..226"))
    writer.close()
    async with asyncio.timeout(20):
        await gateway.server.failed()
    with pytest.raises(KeyError, match=door):
        await gateway.server.stop()


async def test_a_failed_core_is_known_at_once() -> None:
    """``failed`` returns, every connection is cut, and the core is asked nothing more; stopping raises what failed."""
    gateway = Gateway(tick_interval_s=0.005)
    server = gateway.server
    await server.start()
    client = await SocketClient.connect(gateway.port, 1)
    steps = []

    def broken(now_ns: int, steady_ns: int | None = None) -> None:
        steps.append(now_ns)
        raise KeyError(1)

    gateway.core.advance = broken  # type: ignore[method-assign]  # as a fault of the simulator would
    async with asyncio.timeout(20):
        await server.failed()
    await client.at_end()
    late = await asyncio.open_connection("127.0.0.1", gateway.port)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await late[0].readexactly(1)
    late[1].close()
    assert len(steps) == 1
    with pytest.raises(KeyError):
        await server.stop()
