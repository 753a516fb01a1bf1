"""``failback``: from the standby back to the environment's own gateway."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from ibkr_adapter.cli.reach import ask, component_option, find, json_option, state_option
from ibkr_adapter.errors import ExitCode


@click.command()
@state_option
@component_option
@json_option
def failback(state: Path | None, component: str, as_json: bool) -> None:
    """End the session with the standby, and try the environment's own gateway first.

    Every stream is interrupted, and what works at the standby cannot be managed from the other login. If the own
    gateway refuses three times, the standby is used again.
    """
    _, outcome = ask(find(state, component), "POST", "/v1/gateway/failback")
    if as_json:
        click.echo(msgspec.json.encode(outcome))
    elif outcome["accepted"]:
        click.echo("the session with the standby ends; see `ibkr-adapter status` for what follows")
    for reason in [] if as_json else outcome["reasons"]:
        remedy = f" ({reason['remedy']})" if reason["remedy"] else ""
        click.echo(f"error: {reason['text']}{remedy}", err=True)
    sys.exit(int(ExitCode.OK if outcome["accepted"] else ExitCode.FAILURE))
