"""What a process does with the journal before it writes: lock it, check it, cut a torn end, read what happened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ibkr_adapter.errors import JournalError, StoreError
from ibkr_adapter.events import JournalEvent
from ibkr_adapter.journal.reader import read
from ibkr_adapter.journal.verify import verify
from ibkr_adapter.lease import FileLock


class Recovery:
    """A journal that is checked, whole, on disk, and ours to write: it holds the lock until closed.

    ``last_hash`` is raw; ``segment`` the file to go on with, ``None`` for a new journal; ``torn_bytes`` what was cut.
    """

    def __init__(
        self, directory: Path, *, last_seq: int, last_hash: bytes, torn_bytes: int, segment: Path | None, lock: FileLock
    ) -> None:
        self.directory = directory
        self.last_seq = last_seq
        self.last_hash = last_hash
        self.torn_bytes = torn_bytes
        self.segment = segment
        self._lock = lock

    def __repr__(self) -> str:
        torn = f" cut {self.torn_bytes} torn bytes" if self.torn_bytes else ""
        return f"<Recovery {self.directory} last record {self.last_seq}{torn}>"

    def events(self) -> Iterator[tuple[int, JournalEvent]]:
        return read(self.directory, up_to_seq=self.last_seq)

    def close(self) -> None:
        """Let go of the lock; the writer does this when it closes."""
        self._lock.release()


def recover(directory: Path) -> Recovery:
    """Raises ``AlreadyRunning`` when another process writes here, ``JournalError`` when the chain does not hold."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(
            directory / "lock",
            what=f"the journal {directory}",
            remedy="stop that process, or give this one another state directory",
        )
    except (OSError, StoreError) as error:
        raise JournalError(
            f"cannot use {directory} for the journal: {error}", remedy="it must be a directory this user can write"
        ) from error
    try:
        found = verify(directory)
        if found.last_segment is not None:
            _settle(found.last_segment, found.whole_bytes)
    except BaseException:
        lock.release()
        raise
    return Recovery(
        directory,
        last_seq=found.last_seq,
        last_hash=found.last_hash,
        torn_bytes=found.torn_bytes,
        segment=found.last_segment,
        lock=lock,
    )


def _settle(segment: Path, whole_bytes: int) -> None:
    """Cut what is torn, and sync the rest: records that a crash left in the page cache are not durable yet."""
    try:
        fd = os.open(segment, os.O_RDWR)
        try:
            if os.fstat(fd).st_size > whole_bytes:
                os.ftruncate(fd, whole_bytes)
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise JournalError(
            f"cannot repair {segment}: {error.strerror}", remedy="check the disk and who owns it"
        ) from error
