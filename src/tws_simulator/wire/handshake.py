"""The opening of a connection: who speaks, in which range of versions, and what is agreed.

The client sends "API\\0", then a length-prefixed "v<oldest>..<newest>", perhaps with options. The gateway answers
with one length-prefixed frame "<version>\\0<time>\\0", the highest version both know, and then waits for START_API: the
official client loses whatever follows the answer in the same segment.
"""

from __future__ import annotations

import re
import struct
import time
from dataclasses import dataclass

from tws_simulator.wire.codec import frame, join_fields

OLDEST_SERVER_VERSION = 151
NEWEST_SERVER_VERSION = 226

_PREFIX = b"API\0"
_LENGTH = struct.Struct("!I")
_HELLO_BYTES_MAX = 1024
_HELLO = re.compile(rb"v(\d{1,5})(?:\.\.(\d{1,5}))?(?: (.*))?\Z", re.DOTALL)
_NANOSECONDS = 1_000_000_000


class NotTheApi(ValueError):
    """The peer does not speak the TWS API, or so old a dialect that it sends no version range."""


@dataclass(frozen=True, slots=True)
class Hello:
    oldest: int
    newest: int
    options: str
    consumed_bytes: int


def read_hello(received: bytes) -> Hello | None:
    """None while the hello is incomplete."""
    if not _PREFIX.startswith(received[:4]):
        raise NotTheApi(f"starts with {received[:8]!r}")
    if len(received) < 8:
        return None
    length = _LENGTH.unpack_from(received, 4)[0]
    if length > _HELLO_BYTES_MAX:
        raise NotTheApi(f"a hello of {length} bytes")
    if len(received) < 8 + length:
        return None
    match = _HELLO.match(received[8 : 8 + length])
    if match is None:
        raise NotTheApi(f"no version range: {received[8 : 8 + length]!r}")
    oldest, newest, options = match.groups()
    return Hello(int(oldest), int(newest or oldest), (options or b"").decode("ascii", "replace"), 8 + length)


def negotiate(own_newest: int, hello: Hello) -> int | None:
    """The newest version both know; None when there is none."""
    version = min(own_newest, hello.newest)
    return version if version >= max(hello.oldest, OLDEST_SERVER_VERSION) else None


def accept(server_version: int, now_ns: int) -> bytes:
    stamp = time.strftime("%Y%m%d %H:%M:%S GMT", time.gmtime(now_ns // _NANOSECONDS))
    return frame(join_fields([str(server_version), stamp]))


def refuse(own_newest: int, hello: Hello, own_oldest: int = OLDEST_SERVER_VERSION) -> bytes:
    """The refusal in the oldest form of an error, which every client can read."""
    if hello.oldest > own_newest:
        code, text = "503", "The TWS is out of date and must be upgraded."
    else:
        code, text = "506", f"Unsupported version: this gateway needs at least {own_oldest}."
    return frame(join_fields(["4", "2", "-1", code, text]))
