"""A recording is written on a thread of its own: a disk that is slow or full delays nobody's bytes.

What waits to be written is bounded. Beyond the bound records are dropped and counted, and the recording says so at the
place where they are missing. A disk that fails ends the recording, not what is recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from tws_simulator.recording.format import HEAD_BYTES, Kind, Record, Writer

WAITING_BYTES_MAX = 64 * 1024 * 1024


class WriterThread:
    """``put`` never waits. Each batch is flushed when it is written, so that little is lost with the process.

    ``tell`` is called on this thread, once for a failure and once for each run of dropped records.
    """

    def __init__(
        self, writer: Writer, tell: Callable[[str], None], *, waiting_bytes_max: int = WAITING_BYTES_MAX
    ) -> None:
        self.failure: Exception | None = None
        self.written_records = 0
        self.lost_records = 0
        self._writer = writer
        self._tell = tell
        self._waiting_bytes_max = waiting_bytes_max
        self._waiting: list[Record] = []
        self._waiting_bytes = 0
        self._dropping = 0
        self._closed_ns: int | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)

    def __repr__(self) -> str:
        state = "failed" if self.failure else "closed" if self._closed_ns is not None else "writing"
        return f"<WriterThread {state} {self.written_records} written {self.lost_records} lost>"

    @property
    def is_complete(self) -> bool:
        return self.failure is None and not self.lost_records

    def start(self) -> None:
        self._thread.start()

    def put(self, record: Record) -> None:
        size = HEAD_BYTES + len(record.payload)
        with self._changed:
            if self.failure is not None or self._waiting_bytes + size > self._waiting_bytes_max:
                self.lost_records += 1
                self._dropping += 1
                return
            if self._dropping:
                self._waiting.append(Record(Kind.LOST, record.time_ns, str(self._dropping).encode()))
                self._dropping = 0
            self._waiting.append(record)
            self._waiting_bytes += size
            self._changed.notify()

    def close(self, time_ns: int) -> None:
        """Write what waits, and the end; wait until that is done."""
        with self._changed:
            if self._dropping and self.failure is None:
                self._waiting.append(Record(Kind.LOST, time_ns, str(self._dropping).encode()))
            self._closed_ns = time_ns
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while self.failure is None:
            batch, closed_ns = self._take()
            try:
                self._write(batch)
                if closed_ns is not None:
                    self._writer.close(closed_ns)
                    return
            except Exception as fault:  # noqa: BLE001 - whatever it is, it must not end in silence
                with self._changed:
                    self.failure = fault
                    self.lost_records += len(batch) + len(self._waiting)
                    self._waiting.clear()
                self._writer.abandon()
                self._tell(f"the recording has ended: {fault}; bytes are still passed on")

    def _take(self) -> tuple[list[Record], int | None]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed_ns is not None)
            batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
            return batch, self._closed_ns

    def _write(self, batch: list[Record]) -> None:
        for record in batch:
            self._writer.write(record)
            if record.kind is Kind.LOST:
                self._tell(f"{record.payload.decode()} records are lost: the disk is slower than the connection")
        self._writer.flush()
        self.written_records += len(batch)
