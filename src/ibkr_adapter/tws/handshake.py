"""The first words of a connection: what we say, and what the gateway's answer means."""

from __future__ import annotations

import struct

from msgspec import Struct

SERVER_VERSION_MIN = 176
"""The oldest gateway we test against (its API is that of 10.19, 2022)."""

_CLIENT_VERSION_MIN = 100
"""What the official client offers as its oldest; the gateway only looks whether its own lies in the range."""


class BadHandshake(Exception):
    """The peer does not talk like a TWS."""


class Greeting(Struct, frozen=True, kw_only=True):
    server_version: int
    connection_time: str


def offer(server_version_max: int, connect_options: str = "") -> bytes:
    """The opening bytes: a prefix without length, then one frame with the range of versions we understand."""
    versions = f"v{_CLIENT_VERSION_MIN}..{server_version_max}"
    if connect_options:
        versions += f" {connect_options}"
    body = versions.encode("ascii")
    return b"API\0" + struct.pack("!I", len(body)) + body


def greeting(body: bytes) -> Greeting | None:
    """The gateway's answer, or ``None`` for another message that slipped in before it.

    The official client knows of news that arrive before the greeting and reads on until a frame has two fields.
    """
    *fields, rest = body.split(b"\0")
    if rest or not fields or not fields[0].lstrip(b"-").isdigit():
        raise BadHandshake(f"the first frame is no greeting: {body[:64]!r}")
    if len(fields) != 2:
        return None
    return Greeting(server_version=int(fields[0]), connection_time=fields[1].decode("ascii", "backslashreplace"))
