"""``check-config`` and ``config``: what a file means, without starting anything."""

from __future__ import annotations

from pathlib import Path

import click

from ibkr_adapter import checks, message_codes
from ibkr_adapter.config import DEFAULT_TEMPLATE, reading, showing

FILE = click.Path(path_type=Path)


@click.command("check-config")
@click.argument("file", type=FILE)
def check_config(file: Path) -> None:
    """Say whether FILE can be used, and if not, which key is wrong and what to do."""
    config = reading.load(file)
    checks.extras(config)
    codes = message_codes.load(config.message_codes, keep_steering=message_codes.money_at_stake(config))
    for warning in (*config.warnings, *checks.tls(config), *codes.warnings):
        click.echo(f"warning: {warning}", err=True)
    active = config.active
    click.echo(
        f"{file}: usable. {config.environment}, {active.account_kind} {active.account or 'account'}"
        f" at {config.gateway.address} as client {config.client_id},"
        f" trading {'on' if config.trading.enabled else 'off'}."
    )


@click.group("config")
def config_group() -> None:
    """Show a configuration, or a template to start from."""


@config_group.command("show")
@click.argument("file", type=FILE)
def show(file: Path) -> None:
    """Print FILE as it is in force: everything resolved, defaults marked, secrets left out."""
    click.echo(showing.show(reading.load(file)), nl=False)


@config_group.command("template")
def template() -> None:
    """Print a commented file with every default."""
    click.echo(DEFAULT_TEMPLATE, nl=False)
