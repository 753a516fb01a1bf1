"""Values into the fields of a message, as a layout says.

An absent value is written as nothing, or as one of IB's numbers for "unset", depending on the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
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


def encode_text(layout: str, server_version: int, values: Mapping[str, Any]) -> list[str]:
    out: list[str] = []
    _write(fields_at(layout, server_version), values, out)
    return out


def _write(nodes: tuple[Node, ...], scope: Mapping[str, Any], out: list[str]) -> None:
    for node in nodes:
        match node:
            case Field(path, kind, absent):
                value = lookup(scope, path)
                out.append(absent if value is None else _text(kind, value))
            case Constant(text):
                out.append(text)
            case Scalars(path, kind):
                items = lookup(scope, path) or ()
                out.append(str(len(items)))
                out.extend(_text(kind, item) for item in items)
            case Column(path, name, kind):
                cells = [item.get(name) for item in lookup(scope, path) or ()]
                if any(cell is not None for cell in cells):
                    out.append(str(len(cells)))
                    out.extend("" if cell is None else _text(kind, cell) for cell in cells)
                else:
                    out.append("0")
            case Pairs(path):
                pairs = lookup(scope, path) or {}
                out.append(str(len(pairs)))
                out.extend(text for pair in pairs.items() for text in pair)
            case Bits(path, names):
                part = lookup(scope, path) or {}
                out.append(str(sum(1 << bit for bit, name in enumerate(names) if part.get(name))))
            case Group():
                _write_group(node, scope, out)


def _write_group(group: Group, scope: Mapping[str, Any], out: list[str]) -> None:
    value = lookup(scope, group.path)
    if group.mode == "many":
        out.append(str(len(value or ())))
        for item in value or ():
            _write(group.inner, item, out)
    elif group.mode == "flagged":
        out.append("0" if value is None else "1")
        if value is not None:
            _write(group.inner, value, out)
    elif holds(value, group.among) is (group.mode == "when"):
        _write(group.inner, scope, out)


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
