"""`tws-simulator scenarios` and `tws-simulator do`: what can go wrong, and making it go wrong now."""

from __future__ import annotations

import http.client
import json
import tomllib
from pathlib import Path
from typing import Any

import click

from tws_simulator.cli.border import EXIT_USAGE, fail
from tws_simulator.faults.actions import ACTIONS
from tws_simulator.faults.library import NoSuchScenario, all_scenarios, named
from tws_simulator.faults.reading import BadScenario, read_action, read_file
from tws_simulator.faults.scenario import Scenario

EXIT_NOT_RUNNING = 30
_PATIENCE_S = 10.0
_ROWS_WIDTH = 8
_OF_THE_GATEWAY = ("advance", "play", "stop")
_ADVANCE_S_MAX = 7 * 86_400
_PIECE_S = 30.0


@click.command()
@click.option("--show", "shown", metavar="NAME", help="Print this scenario's TOML, to learn from or to change.")
@click.option("--row", metavar="ID", help="Only those that serve this row of the fault matrix, such as B22.")
def scenarios(shown: str | None, row: str | None) -> None:
    """List the scenarios of faults that `tws-simulator run --scenario` can play.

    The second column names the rows of the fault matrix that a scenario serves: the list of what can go wrong between a
    client and its gateway, at the end of docs/reference/scenarios.md.
    """
    if shown is not None:
        click.echo(_named(shown).source, nl=False)
        return
    listed = [each for each in all_scenarios().values() if row is None or row in each.rows]
    if not listed:
        raise click.UsageError(f"no scenario serves row {row}")
    width = max(len(each.name) for each in listed)
    for each in listed:
        click.echo(f"{each.name:{width}}  {' '.join(each.rows):{_ROWS_WIDTH}}  {each.description.split('. ')[0]}")


@click.command(name="do")
@click.argument("action")
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--control", default=7400, show_default=True, type=click.IntRange(1, 65535), help="The control port.")
def do(action: str, parameters: tuple[str, ...], control: int) -> None:
    """Let something go wrong now, at the simulator whose control port is given.

    \b
    A value is written as in TOML; a text needs no quotes:
      tws-simulator do reset client=1
      tws-simulator do port_down for_s=30
      tws-simulator do drop names='["orderStatus"]' for_s=10
      tws-simulator do advance seconds=600        of a gateway with --clock manual
      tws-simulator do play name=link-lost-data-kept
      tws-simulator do stop
    """
    table = dict(pair(text) for text in parameters)
    if action == "play":
        _told(control, "POST", "/scenario", _played(table))
    elif action == "stop":
        _told(control, "DELETE", "/scenario", None)
    elif action == "advance":
        _advance(control, table)
    else:
        try:
            read_action({"do": action, **table})
        except BadScenario as fault:
            hint = f"; there are {', '.join([*ACTIONS, *_OF_THE_GATEWAY])}" if action not in ACTIONS else ""
            raise click.UsageError(f"{fault}{hint}") from None
        _told(control, "POST", "/do", {"do": action, **table})


def _advance(control: int, table: dict[str, Any]) -> None:
    """In pieces, each soon answered; only the last answer is shown."""
    seconds = table.get("seconds") if set(table) == {"seconds"} else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _ADVANCE_S_MAX:
        raise click.UsageError(f"advance needs seconds=NUMBER, 0 to {_ADVANCE_S_MAX}")
    answer: dict[str, Any] = {}
    while not answer or seconds > 0:
        answer = _asked(control, "POST", "/time", {"advance_s": min(seconds, _PIECE_S)})
        seconds -= _PIECE_S
    click.echo(json.dumps(answer))


def scenario_to_play(name_or_file: str) -> Scenario:
    """Of the library by its name, or the one in a TOML file."""
    if not name_or_file.endswith(".toml"):
        return _named(name_or_file)
    try:
        found = read_file(Path(name_or_file).read_text(encoding="utf-8"))
    except OSError as fault:
        raise click.UsageError(f"cannot read {name_or_file}: {fault.strerror}") from None
    except (BadScenario, UnicodeDecodeError) as fault:
        raise click.UsageError(f"{name_or_file}: {fault}") from None
    if len(found) != 1:
        raise click.UsageError(f"{name_or_file} has {len(found)} scenarios, where one is played at a time")
    return found[0]


def _named(name: str) -> Scenario:
    try:
        return named(name)
    except NoSuchScenario as fault:
        raise click.UsageError(str(fault)) from None


def _played(table: dict[str, Any]) -> dict[str, Any]:
    if set(table) != {"name"}:
        raise click.UsageError("play needs name=SCENARIO")
    return {"name": _named(str(table["name"])).name}


def pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"a parameter is written KEY=VALUE, not {text}")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def _told(port: int, method: str, path: str, table: dict[str, Any] | None) -> None:
    click.echo(json.dumps(_asked(port, method, path, table)))


def _asked(port: int, method: str, path: str, table: dict[str, Any] | None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        body = None if table is None else json.dumps(table)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        fail(
            EXIT_NOT_RUNNING,
            f"nothing answers at control port {port}",
            f"start with `tws-simulator run --control {port}`",
        )
    finally:
        connection.close()
    if "error" in answer:
        fail(EXIT_USAGE, answer["error"], "see `tws-simulator do --help`")
    return answer
