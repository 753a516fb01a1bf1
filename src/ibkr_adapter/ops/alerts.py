"""The record of alerts: one line for each that began, changed its words or is over, in ``<data_dir>/alerts.jsonl``.

The file is what survives us. A life that begins reads from it what the one before had raised and not resolved, and
hands it to the core: so an alert that is open over a ``kill -9`` has one beginning and one end, whoever writes them.
It is bounded: a full file is put aside as ``alerts.1.jsonl``, and the next one begins with what is still open.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import AlertChanged, Event, FeedEvent
from ibkr_adapter.fanout import Overflow
from ibkr_adapter.snapshot import AlertView
from ibkr_adapter.worker import Serial

NAME: Final = "alerts.jsonl"
ASIDE: Final = "alerts.1.jsonl"
FILE_BYTES_MAX: Final = 4_000_000
TEXT_CHARACTERS_MAX: Final = 2_000


class Action(StrEnum):
    RAISED = "raised"
    UPDATED = "updated"
    RESOLVED = "resolved"
    CARRIED = "carried"
    """Still open when the file before this one was put aside."""


class AlertLine(Struct, frozen=True, kw_only=True):
    """One line. ``at`` is the time of the line in UTC, for people; ``since_ns`` when it began to be so."""

    at: str
    action: Action
    key: str
    severity: str
    text: str
    remedy: str
    since_ns: int


def open_alerts(path: Path) -> tuple[AlertView, ...]:
    """What was raised and not resolved when the last life ended."""
    raised = _open_lines(read_alerts(path)).values()
    return tuple(
        AlertView(
            key=line.key,
            severity=line.severity,
            text=line.text,
            remedy=line.remedy,
            since_ns=line.since_ns,
            raised=True,
        )
        for line in raised
    )


def read_alerts(path: Path) -> Iterator[AlertLine]:
    """Every line of the file that is whole; of the one put aside where a rotation was cut off. None without a file."""
    with contextlib.suppress(FileNotFoundError):
        yield from _lines(path)
        return
    with contextlib.suppress(FileNotFoundError):
        yield from _lines(path.with_name(ASIDE))


def parse_line(line: bytes) -> AlertLine | None:
    """``None`` for what is no line of ours: torn at its end, or damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        return msgspec.json.decode(line, type=AlertLine)
    except (msgspec.MsgspecError, ValueError):
        return None


class AlertRecord:
    """A sink of the feed. All file work is done on one thread, so that a slow disk holds up nobody."""

    name = "alerts"
    kinds: tuple[type[Event], ...] = (AlertChanged,)
    overflow = Overflow.DROP_OLDEST

    def __init__(self, directory: Path, *, file_bytes_max: int = FILE_BYTES_MAX) -> None:
        self.concern = ""
        self._path = directory / NAME
        self._file_bytes_max = file_bytes_max
        self._thread: Serial | None = None
        self._file: FileIO | None = None
        self._open: dict[str, AlertLine] = {}

    async def open(self) -> None:
        self._thread = Serial("alerts")
        await self._thread.call(self._begin)

    async def write(self, batch: Sequence[FeedEvent]) -> None:
        """On disk when this returns; nothing of it is in the file when it raises."""
        assert self._thread is not None
        changes = [event for event in batch if isinstance(event, AlertChanged)]
        await self._thread.call(lambda: self._append(changes))

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.call(self._end)
            thread.stop(0)

    # On the thread.

    def _begin(self) -> None:
        self._open = _open_lines(read_alerts(self._path))
        if self._path.exists():
            self._file = _file(self._path)
            self._drop_torn_line(self._file)
        else:
            self._file = self._next_file()

    def _append(self, changes: Sequence[AlertChanged]) -> None:
        assert self._file is not None
        now_open, lines = dict(self._open), []
        for change in changes:
            known = change.key in now_open
            action = Action.RESOLVED if not change.raised else Action.UPDATED if known else Action.RAISED
            lines.append(line := _line(change, action))
            if change.raised:
                now_open[change.key] = line
            else:
                now_open.pop(change.key, None)
        _write(self._file, lines)
        self._open = now_open
        if self._file.tell() >= self._file_bytes_max:
            self._rotate()

    def _rotate(self) -> None:
        """What is written is written: where the file cannot be put aside it grows, and says so."""
        full = self._file
        assert full is not None
        try:
            self._file = self._next_file()
        except OSError as error:
            self.concern = f"the full file cannot be put aside: {error.strerror}"
        else:
            self.concern = ""
            full.close()

    def _next_file(self) -> FileIO:
        """It is whole, with what is still open, before the one in its place is put aside: a crash loses neither."""
        fresh = self._path.with_name(f".{NAME}")
        fresh.unlink(missing_ok=True)
        file = _file(fresh)
        _write(file, [replace(line, action=Action.CARRIED) for line in self._open.values()])
        with contextlib.suppress(FileNotFoundError):
            self._path.replace(self._path.with_name(ASIDE))
        fresh.replace(self._path)
        _sync_directory(self._path.parent)
        return file

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _drop_torn_line(self, file: FileIO) -> None:
        """What a power cut left of a last line is removed; it had not been promised."""
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            file.truncate(whole)
        file.seek(whole)


def _lines(path: Path) -> Iterator[AlertLine]:
    with path.open("rb") as file:
        for raw in file:
            if (line := parse_line(raw)) is not None:
                yield line


def _open_lines(lines: Iterator[AlertLine]) -> dict[str, AlertLine]:
    raised: dict[str, AlertLine] = {}
    for line in lines:
        if line.action is Action.RESOLVED:
            raised.pop(line.key, None)
        else:
            raised[line.key] = line
    return raised


def _line(change: AlertChanged, action: Action) -> AlertLine:
    return AlertLine(
        at=datetime.fromtimestamp(change.ts_recv_ns / SECOND, UTC).isoformat(timespec="milliseconds"),
        action=action,
        key=change.key,
        severity=change.severity.value,
        text=change.text[:TEXT_CHARACTERS_MAX],
        remedy=change.remedy[:TEXT_CHARACTERS_MAX],
        since_ns=change.since_ns,
    )


def _file(path: Path) -> FileIO:
    return FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


def _write(file: FileIO, lines: Sequence[AlertLine]) -> None:
    """All of them and on disk, or none of them."""
    before = file.tell()
    content = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    try:
        while content:
            content = content[file.write(content) or 0 :]
        os.fdatasync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(before)
            file.seek(before)
        raise


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
