"""A recording in lines to read, or in JSON.

    19:31:02.018442103    1 <- tickPrice reqId=5 tickType=1 price=187.21 size=300 attrMask=1

What is shown comes from strangers: characters that a terminal may act on are written as escapes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tws_simulator.recording.format import Direction, Kind, Record, Recording
from tws_simulator.recording.payload import message_id
from tws_simulator.wire.codec import Codec, UnknownMessage
from tws_simulator.wire.text.writing import plain
from tws_simulator.wire.values import MalformedMessage

HEX_BYTES_MAX = 64
_NANOSECONDS = 1_000_000_000
_ARROWS = {Direction.NONE: "--", Direction.TO_GATEWAY: "->", Direction.FROM_GATEWAY: "<-"}
_DIRECTIONS = {Direction.NONE: None, Direction.TO_GATEWAY: "to gateway", Direction.FROM_GATEWAY: "from gateway"}
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])(D?[FIU])\d{4,12}[A-Za-z]?(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Shown:
    """One record as it is understood. ``detail`` is for what has no fields: its printable text, or hex."""

    record: Record
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""


def shown(
    recording: Recording, *, only: frozenset[str] = frozenset(), connection: int | None = None, redact: bool = False
) -> Iterator[Shown]:
    """``redact`` covers what looks like an account number, and shows no hex."""
    codecs: dict[int, Codec] = {}
    for record in recording:
        if connection not in (None, record.connection):
            continue
        version = recording.server_versions.get(record.connection)
        if version is not None and (record.connection not in codecs or record.kind is Kind.HELLO):
            codecs[record.connection] = Codec(version)
        each = _understood(record, codecs.get(record.connection), with_hex=not redact)
        if not only or each.name in only:
            yield _redacted(each) if redact else each


def line(each: Shown, *, start_ns: int | None = None) -> str:
    """With the local time, or with the seconds since ``start_ns``."""
    record = each.record
    fields = "".join(f" {name}={_value(value)}" for name, value in _flat(each.values))
    detail = f" {each.detail}" if each.detail else ""
    return f"{_time(record.time_ns, start_ns)} {record.connection:4} {_ARROWS[record.direction]} " + printable(
        f"{each.name}{fields}{detail}"
    )


def json_line(each: Shown) -> str:
    """All of ASCII; decimals are texts."""
    record = each.record
    stamp = datetime.fromtimestamp(record.time_ns // _NANOSECONDS, UTC)
    told: dict[str, Any] = {
        "time_ns": record.time_ns,
        "time": f"{stamp:%Y-%m-%dT%H:%M:%S}.{record.time_ns % _NANOSECONDS:09d}Z",
        "connection": record.connection,
        "direction": _DIRECTIONS[record.direction],
        "kind": record.kind.name.lower(),
        "name": each.name,
        "values": each.values,
    }
    if each.detail:
        told["detail"] = each.detail
    try:
        return json.dumps(told, default=plain, allow_nan=False)
    except ValueError:
        return json.dumps({**told, "values": _finite(each.values)}, default=plain)


def printable(text: str) -> str:
    """Nothing that a terminal would obey: no control characters, no changes of writing direction."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _understood(record: Record, codec: Codec | None, *, with_hex: bool) -> Shown:
    match record.kind:
        case Kind.FRAME if codec is not None:
            return _decoded(record, codec, with_hex=with_hex)
        case Kind.FRAME | Kind.RAW:
            return Shown(record, record.kind.name.lower(), detail=_dump(record.payload, with_hex=with_hex))
        case Kind.HELLO:
            start = 8 if record.direction is Direction.TO_GATEWAY else 4
            return Shown(record, "hello", detail=_text(record.payload[start:]))
        case Kind.OPENED:
            return Shown(record, "opened", _json_object(record.payload))
    return Shown(record, record.kind.name.lower(), detail=_text(record.payload))


def _decoded(record: Record, codec: Codec, *, with_hex: bool) -> Shown:
    decode = codec.decode_request if record.direction is Direction.TO_GATEWAY else codec.decode_reply
    try:
        message = decode(record.payload)
    except MalformedMessage as fault:
        msg_id, is_protobuf = message_id(codec, record.payload)
        name = f"unknown-{msg_id}{'-protobuf' if is_protobuf else ''}" if msg_id >= 0 else "unknown"
        return Shown(record, name, detail=f"{_why(fault)}{_dump(record.payload, with_hex=with_hex)}")
    return Shown(record, message.name, message.values)


def _why(fault: MalformedMessage) -> str:
    return "" if isinstance(fault, UnknownMessage) else "(malformed) "


def _dump(payload: bytes, *, with_hex: bool) -> str:
    more = "..." if len(payload) > HEX_BYTES_MAX else ""
    hex_digits = f"{payload[:HEX_BYTES_MAX].hex()}{more} " if with_hex else ""
    return f"{len(payload)} bytes {hex_digits}|{_text(payload[:HEX_BYTES_MAX])}{more}|"


def _text(payload: bytes) -> str:
    """What can be read; zeros part fields."""
    return "".join(chr(byte) if 32 <= byte < 127 else "|" if byte == 0 else "." for byte in payload)


def _json_object(payload: bytes) -> dict[str, Any]:
    try:
        content = json.loads(payload)
    except ValueError:
        content = None
    return content if isinstance(content, dict) else {"text": _text(payload)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for at, item in enumerate(value):
                yield from _flat(item, f"{prefix}{name}[{at}].")
        else:
            yield f"{prefix}{name}", value


def _value(value: Any) -> str:
    """Texts that would not end where they end are quoted."""
    if isinstance(value, str):
        return value if value and not re.search(r'[\s="]', value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{','.join(map(_value, value))}]"
    return str(value) if isinstance(value, int) else plain(value)


def _time(time_ns: int, start_ns: int | None) -> str:
    if start_ns is not None:
        since_ns = time_ns - start_ns
        sign = "-" if since_ns < 0 else "+"
        return f"{sign}{abs(since_ns) // _NANOSECONDS}.{abs(since_ns) % _NANOSECONDS:09d}"
    local = datetime.fromtimestamp(time_ns // _NANOSECONDS).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S}.{time_ns % _NANOSECONDS:09d}"


def _finite(value: Any) -> Any:
    """JSON has no infinity: it becomes a text, as IB writes it."""
    if isinstance(value, float) and not math.isfinite(value):
        return plain(value)
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def _redacted(each: Shown) -> Shown:
    return Shown(each.record, each.name, _covered(each.values), _covered(each.detail))


def _covered(value: Any) -> Any:
    if isinstance(value, str):
        return _ACCOUNT.sub(r"\1*****", value)
    if isinstance(value, Mapping):
        return {name: _covered(item) for name, item in value.items()}
    return [_covered(item) for item in value] if isinstance(value, list) else value
