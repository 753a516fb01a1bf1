"""What waits to be written on one connection, in order, each frame whole or not at all.

Theory of operation. Any thread puts frames in. The network thread takes them out in steps: ``next`` says which bytes
come next, whoever owns the connection tries to write them, ``wrote`` is told how many were taken. ``flush`` does just
that until nothing is left or something was not taken.

*The fence.* A placement is asked about directly before its first byte, each time it is about to be tried. At a no it is
dropped whole, and the next frame has its turn. Once a byte of it is gone it must be finished, for half a frame would
take the next one with it; the same holds for bytes that the connection has bound itself to (``committed``). A cancel is
never asked about.

*The deadline* stands from the first frame that had to wait until nothing waits any more. A frame that leaves meanwhile
does not begin that time anew: kernels take one now and then for a peer that has long ceased to read.

*Threads.* ``put`` and ``seal`` exclude each other and the taking of a frame. Only the network thread calls ``next`` and
``wrote`` and looks at ``deadline``. ``taken`` may be read anywhere: a frame is dated before it is no longer counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ibkr_adapter.clock import SECOND, Clock
from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.conversation import Conversation, Receipt
from ibkr_adapter.tws.deadline import Deadline
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.progress import Counters


class Outbox:
    """At most ``frames_max`` frames of ``bytes_max`` together; one more ends the session, for orders are never dropped.

    ``conversation`` is told of each frame with a receipt what became of it.
    """

    def __init__(
        self,
        conversation: Conversation,
        *,
        counters: Counters,
        may_place: Callable[[], bool],
        frames_max: int,
        bytes_max: int,
        write_deadline_s: float,
    ) -> None:
        self._conversation = conversation
        self._counters = counters
        self._may_place = may_place
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._write_deadline_s = write_deadline_s
        self._lock = threading.Lock()
        self._frames: deque[tuple[bytes, Receipt | None]] = deque()
        self._bytes = 0
        self._overflowed = False
        self._sealed = False
        self._begun_bytes = 0
        self._written_ns = 0
        self.deadline = Deadline()

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes, receipt: Receipt | None = None) -> bool:
        """``False`` if nobody will send it: the session is over, or about to end because too much waits."""
        with self._lock:
            if self._sealed or self._overflowed:
                return False
            self._frames.append((frame, receipt))
            self._bytes += len(frame)
            self._overflowed = len(self._frames) > self._frames_max or self._bytes > self._bytes_max
        return True

    def next(self, now_ns: int, *, committed: bool = False) -> memoryview | None:
        """The bytes whose turn it is; ``None`` when nothing waits. Raises ``Ended`` when too much does."""
        if self._overflowed:
            raise Ended(LossCause.OVERFLOW, f"{len(self._frames)} frames wait to be sent")
        while self._frames:
            frame, receipt = self._frames[0]
            if receipt is None or receipt.cancel or self._begun_bytes or committed or self._may_place():
                return memoryview(frame)[self._begun_bytes :]
            self._take_first()
            self._conversation.withheld(receipt, now_ns)
        self.deadline.lift()
        return None

    def wrote(self, size: int, now_ns: int) -> bool:
        """So many of the bytes were taken; whether they were all."""
        frame, receipt = self._frames[0]
        self._begun_bytes += size
        self._counters.bytes_out += size
        if self._begun_bytes < len(frame):
            if self.deadline.at_ns is None:
                self._stand_deadline(now_ns)
            return False
        self._written_ns = now_ns
        self._take_first()
        self._begun_bytes = 0
        self._counters.frames_out += 1
        if receipt is not None:
            self._conversation.sent(receipt, frame, now_ns)
        return True

    def taken(self) -> tuple[int, int]:
        """Frames that still wait, and when the last one was written, which is read second.

        So whatever is not among the frames that wait was written at that moment or before.
        """
        unsent = len(self._frames)
        return unsent, self._written_ns

    def seal(self) -> int:
        """Nothing is put in or written any more; how many frames never left whole."""
        with self._lock:
            self._sealed = True
            unsent = len(self._frames)
            self._frames.clear()
        return unsent

    def _take_first(self) -> None:
        with self._lock:
            frame, _ = self._frames.popleft()
            self._bytes -= len(frame)

    def _stand_deadline(self, now_ns: int) -> None:
        overdue = Ended(LossCause.WRITE_DEADLINE, f"a frame not taken within {self._write_deadline_s:g} s")
        self.deadline.stand(now_ns + int(self._write_deadline_s * SECOND), overdue)


def flush(outbox: Outbox, write: Callable[[memoryview], int], clock: Clock, *, committed: bool = False) -> None:
    """Hand over what is taken. ``write`` says how many bytes were, 0 if none; it raises when the connection is gone."""
    while (rest := outbox.next(clock.now_ns(), committed=committed)) is not None:
        if not outbox.wrote(write(rest), clock.now_ns()):
            return
        committed = False
