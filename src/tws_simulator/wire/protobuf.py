"""Messages in protobuf's wire format, described by schemas.

A schema is one string that lists the fields of a message in the order of their numbers, from 1. IB's messages leave no
number out. Every scalar is optional: absent is not a key.

    reqId:i price:f size:d contract:Contract legs:[ComboLeg] dates:[i] params:map

Types: `i` any integer, `b` boolean, `f` double, `s` text, `d` a decimal carried as text, `n` a double that text
messages write without a needless ".0", `x` a double that may be infinite; a capitalised name is a
message of `types.TYPES`; `map` is map<string, string>.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from tws_simulator.wire.text.reading import ITEMS_MAX, TEXT_CHARACTERS_MAX, amount, expect_measurable
from tws_simulator.wire.text.writing import plain
from tws_simulator.wire.types import TYPES
from tws_simulator.wire.values import UNSET_FLOAT, MalformedMessage, Values

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPE = {"i": _VARINT, "b": _VARINT, "f": _FIXED64, "n": _FIXED64, "x": _FIXED64}
_DOUBLE = struct.Struct("<d")
_MASK = 2**64 - 1
_PAIR = "key:s value:s"


def encode_protobuf(schema: str, values: Mapping[str, Any]) -> bytes:
    out = bytearray()
    for field in _schema(schema):
        value = values.get(field.name)
        if value is not None:
            _write(field, value, out)
    return bytes(out)


def decode_protobuf(schema: str, body: bytes, *, strict: bool = False, foreign: bool = False) -> Values:
    """``strict`` refuses field numbers beyond the schema; a server skips them, as newer clients may send more.

    ``foreign`` refuses what no client of IB sends: see `text.decode_text`.
    """
    return _decode(_schema(schema), body, _Limits(strict, foreign))


@dataclass(frozen=True, slots=True)
class _Limits:
    strict: bool
    foreign: bool


def _decode(fields: tuple[_Field, ...], body: bytes, limits: _Limits) -> Values:
    values: Values = {}
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        number, wire_type = key >> 3, key & 7
        content, at = _content(body, at, wire_type)
        if 0 < number <= len(fields):
            _store(fields[number - 1], wire_type, content, values, limits)
        elif limits.strict:
            raise MalformedMessage(f"unknown field {number}")
    return values


@dataclass(frozen=True, slots=True)
class _Field:
    key: int
    name: str
    kind: str
    repeated: bool
    nested: str


@cache
def _schema(schema: str) -> tuple[_Field, ...]:
    fields = []
    for number, token in enumerate(schema.split(), start=1):
        name, _, kind = token.partition(":")
        repeated = kind.startswith("[")
        kind = kind.strip("[]")
        wire_type = _BYTES if repeated else _WIRE_TYPE.get(kind, _BYTES)
        fields.append(_Field(number << 3 | wire_type, name, kind, repeated, TYPES.get(kind, "")))
    return tuple(fields)


def _write(field: _Field, value: Any, out: bytearray) -> None:
    if field.kind == "map":
        for key, content in value.items():
            _write_bytes(field.key, encode_protobuf(_PAIR, {"key": key, "value": content}), out)
    elif field.repeated and field.kind in _WIRE_TYPE:
        packed = bytearray()
        for item in value:
            _write_scalar(field.kind, item, packed)
        if packed:
            _write_bytes(field.key, bytes(packed), out)
    elif field.repeated:
        for item in value:
            _write_bytes(field.key, _bytes(field, item), out)
    elif field.kind in _WIRE_TYPE:
        _write_varint(field.key, out)
        _write_scalar(field.kind, value, out)
    else:
        _write_bytes(field.key, _bytes(field, value), out)


def _bytes(field: _Field, value: Any) -> bytes:
    if field.kind == "d":
        return plain(value).encode()
    return value.encode() if field.kind == "s" else encode_protobuf(field.nested, value)


def _write_scalar(kind: str, value: Any, out: bytearray) -> None:
    if kind in "fnx":
        out += _DOUBLE.pack(value)
    else:
        _write_varint(int(value) & _MASK, out)  # negative numbers take ten bytes, as int32 does in protobuf


def _write_bytes(key: int, content: bytes, out: bytearray) -> None:
    _write_varint(key, out)
    _write_varint(len(content), out)
    out += content


def _write_varint(value: int, out: bytearray) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(body) or shift > 63:
            raise MalformedMessage("a varint runs past the end")
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, at
        shift += 7


def _content(body: bytes, at: int, wire_type: int) -> tuple[int | bytes, int]:
    if wire_type == _VARINT:
        return _varint(body, at)
    if wire_type == _BYTES:
        length, at = _varint(body, at)
    elif wire_type in (_FIXED64, _FIXED32):
        length = 8 if wire_type == _FIXED64 else 4
    else:
        raise MalformedMessage(f"wire type {wire_type} is not used by IB")
    if at + length > len(body):
        raise MalformedMessage(f"a field of {length} bytes runs past the end")
    return bytes(body[at : at + length]), at + length


def _store(field: _Field, wire_type: int, content: int | bytes, values: Values, limits: _Limits) -> None:
    if field.kind == "map":
        pair = _decode(_schema(_PAIR), _expect_bytes(content), limits)
        items = values.setdefault(field.name, {})
        items[pair.get("key", "")] = pair.get("value", "")
    elif field.repeated:
        items = values.setdefault(field.name, [])
        if field.kind in _WIRE_TYPE and wire_type == _BYTES:
            items.extend(_unpacked(field, _expect_bytes(content), limits))
        else:
            items.append(_value(field, content, limits))
    else:
        value = _value(field, content, limits)
        if value is None:
            values.pop(field.name, None)
        else:
            values[field.name] = value
        return
    if limits.foreign and len(items) > ITEMS_MAX:
        raise MalformedMessage(f"a list of {len(items)}")


def _unpacked(field: _Field, content: bytes, limits: _Limits) -> Iterator[Any]:
    at = 0
    while at < len(content):
        item, at = _content(content, at, _WIRE_TYPE[field.kind])
        if (value := _value(field, item, limits)) is not None:
            yield value


def _value(field: _Field, content: int | bytes, limits: _Limits) -> Any:
    if field.nested:
        return _decode(_schema(field.nested), _expect_bytes(content), limits)
    if field.kind in "ib":
        return _integer(field.kind, content)
    raw = _expect_bytes(content)
    return _double(field.kind, raw, limits) if field.kind in "fnx" else _text(field.kind, raw, limits)


def _integer(kind: str, content: int | bytes) -> int | bool:
    if not isinstance(content, int):
        raise MalformedMessage("a number was expected")
    return bool(content) if kind == "b" else content - (1 << 64) if content >> 63 else content


def _double(kind: str, raw: bytes, limits: _Limits) -> float | None:
    if len(raw) != 8:
        raise MalformedMessage("a double was expected")
    number: float = _DOUBLE.unpack(raw)[0]
    if number == UNSET_FLOAT:
        return None
    if limits.foreign:
        expect_measurable(kind, number)
    return number


def _text(kind: str, raw: bytes, limits: _Limits) -> str | Decimal | None:
    if limits.foreign and len(raw) > TEXT_CHARACTERS_MAX:
        raise MalformedMessage(f"a text of {len(raw)} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise MalformedMessage(f"not text: {raw[:40]!r}") from None
    if kind != "d":
        return text
    number = amount(text)
    if limits.foreign:
        expect_measurable(kind, number)
    return number


def _expect_bytes(content: int | bytes) -> bytes:
    if isinstance(content, int):
        raise MalformedMessage("bytes were expected")
    return content
