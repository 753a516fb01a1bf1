"""The fields of a message into values, as a layout says.

An absent value is simply not a key. IB writes it in text as an empty field, as 2147483647, 9223372036854775807,
-9223372036854775808 or 1.7976931348623157E308, depending on the field; all are read as absent.

What a client sends is not trusted: `foreign` says so, and bounds what may be read.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from tws_simulator.wire.text.layout import (
    Bits,
    Column,
    Constant,
    Field,
    Group,
    Node,
    Pairs,
    Scalars,
    fields_at,
    holds,
    lookup,
)
from tws_simulator.wire.values import UNSET_FLOAT, UNSET_INT, UNSET_LONG, MalformedMessage, Values

QUANTITY_MAX = Decimal(10**10)
NUMBER_MAX = 1e13
"""In a request. The value of an order, their product, has to be exact to the cent in the 28 digits of a Decimal."""
ITEMS_MAX = 1_000
"""Of a list in a request; the longest that IB itself accepts are combination legs and scale tables, far below it."""
TEXT_CHARACTERS_MAX = 65_536
"""Of one text in a request; an advisor's whole configuration as XML stays below it."""
_UNSET_DECIMALS = frozenset({Decimal(UNSET_INT), Decimal(UNSET_LONG), Decimal(-(2**63))})
_UNSET_AS_DECIMAL = Decimal("1.7976931348623157E308")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\Z")
_REAL_CHARACTERS_MAX = 400
_EXPONENT_MAX = 40  # what has more is written out in full nowhere


def decode_text(
    layout: str, server_version: int, fields: list[str], *, strict: bool = False, foreign: bool = False
) -> Values:
    """``strict`` refuses fields beyond the layout; a server ignores them, as newer clients may send more.

    ``foreign`` refuses what no client of IB sends: lists and texts without measure, numbers that are none.
    """
    values: Values = {}
    reader = _Reader(fields, foreign)
    _read(fields_at(layout, server_version), reader, values)
    if strict and reader.position != len(fields):
        left_over = fields[reader.position : reader.position + 10]
        raise MalformedMessage(f"{len(fields) - reader.position} fields left over: {left_over}")
    return values


class _Reader:
    __slots__ = ("fields", "foreign", "position")

    def __init__(self, fields: list[str], foreign: bool) -> None:
        self.fields = fields
        self.foreign = foreign
        self.position = 0

    def take(self) -> str:
        if self.position >= len(self.fields):
            raise MalformedMessage(f"ends after {self.position} fields")
        text = self.fields[self.position]
        if self.foreign and len(text) > TEXT_CHARACTERS_MAX:
            raise MalformedMessage(f"a field of {len(text)} characters")
        self.position += 1
        return text

    def take_count(self) -> int:
        count = whole(self.take() or "0")
        if count < 0 or count > (ITEMS_MAX if self.foreign else len(self.fields)):
            raise MalformedMessage(f"a list of {count}")
        return count

    def take_value(self, kind: str, text: str) -> Any:
        value = _parsed(kind, text)
        if self.foreign and kind in "fnxdw":
            expect_measurable(kind, value)
        return value


def _read(nodes: tuple[Node, ...], reader: _Reader, scope: Values) -> None:
    for node in nodes:
        match node:
            case Field(path, kind, absent):
                text = reader.take()
                if text and not (kind == "s" and text == absent):
                    _store(scope, path, reader.take_value(kind, text))
            case Constant():
                reader.take()
            case Scalars(path, kind):
                _store(scope, path, _scalars(kind, reader) or None)
            case Column(path, name, kind):
                _read_column(lookup(scope, path) or [], name, kind, reader)
            case Pairs(path):
                count = reader.take_count()
                _store(scope, path, {reader.take(): reader.take() for _ in range(count)} or None)
            case Bits(path, names):
                bits = whole(reader.take() or "0")
                _store(scope, path, {name: bool(bits >> bit & 1) for bit, name in enumerate(names)})
            case Group():
                _read_group(node, reader, scope)


def _read_column(items: list[Values], name: str, kind: str, reader: _Reader) -> None:
    count = reader.take_count()
    if count > len(items):
        raise MalformedMessage(f"{count} times {name} of {len(items)}")
    for item in items[:count]:
        if text := reader.take():
            _store(item, (name,), reader.take_value(kind, text))


def _scalars(kind: str, reader: _Reader) -> list[Any]:
    found = [reader.take_value(kind, reader.take()) for _ in range(reader.take_count())]
    return [value for value in found if value is not None]


def _read_group(group: Group, reader: _Reader, scope: Values) -> None:
    if group.mode == "many":
        items: list[Values] = []
        for _ in range(reader.take_count()):
            items.append({})
            _read(group.inner, reader, items[-1])
        _store(scope, group.path, items or None)
    elif group.mode == "flagged":
        if reader.take() not in ("", "0"):
            part: Values = {}
            _read(group.inner, reader, part)
            _store(scope, group.path, part)
    elif holds(lookup(scope, group.path), group.among) is (group.mode == "when"):
        _read(group.inner, reader, scope)


def _store(scope: Values, path: tuple[str, ...], value: Any) -> None:
    if value is None:
        return
    for name in path[:-1]:
        scope = scope.setdefault(name, {})
    scope[path[-1]] = value


def _parsed(kind: str, text: str) -> Any:
    match kind:
        case "i":
            number = whole(text)
            return None if number in (UNSET_INT, UNSET_LONG) else number
        case "b":
            return text not in ("0", "false")
        case "f" | "n" | "x" | "p":
            measure = _real(text)
            return None if measure == UNSET_FLOAT else measure
        case "d" | "w":
            return amount(text)
        case "c":
            return text == "a"
        case "o":
            return dict(part.partition("=")[::2] for part in text.split(";") if part)
    return text


def whole(text: str) -> int:
    """Of at most 64 bits, as IB's longest integers; Python alone would read "1_0", " 7 " and numbers of any length."""
    if _INTEGER.match(text) is None or not -(2**63) <= (number := int(text)) < 2**63:
        raise MalformedMessage(f"not an integer: {text[:40]!r}")
    return number


def _real(text: str) -> float:
    if text in ("Infinity", "-Infinity", "NaN"):
        return float(text)
    if len(text) > _REAL_CHARACTERS_MAX or _REAL.match(text) is None:
        raise MalformedMessage(f"not a number: {text[:40]!r}")
    return float(text)


def amount(text: str) -> Decimal | None:
    """A decimal; None for IB's several ways to write that there is none."""
    if len(text) > _REAL_CHARACTERS_MAX or _REAL.match(text) is None:
        raise MalformedMessage(f"not a decimal: {text[:40]!r}")
    number = Decimal(text)
    if number in _UNSET_DECIMALS or number == _UNSET_AS_DECIMAL:
        return None
    if not number:
        return Decimal(0)
    if not -_EXPONENT_MAX <= number.adjusted() <= _EXPONENT_MAX:
        raise MalformedMessage(f"beyond all measure: {text[:40]!r}")
    return number


def expect_measurable(kind: str, number: float | Decimal | None) -> None:
    """A client's price or quantity is a finite number; only an offset without limit is sent as infinite."""
    if number is None or (kind == "x" and number == math.inf):
        return
    measurable = abs(number) <= QUANTITY_MAX if isinstance(number, Decimal) else abs(number) <= NUMBER_MAX
    if not measurable:
        raise MalformedMessage(f"beyond all measure: {number}")
