"""Writes docs/reference/simulator-options.md from the options themselves: `python scripts/options_reference.py`."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tws_simulator.api.notices.market_data import LIVE_REFUSAL_CODES
from tws_simulator.api.options import BOUNDS, Options

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "simulator-options.md"

HEAD = """# Options of the simulator

Written by `scripts/options_reference.py` from the options themselves; change them, not this page.

What kind of gateway is simulated. The same names everywhere, and the same checks: a wrong value is answered with the
option, what is allowed and the nearest name.

    Gateway(seed=7, lines_max=10, not_entitled=["SPY"])                          in Python
    @pytest.mark.tws_gateway(seed=7, lines_max=10)                               for a test
    tws-simulator run --seed 7 --set lines_max=10 --set not_entitled='["SPY"]'   at the command line, values as in TOML
    options = { lines_max = 10 }                                                 in a scenario: it wins over the others

What is of the process, not of the gateway (address, clock, control port), is told by `tws-simulator run --help` and in
the docstring of `tws_simulator.Gateway`.
"""
OWN_FLAGS = {
    "seed": "--seed",
    "server_version": "--server-version",
    "accounts": "--accounts",
    "symbols": "--symbols",
    "always_open": "--hours",
    "entitled": "--not-entitled",
    "pacing": "--pacing",
    "read_only": "--read-only",
    "master_client_id": "--master-client-id",
    "accounts_after_ids": "--accounts-after-ids",
}
_THEME = re.compile(r"    # (.+)")


@dataclass(frozen=True, slots=True)
class Told:
    theme: str
    name: str
    words: str


def page() -> str:
    return "\n".join([HEAD, *_tables()])


def told() -> list[Told]:
    """Each option with the comment above its group and the docstring below it."""
    source = dedent(inspect.getsource(Options))
    themes = {number: match[1] for number, line in enumerate(source.splitlines(), 1) if (match := _THEME.match(line))}
    [described] = ast.parse(source).body
    assert isinstance(described, ast.ClassDef)
    found = []
    for field, words in zip(described.body, described.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(words, ast.Expr), f"{field.target.id} has no docstring"
            theme = themes[max(number for number in themes if number < field.lineno)]
            found.append(Told(theme, field.target.id, " ".join(str(ast.literal_eval(words.value)).split())))
    return found


def _tables() -> Iterator[str]:
    theme = ""
    hints = get_type_hints(Options)
    defaults = {field.name: field.default for field in fields(Options)}
    rows: list[str] = []
    for each in told():
        if each.theme != theme:
            yield from _table(theme, rows)
            theme, rows = each.theme, []
        flag = f"`{OWN_FLAGS[each.name]}`" if each.name in OWN_FLAGS else "`--set`"
        kind = _kind(each.name, hints[each.name])
        rows.append(f"| `{each.name}` | {kind} | {_default(defaults[each.name])} | {flag} | {each.words} |")
    yield from _table(theme, rows)


def _table(theme: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield f"## {theme}\n"
        yield "\n".join(["| option | is | unless given | `run` | |", "|---|---|---|---|---|", *rows]) + "\n"


def _kind(name: str, hint: Any) -> str:
    if get_origin(hint) is Literal:
        return _any_of(get_args(hint))
    if name == "live_refusal_code":
        return _any_of(sorted(LIVE_REFUSAL_CODES))
    if get_origin(hint) is tuple:
        return "list of symbols"
    if hint is bool:
        return "true or false"
    kind = "number" if hint is float else "whole number"
    least, most = BOUNDS.get(name, (None, None))
    return kind if least is None else f"{kind}, {least} to {most}"


def _any_of(values: Iterable[object]) -> str:
    return " or ".join(f"`{each}`" for each in values)


def _default(value: Any) -> str:
    if value in (None, ()):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page())
