"""The values of a message by path: found, compared, replaced, and filled in from the message that caused a fault.

A path is dotted: "order.orderRef". A text that begins with $ stands for something else: "$orderId" or "$order.action"
for a value of the message that triggered the fault, "$ACCOUNT" for the account, "$NOW_S" for the gateway's time in
seconds since 1970, "$SERIAL" for a number that was not given before; these three also within a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tws_simulator.wire.row import Message
from tws_simulator.wire.values import Values

ANYTHING = "*"
_CONSTANT = re.compile(r"\$(ACCOUNT|NOW_S|SERIAL)\b")


def lookup(values: Mapping[str, Any], path: str) -> Any:
    """None where the path leads nowhere."""
    found: Any = values
    for name in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def matches(values: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Every path of ``where`` leads to an equal value; to any that is set and not 0, where "*" is asked for."""
    return all(_equal(lookup(values, path), wanted) for path, wanted in where.items())


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_equal(found, each) for each in wanted)
    if wanted == ANYTHING:
        return bool(found)
    if isinstance(wanted, float) and isinstance(found, Decimal):
        return float(found) == wanted
    return bool(found == wanted)


def changed(message: Message, changes: Mapping[str, Any], additions: Mapping[str, float]) -> Message:
    """The message with other values at some paths, and with some numbers (also those written as text) moved."""
    values = dict(message.values)
    for path, value in changes.items():
        _put(values, path, value)
    for path, amount in additions.items():
        found = lookup(values, path)
        if found is not None:
            _put(values, path, _moved(found, amount))
    return Message(message.name, values)


def _moved(found: Any, amount: float) -> Any:
    if isinstance(found, Decimal):
        return found + Decimal(str(amount))
    if isinstance(found, str):
        return str(int(found) + int(amount)) if found.lstrip("-").isdigit() else found
    return type(found)(found + amount)


def _put(values: Values, path: str, value: Any) -> None:
    name, _, rest = path.partition(".")
    if not rest:
        values[name] = value
        return
    inner = values.get(name)
    values[name] = dict(inner) if isinstance(inner, Mapping) else {}
    _put(values[name], rest, value)


def filled(
    template: Mapping[str, Any], cause: Mapping[str, Any], constants: Mapping[str, Callable[[], object]]
) -> Values:
    """The values of a new message: dotted keys nested, $ texts replaced; what leads nowhere is left out."""
    values: Values = {}
    for path, wanted in template.items():
        value = _filled(wanted, cause, constants)
        if value is not None:
            _put(values, path, value)
    return values


def _filled(wanted: Any, cause: Mapping[str, Any], constants: Mapping[str, Callable[[], object]]) -> Any:
    if isinstance(wanted, Mapping):
        return filled(wanted, cause, constants)
    if isinstance(wanted, list):
        return [_filled(each, cause, constants) for each in wanted]
    if not isinstance(wanted, str) or "$" not in wanted:
        return wanted
    name = wanted[1:]
    if wanted.startswith("$") and _CONSTANT.fullmatch(wanted) is None:
        return lookup(cause, name)
    if name in constants:
        return constants[name]()
    return _CONSTANT.sub(lambda found: str(constants[found[1]]()), wanted)
