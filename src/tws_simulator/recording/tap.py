"""One direction of a connection, cut into what a recording keeps of it. No byte is left out.

The client begins with "API\\0" and a length-prefixed range of versions, the gateway with a frame of version and time.
From there on all is frames with a length of four bytes. What is none, is raw bytes to the end.
"""

from __future__ import annotations

import re
import struct

from tws_simulator.recording.format import PAYLOAD_BYTES_MAX, Direction, Kind

_PREFIX = b"API\0"
_LENGTH = struct.Struct(">I")
_HELLO_BYTES_MAX = 1024
_GATEWAY_HELLO = re.compile(rb"\d{1,9}\0[^\0]*\0\Z")

Piece = tuple[Kind, bytes]


class Tap:
    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self._received = bytearray()
        self._greeted = False
        self._is_raw = False

    def feed(self, data: bytes) -> list[Piece]:
        """What is complete with ``data``."""
        self._received += data
        found: list[Piece] = []
        while not self._is_raw and (piece := self._next()) is not None:
            found.append(piece)
        if self._is_raw:
            found += self.end()
        return found

    def end(self) -> list[Piece]:
        """What came, and was never completed."""
        rest, self._received = bytes(self._received), bytearray()
        step = PAYLOAD_BYTES_MAX
        return [(Kind.RAW, rest[at : at + step]) for at in range(0, len(rest), step)]

    def _next(self) -> Piece | None:
        prefix = b"" if self._greeted or self.direction is Direction.FROM_GATEWAY else _PREFIX
        if not self._received.startswith(prefix[: len(self._received)]):
            self._is_raw = True
            return None
        start = len(prefix) + _LENGTH.size
        if len(self._received) < start:
            return None
        length = _LENGTH.unpack_from(self._received, len(prefix))[0]
        if length > (_HELLO_BYTES_MAX if prefix else PAYLOAD_BYTES_MAX):
            self._is_raw = True
            return None
        if len(self._received) < start + length:
            return None
        whole = bytes(self._received[: start + length])
        del self._received[: start + length]
        return self._piece(whole, start)

    def _piece(self, whole: bytes, start: int) -> Piece:
        is_first, self._greeted = not self._greeted, True
        if is_first and (self.direction is Direction.TO_GATEWAY or _GATEWAY_HELLO.match(whole, start)):
            return Kind.HELLO, whole
        return Kind.FRAME, whole[start:]
