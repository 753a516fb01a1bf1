"""Recordings made by hand, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tws_simulator.recording.format import Direction, Kind, Record, Recording, Writer
from tws_simulator.recording.script import Script, load_scripts
from tws_simulator.wire.codec import Codec, frame
from tws_simulator.wire.row import message

START_NS = 1_795_365_000_000_000_000  # 2026-11-22 16:30:00 UTC
SECOND = 1_000_000_000
TO, FROM = Direction.TO_GATEWAY, Direction.FROM_GATEWAY


class RecordedConnection:
    """Writes one connection as a client and a gateway would have made it; times are seconds since the start."""

    def __init__(self, writer: Writer, server_version: int, *, number: int = 1, client_id: int | None = 1) -> None:
        self.codec = Codec(server_version)
        self._writer = writer
        self._number = number
        self._write(Kind.OPENED, Direction.NONE, b"{}", 0)
        self._write(Kind.HELLO, TO, b"API\0" + frame(b"v100..226"), 0)
        self._write(Kind.HELLO, FROM, frame(f"{server_version}\0".encode() + b"20261122 16:30:00 GMT\0"), 0)
        if client_id is not None:
            self.asks(0, "startApi", clientId=client_id)

    def asks(self, at_s: float, name: str, /, **values: Any) -> None:
        self.frame(TO, self.codec.encode_request(message(name, **values)), at_s)

    def hears(self, at_s: float, name: str, /, **values: Any) -> None:
        self.frame(FROM, self.codec.encode_reply(message(name, **values)), at_s)

    def frame(self, direction: Direction, payload: bytes, at_s: float = 0) -> None:
        self._write(Kind.FRAME, direction, payload, at_s)

    def _write(self, kind: Kind, direction: Direction, payload: bytes, at_s: float) -> None:
        at_ns = START_NS + round(at_s * SECOND)
        self._writer.write(Record(kind, at_ns, payload, self._number, direction))


def writer_at(path: Path) -> Writer:
    return Writer(path, "by hand", START_NS)


def scripts_of(path: Path) -> list[Script]:
    return load_scripts(Recording(path))
