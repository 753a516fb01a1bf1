"""Accepts connections at a listening socket, each carried by a task of its own, as long as it is entered.

A shortage of descriptors or memory is waited out: the connections that are open go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tws_simulator.recording.address import Address, format_address

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_SHORT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RETRY_ACCEPT_S = 1.0


class Accepting(ABC):
    """At a socket of `address.listening_socket`; leaving closes every connection and raises what failed inside.

    ``tell`` gets a line for whoever is not accepted.
    """

    def __init__(self, listening: socket.socket, *, connections_max: int, tell: Callable[[str], None]) -> None:
        self.open = 0
        self._listening = listening
        self._connections_max = connections_max
        self._tell = tell
        self._accepting: asyncio.Task[None] | None = None

    @abstractmethod
    async def carry(self, client: socket.socket, peer: Address) -> None:
        """One connection from its beginning to its end; the socket is closed then."""

    @property
    def address(self) -> Address:
        host, port = self._listening.getsockname()[:2]
        return host, port

    async def __aenter__(self) -> Self:
        self._accepting = asyncio.create_task(self._accept_all())
        return self

    async def failed(self) -> None:
        """Returns when it serves no more, which is a fault of its own; leaving raises it."""
        assert self._accepting is not None, "not entered"
        await asyncio.wait({self._accepting})

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._accepting is not None, "not entered"
        self._accepting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._accepting

    async def _accept_all(self) -> None:
        with self._listening:
            async with asyncio.TaskGroup() as carried:
                while True:
                    accepted = await self._accept()
                    if accepted is None:
                        await asyncio.sleep(_RETRY_ACCEPT_S)
                        continue
                    client, peer = accepted
                    if self.open >= self._connections_max:
                        self._tell(f"refused {format_address(peer)}: {self.open} connections are open")
                        reset(client)
                        continue
                    self.open += 1
                    carried.create_task(self._carry(client, peer))

    async def _accept(self) -> tuple[socket.socket, Address] | None:
        """None while the machine is short of what a connection needs."""
        try:
            client, peer = await asyncio.get_running_loop().sock_accept(self._listening)
        except OSError as fault:
            if fault.errno not in _SHORT_OF_DESCRIPTORS:
                raise
            self._tell(f"cannot accept a connection: {fault.strerror}")
            return None
        return client, peer[:2]

    async def _carry(self, client: socket.socket, peer: Address) -> None:
        try:
            await self.carry(client, peer)
        finally:
            self.open -= 1


def reset(side: socket.socket) -> None:
    """Close with RST: what was written and not yet sent is lost."""
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    side.close()
