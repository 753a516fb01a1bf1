"""How records are chained: canonical JSON, and a hash over the previous hash and the record.

A line is ``canonical(record)`` with its closing brace replaced by ``,"hash":"<64 hex>"}``. So the bytes that were
hashed stand in the line as they are, and checking needs no second rendering. Canonical: keys sorted, no spaces, ASCII
only, decimals as strings, floats as the shortest text that reads back to the same float, no NaN or infinity.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ibkr_adapter.errors import JournalError

VERSION = 1
GENESIS = bytes(32)
"""What the first record has for its previous hash."""

_SEGMENT = re.compile(r"journal-(\d{16})\.jsonl")
_HASH_KEY = b',"hash":"'
_HASH_END = b'"}'
_SUFFIX = len(_HASH_KEY) + 64 + len(_HASH_END)
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False).encode


class Broken(Exception):
    """A line is not the record that belongs here; the message says how."""


def canonical(record: Mapping[str, Any]) -> bytes:
    return _encode(record).encode("ascii")


def seal(record: Mapping[str, Any], previous: bytes) -> tuple[bytes, bytes]:
    """The line of ``record``, newline included, and its hash. ``record`` already carries ``prev``."""
    text = canonical(record)
    digest = hashlib.sha256(previous + text)
    return b"".join((text[:-1], _HASH_KEY, digest.hexdigest().encode(), _HASH_END, b"\n")), digest.digest()


def check(line: bytes, previous: bytes, seq: int) -> bytes:
    """The hash of ``line`` (without its newline) if it is record ``seq`` and follows ``previous``; else ``Broken``."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise Broken("is not JSON") from None
    if not isinstance(record, dict):
        raise Broken("is not a record")
    if record.get("v") != VERSION:
        raise Broken(f"has version {record.get('v')!r}; this program knows version {VERSION}")
    if record.get("seq") != seq:
        raise Broken(f"has number {record.get('seq')!r} where {seq} belongs")
    if record.get("prev") != previous.hex():
        raise Broken("does not follow the record before it")
    digest = hashlib.sha256(previous + line[:-_SUFFIX] + b"}")
    if line[-_SUFFIX:] != b"".join((_HASH_KEY, digest.hexdigest().encode(), _HASH_END)):
        raise Broken("is not what was written: its hash does not match")
    return digest.digest()


def segment_path(directory: Path, first_seq: int) -> Path:
    return directory / f"journal-{first_seq:016d}.jsonl"


def segments(directory: Path) -> list[tuple[int, Path]]:
    """The files of a journal in order, each with the number of its first record."""
    try:
        names = [entry for entry in directory.iterdir() if entry.name.startswith("journal-")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(f"cannot read {directory}: {error.strerror}", remedy="check who owns it") from error
    found = []
    for path in names:
        match = _SEGMENT.fullmatch(path.name)
        if match is None:
            raise JournalError(f"{path} is not a name the journal gives its files", remedy="move it elsewhere")
        found.append((int(match[1]), path))
    return sorted(found)
