"""The desk's own rows over the shipped table of message codes: one TOML file, checked as a whole or not taken at all.

    [[codes]]
    code = 10349
    effect = "inform"
    severity = "warning"

A row changes the columns it names of a code that is in the table, and adds a code that is not. Where money may be at
stake none of them takes away an effect by which the connection is run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict, replace

from ibkr_adapter.config import AccountKind, Config
from ibkr_adapter.config.typing import did_you_mean
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.notices import Effect, FarmKind, Notice, shipped_rows

KEY: Final = "message_codes"
FILE_BYTES_MAX: Final = 1_000_000
ROWS_MAX: Final = 2_000
TEXT_CHARS_MAX: Final = 500
CODE_MAX: Final = 2**31 - 1

STEERING: Final = frozenset(
    {
        Effect.UPSTREAM_LOST,
        Effect.UPSTREAM_RESTORED,
        Effect.UPSTREAM_RESTORED_STREAMS_LOST,
        Effect.CLIENT_ID_IN_USE,
        Effect.PACE,
    }
)
"""Effects by which the connection is run: taken from one code, or given to another, they blind us or stop us."""

ASKING: Final = frozenset({Effect.REJECT_ORDER, Effect.SUSPECT_ORDER})
"""Effects that make us ask the broker what became of an order."""


class Overrides(Struct, frozen=True, kw_only=True):
    """The rows in force, which codes are the desk's own, and what is accepted but should be known.

    ``unsteered``: codes by which the connection was run and no longer is, in words.
    """

    rows: tuple[Notice, ...]
    overridden: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()
    unsteered: tuple[str, ...] = ()


def money_at_stake(config: Config) -> bool:
    """A live account, or trading switched on: the connection is then run by every code it ships with."""
    return config.active.account_kind is AccountKind.LIVE or config.trading.enabled


def load(path: str, *, keep_steering: bool = False) -> Overrides:
    """Shipped rows with those of the file over them; no ``path``, no change. Raises ``ConfigurationError``.

    ``keep_steering``: also for a row that takes a steering effect away.
    """
    if not path:
        return Overrides(rows=shipped_rows())
    try:
        with Path(path).open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        text = raw.decode()
    except OSError as error:
        raise ConfigurationError(KEY, f"cannot read {path!r}: {error.strerror}", remedy="check the path") from None
    except UnicodeDecodeError:
        raise ConfigurationError(KEY, f"{path!r} is not UTF-8 text", remedy="save it as UTF-8") from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigurationError(KEY, f"{path!r} has more than {FILE_BYTES_MAX} bytes", remedy="it is no such table")
    return parse(text, keep_steering=keep_steering)


def parse(text: str, *, keep_steering: bool = False) -> Overrides:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigurationError(KEY, f"not TOML: {reason}", remedy="see https://toml.io") from None
    rows = {row.code: row for row in shipped_rows()}
    columns = _Columns(rows)
    own: dict[int, Notice] = {}
    warnings: list[str] = []
    unsteered: list[str] = []
    for index, table in enumerate(_tables(document)):
        where = f"{KEY}: codes[{index}]"
        code = _code(table, where)
        where = f"{KEY}: code {code}"
        if code in own:
            raise ConfigurationError(where, "has two rows", remedy="remove one")
        own[code] = _row(code, table, rows.get(code), columns, where)
        warnings += _dangers(rows.get(code), own[code], where)
        if taken := _taken_away(rows.get(code), own[code]):
            if keep_steering:
                raise ConfigurationError(f"{where}.effect", taken, remedy=_KEEP_IT)
            unsteered.append(f"{code} {taken}")
    return Overrides(
        rows=tuple((rows | own).values()),
        overridden=frozenset(own),
        warnings=tuple(warnings),
        unsteered=tuple(unsteered),
    )


def differences(before: tuple[Notice, ...], after: tuple[Notice, ...]) -> list[str]:
    """What is new, in words: ``10349 effect suspect_order → inform``."""
    old, new = {row.code: row for row in before}, {row.code: row for row in after}
    found: list[str] = []
    for code in sorted(old.keys() | new.keys()):
        was, now = old.get(code), new.get(code)
        if was is None or now is None:
            found.append(f"{code} {'added' if was is None else 'removed'}")
        elif was != now:
            fields = [name for name in was.__struct_fields__ if getattr(was, name) != getattr(now, name)]
            shown = (f"{name} {getattr(was, name)} → {getattr(now, name)}" for name in fields if name != "source")
            found.append(f"{code} {', '.join(shown)}")
    return found


class _Columns:
    """What each column may hold: the choices are those of the shipped table and of the effects there are."""

    def __init__(self, rows: Mapping[int, Notice]) -> None:
        self.choices: dict[str, tuple[str, ...]] = {
            name: tuple(sorted({getattr(row, name) for row in rows.values()}))
            for name in ("category", "scope", "severity")
        } | {"effect": tuple(Effect), "farm": tuple(FarmKind)}
        self.known = dict.fromkeys(("code", *self.choices, "text", "alert"))

    def value(self, name: str, given: object, where: str) -> Any:
        where = f"{where}.{name}"
        if name == "alert":
            if not isinstance(given, bool):
                raise ConfigurationError(where, "expected true or false", remedy="without quotes")
            return given
        if not isinstance(given, str):
            raise ConfigurationError(where, "expected text", remedy="in quotes")
        if name == "text":
            if not given.isprintable() or not 0 < len(given) <= TEXT_CHARS_MAX:
                raise ConfigurationError(
                    where, f"not printable text of 1 to {TEXT_CHARS_MAX} characters", remedy="one line"
                )
            return given
        if given not in self.choices[name]:
            choices = ", ".join(self.choices[name])
            raise ConfigurationError(where, f"there is no {name} {given[:40]!a}", remedy=f"one of {choices}")
        return {"effect": Effect, "farm": FarmKind}.get(name, str)(given)


def _tables(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in document:
        if key != "codes":
            raise ConfigurationError(f"{KEY}: {key[:60]!a}", "unknown key", remedy="each row begins with [[codes]]")
    tables = document.get("codes", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"{KEY}: codes", "expected tables", remedy="each row begins with [[codes]]")
    if len(tables) > ROWS_MAX:
        raise ConfigurationError(f"{KEY}: codes", f"more than {ROWS_MAX} rows", remedy="IB has a quarter of that")
    yield from tables


def _code(table: Mapping[str, Any], where: str) -> int:
    code = table.get("code")
    if code is None:
        raise ConfigurationError(f"{where}.code", "missing", remedy="the number that IB sends")
    if type(code) is not int or not 0 <= code <= CODE_MAX:
        raise ConfigurationError(f"{where}.code", "not the number of a code", remedy="as code = 10349, without quotes")
    return code


def _row(code: int, table: Mapping[str, Any], known: Notice | None, columns: _Columns, where: str) -> Notice:
    for name in table:
        if name not in columns.known:
            raise ConfigurationError(f"{where}.{name[:40]}", "unknown key", remedy=did_you_mean(name, columns.known))
    given = {name: columns.value(name, value, where) for name, value in table.items() if name != "code"}
    if known is not None:
        return replace(known, **given)
    for name in ("effect", "text"):
        if name not in given:
            raise ConfigurationError(
                f"{where}.{name}", "missing, and the table does not have this code", remedy=f"add {name} = …"
            )
    defaults = {"category": "warning", "scope": "request-or-order", "severity": "warning", "source": "the desk"}
    return Notice(**{"code": code} | defaults | given)


_KEEP_IT: Final = "remove the row's effect: with a live account, or with trading on, the gate depends on it"


def _taken_away(before: Notice | None, after: Notice) -> str:
    """What the connection no longer hears, in words; empty where it hears all it did."""
    if before is None or before.effect not in STEERING or after.effect is before.effect:
        return ""
    return f"is {after.effect} and no longer {before.effect}: the connection is run by it"


def _dangers(before: Notice | None, after: Notice, where: str) -> Iterator[str]:
    was = before.effect if before is not None else Effect.INFORM
    if was is after.effect:
        return
    if was in STEERING:
        yield f"{where}.effect: {was} becomes {after.effect}: the connection was run by it, and no longer is"
    if after.effect in STEERING:
        yield f"{where}.effect: {was} becomes {after.effect}: from now on this code alone closes or opens the gate"
    if was in ASKING and after.effect not in ASKING:
        yield f"{where}.effect: {was} becomes {after.effect}: the broker is no longer asked about such an order"


def columns_of(row: Notice) -> dict[str, Any]:
    """One row as plain values."""
    return {name: value for name, value in asdict(row).items() if value is not None}
