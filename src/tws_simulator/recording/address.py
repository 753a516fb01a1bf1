"""Addresses: where to listen, which is this machine only, and where to connect to."""

from __future__ import annotations

import socket

from tws_simulator.server import require_loopback

Address = tuple[str, int]

_BACKLOG = 100


def parse_address(text: str, *, host: str | None = None) -> Address:
    """A host with its port (an IPv6 host in brackets), or a port alone if ``host`` is what it belongs to."""
    name, colon, port = text.rpartition(":")
    name = name.removeprefix("[").removesuffix("]") if colon else host or ""
    if not name or not port.isascii() or not port.isdigit() or int(port) > 65535:
        wanted = "HOST:PORT" if host is None else "PORT or HOST:PORT"
        raise ValueError(f"{text!r} is not {wanted}")
    return name, int(port)


def format_address(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening_socket(address: Address) -> socket.socket:
    """A socket that does not block; port 0 takes any free one."""
    host = require_loopback(address[0])
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.settimeout(0)
        listening.bind((host, address[1]))
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening
