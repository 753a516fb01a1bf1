"""What carries the bytes of a session once it is connected: a socket as it is, or TLS on top of one."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Protocol


class Stream(Protocol):
    """Never blocks. What cannot be done now raises ``BlockingIOError``, what went wrong ``OSError`` or ``Ended``."""

    def recv_into(self, space: memoryview, /) -> int:
        """Bytes put into the space; 0 at the end of the stream."""

    def send(self, data: memoryview, /) -> int:
        """Bytes that the operating system has now; with what is left, call again."""

    @property
    def holds_more(self) -> bool:
        """Something can be read although the socket may have nothing: read before waiting for it."""

    @property
    def committed(self) -> bool:
        """The last ``send`` was not finished and cannot be taken back: the same bytes must be sent again."""

    def half_close(self) -> None:
        """Say that nothing more will come from us; raises ``OSError``."""


class PlainStream:
    """The socket's own calls, at their own price."""

    __slots__ = ("_connection", "recv_into", "send")

    holds_more = False
    committed = False

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.recv_into: Callable[[memoryview], int] = connection.recv_into
        self.send: Callable[[memoryview], int] = connection.send

    def half_close(self) -> None:
        self._connection.shutdown(socket.SHUT_WR)
