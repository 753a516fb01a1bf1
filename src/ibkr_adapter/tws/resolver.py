"""Hosts become addresses, without making anybody wait longer than they want to.

The system's resolver cannot be interrupted and may take a minute, so it runs on a thread of its own. A lookup outlives
the attempt that asked for it; whoever asks for the same host meanwhile gets the same answer, so that a resolver that
hangs costs one thread for each host, however often a connection is tried.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ibkr_adapter.worker import Worker

Address = tuple[int, int, int, str, Any]
"""Family, type, protocol, canonical name and socket address, as ``getaddrinfo`` gives them."""

Lookup = Callable[[str, int], list[Address]]


def resolve(host: str, port: int) -> list[Address]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def written(host: str, port: int) -> list[Address] | None:
    """The address that ``host`` is as it stands, or ``None`` if it is a name."""
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
    except (OSError, UnicodeError):
        return None


class Resolver:
    """Lookups that are under way, shared by all sessions of a process."""

    def __init__(self, resolve: Lookup = resolve) -> None:
        self._resolve = resolve
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, int], Future[list[Address]]] = {}

    def look_up(self, host: str, port: int) -> Future[list[Address]]:
        """Ends with addresses, or with ``OSError`` or ``UnicodeError``; from any thread."""
        with self._lock:
            found = self._under_way.get((host, port))
            if found is not None:
                return found
            found = self._under_way[host, port] = Future()
        worker = Worker(
            f"resolver-{host}", lambda: self._look_up(host, port, found), stop=_cannot, on_error=found.set_exception
        )
        try:
            worker.start()
        except RuntimeError as failure:  # no thread to be had
            self._forget(host, port)
            found.set_exception(OSError(str(failure)))
        return found

    def _look_up(self, host: str, port: int, found: Future[list[Address]]) -> None:
        try:
            addresses = self._resolve(host, port)
        finally:
            self._forget(host, port)
        found.set_result(addresses)

    def _forget(self, host: str, port: int) -> None:
        with self._lock:
            del self._under_way[host, port]


def _cannot() -> None:
    """Nothing can stop a lookup; its thread is a daemon."""
