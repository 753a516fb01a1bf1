"""``run``: the service, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import click

from ibkr_adapter.app import serve
from ibkr_adapter.config import Config, reading
from ibkr_adapter.ops import logging
from ibkr_adapter.ops.hardening import forbid_core_dumps
from ibkr_adapter.statefile import RunningService


@click.command()
@click.option("--config", "file", required=True, type=click.Path(path_type=Path), help="The TOML file to run with.")
@click.option("--component", default="", help="Run as this component of the file, beside the others.")
def run(file: Path, component: str) -> None:
    """Run the service until Ctrl-C or SIGTERM."""
    config = reading.load(file, component=component)
    logging.configure(config.log.level)
    forbid_core_dumps()
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    asyncio.run(_run(config))


async def _run(config: Config) -> None:
    stop = asyncio.Event()
    with signals_set(stop):
        await serve(config, stop=stop, announce=_announce)
    click.echo("stopped")


def _announce(service: RunningService) -> None:
    click.echo(f"{service.environment}: {service.url}, state file {service.state_file}")


@contextlib.contextmanager
def signals_set(stop: asyncio.Event, *more: signal.Signals) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM, or one of ``more``, sets ``stop``; a second one meets Python's own behaviour."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, *more)

    def restore() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)

    def first() -> None:
        stop.set()
        restore()

    for number in numbers:
        loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        restore()
