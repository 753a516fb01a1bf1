"""The recorder between a client and a gateway: neither can tell, and all of it is written down."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.tws_simulator.recording.recordings import FROM, START_NS, TO, writer_at
from tws_simulator.recording.address import listening_socket, parse_address
from tws_simulator.recording.format import Direction, Kind, Record, Recording, Writer
from tws_simulator.recording.record import Recorder
from tws_simulator.recording.tap import Tap
from tws_simulator.recording.writing import WriterThread
from tws_simulator.server import NotLoopback
from tws_simulator.wire.codec import frame

WAIT_S_MAX = 20.0
LOOPBACK = "127.0.0.1"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CLIENT_BYTES = b"API\0" + frame(b"v100..226") + frame(b"71\x002\x007\0\0") + frame(b"") + frame(b"49\x001\0")
GATEWAY_BYTES = frame(b"176\x0020261122 16:30:00 GMT\0") + frame(b"15\x001\0DU123\0") + frame(bytes(70_000))


class Upstream:
    """A gateway that only hands its connections to the test."""

    def __init__(self) -> None:
        self.accepted: asyncio.Queue[Streams] = asyncio.Queue()
        self.port = 0

    async def __aenter__(self) -> Upstream:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self.accepted.put((reader, writer))

        self._server = await asyncio.start_server(accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


@asynccontextmanager
async def recording(
    path: Path, upstream_port: int, *, told: list[str] | None = None, connections_max: int = 64
) -> AsyncIterator[Recorder]:
    told = [] if told is None else told
    ticks = itertools.count(START_NS, 1000)
    writer = WriterThread(writer_at(path), told.append)
    writer.start()
    try:
        async with Recorder(
            listening_socket((LOOPBACK, 0)),
            (LOOPBACK, upstream_port),
            writer,
            clock=lambda: next(ticks),
            tell=told.append,
            connections_max=connections_max,
        ) as recorder:
            yield recorder
    finally:
        writer.close(next(ticks))


@asynccontextmanager
async def joined(path: Path) -> AsyncIterator[tuple[Streams, Streams]]:
    """A client and a gateway with the recorder between them."""
    async with Upstream() as upstream, recording(path, upstream.port) as recorder:
        client = await asyncio.open_connection(*recorder.address)
        gateway = await asyncio.wait_for(upstream.accepted.get(), WAIT_S_MAX)
        yield client, gateway
        for _, writer in (client, gateway):
            writer.close()


def bytes_of(path: Path, direction: Direction, connection: int = 1) -> bytes:
    """What a direction carried, as the format's document says it."""
    found = b""
    for record in Recording(path):
        if record.direction is direction and record.connection == connection and record.kind is not Kind.CLOSED:
            found += frame(record.payload) if record.kind is Kind.FRAME else record.payload
    return found


def closings(path: Path) -> list[tuple[int, str]]:
    return [(int(r.direction), r.payload.decode()) for r in Recording(path) if r.kind is Kind.CLOSED]


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(), WAIT_S_MAX)


@pytest.mark.parametrize("segment_bytes", [1, 7, 100_000])
async def test_bytes_arrive_as_they_were_sent(tmp_path: Path, segment_bytes: int) -> None:
    """In both directions, however they were cut, and the recording has all of them."""
    from_gateway = GATEWAY_BYTES if segment_bytes > 1 else GATEWAY_BYTES[:600]
    async with joined(tmp_path / "f") as (client, gateway):
        for (_, writer), (reader, _), sent in ((client, gateway, CLIENT_BYTES), (gateway, client, from_gateway)):
            for at in range(0, len(sent), segment_bytes):
                writer.write(sent[at : at + segment_bytes])
                await writer.drain()
                if segment_bytes == 1:
                    assert await asyncio.wait_for(reader.readexactly(1), WAIT_S_MAX) == sent[at : at + 1]
            writer.write_eof()
            assert await read_to_end(reader) == (b"" if segment_bytes == 1 else sent)
    assert bytes_of(tmp_path / "f", TO) == CLIENT_BYTES
    assert bytes_of(tmp_path / "f", FROM) == from_gateway
    assert closings(tmp_path / "f") == [(1, "end"), (2, "end")]


def test_frames_are_found_however_bytes_are_cut() -> None:
    """The same pieces at any cut; what is no frame is raw; and no byte is lost."""
    chance = random.Random(7)
    for sent, direction in (
        (CLIENT_BYTES, TO),
        (GATEWAY_BYTES, FROM),
        (b"GET / HTTP/1.1\r\n", TO),
        (b"\xff" * 9, FROM),
    ):
        whole = Tap(direction).feed(sent)
        for _ in range(50):
            tap, pieces, at = Tap(direction), [], 0
            while at < len(sent):
                step = chance.choice((1, 2, 3, 5, 1000, 60_000))
                pieces += tap.feed(sent[at : at + step])
                at += step
            framed = [piece for piece in pieces if piece[0] is not Kind.RAW]
            assert framed == [piece for piece in whole if piece[0] is not Kind.RAW]
            pieces += tap.end()
            carried = b"".join(frame(data) if kind is Kind.FRAME else data for kind, data in pieces)
            assert carried == sent
    kinds = [kind for kind, _ in Tap(TO).feed(CLIENT_BYTES)]
    assert kinds == [Kind.HELLO, Kind.FRAME, Kind.FRAME, Kind.FRAME]


def test_a_refusal_in_place_of_the_hello_is_a_frame() -> None:
    """Else its message id would be taken for a server version."""
    assert Tap(FROM).feed(frame(b"4\x002\x00-1\x00503\0old\0")) == [(Kind.FRAME, b"4\x002\x00-1\x00503\0old\0")]


async def test_an_end_of_one_direction_leaves_the_other(tmp_path: Path) -> None:
    """Either side may end first, and still hear the other."""
    async with joined(tmp_path / "f") as (client, gateway):
        client[1].write_eof()
        assert await read_to_end(gateway[0]) == b""
        gateway[1].write(GATEWAY_BYTES)
        gateway[1].write_eof()
        assert await read_to_end(client[0]) == GATEWAY_BYTES


@pytest.mark.parametrize("who", ["client", "gateway"])
async def test_a_reset_is_a_reset_on_the_other_side(tmp_path: Path, who: str) -> None:
    """Not an orderly end."""
    async with joined(tmp_path / "f") as (client, gateway):
        breaking, other = (client, gateway) if who == "client" else (gateway, client)
        breaking[1].write(b"x")
        assert await asyncio.wait_for(other[0].readexactly(1), WAIT_S_MAX) == b"x"
        sock = breaking[1].get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        breaking[1].transport.abort()
        with pytest.raises(ConnectionResetError):
            await read_to_end(other[0])
    assert [reason for _, reason in closings(tmp_path / "f")] == ["reset", "reset"]


async def test_a_side_that_does_not_read_holds_the_other_back(tmp_path: Path) -> None:
    """As it would without the recorder; nothing is dropped, and it all comes when it reads again."""
    async with joined(tmp_path / "f") as (client, gateway):
        client[0]._transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        chunk = frame(bytes(65_532))
        with contextlib.suppress(TimeoutError):
            while True:
                gateway[1].write(chunk)
                sent += len(chunk)
                await asyncio.wait_for(gateway[1].drain(), 1)
                assert sent < 64 * 1024 * 1024, "the recorder takes without end"
        client[0]._transport.resume_reading()  # type: ignore[attr-defined]
        got = 0
        while got < sent:
            got += len(await asyncio.wait_for(client[0].read(2**20), WAIT_S_MAX))
        assert got == sent


async def test_several_connections_are_kept_apart(tmp_path: Path) -> None:
    """Each has its number, in the order of opening."""
    async with Upstream() as upstream, recording(tmp_path / "f", upstream.port) as recorder:
        pairs = []
        for _ in range(3):
            client = await asyncio.open_connection(*recorder.address)
            pairs.append((client, await asyncio.wait_for(upstream.accepted.get(), WAIT_S_MAX)))
        for number, (client, gateway) in reversed(list(enumerate(pairs, start=1))):
            gateway[1].write(frame(b"%d" % number))
            gateway[1].write_eof()
            assert await read_to_end(client[0]) == frame(b"%d" % number)
            client[1].close()
            gateway[1].close()
    for number in (1, 2, 3):
        assert bytes_of(tmp_path / "f", FROM, number) == frame(b"%d" % number)


async def test_a_gateway_that_is_not_there_resets_the_client(tmp_path: Path) -> None:
    """And the recording says why."""
    told: list[str] = []
    async with Upstream() as gone:
        pass
    async with recording(tmp_path / "f", gone.port, told=told) as recorder:
        reader, writer = await asyncio.open_connection(*recorder.address)
        with pytest.raises(ConnectionResetError):
            await read_to_end(reader)
        writer.close()
    assert all(reason.startswith("not reached: ") for _, reason in closings(tmp_path / "f"))
    assert any("not reached" in line for line in told)


async def test_a_connection_too_many_is_reset(tmp_path: Path) -> None:
    """The others go on."""
    told: list[str] = []
    async with (
        Upstream() as upstream,
        recording(tmp_path / "f", upstream.port, told=told, connections_max=1) as recorder,
    ):
        client = await asyncio.open_connection(*recorder.address)
        gateway = await asyncio.wait_for(upstream.accepted.get(), WAIT_S_MAX)
        reader, writer = await asyncio.open_connection(*recorder.address)
        with pytest.raises(ConnectionResetError):
            await read_to_end(reader)
        writer.close()
        gateway[1].write(b"still here")
        assert await asyncio.wait_for(client[0].readexactly(10), WAIT_S_MAX) == b"still here"
        client[1].close()
        gateway[1].close()
    assert any("refused" in line for line in told)


async def test_a_stop_closes_every_connection(tmp_path: Path) -> None:
    """What was read by then is written, half a frame too."""
    async with Upstream() as upstream:
        async with recording(tmp_path / "f", upstream.port) as recorder:
            client = await asyncio.open_connection(*recorder.address)
            gateway = await asyncio.wait_for(upstream.accepted.get(), WAIT_S_MAX)
            client[1].write(CLIENT_BYTES[:-3])
            await asyncio.wait_for(gateway[0].readexactly(len(CLIENT_BYTES) - 3), WAIT_S_MAX)
        assert await read_to_end(client[0]) == b""
        client[1].close()
        gateway[1].close()
    assert bytes_of(tmp_path / "f", TO) == CLIENT_BYTES[:-3]
    assert closings(tmp_path / "f") == [(1, "stopped"), (2, "stopped")]


class FailingWriter(Writer):
    """A disk that is full from the third record on."""

    def write(self, record: Record) -> None:
        if record.kind is Kind.FRAME:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(record)


async def test_a_full_disk_does_not_stop_the_bytes(tmp_path: Path) -> None:
    """It is told once and remembered."""
    told: list[str] = []
    writer = WriterThread(FailingWriter(tmp_path / "f", "a test", START_NS), told.append)
    writer.start()
    async with Upstream() as upstream:
        listening = listening_socket((LOOPBACK, 0))
        async with Recorder(
            listening, (LOOPBACK, upstream.port), writer, clock=lambda: START_NS, tell=lambda _: None
        ) as recorder:
            client = await asyncio.open_connection(*recorder.address)
            gateway = await asyncio.wait_for(upstream.accepted.get(), WAIT_S_MAX)
            for _ in range(20):
                client[1].write(CLIENT_BYTES)
                assert await asyncio.wait_for(gateway[0].readexactly(len(CLIENT_BYTES)), WAIT_S_MAX) == CLIENT_BYTES
            client[1].close()
            gateway[1].close()
    writer.close(START_NS)
    assert isinstance(writer.failure, OSError)
    assert not writer.is_complete
    assert [line for line in told if "No space left" in line] == told
    assert len(told) == 1


class StalledWriter(Writer):
    """A disk that stands still until it is let go."""

    def __init__(self, path: Path, go_on: Callable[[], object]) -> None:
        super().__init__(path, "a test", START_NS)
        self._go_on = go_on

    def write(self, record: Record) -> None:
        self._go_on()
        super().write(record)


def test_what_waits_for_a_slow_disk_is_bounded(tmp_path: Path) -> None:
    """Beyond the bound records are dropped, and the recording says how many, where they are missing."""
    gate = threading.Event()
    told: list[str] = []
    writer = WriterThread(StalledWriter(tmp_path / "f", gate.wait), told.append, waiting_bytes_max=1000)
    writer.start()
    for number in range(200):
        writer.put(Record(Kind.FRAME, START_NS, number.to_bytes(2, "big") + bytes(98), 1, TO))
    gate.set()
    writer.close(START_NS)
    lost = [int(record.payload) for record in Recording(tmp_path / "f") if record.kind is Kind.LOST]
    kept = [record for record in Recording(tmp_path / "f") if record.kind is Kind.FRAME]
    assert sum(lost) == writer.lost_records == 200 - len(kept)
    assert 7 <= len(kept) < 20
    assert not writer.is_complete
    assert told


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_only_this_machine_can_reach_a_recorder(host: str) -> None:
    """Whoever reaches it reaches the gateway, with orders too."""
    with pytest.raises(NotLoopback):
        listening_socket((host, 0))


@pytest.mark.parametrize(
    ("text", "host", "address"),
    [
        ("10.0.0.5:4001", None, ("10.0.0.5", 4001)),
        ("[::1]:7497", None, ("::1", 7497)),
        ("7497", LOOPBACK, (LOOPBACK, 7497)),
        ("localhost:0", LOOPBACK, ("localhost", 0)),
    ],
)
def test_addresses_are_read(text: str, host: str | None, address: tuple[str, int]) -> None:
    """A port alone only where a host is known."""
    assert parse_address(text, host=host) == address


@pytest.mark.parametrize("text", ["", "7497", "host:", ":1", "host:x", "host:65536", "host:-1", "host:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """By name."""
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        parse_address(text)
