"""What waits to be written: whole frames in order, no more and no fewer, at whatever pace they are taken."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.conversation import Line, Receipt
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.outbox import Outbox, flush
from ibkr_adapter.tws.progress import Counters

ORDER = Receipt(order_id=5, cancel=False)
CANCEL = Receipt(order_id=4, cancel=True)


class Heard:
    """A conversation that remembers what it was told."""

    def __init__(self) -> None:
        self.sent_frames: list[tuple[int, bytes, int]] = []
        self.withheld_ids: list[int] = []

    def connected(self, line: Line) -> bytes:
        raise AssertionError("an outbox connects nothing")

    def received(self, frames: Iterator[bytes], now_ns: int) -> bool:
        raise AssertionError("an outbox reads nothing")

    def sent(self, receipt: Receipt, frame: bytes, now_ns: int) -> None:
        self.sent_frames.append((receipt.order_id, frame, now_ns))

    def withheld(self, receipt: Receipt, now_ns: int) -> None:
        self.withheld_ids.append(receipt.order_id)

    def ended(self, cause: LossCause, detail: str, *, unsent: int, now_ns: int) -> None:
        raise AssertionError("an outbox ends nothing")


class Wire:
    """Takes ``room`` bytes and no more, and time passes with each try."""

    def __init__(self, room: int = 1_000_000, step_ns: int = 0) -> None:
        self.room = room
        self.taken = b""
        self._now_ns = 0
        self._step_ns = step_ns

    def now_ns(self) -> int:
        return self._now_ns

    def at(self, now_ns: int) -> Wire:
        self._now_ns = now_ns
        return self

    def write(self, data: memoryview) -> int:
        self._now_ns += self._step_ns
        size = min(self.room, len(data))
        self.taken += data[:size]
        self.room -= size
        return size


class Fence:
    def __init__(self) -> None:
        self.is_open = True
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.is_open


class Desk:
    """An outbox with all it needs."""

    def __init__(
        self, *, room: int = 1_000_000, frames_max: int = 100, bytes_max: int = 10_000, step_ns: int = 0
    ) -> None:
        self.heard = Heard()
        self.fence = Fence()
        self.counters = Counters()
        self.wire = Wire(room, step_ns)
        self.outbox = Outbox(
            self.heard,
            counters=self.counters,
            may_place=self.fence,
            frames_max=frames_max,
            bytes_max=bytes_max,
            write_deadline_s=2.0,
        )

    def put(self, *frames: tuple[bytes, Receipt | None]) -> None:
        for frame, receipt in frames:
            assert self.outbox.put(frame, receipt)

    def flush(self, *, committed: bool = False) -> None:
        flush(self.outbox, self.wire.write, self.wire, committed=committed)


# --- Order and count ----------------------------------------------------------------------------------------------


def test_frames_leave_in_the_order_in_which_they_came_and_are_counted() -> None:
    """All of them in one go where there is room; then nothing waits and no deadline stands."""
    desk = Desk()
    desk.put((b"one", None), (b"two", ORDER), (b"three", CANCEL))
    assert desk.outbox.taken() == (3, 0)

    desk.wire.at(7)
    desk.flush()

    assert desk.wire.taken == b"onetwothree"
    assert desk.outbox.taken() == (0, 7)
    assert desk.heard.sent_frames == [(5, b"two", 7), (4, b"three", 7)]
    assert (desk.counters.frames_out, desk.counters.bytes_out) == (3, 11)
    assert desk.outbox.deadline.at_ns is None


def test_a_frame_is_dated_when_it_has_left_whole() -> None:
    """Each by the time after its write; part of one moves no date."""
    desk = Desk(room=6, step_ns=10)
    desk.put((b"abc", None), (b"defg", None))

    desk.flush()
    assert desk.outbox.taken() == (1, 10)
    desk.wire.room = 1
    desk.flush()

    assert desk.outbox.taken() == (0, 30)


def test_what_never_left_whole_is_unsent() -> None:
    """A frame of which the peer has a part is among them, and after the end nobody puts another in."""
    desk = Desk(room=4)
    desk.put((b"abc", None), (b"def", ORDER), (b"ghi", None))
    desk.flush()

    assert desk.outbox.seal() == 2
    assert desk.outbox.seal() == 0
    assert desk.outbox.put(b"more") is False
    assert desk.heard.sent_frames == []


# --- The fence ----------------------------------------------------------------------------------------------------


def test_a_closed_fence_drops_placements_and_nothing_else() -> None:
    """A cancel is never asked about, nor is a request; what was dropped is no longer unsent."""
    desk = Desk()
    desk.fence.is_open = False
    desk.put((b"subscribe", None), (b"place", ORDER), (b"cancel", CANCEL))

    desk.flush()

    assert desk.wire.taken == b"subscribecancel"
    assert desk.heard.withheld_ids == [5]
    assert desk.fence.asked == 1
    assert len(desk.outbox) == 0
    assert desk.counters.frames_out == 2


def test_a_placement_is_asked_about_again_each_time_before_its_first_byte() -> None:
    """The answer of a moment ago does not count: nothing was taken then."""
    desk = Desk(room=0)
    desk.put((b"place", ORDER))
    desk.flush()
    assert desk.fence.asked == 1

    desk.fence.is_open = False
    desk.flush()

    assert (desk.heard.withheld_ids, desk.wire.taken) == ([5], b"")
    assert desk.outbox.deadline.at_ns is None


@pytest.mark.parametrize("begun", range(1, 5))
def test_a_placement_that_has_begun_is_finished(begun: int) -> None:
    """However far it has come: half a frame would take the next one with it."""
    desk = Desk(room=begun)
    desk.put((b"place", ORDER), (b"next", None))
    desk.flush()
    desk.fence.is_open = False
    desk.wire.room = 1_000

    desk.flush()

    assert desk.wire.taken == b"placenext"
    assert desk.fence.asked == 1
    assert desk.heard.withheld_ids == []


def test_a_placement_that_the_connection_has_bound_itself_to_is_finished() -> None:
    """That one alone: the next is asked about as ever."""
    desk = Desk(room=0)
    desk.put((b"first", ORDER), (b"second", Receipt(order_id=6, cancel=False)))
    desk.flush()
    desk.fence.is_open = False
    desk.wire.room = 1_000

    desk.flush(committed=True)

    assert desk.wire.taken == b"first"
    assert desk.heard.withheld_ids == [6]


def test_a_fence_that_fails_leaves_the_placement_unsent() -> None:
    """It is neither written nor told as withheld, whatever the reason was."""
    desk = Desk()

    def fails() -> bool:
        raise ZeroDivisionError

    outbox = Outbox(
        desk.heard, counters=desk.counters, may_place=fails, frames_max=9, bytes_max=99, write_deadline_s=2.0
    )
    outbox.put(b"place", ORDER)
    with pytest.raises(ZeroDivisionError):
        flush(outbox, desk.wire.write, desk.wire)
    assert (desk.wire.taken, desk.heard.withheld_ids, outbox.seal()) == (b"", [], 1)


# --- The deadline -------------------------------------------------------------------------------------------------


def test_the_deadline_is_two_seconds_after_something_first_had_to_wait_to_the_nanosecond() -> None:
    """Not before, and not because more was put in or tried meanwhile."""
    desk = Desk(room=1)
    desk.wire.at(10)
    desk.put((b"abc", None))
    desk.flush()
    desk.wire.at(SECOND)
    desk.put((b"def", None))
    desk.flush()

    desk.outbox.deadline.watch(10 + 2 * SECOND - 1)
    with pytest.raises(Ended, match="a frame not taken within 2 s") as ended:
        desk.outbox.deadline.watch(10 + 2 * SECOND)
    assert ended.value.cause is LossCause.WRITE_DEADLINE


def test_a_frame_that_leaves_does_not_begin_the_deadline_anew() -> None:
    """While others wait behind it, the first that had to wait counts."""
    desk = Desk(room=1)
    desk.put((b"abc", None), (b"def", None))
    desk.flush()
    desk.wire.at(SECOND).room = 3
    desk.flush()
    assert len(desk.outbox) == 1
    assert desk.outbox.deadline.at_ns == 2 * SECOND

    desk.wire.room = 3
    desk.flush()
    assert desk.outbox.deadline.at_ns is None


# --- Bounds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frames_max", "bytes_max"), [(2, 1_000), (1_000, 8)])
def test_too_much_ends_the_session_before_another_byte_is_written(frames_max: int, bytes_max: int) -> None:
    """By number or by bytes: the one too many is counted among the unsent, and no more are put in."""
    desk = Desk(frames_max=frames_max, bytes_max=bytes_max)
    desk.put((b"abc", None), (b"def", None), (b"ghi", None))
    assert desk.outbox.put(b"jkl") is False

    with pytest.raises(Ended, match="3 frames wait to be sent") as ended:
        desk.flush()

    assert ended.value.cause is LossCause.OVERFLOW
    assert desk.wire.taken == b""
    assert desk.outbox.seal() == 3


def test_what_has_left_makes_room() -> None:
    """The bounds are of what waits, not of what ever came."""
    desk = Desk(frames_max=2, bytes_max=6)
    for _ in range(10):
        desk.put((b"abc", None), (b"def", ORDER))
        desk.flush()
    assert desk.counters.frames_out == 20


# --- Whatever happens ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(200))
def test_at_any_pace_the_peer_has_whole_frames_in_order_and_all_cancels(seed: int) -> None:
    """Room comes in any portions, the fence opens and closes at any time: each frame arrives once, or never began."""
    dice = random.Random(seed)
    desk = Desk(room=0)
    put: dict[int, tuple[bytes, Receipt | None]] = {}
    for _ in range(60):
        match dice.choice(("put", "put", "fence", "room", "time")):
            case "put":
                number = len(put)
                receipt = dice.choice(
                    (None, Receipt(order_id=number, cancel=True), Receipt(order_id=number, cancel=False))
                )
                put[number] = (bytes([number]) * dice.randint(1, 9), receipt)
                desk.put(put[number])
            case "fence":
                desk.fence.is_open = not desk.fence.is_open
            case "room":
                desk.wire.room = dice.randint(0, 20)
            case "time":
                desk.wire.at(desk.wire.now_ns() + dice.randint(1, SECOND))
        desk.flush()
        assert (desk.outbox.deadline.at_ns is not None) is (len(desk.outbox) > 0)
    waiting = len(desk.outbox)
    left = [frame for number, (frame, _) in put.items() if number not in desk.heard.withheld_ids]
    whole = b"".join(left[: len(left) - waiting])
    assert desk.wire.taken.startswith(whole)
    assert (b"".join(left)).startswith(desk.wire.taken)
    assert len(desk.wire.taken) - len(whole) < (len(left[-waiting]) if waiting else 1)

    desk.fence.is_open, desk.wire.room = True, 1_000
    desk.flush()

    assert desk.wire.taken == b"".join(left)
    assert desk.counters.frames_out == len(left)
    cancels = [number for number, (_, receipt) in put.items() if receipt is not None and receipt.cancel]
    assert set(cancels) <= {order_id for order_id, _, _ in desk.heard.sent_frames}
    assert not set(cancels) & set(desk.heard.withheld_ids)
