"""Where the network thread leaves events for the loop: two lists, one wake for each batch.

*Control* is whatever must not be lost: orders, executions, notices, the session itself. It is drained first, and when
it is full the session fails, loudly. *Bulk* is ticks. When it is full it is compacted: of each request's field the
last value stays, the others are dropped and counted by request.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from ibkr_adapter.events import BrokerEvent, DataTypeReported, Tick

Bulk = Tick | DataTypeReported
"""What stands in the bulk list: ticks, and what kind of data they are, in one order."""

CONTROL_MAX = 100_000
"""An account's whole evening (open and completed orders, executions, contracts) is some thousands."""

BULK_MAX = 65_536
"""Under a second at the rates one gateway reaches; compaction leaves at most half."""


class Mailbox:
    """Filled by network threads, drained by the loop; ``wake`` must be safe to call from any thread.

    ``wake`` is called when the mailbox stops being empty, and by ``drain`` when it leaves something behind: whoever
    drains once for each wake sees everything.
    """

    __slots__ = ("_bulk", "_bulk_max", "_control", "_control_max", "_dropped", "_lock", "_signalled", "_wake")

    def __init__(self, wake: Callable[[], object], *, control_max: int = CONTROL_MAX, bulk_max: int = BULK_MAX) -> None:
        self._wake = wake
        self._control_max = control_max
        self._bulk_max = bulk_max
        self._lock = threading.Lock()
        self._control: list[BrokerEvent] = []
        self._bulk: list[Bulk] = []
        self._dropped: dict[int, int] = {}
        self._signalled = False

    def __len__(self) -> int:
        return len(self._control) + len(self._bulk)

    def put(self, control: Sequence[BrokerEvent], bulk: Sequence[Bulk]) -> bool:
        """Take one batch. ``False``: control is full and its part of the batch was not taken; the session must end."""
        with self._lock:
            fits = len(self._control) + len(control) <= self._control_max
            if fits:
                self._control.extend(control)
            if bulk:
                self._bulk.extend(bulk)
                if len(self._bulk) > self._bulk_max:
                    self._compact()
            wake = self._signal()
        if wake:
            self._ring()
        return fits

    def put_last(self, event: BrokerEvent) -> None:
        """Take the end of a session, which has a place even when control is full."""
        with self._lock:
            self._control.append(event)
            wake = self._signal()
        if wake:
            self._ring()

    def drain(self, max_bulk: int) -> list[BrokerEvent]:
        """All of control, then at most ``max_bulk`` ticks, oldest first."""
        with self._lock:
            batch = self._control
            self._control = []
            if len(self._bulk) <= max_bulk:
                batch += self._bulk
                self._bulk.clear()
            else:
                batch += self._bulk[:max_bulk]
                del self._bulk[:max_bulk]
            again = self._signalled = bool(self._bulk)
        if again:
            self._ring()
        return batch

    def take_dropped(self) -> dict[int, int]:
        """How many ticks were dropped since the last call, by request id."""
        if not self._dropped:
            return {}
        with self._lock:
            dropped, self._dropped = self._dropped, {}
        return dropped

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to wake
            self._wake()

    def _signal(self) -> bool:
        if self._signalled or not (self._control or self._bulk):
            return False
        self._signalled = True
        return True

    def _compact(self) -> None:
        seen: set[tuple[int, int, int]] = set()
        kept: list[Bulk] = []
        room = self._bulk_max // 2  # so that the next compaction is far away
        for tick in reversed(self._bulk):
            key = (tick.epoch, tick.req_id, tick.field if isinstance(tick, Tick) else -1)
            if key in seen or len(kept) == room:
                self._dropped[tick.req_id] = self._dropped.get(tick.req_id, 0) + 1
            else:
                seen.add(key)
                kept.append(tick)
        kept.reverse()
        self._bulk = kept
