"""The gateway on a real socket: admission, isolation of clients, stopping."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading

import pytest

from tests.tws_simulator.scripted_client import AAPL
from tws_simulator import Gateway, Interference, NotLoopback, running_gateway
from tws_simulator.api.session import Session
from tws_simulator.wire.codec import Codec, frame
from tws_simulator.wire.row import Message, message

WAIT_S_MAX = 20.0


class SocketClient:
    """Our own frames over a real connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, codec: Codec) -> None:
        self.reader, self.writer, self.codec = reader, writer, codec

    @classmethod
    async def connect(cls, port: int, client_id: int, *, receive_bytes: int | None = None) -> SocketClient:
        sock = socket.socket()
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.write(b"API\0" + frame(b"v100..226"))
        client = cls(reader, writer, Codec(226))
        hello = await client.payload()
        client.codec = Codec(int(hello.split(b"\0")[0]))
        client.request("startApi", clientId=client_id)
        await client.until("nextValidId")
        return client

    def request(self, name: str, /, **values: object) -> None:
        self.writer.write(frame(self.codec.encode_request(message(name, **values))))

    async def payload(self) -> bytes:
        async with asyncio.timeout(WAIT_S_MAX):
            length = struct.unpack("!I", await self.reader.readexactly(4))[0]
            return await self.reader.readexactly(length)

    async def until(self, name: str) -> Message:
        while (reply := self.codec.decode_reply(await self.payload())).name != name:
            pass
        return reply

    async def at_end(self) -> None:
        """Until the gateway has closed the connection, reading what is left."""
        async with asyncio.timeout(WAIT_S_MAX):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass
        self.close()

    def close(self) -> None:
        self.writer.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])
def test_only_loopback_is_listened_on(host: str) -> None:
    """The simulator has no protection against strangers."""
    with pytest.raises(NotLoopback, match="not a loopback address"):
        Gateway(host=host)


def test_a_version_nobody_speaks_is_refused_at_once() -> None:
    """Not when the first client comes."""
    with pytest.raises(ValueError, match="server_version: a whole number from 151 to 226"):
        Gateway(server_version=150)


async def test_a_client_too_many_is_closed_without_a_word() -> None:
    """And the place of one that left is free again."""
    async with Gateway(clients_max=2) as gateway:
        clients = [await SocketClient.connect(gateway.port, client_id) for client_id in (1, 2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        clients[0].close()
        async with asyncio.timeout(WAIT_S_MAX):
            while len(gateway.core.state.sessions) > 1:
                clients[1].request("reqIds", numIds=1)
                await clients[1].until("nextValidId")
        again = await SocketClient.connect(gateway.port, 1)
        for client in (clients[1], again):
            client.close()


async def test_a_refused_client_id_is_told_so_before_the_connection_ends() -> None:
    """326 arrives, then the end."""
    async with Gateway() as gateway:
        incumbent = await SocketClient.connect(gateway.port, 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"API\0" + frame(b"v100..226"))
        intruder = SocketClient(reader, writer, Codec(226))
        await intruder.payload()
        intruder.request("startApi", clientId=1)
        assert (await intruder.until("error"))["errorCode"] == 326
        await intruder.at_end()
        incumbent.request("reqIds", numIds=1)
        await incumbent.until("nextValidId")
        incumbent.close()


async def test_a_client_that_does_not_read_is_dropped_and_others_notice_nothing() -> None:
    """Its buffer is bounded; the other client is served all the while."""
    async with Gateway(unread_bytes_max=256 * 1024, pacing="off") as gateway:
        stalled = await SocketClient.connect(gateway.port, 1, receive_bytes=4096)
        served = await SocketClient.connect(gateway.port, 2)
        anywhere = {"symbol": "AAPL", "secType": "STK", "currency": "USD"}
        stalled.reader._transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(2000):
            stalled.request("reqContractDetails", reqId=1, contract=anywhere)
            served.request("reqIds", numIds=1)
            await served.until("nextValidId")
            if gateway.server.dropped_clients:
                break
        assert gateway.server.dropped_clients == 1
        served.request("reqIds", numIds=1)
        await served.until("nextValidId")
        stalled.close()
        served.close()


async def test_stopping_closes_every_connection() -> None:
    """Nothing is left behind for the next test."""
    gateway = Gateway()
    async with gateway:
        client = await SocketClient.connect(gateway.port, 1)
        client.request("reqMktData", reqId=1, contract=AAPL)
        await client.until("tickGeneric")
    await client.at_end()
    assert gateway.core.state.sessions == []


async def test_all_connections_can_be_cut_at_once() -> None:
    """As when a gateway dies; clients can connect again."""
    async with Gateway() as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        gateway.disconnect_all()
        await client.at_end()
        again = await SocketClient.connect(gateway.port, 1)
        again.close()


async def test_ticks_come_with_the_clock() -> None:
    """The market moves by the clock given, not by the test's own time."""
    now_ns = 1_795_365_000_000_000_000

    def clock() -> int:
        nonlocal now_ns
        now_ns += 1_000_000_000
        return now_ns

    async with Gateway(seed=7, clock=clock, tick_interval_s=0.001) as gateway:
        client = await SocketClient.connect(gateway.port, 1)
        client.request("reqMktData", reqId=1, contract=AAPL)
        await client.until("tickGeneric")
        await client.until("tickPrice")
        client.close()


async def test_a_fault_of_the_simulator_is_raised_where_it_was_started() -> None:
    """The event loop would only log it."""

    class Broken(Interference):
        def request(self, session: Session, message: Message) -> Message | None:
            if message.name == "reqPositions":
                raise RuntimeError("broken on purpose")
            return message

    gateway = Gateway(interference=Broken())
    await gateway.__aenter__()
    client = await SocketClient.connect(gateway.port, 1)
    client.request("reqPositions")
    await client.at_end()
    with pytest.raises(RuntimeError, match="broken on purpose"):
        await gateway.__aexit__(None, None, None)


def test_a_gateway_runs_on_a_thread_for_callers_without_a_loop() -> None:
    """Started when the block begins, gone when it ends."""
    with running_gateway(Gateway(seed=7)) as gateway:
        assert gateway.account.startswith("DU")
        assert gateway.ledger.placements == []
        assert gateway.call(lambda inside: inside.port) == gateway.port
        socket.create_connection(("127.0.0.1", gateway.port), WAIT_S_MAX).close()
    assert "tws-simulator" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", gateway.port), WAIT_S_MAX)


def test_a_port_in_use_is_the_starters_error() -> None:
    """Also on a thread."""
    with running_gateway() as first, pytest.raises(OSError), running_gateway(Gateway(port=first.port)):
        pass
