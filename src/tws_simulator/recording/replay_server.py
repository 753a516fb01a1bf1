"""A replay on a socket: loopback only, one session for each client, and the clock.

A client that does not read is waited for: its replies come late, those of others do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from tws_simulator.recording.accepting import Accepting
from tws_simulator.recording.address import Address, format_address
from tws_simulator.recording.replay import OUTPUT_BYTES_MAX, Replay, ReplaySession

CLIENTS_MAX = 64
READ_BYTES_MAX = 64 * 1024
_NANOSECONDS = 1_000_000_000


class ReplayServer(Accepting):
    """``tell`` gets a line for each client that is not accepted."""

    def __init__(
        self,
        replay: Replay,
        listening: socket.socket,
        *,
        clock: Callable[[], int],
        tell: Callable[[str], None] = lambda line: None,
        clients_max: int = CLIENTS_MAX,
    ) -> None:
        super().__init__(listening, connections_max=clients_max, tell=tell)
        self.replay = replay
        self._clock = clock

    def __repr__(self) -> str:
        return f"<ReplayServer {format_address(self.address)} {self.open} clients {self.replay!r}>"

    async def carry(self, client: socket.socket, peer: Address) -> None:
        """Reads until the client ends its side; writes what is due until then."""
        session = ReplaySession(self.replay)
        received, written = asyncio.Event(), asyncio.Event()
        with client:
            client.settimeout(0)
            try:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                async with asyncio.TaskGroup() as sides:
                    writing = sides.create_task(self._write(client, session, received, written))
                    await self._read(client, session, received, written)
                    writing.cancel()
            except* OSError:
                pass  # it has gone without a good-bye

    async def _read(
        self, client: socket.socket, session: ReplaySession, received: asyncio.Event, written: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(client, READ_BYTES_MAX):
            session.receive(data, self._clock())
            received.set()
            while session.output_bytes > OUTPUT_BYTES_MAX:
                written.clear()
                await written.wait()

    async def _write(
        self, client: socket.socket, session: ReplaySession, received: asyncio.Event, written: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            received.clear()
            session.advance(self._clock())
            if output := session.take_output():
                await loop.sock_sendall(client, output)
                written.set()
            elif session.is_closing:
                client.shutdown(socket.SHUT_WR)
                return
            else:
                await self._until_due(session, received)

    async def _until_due(self, session: ReplaySession, received: asyncio.Event) -> None:
        due_ns = session.next_due_ns
        wait_s = None if due_ns is None else max(0, due_ns - self._clock()) / _NANOSECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await received.wait()
