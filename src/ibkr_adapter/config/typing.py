"""Tables of a file become tables of their kind: every key known, every value of its type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import field
from msgspec.structs import fields, replace

from ibkr_adapter.config.model import (
    Ha,
    Http,
    Journal,
    Log,
    MarketDataSettings,
    Pacing,
    Redis,
    Section,
    Store,
    Trading,
    Vault,
)
from ibkr_adapter.config.secrets import Reference, reference
from ibkr_adapter.errors import ConfigurationError

_T = TypeVar("_T", bound=Section)

NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


class InstrumentTable(Section, frozen=True, kw_only=True):
    symbol: str
    primary_exchange: str = ""


class File(Section, frozen=True, kw_only=True):
    """The top level; tables that are named by the user are typed one by one."""

    environment: str = "development"
    component: str = "ibkr_adapter"
    data_dir: str = ""
    allow_plaintext: tuple[str, ...] = ()
    environments: dict[str, Any] = field(default_factory=dict)
    gateways: dict[str, Any] = field(default_factory=dict)
    components: dict[str, Any] = field(default_factory=dict)
    trading: Trading = Trading()
    market_data: MarketDataSettings = MarketDataSettings()
    pacing: Pacing = Pacing()
    instruments: list[Any] = field(default_factory=list)
    http: Http = Http()
    store: Store = Store()
    journal: Journal = Journal()
    redis: Redis = Redis()
    ha: Ha = Ha()
    vault: Vault = Vault()
    message_codes: str = ""
    log: Log = Log()


def typed(kind: type[_T], value: object, path: str, base: _T | None = None) -> _T:
    """``value`` as a ``kind``; keys it leaves out are those of ``base``, or the kind's own defaults."""
    if not isinstance(value, dict):
        raise ConfigurationError(path, "expected a table", remedy=f"write it as [{path}]")
    known = {f.name: f for f in fields(kind)}
    for key in value:
        if key not in known:
            raise ConfigurationError(join(path, key), "unknown key", remedy=did_you_mean(key, known))
    values: dict[str, Any] = {}
    for name, spec in known.items():
        if name in value:
            where = join(path, name)
            nested = isinstance(spec.type, type) and issubclass(spec.type, Section)
            values[name] = typed(spec.type, value[name], where) if nested else _leaf(spec.type, value[name], where)
        elif base is None and spec.required:
            raise ConfigurationError(join(path, name), "missing", remedy=f"add {name} = … under [{path}]")
    return replace(base, **values) if base is not None else kind(**values)


def _leaf(kind: Any, value: object, path: str) -> Any:
    """One value of its kind; no text is ever read as a number nor the reverse."""
    if kind is Reference:
        return reference(value, path)
    if kind in (Decimal, Decimal | None) and type(value) is int:
        value = Decimal(value)
    try:
        converted = msgspec.convert(value, kind, strict=True, builtin_types=(Decimal,))
    except (msgspec.ValidationError, ArithmeticError) as error:
        message = _WORDS.sub(lambda word: _IN_PLAIN_WORDS[word[0]], str(error).split(" - at ")[0])
        choices = [str(choice) for choice in kind] if isinstance(kind, type) and issubclass(kind, StrEnum) else []
        remedy = f"one of {', '.join(choices)}" if choices else ""
        raise ConfigurationError(path, message[:1].lower() + message[1:].replace("`", ""), remedy=remedy) from None
    if isinstance(converted, Decimal) and not (converted.is_finite() and -9 < converted.adjusted() < 15):
        raise ConfigurationError(path, "not a number to compare with", remedy="give an ordinary, finite number")
    return converted


_IN_PLAIN_WORDS = {
    "`decimal | null`": "number",
    "`int | null`": "whole number",
    "`str | null`": "text",
    "`bool | null`": "true or false",
    "`decimal`": "number",
    "`int`": "whole number",
    "`str`": "text",
    "`bool`": "true or false",
    "`array`": "list",
    "`object`": "table",
}
_WORDS = re.compile("|".join(map(re.escape, _IN_PLAIN_WORDS)))


def join(path: str, key: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key)
    shown = key if plain else ascii(key[:60])
    return f"{path}.{shown}" if path else shown


def did_you_mean(key: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(key[:60], list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
