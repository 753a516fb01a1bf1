"""Read records in order, from any number on, while the writer goes on writing.

A reader checks that numbers follow each other, not the chain: that was done at start, by ``recover``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ibkr_adapter.errors import JournalError
from ibkr_adapter.events import JournalEvent
from ibkr_adapter.journal import chain
from ibkr_adapter.journal.record import Record, decode


class JournalReader:
    """Keeps its place, so that following a growing journal costs no more than what is new."""

    def __init__(self, directory: Path, after_seq: int = 0) -> None:
        self.directory = directory
        self.after_seq = after_seq
        """The last record taken."""
        self._file: BinaryIO | None = None
        self._path = directory
        self._offset = 0

    def take(self, limit: int, *, up_to_seq: int | None = None) -> list[Record]:
        """At most ``limit`` next records, none past ``up_to_seq``; fewer when no more are whole on disk yet.

        A record can be on disk and not yet durable. Whoever copies records elsewhere must give ``up_to_seq``.
        """
        last_seq = self.after_seq + limit if up_to_seq is None else min(self.after_seq + limit, up_to_seq)
        records: list[Record] = []
        while self.after_seq < last_seq:
            line = self._line()
            if line is None:
                break
            try:
                record = decode(line)
            except JournalError as error:
                raise JournalError(
                    f"{self._path} record {self.after_seq + 1}: {error.message}", remedy=error.remedy
                ) from error
            if record.seq != self.after_seq + 1:
                raise JournalError(
                    f"{self._path}: record {record.seq} where {self.after_seq + 1} belongs",
                    remedy="stop the service and check the directory with `ibkr_adapter.journal.verify`",
                )
            self.after_seq = record.seq
            records.append(record)
        return records

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self) -> bytes | None:
        """The next whole line, in this file or the one that continues it."""
        if self._file is None and not self._open():
            return None
        line = self._read()
        if line is None and self._open_next():
            line = self._read()
        return line

    def _read(self) -> bytes | None:
        assert self._file is not None
        self._file.seek(self._offset)
        line = self._file.readline()
        if not line.endswith(b"\n"):
            return None
        self._offset += len(line)
        return line

    def _open(self) -> bool:
        """Find the file that holds the next record and pass over what was taken before."""
        candidates = [(first, path) for first, path in chain.segments(self.directory) if first <= self.after_seq + 1]
        if not candidates:
            return False
        first_seq, path = candidates[-1]
        self._switch(path)
        for _ in range(self.after_seq + 1 - first_seq):
            if self._read() is None:
                self.close()
                return False
        return True

    def _open_next(self) -> bool:
        path = chain.segment_path(self.directory, self.after_seq + 1)
        if path == self._path or not path.exists():
            return False
        self._switch(path)
        return True

    def _switch(self, path: Path) -> None:
        self.close()
        self._file = path.open("rb")
        self._path = path
        self._offset = 0


def read(directory: Path, after_seq: int = 0, *, up_to_seq: int | None = None) -> Iterator[tuple[int, JournalEvent]]:
    """The records after ``after_seq`` that are whole on disk, or those up to ``up_to_seq``."""
    with JournalReader(directory, after_seq) as reader:
        while records := reader.take(500, up_to_seq=up_to_seq):
            for record in records:
                yield record.seq, record.event
