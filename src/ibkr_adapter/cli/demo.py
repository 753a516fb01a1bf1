"""``demo``: everything at once, without a broker."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from ibkr_adapter.app import serve
from ibkr_adapter.cli.run import signals_set
from ibkr_adapter.cli.simulator import Simulator
from ibkr_adapter.config import LogLevel, reading
from ibkr_adapter.config.places import state_home
from ibkr_adapter.errors import AlreadyRunning, StoreError
from ibkr_adapter.lease import FileLock
from ibkr_adapter.ops import logging
from ibkr_adapter.statefile import RunningService

_PREFIX = "demo-"
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """Seconds, written as 30s, 5m or 1h."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(s|min|m|h|)", str(value))
        if match is None:
            self.fail(f"{value!r} is no duration; write 30s, 5m or 1h", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


@click.command()
@click.option("--http", "listen", default="127.0.0.1:8080", show_default=True, help="Where the page is; port 0: any.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0), help="Equal seeds give equal markets.")
@click.option("--duration", type=Duration(), help="Stop by itself, for example after 30s.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Keep what is written; otherwise it is removed.")
@click.option(
    "--log-level",
    type=click.Choice([str(level) for level in LogLevel]),
    default="warning",
    show_default=True,
    help="How much is said on standard error.",
)
def demo(listen: str, seed: int, duration: float | None, data_dir: Path | None, log_level: str) -> None:
    """Run the service against a simulated gateway: market, account, orders, page. Nothing reaches a broker."""
    logging.configure(log_level)
    with _directory(data_dir) as directory:
        asyncio.run(_demo(listen, seed, duration, directory))
    click.echo("Stopped.")


async def _demo(listen: str, seed: int, duration: float | None, directory: Path) -> None:
    stop = asyncio.Event()
    simulator = Simulator(seed=seed, log=directory / "simulator.log")
    with signals_set(stop, signal.SIGHUP):  # its terminal is closed
        async with simulator as found:
            config = reading.simulated(found.port, found.account, directory, listen)
            keeper = asyncio.create_task(simulator.keep_alive(), name="simulator")
            if duration is not None:
                asyncio.get_running_loop().call_later(duration, stop.set)
            try:
                await serve(config, stop=stop, announce=lambda service: _announce(service, found.account))
            finally:
                keeper.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await keeper


def _announce(service: RunningService, account: str) -> None:
    state = f" --state {service.state_file}" if state_home() not in Path(service.state_file).parents else ""
    click.echo(f"The page:  {service.url}")
    click.echo(f"It shows a simulated market, paper account {account}, its orders and fills, and the health of it all.")
    click.echo(f"Try:       ibkr-adapter orders place BUY 100 SPY --market{state}")
    click.echo(f"           ibkr-adapter status{state}")
    click.echo("Nothing here reaches a broker. Stop with Ctrl-C.")


@contextlib.contextmanager
def _directory(given: Path | None) -> Iterator[Path]:
    """The directory asked for, or one that is gone afterwards, where the other commands find it."""
    if given is not None:
        given.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield given.resolve()
        return
    home = state_home()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(home)
        fresh = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=home))
    except OSError:
        home = Path(tempfile.gettempdir())
        fresh = Path(tempfile.mkdtemp(prefix=".ibkr-adapter-demo-"))
    lock = _lock(fresh)
    made = fresh.rename(home / fresh.name.removeprefix("."))  # under its own name only when it is held: see `sweep`
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        lock.release()


def sweep(home: Path) -> None:
    """Remove what demos left that were killed: directories whose lock nobody holds."""
    for left in home.glob(f"{_PREFIX}*"):
        with contextlib.suppress(AlreadyRunning, StoreError):
            lock = _lock(left)
            shutil.rmtree(left, ignore_errors=True)
            lock.release()


def _lock(directory: Path) -> FileLock:
    return FileLock(directory / "demo.lock", what=f"the demo's directory {directory}", remedy="leave it to its demo")
