"""The core's side of the journal: numbers for records, and what becomes known once they are on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ibkr_adapter.commands import Reason
from ibkr_adapter.effects import Append, Outbox
from ibkr_adapter.events import JournalEvent, Recorded


class Records:
    """Hands out consecutive sequence numbers and publishes each record when it is durable, never before."""

    UNSAFE_MAX = 5_000
    """Records waiting for the disk; beyond it the disk is not keeping up and the gate closes."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self.durable_seq = last_seq
        self.failure = ""
        self._unsafe: deque[Append] = deque()

    @property
    def behind(self) -> bool:
        return len(self._unsafe) >= self.UNSAFE_MAX

    def reasons(self, now_ns: int) -> Iterator[Reason]:
        """Why no new order may be sent: what is not on disk never leaves."""
        if self.failure:
            yield Reason(
                code="journal",
                text=f"the journal failed: {self.failure}",
                remedy="mend the disk, then restart the service",
            )
        elif self.behind:
            yield Reason(code="journal_behind", text="the disk does not keep up with the journal")

    def append(self, event: JournalEvent, out: Outbox) -> int:
        self.last_seq += 1
        append = Append(seq=self.last_seq, event=event)
        if not self.failure:  # nothing waits for a disk that will not answer any more
            self._unsafe.append(append)
        out.appends.append(append)
        return self.last_seq

    def durable(self, seq: int, out: Outbox) -> None:
        """Everything up to ``seq`` is on disk, whatever failed after it."""
        self.durable_seq = max(self.durable_seq, seq)
        while self._unsafe and self._unsafe[0].seq <= seq:
            safe = self._unsafe.popleft()
            out.publishes.append(Recorded(ts_recv_ns=safe.event.ts_recv_ns, seq=safe.seq, record=safe.event))

    def failed(self, detail: str) -> None:
        """A write or a sync failed: nothing more becomes durable in this life of the process."""
        self.failure = self.failure or detail
        self._unsafe.clear()
