"""A bad line: stands between a client and a gateway, and passes their bytes on slowly, late, in pieces, or not at all.

    with Proxy(gateway.port) as line:
        line.inbound.rate_bytes_s = 1_000        # from the gateway to the client
        line.outbound.cut_after_bytes = 17       # from the client to the gateway
        ...connect to line.port...
        line.reset()

Each setting may change at any time and holds from the next bytes on. One thread, with an event loop of its own; each
direction of each connection is a task that takes and a task that passes on, so one direction can be dead while the
other lives. Bytes are never reordered, and none is invented.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 30
_READ_BYTES = 65_536
_SLOW_READ_BYTES = 256
_LOOKS_S = 0.005
"""How often a direction that stands still looks whether it may go on."""

_PIECES_MAX = 4_096
"""What a direction holds on the way; at the bound it takes no more, and its sender feels that."""


@dataclass
class Direction:
    """What happens to the bytes that go one way, on all connections; as it is, nothing does.

    ``rate_bytes_s``: no faster than that. ``latency_s`` with ``jitter_s``: each piece arrives so much later, give or
    take. ``slice_bytes``: no piece is longer. ``cut_after_bytes``: of each connection so many are passed on, then both
    sides hear a reset. ``blackhole``: bytes are taken and lost, and so is the other side's end. ``stopped``: none are
    even taken. ``repeats``: each piece arrives so often. ``passed`` counts bytes.
    """

    rate_bytes_s: float | None = None
    latency_s: float = 0.0
    jitter_s: float = 0.0
    slice_bytes: int | None = None
    cut_after_bytes: int | None = None
    blackhole: bool = False
    stopped: bool = False
    repeats: int = 1
    passed: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(0))

    def delay_s(self) -> float:
        return max(0.0, self.latency_s + self.dice.uniform(-self.jitter_s, self.jitter_s))


class Proxy:
    """Listens on ``port`` of this machine between entry and exit, and connects each client to ``target``."""

    def __init__(self, target: int, *, seed: int = 0) -> None:
        self.target = target
        self.inbound = Direction(dice=random.Random(seed))
        self.outbound = Direction(dice=random.Random(seed + 1))
        self.connections = 0
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._lines: dict[asyncio.Task[None], _Line] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._accepting = asyncio.run_coroutine_threadsafe(self._accept(), self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._accepting.cancel()
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()
        self._listener.close()

    def reset(self) -> None:
        """End every connection: both sides hear a RST. Done when it returns."""
        self._inside(self._end(by_reset=True))

    def close(self) -> None:
        """End every connection: both sides hear a FIN. Done when it returns."""
        self._inside(self._end(by_reset=False))

    def _inside(self, act: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(act, self._loop).result(PATIENCE_S)

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            line = _Line(client, self.inbound, self.outbound)
            task = self._loop.create_task(line.carry(self.target))
            self._lines[task] = line
            task.add_done_callback(self._lines.pop)
            self.connections += 1

    async def _end(self, *, by_reset: bool) -> None:
        tasks = list(self._lines)
        for task in tasks:
            self._lines[task].by_reset = by_reset
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Cut(Exception):
    """So many bytes and no more."""


class _Line:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, inbound: Direction, outbound: Direction) -> None:
        self.by_reset = False
        self._client = client
        self._inbound = inbound
        self._outbound = outbound

    async def carry(self, target: int) -> None:
        gateway = socket.socket()
        try:
            for each in (self._client, gateway):
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(gateway, ("127.0.0.1", target))
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_carry(gateway, self._client, self._inbound))
                ways.create_task(_carry(self._client, gateway, self._outbound))
        except* (_Cut, OSError):  # a reset of one side, or nobody at the target, is a reset of the other
            self.by_reset = True
        finally:
            for each in (self._client, gateway):
                if self.by_reset:
                    _linger_not(each)
                each.close()


async def _carry(source: socket.socket, sink: socket.socket, way: Direction) -> None:
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PIECES_MAX)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_take(source, way, pieces))
        tasks.create_task(_pass_on(sink, way, pieces))


async def _take(source: socket.socket, way: Direction, pieces: asyncio.Queue[tuple[float, bytes]]) -> None:
    """Each piece with the moment it is due; none overtakes another. An empty one is the end."""
    loop = asyncio.get_running_loop()
    due_s = 0.0
    data = b"first"
    while data:
        await _may_go_on(way)
        data = await loop.sock_recv(source, _READ_BYTES if way.rate_bytes_s is None else _SLOW_READ_BYTES)
        size = (
            way.slice_bytes if way.rate_bytes_s is None else min(way.slice_bytes or _SLOW_READ_BYTES, _SLOW_READ_BYTES)
        )
        for piece in _sliced(data * way.repeats, size):  # a rate set since the read began holds for what was read
            due_s = max(due_s, loop.time() + way.delay_s())
            await pieces.put((due_s, piece))


async def _pass_on(sink: socket.socket, way: Direction, pieces: asyncio.Queue[tuple[float, bytes]]) -> None:
    loop = asyncio.get_running_loop()
    passed = 0
    while True:
        due_s, piece = await pieces.get()
        await asyncio.sleep(due_s - loop.time())
        await _may_go_on(way)
        if way.blackhole:
            continue
        if not piece:
            sink.shutdown(socket.SHUT_WR)
            return
        if way.cut_after_bytes is not None:
            piece = piece[: max(0, way.cut_after_bytes - passed)]
        passed += len(piece)
        way.passed += len(piece)
        await loop.sock_sendall(sink, piece)
        if way.cut_after_bytes is not None and passed >= way.cut_after_bytes:
            raise _Cut
        if way.rate_bytes_s is not None:
            await asyncio.sleep(len(piece) / way.rate_bytes_s)


async def _may_go_on(way: Direction) -> None:
    while way.stopped:  # noqa: ASYNC110 - a plain attribute, set by the thread of the test
        await asyncio.sleep(_LOOKS_S)


def _sliced(data: bytes, size: int | None) -> list[bytes]:
    if size is None or not data:
        return [data]
    return [data[at : at + size] for at in range(0, len(data), size)]


def _linger_not(connection: socket.socket) -> None:
    """The close that follows is heard as RST."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
