"""The gateway on a socket: loopback only, one protocol object for each client, one timer for the market.

Everything runs on one event loop. Writes never wait: a client that does not read fills its own bounded buffer and is
dropped when that is full; nobody else notices.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
import time
from collections.abc import Callable
from typing import TypeVar, cast

from tws_simulator.api.core import GatewayCore
from tws_simulator.api.link import Door, End, Link
from tws_simulator.api.session import Session, SessionState
from tws_simulator.tls import Tls, TlsEnd

Clock = Callable[[], int]

# A connection that asyncio has just accepted becomes a protocol of ours only some passes of the loop later.
_ACCEPT_PASSES = 4
_Result = TypeVar("_Result")


class NotLoopback(ValueError):
    """The simulator has no protection against strangers, so only this machine may reach it."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is not a loopback address: the simulator listens on 127.0.0.1 or ::1 only")


def require_loopback(host: str) -> str:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise NotLoopback(host)
    return "127.0.0.1" if host == "localhost" else host


class Server:
    """Connects ``core`` with its clients and with its clocks, between ``start`` and ``stop``.

    ``clock`` is the market's time, ``steady`` the one by which traffic is judged. With ``tls`` it listens as a tunnel.
    A core that has failed is left alone: all connections are cut, and ``failed`` returns.
    """

    def __init__(
        self,
        core: GatewayCore,
        *,
        host: str,
        port: int,
        clock: Clock,
        tick_interval_s: float,
        unread_bytes_max: int,
        steady: Clock = time.monotonic_ns,
        tls: Tls | None = None,
    ) -> None:
        self.core = core
        self.port = port
        self.dropped_clients = 0
        self.failure: Exception | None = None
        self.unread_bytes_max = unread_bytes_max
        self._host = require_loopback(host)
        self._clock = clock
        self._steady = steady
        self._failed = asyncio.Event()
        self._tick_interval_s = tick_interval_s
        self._connections: set[_Connection] = set()
        self._tls = tls.context() if tls is not None else None
        self._shaking: set[TlsEnd] = set()
        self._listener: asyncio.Server | None = None
        self._door_moved = asyncio.Event()
        self._doorkeeper: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Server {self._host}:{self.port} {len(self._connections)} clients dropped {self.dropped_clients}>"

    async def start(self) -> None:
        self._listener = await self._listen()
        self.port = self._listener.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self._doorkeeper = loop.create_task(self._keep_door(), name="doorkeeper")
        self._timer = loop.call_later(self._tick_interval_s, self._tick)
        self.refresh()  # a gateway may begin with its door closed

    async def stop(self) -> None:
        """Close the listener and every connection; raise what failed inside, if anything did."""
        if self._timer is not None:
            self._timer.cancel()
        if self._doorkeeper is not None:
            self._doorkeeper.cancel()
            await asyncio.wait([self._doorkeeper])
        if self._listener is not None:
            await _stop_accepting(self._listener)
        self._abort_shaking()
        closed = [connection.closed for connection in self._connections]
        for connection in list(self._connections):
            connection.close()
        for each in closed:
            await each.wait()
        if self._listener is not None:
            await self._listener.wait_closed()
        if self.failure is not None:
            raise self.failure

    async def failed(self) -> None:
        """Returns when it serves no more, which is a fault of its own; ``stop`` raises it."""
        await self._failed.wait()

    @property
    def unwritten_bytes_most(self) -> int:
        """How much the client that is furthest behind has not read."""
        return max((connection.unwritten_bytes for connection in self._connections), default=0)

    def disconnect_all(self) -> None:
        """Cut every connection at once, as a gateway that dies does."""
        self._abort_shaking()
        for connection in list(self._connections):
            connection.abort()

    def _abort_shaking(self) -> None:
        for end in list(self._shaking):
            end.abort()

    def opened(self, connection: _Connection) -> Session | None:
        """None where the core takes no more clients."""
        self._connections.add(connection)
        return self._guarded(self.core.connect)

    def lost(self, connection: _Connection, session: Session | None) -> None:
        self._connections.discard(connection)
        if session is not None:
            self._guarded(lambda: self.core.disconnect(session))

    def received(self, session: Session, data: bytes) -> None:
        self._guarded(lambda: self.core.receive(session, data, self._clock(), self._steady()))

    def advance(self) -> None:
        """Let the core live up to what its clocks show."""
        self._guarded(lambda: self.core.advance(self._clock(), self._steady()))

    def _tick(self) -> None:
        self.advance()
        if self.failure is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick_interval_s, self._tick)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._accepted, self._host, self.port)

    def _accepted(self) -> asyncio.Protocol:
        connection = _Connection(self)
        return connection if self._tls is None else TlsEnd(self._tls, connection, self._shaking)

    async def _keep_door(self) -> None:
        """Stop listening while the gateway's door is closed, so that the port refuses; then listen on it again."""
        while True:
            await self._door_moved.wait()
            self._door_moved.clear()
            try:
                if self._door.is_open and self._listener is None:
                    self._listener = await self._listen()
                elif not self._door.is_open and self._listener is not None:
                    await _stop_accepting(self._listener)
                    self._listener = None
            except OSError as fault:  # somebody else took the port meanwhile
                self._fail(fault)

    @property
    def _door(self) -> Door:
        return self.core.state.door

    def _guarded(self, step: Callable[[], _Result]) -> _Result | None:
        """A fault of the simulator itself is kept for ``stop`` to raise: the loop would only log it."""
        if self.failure is not None:
            return None
        try:
            result = step()
            self._refresh()
        except Exception as fault:  # noqa: BLE001 - raised by ``stop``
            self._fail(fault)
            return None
        return result

    def _fail(self, fault: Exception) -> None:
        self.failure = self.failure or fault
        self._failed.set()
        self.disconnect_all()

    def refresh(self) -> None:
        """Write what is waiting, and obey the door: after anything that changed what the core has to say."""
        self._guarded(lambda: None)

    def _refresh(self) -> None:
        for connection in list(self._connections):
            connection.flush()
        if self._door.is_open is (self._listener is None):
            self._door_moved.set()


async def _stop_accepting(listener: asyncio.Server) -> None:
    """Close the listener only after the connections it has accepted are protocols of ours.

    A server closed between the two forgets the accepted socket without closing it (CPython 3.11).
    """
    for listening in listener.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(_ACCEPT_PASSES):
        await asyncio.sleep(0)
    listener.close()


class _Connection(asyncio.Protocol):
    """One socket and its session."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None
        self._unwritten = bytearray()
        self._segments = 0
        self._pause: asyncio.TimerHandle | None = None
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._session = self._server.opened(self)
        if self._session is None:
            self._transport.abort()
        self._server.refresh()

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._server.received(self._session, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._server.lost(self, self._session)
        self.closed.set()

    @property
    def unwritten_bytes(self) -> int:
        waiting = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return waiting + len(self._unwritten)

    def flush(self) -> None:
        if self._session is None or self._transport is None or self._transport.is_closing():
            return
        link = self._session.link
        self._read(wanted=self._session.is_read)
        if link.writes and link.end in (None, End.CLOSE):
            self._write(self._session.take_output(), link)
        if link.end is End.VANISH:
            self._vanish()
        elif link.end is End.RESET:
            self.reset()
        elif self.unwritten_bytes > self._server.unread_bytes_max:
            self._server.dropped_clients += 1
            self._transport.abort()
        elif self._session.state is SessionState.CLOSED and not self._unwritten:
            self._transport.close()

    def _read(self, *, wanted: bool) -> None:
        assert self._transport is not None
        if wanted is not self._transport.is_reading():
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _write(self, data: bytes, link: Link) -> None:
        """At once, or one segment now and each other one some time later: the kernel is not to join them again."""
        assert self._transport is not None
        if not link.segment_sizes and not self._unwritten:
            if data:
                self._transport.write(data)
            return
        self._unwritten += data
        if self._unwritten and self._pause is None:
            self._write_segment(link)

    def _write_segment(self, link: Link) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._pause = None
        sizes = link.segment_sizes or (len(self._unwritten),)
        length = sizes[self._segments % len(sizes)]
        self._segments += 1
        self._transport.write(bytes(self._unwritten[:length]))
        del self._unwritten[:length]
        if self._unwritten:
            loop = asyncio.get_running_loop()
            self._pause = loop.call_later(link.segment_pause_s, self._write_segment, link)
        else:
            self.flush()  # an end that waited for the last segment

    def _vanish(self) -> None:
        """The socket stays open; the gateway has forgotten its client, as one that was switched off."""
        assert self._session is not None
        self._read(wanted=False)
        self._server.core.disconnect(self._session)
        self._session = None

    def reset(self) -> None:
        """With no time to linger the kernel drops what is unsent and answers with RST."""
        if self._transport is not None:
            socket_ = self._transport.get_extra_info("socket")
            socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def close(self) -> None:
        """Let what is written go out, unless the client has stopped reading."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
