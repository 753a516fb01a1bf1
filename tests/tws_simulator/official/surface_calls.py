"""What callbacks of the official client say, as plain values that can be compared: {parameter: value}.

Numbers are numbers, whatever type carries them. What a release's own object has from the start, and what IB writes for
"not set", is left out.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from ibapi.wrapper import EWrapper

from tests.tws_simulator.official.official_client import Call

Told = tuple[str, dict[str, Any]]

_UNSET = {2**31 - 1, 2**63 - 1, 2**127 - 1, sys.float_info.max}
_UNSET_TEXTS = {"1.7976931348623157E308", "2147483647", "9223372036854775807"}


def told(call: Call) -> Told:
    """With the parameter names of the release that is installed."""
    name, arguments = call
    if name == "smartComponents":
        return name, {"reqId": arguments[0], "components": _components(arguments[1])}
    return name, {key: plain(value) for key, value in zip(_parameters(name), arguments, strict=False)}


def _components(listed: Any) -> list[tuple[int, str, str]]:
    """A list of objects when read from text, and a mapping when read from protobuf: a whim of the official client."""
    if isinstance(listed, dict):
        return [(bit, *names) for bit, names in listed.items()]
    return [(each.bitNumber, each.exchange, each.exchangeLetter) for each in listed]


def plain(value: Any) -> Any:
    """None for what is not set."""
    match value:
        case bool() | Enum():
            return value
        case int() | float() | Decimal():
            return _number(value)
        case str():
            return None if value in _UNSET_TEXTS else value
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted(plain(item) for item in value)
        case list() | tuple():
            return [plain(item) for item in value]
        case Message():
            return MessageToDict(value)
    return _set_fields(value) if hasattr(value, "__dict__") else value


def _number(value: int | float | Decimal) -> int | float | None:
    if value in _UNSET or (isinstance(value, Decimal) and not value.is_finite()):
        return None
    if isinstance(value, Decimal) or math.isinf(value):
        return float(value)
    return value


def _set_fields(value: Any) -> dict[str, Any]:
    fresh = _fresh(type(value))
    found = {name: plain(content) for name, content in vars(value).items()}
    return {name: content for name, content in found.items() if not _is_empty(content) and content != fresh.get(name)}


def _is_empty(content: Any) -> bool:
    return content is None or content == "" or content == [] or content == {}


@cache
def _fresh(kind: type) -> dict[str, Any]:
    try:
        return {name: plain(content) for name, content in vars(kind()).items()}
    except TypeError:  # this class is always given its fields
        return {}


@cache
def _parameters(name: str) -> list[str]:
    return list(inspect.signature(getattr(EWrapper, name)).parameters)[1:]
