"""Check a whole journal: every record, its number, its hash, its place.

    python -m ibkr_adapter.journal.verify DIR

Reads only; a service may be writing meanwhile. Needs nothing but this file, ``chain`` and ``errors``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ibkr_adapter.errors import ExitCode, JournalError
from ibkr_adapter.journal import chain

_REMEDY = "keep the directory as evidence, restore the files from a copy, and let `ibkr_adapter.journal.verify` pass"


@dataclass(frozen=True, slots=True)
class Verified:
    """A journal that holds together. ``torn_bytes`` of an unfinished last record stand after ``whole_bytes``."""

    last_seq: int
    last_hash: bytes
    last_segment: Path | None
    whole_bytes: int
    torn_bytes: int


def verify(directory: Path) -> Verified:
    """Raises ``JournalError`` naming file, line and record, for anything but a torn last record."""
    seq, digest = 0, chain.GENESIS
    whole_bytes = torn_bytes = 0
    files = chain.segments(directory)
    for first_seq, path in files:
        if first_seq != seq + 1:
            raise JournalError(f"{path} begins at record {first_seq} where {seq + 1} belongs", remedy=_REMEDY)
        whole_bytes = 0
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    if path != files[-1][1] or not _torn(line, digest, seq + 1):
                        raise _broken(path, number, seq + 1, "does not end as a record ends")
                    torn_bytes = len(line)
                    break
                try:
                    digest = chain.check(line[:-1], digest, seq + 1)
                except chain.Broken as broken:
                    raise _broken(path, number, seq + 1, str(broken)) from None
                seq += 1
                whole_bytes += len(line)
    return Verified(seq, digest, files[-1][1] if files else None, whole_bytes, torn_bytes)


def _torn(tail: bytes, previous: bytes, seq: int) -> bool:
    """Can a crash have left this? A record cut short: yes. A whole record and then something else: no."""
    end = tail.rfind(b'"}') + 2
    if end == len(tail):
        return True  # only the newline is missing
    try:
        chain.check(tail[:end], previous, seq)
    except chain.Broken:
        return True
    return False


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror}", remedy="check who owns it") from error


def _broken(path: Path, number: int, seq: int, how: str) -> JournalError:
    return JournalError(f"{path} line {number} (record {seq}) {how}", remedy=_REMEDY)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m ibkr_adapter.journal.verify DIR\n")
        return ExitCode.USAGE
    directory = Path(arguments[0])
    if not directory.is_dir():
        sys.stderr.write(f"{directory} is not a directory\n")
        return ExitCode.USAGE
    try:
        found = verify(directory)
    except JournalError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.JOURNAL
    torn = f"; {found.torn_bytes} bytes of an unfinished record follow" if found.torn_bytes else ""
    sys.stdout.write(f"{found.last_seq} records, last hash {found.last_hash.hex()}{torn}\n")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
