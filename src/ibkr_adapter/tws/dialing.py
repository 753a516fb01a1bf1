"""From a host and a port to a stream of bytes: addresses, a connection, and TLS where it is wanted.

Each step waits by the given ``wait``, which ends the session when it is told to or when the time for all of it is over.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable
from typing import Protocol

from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.resolver import Address, Resolver, written
from ibkr_adapter.tws.stream import PlainStream, Stream
from ibkr_adapter.tws.tls import TlsStream

Secure = Callable[[socket.socket], TlsStream]


class Wait(Protocol):
    def __call__(self, connection: socket.socket | None, wanted: int, overdue: Ended) -> bool:
        """Until something happens; whether ``connection`` is ready. ``overdue`` is raised when the time is over."""


class Dialing:
    """How one session reaches its peer."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        resolver: Resolver,
        rouse: Callable[[], None],
        secure: Secure | None,
        deadline_s: float,
        send_buffer_bytes: int | None,
    ) -> None:
        self._host = host
        self._port = port
        self._resolver = resolver
        self._rouse = rouse
        self._secure = secure
        self._deadline_s = deadline_s
        self._send_buffer_bytes = send_buffer_bytes

    def connect(self, wait: Wait) -> socket.socket:
        refusal = Ended(LossCause.REFUSED, "no address")
        for family, kind, protocol, _, address in self._addresses(wait):
            connection = socket.socket(family, kind, protocol)
            try:
                self._connect_to(connection, address, wait)
            except OSError as failure:
                connection.close()
                refusal = Ended(LossCause.REFUSED, failure.strerror or str(failure))
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise refusal

    def shake_hands(self, connection: socket.socket, wait: Wait) -> Stream:
        """Begin TLS if it is wanted."""
        if self._secure is None:
            return PlainStream(connection)
        overdue = silent("no TLS handshake", self._deadline_s, "; what answers there may not speak TLS")
        stream = self._secure(connection)
        try:
            while not stream.handshake():
                wait(connection, select.POLLIN | (select.POLLOUT if stream.wants_room else 0), overdue)
        except OSError as failure:
            raise Ended(cause_of(failure), f"in the TLS handshake: {errno_name(failure)}") from failure
        return stream

    def _addresses(self, wait: Wait) -> list[Address]:
        addresses = written(self._host, self._port)
        if addresses is not None:
            return addresses
        overdue = Ended(
            LossCause.REFUSED,
            f"the name {self._host} was not resolved within {self._deadline_s:g} s: see to the DNS, or give an address",
        )
        found = self._resolver.look_up(self._host, self._port)
        found.add_done_callback(lambda _: self._rouse())
        while not found.done():
            wait(None, 0, overdue)
        try:
            return found.result()
        except (OSError, UnicodeError) as unknown:
            raise Ended(LossCause.REFUSED, f"no such host: {unknown}") from unknown

    def _connect_to(self, connection: socket.socket, address: object, wait: Wait) -> None:
        self._prepare(connection)
        failure = connection.connect_ex(address)  # type: ignore[arg-type]  # whatever getaddrinfo gave
        if failure == errno.EINPROGRESS:
            overdue = silent("no connection", self._deadline_s)
            while not wait(connection, select.POLLOUT, overdue):
                pass
            failure = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, errno.errorcode.get(failure, str(failure)))
        if connection.getsockname() == connection.getpeername():
            # Nobody listens on this port of the ephemeral range and the kernel gave us just it: we called ourselves.
            raise OSError(errno.ECONNREFUSED, "ECONNREFUSED")

    def _prepare(self, connection: socket.socket) -> None:
        """Quick for small frames, and aware of a peer that is dead: the official client sees to neither."""
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        if self._send_buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer_bytes)


def silent(missing: str, deadline_s: float, hint: str = "") -> Ended:
    return Ended(LossCause.SILENT, f"{missing} within {deadline_s:g} s{hint}")


def cause_of(failure: OSError) -> LossCause:
    return LossCause.SILENT if failure.errno == errno.ETIMEDOUT else LossCause.RESET


def errno_name(failure: OSError) -> str:
    return errno.errorcode.get(failure.errno or 0, str(failure))
