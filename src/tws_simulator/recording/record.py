"""A proxy that a client and its gateway do not notice, and that writes down what they say to each other.

What is read on one side is sent on the other before anything else is done with it. One direction holds at most one
read of bytes: when a side does not take them, the other is not read from, and so feels it as it would without the
proxy. An end of one direction is passed on alone, a reset is passed on as a reset. What the disk does is of no
consequence for the bytes (see `writing`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tws_simulator.recording.accepting import Accepting, reset
from tws_simulator.recording.address import Address, format_address
from tws_simulator.recording.format import Direction, Kind, Record
from tws_simulator.recording.tap import Piece, Tap
from tws_simulator.recording.writing import WriterThread

CONNECTIONS_MAX = 64
READ_BYTES_MAX = 64 * 1024
DIAL_S_MAX = 10.0

_BOTH = (Direction.TO_GATEWAY, Direction.FROM_GATEWAY)


class Recorder(Accepting):
    """Carries between its clients and ``upstream``.

    ``writer`` is started and closed by whoever made it.
    ``clock`` gives nanoseconds since 1970. ``tell`` gets one line for each connection that opens or ends.
    """

    def __init__(
        self,
        listening: socket.socket,
        upstream: Address,
        writer: WriterThread,
        *,
        clock: Callable[[], int],
        tell: Callable[[str], None],
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        super().__init__(listening, connections_max=connections_max, tell=tell)
        self.upstream = upstream
        self.connections = 0
        self.frames = 0
        self._writer = writer
        self._clock = clock

    def __repr__(self) -> str:
        where = f"{format_address(self.address)} to {format_address(self.upstream)}"
        return f"<Recorder {where} {self.open} open {self.connections} connections {self.frames} frames>"

    async def carry(self, client: socket.socket, peer: Address) -> None:
        self.connections += 1
        number = self.connections
        self._tell(f"connection {number} from {format_address(peer)}")
        connection = _Connection(number, self._put)
        connection.opened(self._clock(), peer, self.upstream)
        try:
            reason = await self._carry_both(client, connection)
        finally:
            self.frames += connection.frames
            connection.closed(self._clock(), "stopped")  # what is not closed yet
        self._tell(f"connection {number} ended ({reason}), {connection.frames} frames")

    async def _carry_both(self, client: socket.socket, connection: _Connection) -> str:
        """Why it ended: both sides ended it, it was reset, or the gateway was not reached."""
        with _closed_in_the_end(client):
            try:
                gateway = await _dial(self.upstream)
            except OSError as fault:
                reset(client)
                reason = f"not reached: {fault.strerror or fault}"
                connection.closed(self._clock(), reason)
                return reason
            reason = "closed"
            with _closed_in_the_end(gateway):
                try:
                    async with asyncio.TaskGroup() as directions:
                        directions.create_task(self._pump(client, gateway, connection, Direction.TO_GATEWAY))
                        directions.create_task(self._pump(gateway, client, connection, Direction.FROM_GATEWAY))
                except* OSError:
                    reset(client)
                    reset(gateway)
                    reason = "reset"
                    connection.closed(self._clock(), reason)
        return reason

    async def _pump(
        self, source: socket.socket, sink: socket.socket, connection: _Connection, direction: Direction
    ) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, READ_BYTES_MAX):
            read_ns = self._clock()
            try:
                sent = _send_what_fits(sink, data)
            finally:  # what was read is recorded, also if the other side has gone
                connection.carried(direction, data, read_ns)
            if sent < len(data):
                await loop.sock_sendall(sink, data[sent:])
        connection.ended(direction, self._clock(), "end")
        sink.shutdown(socket.SHUT_WR)

    def _put(self, record: Record) -> None:
        self._writer.put(record)


class _Connection:
    """What is recorded of one connection, in the order in which it was read."""

    def __init__(self, number: int, put: Callable[[Record], None]) -> None:
        self.frames = 0
        self._number = number
        self._put = put
        self._taps = {direction: Tap(direction) for direction in _BOTH}

    def opened(self, now_ns: int, peer: Address, upstream: Address) -> None:
        between = {"client": format_address(peer), "upstream": format_address(upstream)}
        self._put(Record(Kind.OPENED, now_ns, json.dumps(between).encode(), self._number))

    def carried(self, direction: Direction, data: bytes, read_ns: int) -> None:
        self._record(direction, self._taps[direction].feed(data), read_ns)

    def ended(self, direction: Direction, now_ns: int, reason: str) -> None:
        tap = self._taps.pop(direction)
        self._record(direction, tap.end(), now_ns)
        self._put(Record(Kind.CLOSED, now_ns, reason.encode(), self._number, direction))

    def closed(self, now_ns: int, reason: str) -> None:
        for direction in tuple(self._taps):
            self.ended(direction, now_ns, reason)

    def _record(self, direction: Direction, pieces: list[Piece], now_ns: int) -> None:
        for kind, payload in pieces:
            self.frames += kind is Kind.FRAME
            self._put(Record(kind, now_ns, payload, self._number, direction))


async def _dial(upstream: Address) -> socket.socket:
    """The first of the name's addresses that accepts."""
    loop = asyncio.get_running_loop()
    fault = OSError(f"{upstream[0]} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(*upstream, type=socket.SOCK_STREAM):
        gateway = socket.socket(family, kind, protocol)
        try:
            gateway.settimeout(0)
            async with asyncio.timeout(DIAL_S_MAX):
                await loop.sock_connect(gateway, address)
        except OSError as refusal:  # a timeout is one
            gateway.close()
            fault = refusal
        except BaseException:
            gateway.close()
            raise
        else:
            return gateway
    raise fault


@contextmanager
def _closed_in_the_end(side: socket.socket) -> Iterator[None]:
    """Small messages go at once: without this the kernel would hold one back until the last is acknowledged."""
    with side:
        side.settimeout(0)
        with contextlib.suppress(OSError):  # reset already
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield


def _send_what_fits(sink: socket.socket, data: bytes) -> int:
    try:
        return sink.send(data)
    except (BlockingIOError, InterruptedError):
        return 0
