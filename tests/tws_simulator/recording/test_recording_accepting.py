"""How recorder and replay take in connections: a shortage and a crowd disturb nobody who is there already."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from pathlib import Path

import pytest

from tests.tws_simulator.recording.recordings import RecordedConnection, scripts_of, writer_at
from tws_simulator.recording import accepting
from tws_simulator.recording.accepting import Accepting
from tws_simulator.recording.address import Address, listening_socket
from tws_simulator.recording.replay import Replay
from tws_simulator.recording.replay_server import ReplayServer
from tws_simulator.wire.codec import frame

LOOPBACK = "127.0.0.1"
WAIT_S_MAX = 30.0


class Echo(Accepting):
    async def carry(self, client: socket.socket, peer: Address) -> None:
        loop = asyncio.get_running_loop()
        with client:
            client.settimeout(0)
            while data := await loop.sock_recv(client, 1024):
                await loop.sock_sendall(client, data)


class ShortSocket(socket.socket):
    """Of a machine that runs out of descriptors for the first few connections, or out of patience."""

    faults: list[int]

    def accept(self) -> tuple[socket.socket, Address]:
        if self.faults:
            fault = self.faults.pop(0)
            raise OSError(fault, os.strerror(fault))
        return super().accept()


def short_of(*faults: int) -> ShortSocket:
    listening = ShortSocket(fileno=listening_socket((LOOPBACK, 0)).detach())
    listening.setblocking(False)
    listening.faults = list(faults)
    return listening


@pytest.mark.parametrize("fault", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_a_shortage_is_waited_out(fault: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client in the queue is served when it is over, and somebody is told."""
    monkeypatch.setattr(accepting, "_RETRY_ACCEPT_S", 0.001)
    told: list[str] = []
    async with Echo(short_of(fault, fault), connections_max=2, tell=told.append) as echo:
        reader, writer = await asyncio.open_connection(*echo.address)
        writer.write(b"here")
        assert await asyncio.wait_for(reader.readexactly(4), WAIT_S_MAX) == b"here"
        assert echo.open == 1
        writer.close()
    assert told == [f"cannot accept a connection: {os.strerror(fault)}"] * 2


async def test_a_replay_survives_a_shortage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers the hello of the client that had to wait."""
    monkeypatch.setattr(accepting, "_RETRY_ACCEPT_S", 0.001)
    recorded = writer_at(tmp_path / "f")
    RecordedConnection(recorded, 176)
    recorded.close(0)
    async with ReplayServer(
        Replay(scripts_of(tmp_path / "f"), None), short_of(errno.EMFILE), clock=lambda: 0
    ) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"API\0" + frame(b"v100..226"))
        assert await asyncio.wait_for(reader.readexactly(8), WAIT_S_MAX)
        writer.close()


async def test_a_connection_too_many_is_reset_and_the_next_one_finds_room() -> None:
    """Once another has left."""
    told: list[str] = []
    async with Echo(short_of(), connections_max=1, tell=told.append) as echo:
        first = await asyncio.open_connection(*echo.address)
        first[1].write(b"1")
        await asyncio.wait_for(first[0].readexactly(1), WAIT_S_MAX)
        second = await asyncio.open_connection(*echo.address)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(second[0].read(), WAIT_S_MAX)
        second[1].close()
        first[1].write_eof()
        assert await asyncio.wait_for(first[0].read(), WAIT_S_MAX) == b""
        first[1].close()
        third = await asyncio.open_connection(*echo.address)
        third[1].write(b"3")
        assert await asyncio.wait_for(third[0].readexactly(1), WAIT_S_MAX) == b"3"
        third[1].close()
    assert len(told) == 1
    assert told[0].endswith("1 connections are open")


async def test_any_other_fault_is_told_by_leaving() -> None:
    """Whoever waits for it hears that it serves no more, and leaving raises why."""
    with pytest.raises(ExceptionGroup) as caught:
        async with Echo(short_of(errno.EBADF), connections_max=1, tell=lambda line: None) as echo:
            await asyncio.wait_for(echo.failed(), WAIT_S_MAX)
    assert [fault.errno for fault in caught.value.exceptions if isinstance(fault, OSError)] == [errno.EBADF]
