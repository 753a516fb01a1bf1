"""The thread that writes the journal: groups what is queued, chains it, writes it, syncs once, says it is durable.

A write or sync that fails is never tried again. After a failed sync the kernel may have thrown the pages away and
answer the next sync with success (the "fsyncgate" of 2018), so the only safe thing to know is that we do not know. The
owner closes the gate for new orders; what is in the file is found out at the next start.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ibkr_adapter.effects import Append
from ibkr_adapter.errors import JournalError
from ibkr_adapter.journal import chain, record
from ibkr_adapter.journal.recover import Recovery
from ibkr_adapter.worker import Worker

SEGMENT_BYTES = 64 * 1024 * 1024
GROUP_RECORDS = 1_000
"""Most records that share one sync."""
QUEUE_RECORDS = 100_000
"""Most records that may wait for the disk: minutes of a busy day. At the bound the journal fails, as nothing in it may
be dropped."""


class JournalWriter:
    """``on_durable`` and ``on_failure`` are called on the writer thread; only an overflow fails in ``append``."""

    def __init__(
        self,
        directory: Path,
        recovery: Recovery,
        *,
        boot_id: str,
        on_durable: Callable[[int], None],
        on_failure: Callable[[str], None],
        sync: Callable[[int], None] = os.fdatasync,
        segment_bytes: int = SEGMENT_BYTES,
        queue_records: int = QUEUE_RECORDS,
    ) -> None:
        assert directory == recovery.directory
        self._directory = directory
        self._recovery = recovery
        self._boot_id = boot_id
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._sync = sync
        self._segment_bytes = segment_bytes
        self._queue_records = queue_records
        self._changed = threading.Condition()
        self._queue: list[Append] = []
        self._closing = False
        self._failure = ""
        self._next_seq = recovery.last_seq + 1
        self._durable_seq = recovery.last_seq
        self._digest = recovery.last_hash
        self._file: int | None = None
        self._size_bytes = 0
        self._worker = Worker("journal", self._run, stop=self._stop, on_error=self._died)

    def __repr__(self) -> str:
        state = f"failed: {self._failure}" if self._failure else f"durable {self._durable_seq}"
        return f"<JournalWriter {self._directory} {state} waiting {self.depth}>"

    @property
    def depth(self) -> int:
        """Records that wait for the disk."""
        return self._next_seq - 1 - self._durable_seq

    @property
    def durable_seq(self) -> int:
        return self._durable_seq

    @property
    def failure(self) -> str:
        """Why nothing is written any more; empty while all is well."""
        return self._failure

    def start(self) -> None:
        self._worker.start()

    def append(self, appends: Sequence[Append]) -> None:
        """Queue records; from any thread, never waits. After a failure they are taken and forgotten.

        Raises ``JournalError`` when a number does not follow the one before it: that is our defect.
        """
        if not appends:
            return
        with self._changed:
            for seq, append in enumerate(appends, self._next_seq):
                if append.seq != seq:
                    raise JournalError(f"record {append.seq} given to the journal where {seq} belongs")
            self._next_seq += len(appends)
            full = len(self._queue) + len(appends) > self._queue_records
            if not full and not self._failure:
                self._queue.extend(appends)
                self._changed.notify()
        if full:
            self._fail(f"the disk is too slow: {self._queue_records} records wait for it")

    def close(self, timeout_s: float) -> None:
        """Write and sync what is queued, end the thread, let go of the lock."""
        self._worker.stop()
        if not self._worker.join(timeout_s):
            raise JournalError(
                f"{self.depth} records were not written within {timeout_s:g} s", remedy="check the disk of the journal"
            )
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._recovery.close()

    # --- on the writer thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        while group := self._take():
            try:
                self._write(group)
            except OSError as error:
                self._fail(f"{error.strerror or error} ({self._directory})")
            except JournalError as error:
                self._fail(str(error))
            if self._failure:
                return
            self._durable_seq = group[-1].seq
            self._on_durable(self._durable_seq)

    def _take(self) -> list[Append]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing or self._failure)
            group = [] if self._failure else self._queue[:GROUP_RECORDS]
            del self._queue[:GROUP_RECORDS]
            return group

    def _write(self, group: list[Append]) -> None:
        lines = []
        for append in group:
            line, self._digest = record.encode(append.seq, append.event, boot=self._boot_id, previous=self._digest)
            lines.append(line)
        data = b"".join(lines)
        file = self._segment(group[0].seq, len(data))
        self._size_bytes += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        self._sync(file)

    def _segment(self, first_seq: int, group_bytes: int) -> int:
        """The file to write to: the one we found, the one we have, or the next when that is full."""
        if self._file is None and self._recovery.segment is not None:
            self._file = os.open(self._recovery.segment, os.O_WRONLY | os.O_APPEND)
            self._size_bytes = os.fstat(self._file).st_size
        if self._file is not None:
            if self._size_bytes == 0 or self._size_bytes + group_bytes <= self._segment_bytes:
                return self._file
            os.close(self._file)
            self._file = None
        path = chain.segment_path(self._directory, first_seq)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        self._size_bytes = 0
        _sync_directory(self._directory)
        return self._file

    def _stop(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()

    def _died(self, error: BaseException) -> None:
        self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, why: str) -> None:
        with self._changed:
            if self._failure:
                return
            self._failure = why
            self._queue.clear()
            self._changed.notify()
        self._on_failure(why)


def _sync_directory(directory: Path) -> None:
    """Make the name of a new file durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
