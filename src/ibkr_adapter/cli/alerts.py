"""``alerts``: what the service told, from the file in which it is recorded; the service need not run."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

import click
import msgspec

from ibkr_adapter.calendar import NEW_YORK
from ibkr_adapter.cli.reach import find, json_option
from ibkr_adapter.config.places import state_home
from ibkr_adapter.errors import NotRunning
from ibkr_adapter.ops.alerts import ASIDE, NAME, Action, AlertLine, open_alerts, parse_line
from ibkr_adapter.statefile import found

POLL_S: Final = 0.25


@click.command()
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="The service's state file or data directory; otherwise it is found, running or not.",
)
@click.option("--follow", is_flag=True, help="Go on with what comes, until interrupted.")
@json_option
def alerts(state: Path | None, follow: bool, as_json: bool) -> None:
    """Print the recorded alerts, oldest first, and how many are open."""
    path = record_of(state)
    lines = chain(_read(path.with_name(ASIDE)), _following(path) if follow else _read(path))
    with contextlib.suppress(KeyboardInterrupt):
        for line in _once(lines):
            click.echo(msgspec.json.encode(line).decode() if as_json else _words(line))
            sys.stdout.flush()
    if not follow and not as_json:
        still = [view.key for view in open_alerts(path)]
        click.echo(f"{len(still)} open: {', '.join(still)}" if still else "none open")


def record_of(state: Path | None) -> Path:
    """The file of the service that is named, of the one that runs, or of the only one that ever ran."""
    if state is not None:
        directory = state if state.is_dir() else state.parent
        if not directory.is_dir():
            raise NotRunning(f"there is no directory {str(directory)!r}", remedy="name the service's data directory")
        return directory / NAME
    if found(state_home()):
        return Path(find(None).state_file).parent / NAME
    records = sorted(state_home().glob(f"*/{NAME}"))
    if len(records) == 1:
        return records[0]
    remedy = "name its data directory with --state"
    if not records:
        raise NotRunning("no service runs, and none has recorded alerts", remedy=remedy)
    places = ", ".join(str(record.parent) for record in records)
    raise NotRunning(f"no service runs; {len(records)} have recorded alerts: {places}", remedy=remedy)


def _read(path: Path) -> Iterator[AlertLine]:
    try:
        with path.open("rb") as file:
            yield from filter(None, map(parse_line, file))
    except FileNotFoundError:
        return


def _once(lines: Iterable[AlertLine]) -> Iterator[AlertLine]:
    """Without what a file repeats of the one before it."""
    known: set[str] = set()
    for line in lines:
        if line.action is not Action.CARRIED or line.key not in known:
            yield line
        if line.action is Action.RESOLVED:
            known.discard(line.key)
        else:
            known.add(line.key)


def _following(path: Path) -> Iterator[AlertLine]:
    """The lines of the file, then those that are added, and of each file that takes its place."""
    file = _opened(path)
    while True:
        full = file is not None and _replaced(file, path)  # asked before its last lines are read
        while file is not None and (line := _next(file)) is not None:
            if (alert := parse_line(line)) is not None:
                yield alert
        if file is not None and full:
            file.close()
            file = None
        else:
            time.sleep(POLL_S)
        file = file or _opened(path)


def _next(file: BinaryIO) -> bytes | None:
    """A whole line, or ``None`` with the file where it was."""
    at = file.tell()
    line = file.readline()
    if line.endswith(b"\n"):
        return line
    file.seek(at)
    return None


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _replaced(file: BinaryIO, path: Path) -> bool:
    try:
        return os.fstat(file.fileno()).st_ino != path.stat().st_ino
    except FileNotFoundError:
        return False


def _words(line: AlertLine) -> str:
    at = datetime.fromisoformat(line.at).astimezone(NEW_YORK)
    text = f"  {line.text}" if line.action is not Action.RESOLVED else ""
    remedy = f" ({line.remedy})" if text and line.remedy else ""
    words = f"{at:%Y-%m-%d %H:%M:%S} New York  {line.action.value:8}  {line.severity:8}  {line.key}{text}{remedy}"
    return "".join(character if character.isprintable() else " " for character in words)
