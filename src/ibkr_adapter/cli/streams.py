"""``streams``: what market data we have at the gateway; all of it off, and on again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from ibkr_adapter.cli.reach import age, ask, component_option, find, json_option, state_option, table
from ibkr_adapter.errors import ExitCode


@click.group()
def streams() -> None:
    """List the running service's market data streams, or take all of them off and on again."""


@streams.command("list")
@state_option
@component_option
@json_option
def list_streams(state: Path | None, component: str, as_json: bool) -> None:
    """List every stream: its state, the age of its last event, its present gap, and why."""
    snapshot = ask(find(state, component), "GET", "/v1/snapshot")[1]
    if as_json:
        found = {name: snapshot[name] for name in ("streams", "stopped", "orphans", "quotas")}
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    click.echo(listed(snapshot["streams"], snapshot["taken_ns"]) if snapshot["streams"] else "no streams")


def listed(rows: list[dict[str, Any]], now_ns: int) -> str:
    """As a table; an age is a dash where there is none."""

    def since(ns: int | None) -> str:
        return "-" if ns is None else age(now_ns - ns)

    head = ["stream", "state", "last", "in a gap", "asked anew", "detail"]
    cells = []
    for s in rows:
        ages = [since(s["last_recv_ns"]), since(s["gap_since_ns"])]
        cells.append([s["stream"], s["state"], *ages, str(s["resubscriptions"]), s["detail"]])
    return table(head, cells, frozenset({2, 3, 4}))


@streams.command()
@state_option
@component_option
@json_option
def stop(state: Path | None, component: str, as_json: bool) -> None:
    """Cancel all market data at once; it stays off, over restarts too, until `streams start`."""
    _switch("stop", "market data is off; `ibkr-adapter streams start` takes it on again", state, component, as_json)


@streams.command()
@state_option
@component_option
@json_option
def start(state: Path | None, component: str, as_json: bool) -> None:
    """Ask for all market data again."""
    _switch("start", "market data is on", state, component, as_json)


def _switch(which: str, told: str, state: Path | None, component: str, as_json: bool) -> None:
    outcome = ask(find(state, component), "POST", f"/v1/streams/{which}")[1]
    if as_json:
        click.echo(msgspec.json.encode(outcome))
    elif outcome["accepted"]:
        click.echo(f"{told}{' (as it was)' if outcome['repeated'] else ''}")
    for reason in [] if as_json else outcome["reasons"]:
        remedy = f" ({reason['remedy']})" if reason["remedy"] else ""
        click.echo(f"error: {reason['text']}{remedy}", err=True)
    sys.exit(int(ExitCode.OK if outcome["accepted"] else ExitCode.FAILURE))
