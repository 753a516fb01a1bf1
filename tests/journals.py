"""A journal written to the end, for tests that read one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from ibkr_adapter.events import JournalEvent
from ibkr_adapter.journal.recover import recover
from ibkr_adapter.journal.writer import JournalWriter
from tests.records import appends


class Reports:
    """What a writer said, and a way to wait for it."""

    def __init__(self) -> None:
        self.durable: list[int] = []
        self.failures: list[str] = []
        self._changed = threading.Condition()

    def on_durable(self, seq: int) -> None:
        with self._changed:
            self.durable.append(seq)
            self._changed.notify_all()

    def on_failure(self, why: str) -> None:
        with self._changed:
            self.failures.append(why)
            self._changed.notify_all()

    def wait_durable(self, seq: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.failures or (self.durable and self.durable[-1] >= seq), 30)
        assert not self.failures, self.failures

    def wait_failed(self) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: self.failures, 30)
        return self.failures[0]


def write_journal(directory: Path, events: Sequence[JournalEvent], *, segment_bytes: int = 64 << 20) -> int:
    """Append the events as one run of a service would, one sync for each; the last number."""
    recovery = recover(directory)
    reports = Reports()
    writer = JournalWriter(
        directory,
        recovery,
        boot_id="boot",
        on_durable=reports.on_durable,
        on_failure=reports.on_failure,
        segment_bytes=segment_bytes,
    )
    writer.start()
    for append in appends(list(events), recovery.last_seq):
        writer.append([append])
        reports.wait_durable(append.seq)
    writer.close(30)
    return writer.durable_seq
