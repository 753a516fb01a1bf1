"""One record: an event in its envelope, to and from a line.

The envelope: ``v`` version of the format, ``seq`` number, ``ts_ns`` when we learned of it, ``boot`` which run of the
process wrote it, ``kind`` the event's tag, ``body`` its fields, ``prev`` and ``hash`` of the chain. Bytes in a body are
base64, decimals strings.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from ibkr_adapter.errors import JournalError
from ibkr_adapter.events import JournalEvent
from ibkr_adapter.journal import chain


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """``hash`` in hex, as it stands in the line."""

    seq: int
    boot: str
    event: JournalEvent
    hash: str


def encode(seq: int, event: JournalEvent, *, boot: str, previous: bytes) -> tuple[bytes, bytes]:
    """The line with its newline, and its hash; ``JournalError`` for an event that JSON cannot hold, such as NaN."""
    body: dict[str, Any] = msgspec.to_builtins(event)
    kind = body.pop("type")
    envelope = {
        "v": chain.VERSION,
        "seq": seq,
        "ts_ns": event.ts_recv_ns,
        "boot": boot,
        "kind": kind,
        "body": body,
        "prev": previous.hex(),
    }
    try:
        return chain.seal(envelope, previous)
    except ValueError as error:
        raise JournalError(
            f"record {seq} ({kind}) cannot be written: {error}", remedy="report this as a defect, with the log"
        ) from error


def decode(line: bytes) -> Record:
    """Raises ``JournalError`` for what is not a record of ours; the chain is not checked here."""
    try:
        envelope = json.loads(line)
        if envelope["v"] != chain.VERSION:
            raise JournalError(
                f"record version {envelope['v']!r} is not known here; this program knows version {chain.VERSION}",
                remedy="use the release that wrote this journal, or a later one",
            )
        event: JournalEvent = msgspec.convert({**envelope["body"], "type": envelope["kind"]}, JournalEvent)
        return Record(seq=envelope["seq"], boot=envelope["boot"], event=event, hash=envelope["hash"])
    except (ValueError, KeyError, TypeError) as error:  # msgspec's errors are ValueErrors
        raise JournalError(
            f"a record cannot be read: {error}", remedy="use the release that wrote this journal, or a later one"
        ) from error
