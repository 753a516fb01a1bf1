"""What the server does to real sockets when a fault asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.tws_simulator.official.test_served_sockets import WAIT_S_MAX, SocketClient
from tests.tws_simulator.scripted_client import START_NS
from tws_simulator import Gateway
from tws_simulator.clocks import VirtualClock
from tws_simulator.faults.reading import read_scenario
from tws_simulator.wire.codec import frame

TICK_S = 0.005


@asynccontextmanager
async def gateway_with(*steps: dict[str, Any], **options: Any) -> AsyncIterator[Gateway]:
    scenario = read_scenario({"name": "of-a-test", "step": list(steps)})
    async with Gateway(seed=7, scenario=scenario, tick_interval_s=TICK_S, symbols=("AAPL",), **options) as gateway:
        yield gateway


def raw_client(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), WAIT_S_MAX)
    client.setblocking(False)
    return client


async def received(client: socket.socket, length: int = 65536) -> bytes:
    async with asyncio.timeout(WAIT_S_MAX):
        return await asyncio.get_running_loop().sock_recv(client, length)


async def to_the_end(client: SocketClient, patience_s: float = WAIT_S_MAX) -> None:
    async with asyncio.timeout(patience_s):
        while await client.reader.read(65536):
            pass


async def until(condition: Any) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while not condition():  # noqa: ASYNC110 - the gateway's state has no event for it
            await asyncio.sleep(TICK_S)


async def passes(clock: VirtualClock, seconds: float, gateway: Gateway) -> None:
    """The gateway's time goes on, and the gateway has noticed."""
    clock.advance(seconds)
    await until(lambda: gateway.core.state.now_ns == clock())


async def test_close_ends_with_what_was_said_and_fin() -> None:
    """The client reads the greeting to its end, and then an end of file."""
    async with gateway_with({"when": {"started": 1}, "do": "close"}) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        async with asyncio.timeout(WAIT_S_MAX):
            assert await client.reader.read() is not None
        assert client.reader.at_eof()
        client.close()


async def test_reset_ends_with_rst() -> None:
    """ECONNRESET, not an end of file."""
    async with gateway_with({"when": {"request": "reqPositions"}, "do": "reset"}) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        client.request("reqPositions")
        with pytest.raises(ConnectionResetError):
            await to_the_end(client)
        client.close()


async def test_a_gateway_that_vanishes_leaves_the_socket_open_and_frees_the_client_id() -> None:
    """Nothing comes, nothing ends; whoever connects anew finds a gateway that knows nothing of it."""
    async with gateway_with({"when": {"request": "reqPositions"}, "do": "vanish"}) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        client.request("reqPositions")
        await until(lambda: not gateway.core.state.sessions)
        client.request("reqCurrentTime")
        with pytest.raises(TimeoutError):
            await to_the_end(client, 20 * TICK_S)
        assert not client.reader.at_eof()
        again = await SocketClient.connect(gateway.port, 1)
        again.close()
        client.close()


async def test_a_gateway_that_stays_silent_accepts_and_never_answers() -> None:
    """The hello goes nowhere; the connection stays."""
    async with gateway_with({"when": {"connection": 1, "every": True}, "do": "stall_reading"}) as gateway:
        client = raw_client(gateway.port)
        await asyncio.get_running_loop().sock_sendall(client, b"API\0" + frame(b"v100..226"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20 * TICK_S):
                await asyncio.get_running_loop().sock_recv(client, 1)
        client.close()


async def test_what_is_sent_while_reading_stalls_is_read_later() -> None:
    """The gateway hears nothing of it until its time has come."""
    clock = VirtualClock(START_NS)
    step = {"when": {"started": 1}, "do": "stall_reading", "for_s": 0.3}
    async with gateway_with(step, pacing="off", clock=clock) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        session = gateway.core.state.sessions[0]
        await until(lambda: not session.is_read)
        client.request("reqManagedAccts")
        await passes(clock, 0.2, gateway)
        assert (session.is_read, gateway.core.state.requests["reqManagedAccts"]) == (False, 0)
        await passes(clock, 0.1, gateway)
        assert session.is_read
        await client.until("managedAccounts")
        client.close()


async def test_what_is_said_while_writing_stalls_comes_later() -> None:
    """Nothing is lost."""
    clock = VirtualClock(START_NS)
    step = {"when": {"request": "reqManagedAccts"}, "do": "stall_writing", "for_s": 0.2}
    async with gateway_with(step, clock=clock) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        client.request("reqManagedAccts")
        client.request("reqPositions")
        session = gateway.core.state.sessions[0]
        await until(lambda: not session.link.writes and session.output)
        await passes(clock, 0.2, gateway)
        assert session.link.writes
        await client.until("positionEnd")
        client.close()


async def test_segments_arrive_one_by_one() -> None:
    """The answer to the hello in pieces of three bytes, each on its own."""
    step = {"when": {"connection": 1}, "do": "split", "sizes": [3, 2], "pause_ms": 5}
    async with gateway_with(step) as gateway:
        client = raw_client(gateway.port)
        await asyncio.get_running_loop().sock_sendall(client, b"API\0" + frame(b"v100..226"))
        pieces = [await received(client)]
        length = 4 + struct.unpack_from("!I", pieces[0] + await received(client))[0] if len(pieces[0]) < 4 else 0
        while sum(map(len, pieces)) < length - 3:
            pieces.append(await received(client))
        assert max(map(len, pieces[:5])) <= 3
        assert len(pieces) >= 5
        client.close()


async def test_a_session_in_single_bytes_is_the_same_session() -> None:
    """Slow to read, and complete."""
    async with gateway_with({"when": {"connection": 1}, "do": "split"}) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        client.request("reqPositions")
        await client.until("positionEnd")
        client.close()


async def test_a_port_that_is_down_refuses_and_comes_back_as_the_same_port() -> None:
    """Open connections stay, new ones are refused by the kernel."""
    clock = VirtualClock(START_NS)
    step = {"when": {"request": "reqPositions"}, "do": "port_down", "for_s": 0.5}
    async with gateway_with(step, clock=clock) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        client.request("reqPositions")
        await client.until("positionEnd")

        def refused() -> bool:
            with contextlib.closing(socket.socket()) as attempt:
                return attempt.connect_ex(("127.0.0.1", gateway.port)) == errno.ECONNREFUSED

        await until(refused)
        client.request("reqManagedAccts")
        await client.until("managedAccounts")
        clock.advance(0.5)
        await until(lambda: not refused())
        again = await SocketClient.connect(gateway.port, 2)
        again.close()
        client.close()


async def test_a_gateway_can_start_and_stop_with_its_port_down() -> None:
    """As one that waits for its login; leaving it is no error."""
    async with gateway_with({"do": "port_down"}) as gateway:
        await until(lambda: gateway.server._listener is None)


async def test_a_message_is_cut_and_the_connection_reset() -> None:
    """The bytes before the cut arrive."""
    step = {"do": "cut", "names": ["managedAccounts"], "skip": 1, "at": 7}
    async with gateway_with(step) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        while (reply := client.codec.decode_reply(await client.payload())).get("errorCode") != 2158:
            assert reply.name == "error"
        client.request("reqManagedAccts")
        tail = b""
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(WAIT_S_MAX):
                while data := await client.reader.read(65536):
                    tail += data
        assert len(tail) in (0, 7), "what a reset leaves is all or nothing"
        client.close()


async def test_bytes_wait_for_their_time() -> None:
    """Latency, by the gateway's clock."""
    step = {"when": {"started": 1, "after_s": 0.1}, "do": "latency", "seconds": 0.2}
    async with gateway_with(step) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        await until(lambda: gateway.director.acted)
        asked_ns = gateway.core.state.now_ns
        client.request("reqManagedAccts")
        await client.until("managedAccounts")
        assert gateway.core.state.now_ns - asked_ns >= 200_000_000
        client.close()


async def test_frames_are_held_and_leave_together() -> None:
    """Coalesced: three answers in one segment."""
    step = {"when": {"request": "reqManagedAccts"}, "do": "coalesce", "frames": 3, "for_s": 10}
    async with gateway_with(step) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        for _ in range(3):
            client.request("reqManagedAccts")
        for _ in range(3):
            await client.until("managedAccounts")
        client.close()


async def test_faults_can_be_stopped() -> None:
    """Everything is as without a scenario: the port is open, data flows, sockets are read."""
    steps = (
        {"do": "port_down"},
        {"when": {"started": 1}, "do": "stall_reading"},
        {"do": "stop_data"},
        {"do": "link_lost"},
        {"do": "drop", "names": ["*"]},
    )
    async with gateway_with({"when": {"started": 1}, "do": "stall_reading"}) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        for step in read_scenario({"name": "more", "step": list(steps[2:])}).steps:
            gateway.director.do(step.action)
        gateway.director.stop()
        gateway.server.refresh()
        client.request("reqManagedAccts")
        await client.until("managedAccounts")
        assert gateway.director.scenario is None
        client.close()
