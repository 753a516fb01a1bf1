"""Cuts the inbound byte stream into frames: a four-byte length, then so many bytes.

One buffer, filled by the socket in place. A length is judged before its body is read, so a peer cannot make us hold
what we would refuse anyway. How the stream was cut into reads makes no difference to the frames that come out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

FRAME_BYTES_MAX = 0xFFFFFF
"""The largest frame the official client accepts (``ibapi.const.MAX_MSG_LEN``): 16 MiB less one byte."""

READ_BYTES = 65_536
"""Room for one read. A read this large is some 2,000 ticks: more would let the network thread hold the interpreter."""

_LENGTH_BYTES = 4
_length_at = struct.Struct("!I").unpack_from


class OversizedFrame(Exception):
    """A length no frame can have: the stream is not, or no longer, TWS frames."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a frame announces {length} bytes, {FRAME_BYTES_MAX} are allowed")
        self.length = length


class FrameBuffer:
    """``fill`` with the number of bytes read into ``space()``, then iterate over ``frames()`` to the end.

    Empty frames are counted in ``empty`` and skipped.
    """

    __slots__ = ("_buffer", "_end", "_wanted", "empty")

    def __init__(self) -> None:
        self._buffer = bytearray(READ_BYTES)
        self._end = 0
        self._wanted = _LENGTH_BYTES
        self.empty = 0

    @property
    def partial_bytes(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return self._end

    def space(self) -> memoryview:
        """Where the next read goes; never empty."""
        if self._wanted <= READ_BYTES < len(self._buffer) and self._end <= READ_BYTES // 2:
            self._resize(READ_BYTES)  # the large frame is through
        elif self._end == len(self._buffer):
            self._resize(min(self._wanted, 2 * len(self._buffer)))
        return memoryview(self._buffer)[self._end :]

    def fill(self, size: int) -> None:
        self._end += size

    def frames(self) -> Iterator[bytes]:
        """The bodies of all frames that are complete.

        What is left, the beginning of the next frame, moves to the front when the last one has been taken. A length
        that is too large raises once the frames before it have been given out.
        """
        if self._end < self._wanted:
            return
        data = memoryview(self._buffer)[: self._end].tobytes()
        start, end = 0, self._end
        self._end = 0  # an exception of whoever iterates ends the stream
        while end - start >= _LENGTH_BYTES:
            (length,) = _length_at(data, start)
            if length > FRAME_BYTES_MAX:
                raise OversizedFrame(length)
            stop = start + _LENGTH_BYTES + length
            if stop > end:
                self._wanted = stop - start
                break
            if length:
                yield data[start + _LENGTH_BYTES : stop]
            else:
                self.empty += 1
            start = stop
        else:
            self._wanted = _LENGTH_BYTES
        self._end = end - start
        self._buffer[: self._end] = data[start:end]

    def _resize(self, size: int) -> None:
        buffer = bytearray(size)
        buffer[: self._end] = memoryview(self._buffer)[: self._end]
        self._buffer = buffer
