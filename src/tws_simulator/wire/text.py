"""Messages as NUL-separated text, described by layouts.

A layout is one string that lists the fields of a message in their order on the wire. It serves both directions.

    reqId:i                 a field: path in the message, type
    contract.symbol:s       the same, in a nested part
    errorTime:i@194..       present from server version 194 on; `@..193` up to 193; `@187..189` between
    permId:i=0              what is written when the value is absent (nothing, unless said); `!` is IB's "unset" number
    =6                      a constant; read and ignored
    legs*(conId:i ratio:i)  a count, then so many groups
    dates*:i                a count, then so many plain values
    algoParams%             a count, then so many pairs of tag and value
    attributes#one|two      an integer whose bits, from the lowest on, are the booleans of a nested part
    legs+price:f            a count, then one more field of so many groups that were listed before; 0 when none has it
    part&(conId:i delta:f)  a flag, then the group when it is 1
    ?kind(...)  ?kind=A|B(...)   a group that is there when the value read before is set, or is one of these
    ?!kind=A|B(...)              a group that is there when it is none of these
    @182..(...)             a group that is there at these server versions

Types: `i` integer, `b` boolean, `s` text, `d` decimal, `w` decimal of which only the whole part goes out (sizes before
server version 163), `f` number written as IB's Java does ("0.0"), `n` number without a needless ".0", `x` number that
may be infinite, `p` a price with two decimals at least ("3896.00", "3896.875"), `c` the and/or of order conditions, `o`
options ("tag=value;").

An absent value is simply not a key. IB writes it in text as an empty field, as 2147483647, 9223372036854775807,
-9223372036854775808 or 1.7976931348623157E308, depending on the field; all are read as absent.

What a client sends is not trusted: `foreign` says so, and bounds what may be read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from functools import cache
from typing import Any

Values = dict[str, Any]

QUANTITY_MAX = Decimal(10**10)
NUMBER_MAX = 1e13
"""In a request. The value of an order, their product, has to be exact to the cent in the 28 digits of a Decimal."""
ITEMS_MAX = 1_000
"""Of a list in a request; the longest that IB itself accepts are combination legs and scale tables, far below it."""
TEXT_CHARACTERS_MAX = 65_536
"""Of one text in a request; an advisor's whole configuration as XML stays below it."""

UNSET_INT = 2**31 - 1
UNSET_LONG = 2**63 - 1
UNSET_FLOAT = 1.7976931348623157e308
_UNSET_DECIMALS = frozenset({Decimal(UNSET_INT), Decimal(UNSET_LONG), Decimal(-(2**63))})
_UNSET_AS_DECIMAL = Decimal("1.7976931348623157E308")
_UNSET_TEXT = {
    "i": "2147483647",
    "f": "1.7976931348623157E308",
    "n": "1.7976931348623157E308",
    "d": "-9223372036854775808",
}
_TOKEN = re.compile(r"\)|[^\s()]+\(?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\Z")
_REAL_CHARACTERS_MAX = 400
_EXPONENT_MAX = 40  # what has more is written out in full nowhere
_MESSAGE_CHARACTERS_MAX = 200


class MalformedMessage(ValueError):
    """The bytes do not fit the layout of the message they claim to be."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause[:_MESSAGE_CHARACTERS_MAX])


def encode_text(layout: str, server_version: int, values: Mapping[str, Any]) -> list[str]:
    out: list[str] = []
    _write(_fields_at(layout, server_version), values, out)
    return out


def decode_text(
    layout: str, server_version: int, fields: list[str], *, strict: bool = False, foreign: bool = False
) -> Values:
    """``strict`` refuses fields beyond the layout; a server ignores them, as newer clients may send more.

    ``foreign`` refuses what no client of IB sends: lists and texts without measure, numbers that are none.
    """
    values: Values = {}
    reader = _Reader(fields, foreign)
    _read(_fields_at(layout, server_version), reader, values)
    if strict and reader.position != len(fields):
        left_over = fields[reader.position : reader.position + 10]
        raise MalformedMessage(f"{len(fields) - reader.position} fields left over: {left_over}")
    return values


@dataclass(frozen=True, slots=True)
class _Field:
    path: tuple[str, ...]
    kind: str
    absent: str


@dataclass(frozen=True, slots=True)
class _Constant:
    text: str


@dataclass(frozen=True, slots=True)
class _Scalars:
    path: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class _Column:
    path: tuple[str, ...]
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Pairs:
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Bits:
    path: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """A nested group: ``many`` after a count, ``flagged`` after a flag, ``when`` a value is set or one of ``among``.

    ``unless`` it is one of ``among``.
    """

    mode: str
    path: tuple[str, ...]
    among: frozenset[str]
    inner: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Guarded:
    since: int
    until: int
    inner: tuple[_Node, ...]


_Node = _Field | _Constant | _Scalars | _Column | _Pairs | _Bits | _Group | _Guarded


@cache
def _fields_at(layout: str, server_version: int) -> tuple[_Node, ...]:
    return _resolve(_parse(layout), server_version)


def _resolve(nodes: tuple[_Node, ...], server_version: int) -> tuple[_Node, ...]:
    """The nodes with the server version decided: no guard remains."""
    found: list[_Node] = []
    for node in nodes:
        if isinstance(node, _Guarded):
            if node.since <= server_version <= node.until:
                found.extend(_resolve(node.inner, server_version))
        elif isinstance(node, _Group):
            found.append(_Group(node.mode, node.path, node.among, _resolve(node.inner, server_version)))
        else:
            found.append(node)
    return tuple(found)


@cache
def _parse(layout: str) -> tuple[_Node, ...]:
    tokens = _TOKEN.findall(layout)
    nodes, rest = _parse_group(tokens, 0)
    if rest != len(tokens):
        raise ValueError(f"unbalanced parenthesis in layout: {layout}")
    return nodes


def _parse_group(tokens: list[str], at: int) -> tuple[tuple[_Node, ...], int]:
    nodes: list[_Node] = []
    while at < len(tokens) and tokens[at] != ")":
        token = tokens[at]
        at += 1
        if token.endswith("("):
            inner, at = _parse_group(tokens, at)
            at += 1
            nodes.append(_group(token[:-1], inner))
        else:
            nodes.append(_single(token))
    return tuple(nodes), at


def _group(head: str, inner: tuple[_Node, ...]) -> _Node:
    if head.startswith("@"):
        return _Guarded(*_versions(head[1:]), inner)
    if head.endswith("*"):
        return _Group("many", _path(head[:-1]), frozenset(), inner)
    if head.endswith("&"):
        return _Group("flagged", _path(head[:-1]), frozenset(), inner)
    name, _, among = head.removeprefix("?").removeprefix("!").partition("=")
    values = frozenset(among.replace("_", " ").split("|")) if among else frozenset[str]()
    return _Group("unless" if head.startswith("?!") else "when", _path(name), values, inner)


def _single(token: str) -> _Node:
    body, _, guard = token.partition("@")
    node: _Node
    if body.startswith("="):
        node = _Constant(body[1:])
    elif body.endswith("%"):
        node = _Pairs(_path(body[:-1]))
    elif "#" in body:
        name, _, bits = body.partition("#")
        node = _Bits(_path(name), tuple(bits.split("|")))
    else:
        name, _, kind = body.partition(":")
        if name.endswith("*"):
            node = _Scalars(_path(name[:-1]), kind)
        elif "+" in name:
            table, _, column = name.partition("+")
            node = _Column(_path(table), column, kind)
        elif kind.endswith("!"):
            node = _Field(_path(name), kind[0], _UNSET_TEXT[kind[0]])
        else:
            kind, _, absent = kind.partition("=")
            node = _Field(_path(name), kind, absent)
    return _Guarded(*_versions(guard), (node,)) if guard else node


def _versions(guard: str) -> tuple[int, int]:
    since, _, until = guard.partition("..")
    return int(since or 0), int(until or 10_000)


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def _write(nodes: tuple[_Node, ...], scope: Mapping[str, Any], out: list[str]) -> None:
    for node in nodes:
        match node:
            case _Field(path, kind, absent):
                value = _lookup(scope, path)
                out.append(absent if value is None else _text(kind, value))
            case _Constant(text):
                out.append(text)
            case _Scalars(path, kind):
                items = _lookup(scope, path) or ()
                out.append(str(len(items)))
                out.extend(_text(kind, item) for item in items)
            case _Column(path, name, kind):
                cells = [item.get(name) for item in _lookup(scope, path) or ()]
                if any(cell is not None for cell in cells):
                    out.append(str(len(cells)))
                    out.extend("" if cell is None else _text(kind, cell) for cell in cells)
                else:
                    out.append("0")
            case _Pairs(path):
                pairs = _lookup(scope, path) or {}
                out.append(str(len(pairs)))
                out.extend(text for pair in pairs.items() for text in pair)
            case _Bits(path, names):
                part = _lookup(scope, path) or {}
                out.append(str(sum(1 << bit for bit, name in enumerate(names) if part.get(name))))
            case _Group():
                _write_group(node, scope, out)


def _write_group(group: _Group, scope: Mapping[str, Any], out: list[str]) -> None:
    value = _lookup(scope, group.path)
    if group.mode == "many":
        out.append(str(len(value or ())))
        for item in value or ():
            _write(group.inner, item, out)
    elif group.mode == "flagged":
        out.append("0" if value is None else "1")
        if value is not None:
            _write(group.inner, value, out)
    elif _holds(value, group.among) is (group.mode == "when"):
        _write(group.inner, scope, out)


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


def _read(nodes: tuple[_Node, ...], reader: _Reader, scope: Values) -> None:
    for node in nodes:
        match node:
            case _Field(path, kind, absent):
                text = reader.take()
                if text and not (kind == "s" and text == absent):
                    _store(scope, path, reader.take_value(kind, text))
            case _Constant():
                reader.take()
            case _Scalars(path, kind):
                _store(scope, path, _scalars(kind, reader) or None)
            case _Column(path, name, kind):
                _read_column(_lookup(scope, path) or [], name, kind, reader)
            case _Pairs(path):
                count = reader.take_count()
                _store(scope, path, {reader.take(): reader.take() for _ in range(count)} or None)
            case _Bits(path, names):
                bits = whole(reader.take() or "0")
                _store(scope, path, {name: bool(bits >> bit & 1) for bit, name in enumerate(names)})
            case _Group():
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


def _read_group(group: _Group, reader: _Reader, scope: Values) -> None:
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
    elif _holds(_lookup(scope, group.path), group.among) is (group.mode == "when"):
        _read(group.inner, reader, scope)


def _holds(value: Any, among: frozenset[str]) -> bool:
    if among:
        return str(value) in among
    return value > 0 if isinstance(value, int | float) else bool(value)


def _lookup(scope: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = scope
    for name in path:
        value = value.get(name)
        if value is None:
            return None
    return value


def _store(scope: Values, path: tuple[str, ...], value: Any) -> None:
    if value is None:
        return
    for name in path[:-1]:
        scope = scope.setdefault(name, {})
    scope[path[-1]] = value


def plain(number: Decimal | int | float) -> str:
    """A number as IB writes quantities: no exponent, no trailing zeros."""
    if isinstance(number, float):
        return repr(number).removesuffix(".0").replace("inf", "Infinity")
    if not number:
        return "0"
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _text(kind: str, value: Any) -> str:
    match kind:
        case "b":
            return "1" if value else "0"
        case "d" | "n":
            return plain(value)
        case "w":
            return plain(Decimal(value).to_integral_value(ROUND_DOWN))
        case "f" | "x":
            return repr(float(value)).replace("e+", "E").replace("e", "E").replace("inf", "Infinity")
        case "p":
            return f"{value:.2f}" if round(value, 2) == value else plain(value)
        case "c":
            return "a" if value else "o"
        case "o":
            return "".join(f"{tag}={content};" for tag, content in value.items())
    return str(value)


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
