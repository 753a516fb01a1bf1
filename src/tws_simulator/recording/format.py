"""The file format of recordings: what `docs/reference/recording-format.md` says, and nothing else.

A file is eight bytes of magic and then records. Each record has a head of 26 bytes, with a checksum of its own and one
of the payload, so that a length that was damaged is never taken for the end of the file. The first record is the
header; the last one, if the writer came to its end, says so.

Nothing here knows the TWS API but for one number: the server version in the gateway's hello, which the header of a
later file of a series repeats.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"TWSREC01"
PAYLOAD_BYTES_MAX = 16 * 1024 * 1024
HEAD_BYTES = 26
FILE_BYTES_MAX = 256 * 1024 * 1024

_HEAD = struct.Struct(">BBIqII")  # kind, direction, connection, time, payload's length, payload's checksum
_CHECKSUM = struct.Struct(">I")  # of the 22 bytes before it
_DAY_NS = 86_400 * 1_000_000_000
_SERVER_VERSION = re.compile(rb"\d{1,9}(?=\0)")
_LATER_PART = re.compile(r"\.\d{4,}\Z")


class Kind(IntEnum):
    HEADER = 0
    OPENED = 1
    HELLO = 2
    FRAME = 3
    RAW = 4
    CLOSED = 5
    LOST = 6
    END = 7


class Direction(IntEnum):
    NONE = 0
    TO_GATEWAY = 1
    FROM_GATEWAY = 2


_KINDS = frozenset(map(int, Kind))
_DIRECTIONS = frozenset(map(int, Direction))


class Ending(Enum):
    """How a file ends. Unfinished: after a whole record, as while it is written; torn: inside of one."""

    CLOSED = "closed"
    ROTATED = "rotated"
    UNFINISHED = "unfinished"
    TORN = "torn"


@dataclass(frozen=True, slots=True)
class Record:
    """``time_ns`` is nanoseconds since 1970 in UTC; ``offset`` is where the record begins in its file, once read."""

    kind: Kind
    time_ns: int
    payload: bytes = b""
    connection: int = 0
    direction: Direction = Direction.NONE
    offset: int = -1


class Damaged(ValueError):
    """The file is not what was written: at ``offset`` begins the record (or the magic) that is wrong."""

    def __init__(self, name: str, offset: int, what: str) -> None:
        super().__init__(f"{name}: damaged at offset {offset}: {what}")
        self.offset = offset


class NotARecording(Damaged):
    """The magic is missing, or of a version of the format that is not known here."""


def encode(record: Record) -> bytes:
    if len(record.payload) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a payload of {len(record.payload)} bytes is longer than {PAYLOAD_BYTES_MAX}")
    head = _HEAD.pack(
        record.kind,
        record.direction,
        record.connection,
        record.time_ns,
        len(record.payload),
        zlib.crc32(record.payload),
    )
    return head + _CHECKSUM.pack(zlib.crc32(head)) + record.payload


def part_path(first: Path, part: int) -> Path:
    """F, F.0001, F.0002 ..."""
    return first if part == 0 else first.with_name(f"{first.name}.{part:04d}")


class Writer:
    """Writes one series of files; the next one begins when one would grow too large, and at midnight UTC.

    An existing file is never written over: FileExistsError. Files are readable by their owner only, for what a gateway
    says has account numbers in it. After an OSError the writer is of no more use.
    """

    def __init__(self, first: Path, recorded: str, created_ns: int, *, file_bytes_max: int = FILE_BYTES_MAX) -> None:
        self.first = first
        self.part = 0
        self._recorded = recorded
        self._series = str(created_ns)
        self._file_bytes_max = file_bytes_max
        self._open: dict[int, _OpenConnection] = {}
        self._has_records = False
        self._file, self._bytes, self._day = self._begin(created_ns)

    def write(self, record: Record) -> None:
        encoded = encode(record)
        too_large = self._has_records and self._bytes + len(encoded) > self._file_bytes_max
        if too_large or record.time_ns // _DAY_NS > self._day:
            self._rotate(record.time_ns)
        self._file.write(encoded)
        self._bytes += len(encoded)
        self._has_records = True
        self._note(record)

    def flush(self) -> None:
        self._file.flush()

    def close(self, time_ns: int) -> None:
        self._end(self._file, Ending.CLOSED, time_ns)

    def abandon(self) -> None:
        """Let go of the file as it is, after a fault."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _begin(self, created_ns: int) -> tuple[BinaryIO, int, int]:
        path = part_path(self.first, self.part)
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=256 * 1024)
        start = MAGIC + encode(Record(Kind.HEADER, created_ns, self._header(created_ns)))
        file.write(start)
        file.flush()
        return file, len(start), created_ns // _DAY_NS

    def _header(self, created_ns: int) -> bytes:
        created = datetime.fromtimestamp(created_ns // 1_000_000_000, UTC)
        header = {
            "recorded": self._recorded,
            "created": f"{created:%Y-%m-%dT%H:%M:%SZ}",
            "series": self._series,
            "part": self.part,
            "connections": {
                str(number): {} if each.server_version is None else {"server_version": each.server_version}
                for number, each in self._open.items()
            },
        }
        return json.dumps(header).encode()

    def _rotate(self, time_ns: int) -> None:
        """The new file first: a crash in between leaves an unfinished file and an empty one, and nothing is lost."""
        self.part += 1
        finished = self._file
        self._file, self._bytes, self._day = self._begin(time_ns)
        self._has_records = False
        self._end(finished, Ending.ROTATED, time_ns)

    @staticmethod
    def _end(file: BinaryIO, ending: Ending, time_ns: int) -> None:
        with file:
            file.write(encode(Record(Kind.END, time_ns, ending.value.encode())))

    def _note(self, record: Record) -> None:
        if record.kind is Kind.OPENED:
            self._open[record.connection] = _OpenConnection()
        elif (connection := self._open.get(record.connection)) is None:
            return
        elif record.kind is Kind.HELLO and record.direction is Direction.FROM_GATEWAY:
            connection.server_version = stated_server_version(record.payload)
        elif record.kind is Kind.CLOSED:
            connection.closed.add(record.direction)
            if len(connection.closed) == 2:
                del self._open[record.connection]


class _OpenConnection:
    def __init__(self) -> None:
        self.server_version: int | None = None
        self.closed: set[Direction] = set()


def stated_server_version(hello: bytes) -> int | None:
    """Of the gateway's hello, its length prefix included."""
    match = _SERVER_VERSION.match(hello, 4)
    return int(match[0]) if match else None


class FileReader:
    """The records of one file, one at a time, without its header; ``ending`` is known when they are exhausted."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self.ending: Ending | None = None
        self.torn_at: int | None = None
        self._file = file
        self._offset = 0
        self._read_magic()
        self.header = self._read_header()

    def __iter__(self) -> Iterator[Record]:
        while (record := self._next()) is not None:
            if record.kind is Kind.END:
                self._finish(record)
                return
            yield record

    def _read_magic(self) -> None:
        magic = self._file.read(len(MAGIC))
        if magic != MAGIC:
            known = magic[:6] == MAGIC[:6] and len(magic) == len(MAGIC)
            what = f"format version {magic[6:]!r} is not known" if known else f"no recording: begins with {magic!r}"
            raise NotARecording(self.name, 0, what)
        self._offset = len(MAGIC)

    def _read_header(self) -> dict[str, Any]:
        record = self._next()
        if record is None or record.kind is not Kind.HEADER:
            raise Damaged(self.name, len(MAGIC), "the header is missing or cut off")
        try:
            header = json.loads(record.payload)
        except ValueError:
            header = None
        if not isinstance(header, dict) or not isinstance(header.get("part"), int):
            raise Damaged(self.name, len(MAGIC), "the header is not a JSON object with a part number")
        return header

    def _next(self) -> Record | None:
        """Records of a kind not known here are passed over: a later writer may have more to say."""
        while (found := self._read()) is not None:
            if found[0] in _KINDS:
                return self._record(*found)
        return None

    def _record(self, kind: int, direction: int, connection: int, time_ns: int, payload: bytes, at: int) -> Record:
        if direction not in _DIRECTIONS:
            raise Damaged(self.name, at, f"no direction {direction}")
        return Record(Kind(kind), time_ns, payload, connection, Direction(direction), at)

    def _read(self) -> tuple[int, int, int, int, bytes, int] | None:
        at = self._offset
        head = self._file.read(HEAD_BYTES)
        if len(head) < HEAD_BYTES:
            self._cut(at, torn=bool(head))
            return None
        if zlib.crc32(head[: _HEAD.size]) != _CHECKSUM.unpack_from(head, _HEAD.size)[0]:
            raise Damaged(self.name, at, "the head of a record does not match its checksum")
        kind, direction, connection, time_ns, length, checksum = _HEAD.unpack_from(head)
        if length > PAYLOAD_BYTES_MAX:
            raise Damaged(self.name, at, f"a payload of {length} bytes is longer than {PAYLOAD_BYTES_MAX}")
        payload = self._file.read(length)
        if len(payload) < length:
            self._cut(at, torn=True)
            return None
        if zlib.crc32(payload) != checksum:
            raise Damaged(self.name, at, "the payload of a record does not match its checksum")
        self._offset = at + HEAD_BYTES + length
        return kind, direction, connection, time_ns, payload, at

    def _cut(self, at: int, *, torn: bool) -> None:
        self.ending = Ending.TORN if torn else Ending.UNFINISHED
        self.torn_at = at if torn else None

    def _finish(self, end: Record) -> None:
        try:
            self.ending = Ending(end.payload.decode("ascii", "replace"))
        except ValueError:
            raise Damaged(self.name, end.offset, f"no ending {end.payload!r}") from None
        if self._file.read(1):
            raise Damaged(self.name, self._offset, "something follows the end")


class Recording:
    """The records of ``path`` and of the files that continue it; ``path`` may be any file of a series.

    ``server_versions`` is what is known of each connection so far: read it while iterating. ``ending`` and ``torn_at``
    are those of the last file, when the records are exhausted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: dict[str, Any] = {}
        self.server_versions: dict[int, int] = {}
        self.ending: Ending | None = None
        self.torn_at: int | None = None

    def __iter__(self) -> Iterator[Record]:
        path: Path | None = self.path
        series: str | None = None
        while path is not None:
            with path.open("rb") as file:
                reader = FileReader(file, str(path))
                if series not in (None, reader.header.get("series")):
                    raise Damaged(str(path), len(MAGIC), "of another series than the file before it")
                series, self.header = reader.header.get("series"), reader.header
                self._learn(reader.header)
                for record in reader:
                    self._note(record)
                    yield record
            self.ending, self.torn_at = reader.ending, reader.torn_at
            path = self._continued_in(path, reader)

    def _continued_in(self, path: Path, reader: FileReader) -> Path | None:
        if reader.ending is not Ending.ROTATED:
            return None
        part = int(reader.header["part"])
        first = path if part == 0 else path.with_name(_LATER_PART.sub("", path.name))
        following = part_path(first, part + 1)
        if not following.exists():
            raise Damaged(str(following), 0, f"{path.name} goes on in this file, and it is missing")
        return following

    def _learn(self, header: dict[str, Any]) -> None:
        for number, known in header.get("connections", {}).items():
            if known.get("server_version") is not None:
                self.server_versions[int(number)] = int(known["server_version"])

    def _note(self, record: Record) -> None:
        if record.kind is Kind.OPENED:
            self.server_versions.pop(record.connection, None)
        elif record.kind is Kind.HELLO and record.direction is Direction.FROM_GATEWAY:
            version = stated_server_version(record.payload)
            if version is not None:
                self.server_versions[record.connection] = version
