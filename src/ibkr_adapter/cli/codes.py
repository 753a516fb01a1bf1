"""``codes``: what IB's message codes mean to us, and reading the desk's own rows again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from ibkr_adapter import message_codes
from ibkr_adapter.cli.reach import ask, component_option, find, json_option, state_option, table
from ibkr_adapter.config import reading
from ibkr_adapter.config.places import state_home
from ibkr_adapter.console.message_codes import table as as_table
from ibkr_adapter.errors import ExitCode, IbkrError, NotRunning
from ibkr_adapter.statefile import found as running


class UnknownCode(IbkrError):
    exit_code = ExitCode.USAGE


class _Codes(click.Group):
    """``codes 1100`` is ``codes show 1100``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in self.get_help_option_names(ctx)):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Codes)
def codes() -> None:
    """Show what IB's message codes mean here (`codes 1100`), or read the desk's own rows again."""


@codes.command("show")
@click.argument("code", type=click.IntRange(0), required=False)
@click.option("--overridden", is_flag=True, help="Only the desk's own rows.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="As this TOML file says, without a service.")
@state_option
@component_option
@json_option
def show(
    code: int | None, overridden: bool, file: Path | None, state: Path | None, component: str, as_json: bool
) -> None:
    """Show the table, or one CODE: as the running service has it, else as shipped."""
    found, where = _found(file, state, component)
    rows = [row for row in found["codes"] if not overridden or row["origin"] == "override"]
    if code is not None:
        rows = [row for row in rows if row["code"] == code]
        if not rows:
            what = f"{code} is not {'overridden' if overridden else 'in the table'} ({where})"
            raise UnknownCode(what, remedy="an unknown code is counted and logged, and changes nothing")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
        return
    click.echo(f"{where}: {len(found['codes'])} codes, {_own(found['codes'])} of them the desk's own")
    if rows:
        click.echo(_one(rows[0]) if code is not None else _table(rows))


@codes.command("reload")
@state_option
@component_option
@json_option
def reload(state: Path | None, component: str, as_json: bool) -> None:
    """Have the running service read its file of message codes again; a bad file changes nothing."""
    _, answer = ask(find(state, component), "POST", "/v1/message-codes/reload")
    if as_json:
        click.echo(msgspec.json.encode(answer))
        return
    for warning in answer["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    click.echo("\n".join(answer["changed"]) or "nothing changed")


def _found(file: Path | None, state: Path | None, component: str) -> tuple[dict[str, Any], str]:
    if file is not None:
        path = reading.load(file).message_codes
        return _plain(path), f"{file}{f' with {path}' if path else ', which names no file of codes'}"
    try:
        service = find(state, component)
    except NotRunning:
        if state is not None or component or running(state_home()):
            raise
        return _plain(""), "as shipped, no service runs"
    answer: dict[str, Any] = ask(service, "GET", "/v1/message-codes")[1]
    return answer, f"in force at {service.url}"


def _plain(path: str) -> dict[str, Any]:
    answer: dict[str, Any] = msgspec.to_builtins(as_table(message_codes.load(path), path))
    return answer


def _own(rows: list[dict[str, Any]]) -> int:
    return sum(row["origin"] == "override" for row in rows)


def _one(row: dict[str, Any]) -> str:
    width = max(map(len, row))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in row.items())


def _table(rows: list[dict[str, Any]]) -> str:
    columns = ["code", "effect", "severity", "scope", "origin", "text"]
    return table(columns, [[str(row[name]) for name in columns] for row in rows], frozenset({0}))
