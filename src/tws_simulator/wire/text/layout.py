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
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

_UNSET_TEXT = {
    "i": "2147483647",
    "f": "1.7976931348623157E308",
    "n": "1.7976931348623157E308",
    "d": "-9223372036854775808",
}
_TOKEN = re.compile(r"\)|[^\s()]+\(?")


@dataclass(frozen=True, slots=True)
class Field:
    path: tuple[str, ...]
    kind: str
    absent: str


@dataclass(frozen=True, slots=True)
class Constant:
    text: str


@dataclass(frozen=True, slots=True)
class Scalars:
    path: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Column:
    path: tuple[str, ...]
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Pairs:
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bits:
    path: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A nested group: ``many`` after a count, ``flagged`` after a flag, ``when`` a value is set or one of ``among``.

    ``unless`` it is one of ``among``.
    """

    mode: str
    path: tuple[str, ...]
    among: frozenset[str]
    inner: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Guarded:
    since: int
    until: int
    inner: tuple[Node, ...]


Node = Field | Constant | Scalars | Column | Pairs | Bits | Group | Guarded


@cache
def fields_at(layout: str, server_version: int) -> tuple[Node, ...]:
    return _resolve(_parse(layout), server_version)


def _resolve(nodes: tuple[Node, ...], server_version: int) -> tuple[Node, ...]:
    """The nodes with the server version decided: no guard remains."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, Guarded):
            if node.since <= server_version <= node.until:
                found.extend(_resolve(node.inner, server_version))
        elif isinstance(node, Group):
            found.append(Group(node.mode, node.path, node.among, _resolve(node.inner, server_version)))
        else:
            found.append(node)
    return tuple(found)


@cache
def _parse(layout: str) -> tuple[Node, ...]:
    tokens = _TOKEN.findall(layout)
    nodes, rest = _parse_group(tokens, 0)
    if rest != len(tokens):
        raise ValueError(f"unbalanced parenthesis in layout: {layout}")
    return nodes


def _parse_group(tokens: list[str], at: int) -> tuple[tuple[Node, ...], int]:
    nodes: list[Node] = []
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


def _group(head: str, inner: tuple[Node, ...]) -> Node:
    if head.startswith("@"):
        return Guarded(*_versions(head[1:]), inner)
    if head.endswith("*"):
        return Group("many", _path(head[:-1]), frozenset(), inner)
    if head.endswith("&"):
        return Group("flagged", _path(head[:-1]), frozenset(), inner)
    name, _, among = head.removeprefix("?").removeprefix("!").partition("=")
    values = frozenset(among.replace("_", " ").split("|")) if among else frozenset[str]()
    return Group("unless" if head.startswith("?!") else "when", _path(name), values, inner)


def _single(token: str) -> Node:
    body, _, guard = token.partition("@")
    node: Node
    if body.startswith("="):
        node = Constant(body[1:])
    elif body.endswith("%"):
        node = Pairs(_path(body[:-1]))
    elif "#" in body:
        name, _, bits = body.partition("#")
        node = Bits(_path(name), tuple(bits.split("|")))
    else:
        name, _, kind = body.partition(":")
        if name.endswith("*"):
            node = Scalars(_path(name[:-1]), kind)
        elif "+" in name:
            table, _, column = name.partition("+")
            node = Column(_path(table), column, kind)
        elif kind.endswith("!"):
            node = Field(_path(name), kind[0], _UNSET_TEXT[kind[0]])
        else:
            kind, _, absent = kind.partition("=")
            node = Field(_path(name), kind, absent)
    return Guarded(*_versions(guard), (node,)) if guard else node


def _versions(guard: str) -> tuple[int, int]:
    since, _, until = guard.partition("..")
    return int(since or 0), int(until or 10_000)


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def holds(value: Any, among: frozenset[str]) -> bool:
    if among:
        return str(value) in among
    return value > 0 if isinstance(value, int | float) else bool(value)


def lookup(scope: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = scope
    for name in path:
        value = value.get(name)
        if value is None:
            return None
    return value
