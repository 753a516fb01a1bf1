"""The byte stream becomes the same frames however it was cut."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.tws.frames import FRAME_BYTES_MAX, READ_BYTES, FrameBuffer, OversizedFrame


def read(buffer: FrameBuffer, data: bytes, read_bytes: int) -> list[bytes]:
    """Everything the buffer gives out when ``data`` arrives in reads of at most so many bytes."""
    frames: list[bytes] = []
    while data:
        space = buffer.space()
        size = min(len(space), len(data), read_bytes)
        assert size > 0
        space[:size] = data[:size]
        data = data[size:]
        buffer.fill(size)
        frames += buffer.frames()
    return frames


def framed(bodies: list[bytes]) -> bytes:
    return b"".join(struct.pack("!I", len(body)) + body for body in bodies)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=30), st.lists(st.integers(1, 700), min_size=1))
def test_any_segmentation_gives_the_same_frames(bodies: list[bytes], cuts: list[int]) -> None:
    """Where the stream is cut does not show in the frames."""
    buffer = FrameBuffer()
    stream = framed(bodies)
    frames: list[bytes] = []
    position = 0
    for index in range(len(stream)):
        if position >= len(stream):
            break
        size = cuts[index % len(cuts)]
        frames += read(buffer, stream[position : position + size], size)
        position += size
    assert frames == bodies
    assert buffer.partial_bytes == 0


@pytest.mark.parametrize("read_bytes", [1, 3, 4, 5, 4096, READ_BYTES])
def test_one_byte_at_a_time_is_enough(read_bytes: int) -> None:
    """The smallest reads and the largest give the same."""
    bodies = [bytes([index]) * (index + 1) for index in range(100)]
    assert read(FrameBuffer(), framed(bodies), read_bytes) == bodies


def test_a_frame_larger_than_the_buffer_comes_through_and_its_room_is_given_back() -> None:
    """A frame of a megabyte passes between small ones; afterwards the buffer is small again."""
    buffer = FrameBuffer()
    bodies = [b"a", b"b" * 1_000_000, b"c"]
    assert read(buffer, framed(bodies), READ_BYTES) == bodies
    assert len(buffer.space()) == READ_BYTES


@pytest.mark.parametrize("length", [FRAME_BYTES_MAX + 1, 2**31, 2**32 - 1, int.from_bytes(b"HTTP", "big")])
def test_an_impossible_length_is_refused_before_its_body(length: int) -> None:
    """Four bytes are enough to refuse; nothing is reserved for the body."""
    buffer = FrameBuffer()
    with pytest.raises(OversizedFrame) as refused:
        read(buffer, struct.pack("!I", length), READ_BYTES)
    assert refused.value.length == length


def test_the_largest_allowed_frame_is_not_refused() -> None:
    """The limit itself is inside."""
    buffer = FrameBuffer()
    assert read(buffer, framed([b"x" * FRAME_BYTES_MAX]), READ_BYTES * 16) == [b"x" * FRAME_BYTES_MAX]


def test_frames_before_an_impossible_length_are_still_given_out() -> None:
    """What was whole is delivered before the stream is given up."""
    buffer = FrameBuffer()
    data = framed([b"one", b"two"]) + struct.pack("!I", 2**31)
    space = buffer.space()
    space[: len(data)] = data
    buffer.fill(len(data))
    frames = buffer.frames()
    assert [next(frames), next(frames)] == [b"one", b"two"]
    with pytest.raises(OversizedFrame):
        next(frames)


def test_empty_frames_are_counted_and_skipped() -> None:
    """A length of zero is no message."""
    buffer = FrameBuffer()
    assert read(buffer, framed([b"", b"x", b"", b""]), READ_BYTES) == [b"x"]
    assert buffer.empty == 3
