"""`tws-simulator run`: serve until interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import Callable
from datetime import datetime

import click

from tws_simulator.api.limits.message_rate import PACINGS, Pacing
from tws_simulator.cli.border import EXIT_ADDRESS, EXIT_USAGE, fail
from tws_simulator.cli.scenarios import scenario_to_play
from tws_simulator.cli.status import Status
from tws_simulator.clocks import RunningClock
from tws_simulator.control.port import ControlPort
from tws_simulator.gateway import Gateway
from tws_simulator.server import NotLoopback, require_loopback
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION, OLDEST_SERVER_VERSION
from tws_simulator.world.instruments.universe import everything, named
from tws_simulator.world.time.calendar import new_york_ns

_STATUS_INTERVAL_S = 1.0
_ERASE_REST = "\x1b[K"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option("--port", default=7497, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free port.")
@click.option("--seed", default=0, show_default=True, help="Equal seeds give equal markets and accounts.")
@click.option(
    "--server-version",
    default=NEWEST_SERVER_VERSION,
    show_default=True,
    type=click.IntRange(OLDEST_SERVER_VERSION, NEWEST_SERVER_VERSION),
    help="The newest version to agree to. Up to 200 all is text, from 213 on all is protobuf.",
)
@click.option("--accounts", default=1, show_default=True, type=click.IntRange(1, 50), help="Accounts of this login.")
@click.option("--symbols", metavar="A,B,...", help="The stocks and funds that trade, instead of the usual eleven.")
@click.option(
    "--hours",
    type=click.Choice(["always", "exchange"]),
    default="always",
    show_default=True,
    help="Open at any time, or as US stocks are: closed at night, on weekends and holidays.",
)
@click.option(
    "--start",
    metavar="TIME",
    type=click.DateTime(["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]),
    help='When the gateway\'s clock starts, as "2026-11-23 09:29" in New York; now, if not given.',
)
@click.option(
    "--speed", default=1.0, show_default=True, type=click.FloatRange(0.01, 1000), help="Its seconds per second."
)
@click.option("--not-entitled", is_flag=True, help="No live market data: delayed prices, for those who ask for them.")
@click.option(
    "--pacing",
    type=click.Choice(PACINGS),
    default="pace",
    show_default=True,
    help="More than 50 messages a second wait; or are refused with 100 and end the connection at the third time; or, "
    "which no real gateway does, are served.",
)
@click.option("--read-only", is_flag=True, help="Take no orders, as a gateway whose API is read-only.")
@click.option("--master-client-id", type=click.IntRange(0), help="The client that is told of everybody's orders.")
@click.option("--accounts-after-ids", is_flag=True, help="Send nextValidId before managedAccounts, as some do.")
@click.option("--scenario", metavar="NAME|FILE", help="Faults to play from the start: see `tws-simulator scenarios`.")
@click.option(
    "--control",
    type=click.IntRange(0, 65535),
    help="Port for status, ledger and faults as JSON over HTTP; 0 takes any.",
)
@click.option("--announce", is_flag=True, help="First print one JSON line that says where the simulator listens.")
@click.option("--exit-with-parent", is_flag=True, help="Stop when standard input is closed.")
@click.option("--status/--no-status", default=None, help="A live line of what goes on; by itself on a terminal.")
def run(
    host: str,
    port: int,
    seed: int,
    server_version: int,
    accounts: int,
    symbols: str | None,
    hours: str,
    start: datetime | None,
    speed: float,
    not_entitled: bool,
    pacing: Pacing,
    read_only: bool,
    master_client_id: int | None,
    accounts_after_ids: bool,
    scenario: str | None,
    control: int | None,
    announce: bool,
    exit_with_parent: bool,
    status: bool | None,
) -> None:
    """Serve until interrupted.

    \b
    Point any client of the TWS API at the address it prints:
      tws-simulator run                          the port of a paper TWS, the newest protocol
      tws-simulator run --port 4002              the port of a paper IB Gateway
      tws-simulator run --server-version 176     as a gateway of 2023: all messages are text
      tws-simulator run --not-entitled           no live data, as an account without subscriptions
      tws-simulator run --hours exchange --start "2026-11-23 09:29" --speed 60
                                                 a trading day in six and a half minutes
      tws-simulator run --scenario daily-restart with faults: `tws-simulator scenarios` lists them
    """
    if exit_with_parent and not _is_pipe(sys.stdin.fileno()):
        raise click.UsageError("--exit-with-parent needs a pipe as standard input: start with stdin=PIPE")
    played = scenario_to_play(scenario) if scenario is not None else None
    try:
        gateway = Gateway(
            host=require_loopback(host),
            port=port,
            seed=seed,
            server_version=server_version,
            accounts=accounts,
            symbols=_chosen(symbols),
            always_open=hours == "always",
            clock=_clock(start, speed),
            entitled=not not_entitled,
            pacing=pacing,
            read_only=read_only,
            master_client_id=master_client_id,
            accounts_after_ids=accounts_after_ids,
            scenario=played,
        )
        shows = sys.stderr.isatty() if status is None else status
        controlled = ControlPort(gateway, port=control) if control is not None else None
        serving = _serve(gateway, controlled, announce=announce, exit_with_parent=exit_with_parent, shows_status=shows)
        asyncio.run(serving)
    except NotLoopback as refusal:
        fail(EXIT_USAGE, str(refusal), "choose another --host")
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            fail(EXIT_ADDRESS, f"port {port} is in use", "stop what listens there, or choose another with --port")
        fail(EXIT_ADDRESS, f"cannot listen on {host}:{port}: {fault.strerror}", "try another --host or --port")


def _chosen(symbols: str | None) -> tuple[str, ...]:
    chosen = tuple(part.strip().upper() for part in (symbols or "").split(",") if part.strip())
    try:
        named(chosen)
    except ValueError as refusal:
        there = ", ".join(sorted(listing.symbol for listing in everything() if listing.sec_type == "STK"))
        raise click.UsageError(f"--symbols: {refusal}; there are {there}") from None
    return chosen


def _clock(start: datetime | None, speed: float) -> Callable[[], int]:
    """The wall clock, unless another beginning or pace is wanted."""
    if start is None and speed == 1:
        return time.time_ns
    start_ns = time.time_ns() if start is None else new_york_ns(start)
    return RunningClock(start_ns, speed, time.monotonic_ns)


async def _serve(
    gateway: Gateway, control: ControlPort | None, *, announce: bool, exit_with_parent: bool, shows_status: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with gateway, control or contextlib.nullcontext():
        _tell(gateway, control, announce=announce)
        watch = await loop.connect_read_pipe(lambda: _ParentWatch(stop), sys.stdin) if exit_with_parent else None
        if shows_status:
            await _show_status(gateway, stop)
        await stop.wait()
        if watch is not None:
            watch[0].close()
    with contextlib.suppress(OSError):  # a parent that has ended no longer reads
        click.echo("stopped", err=announce)


async def _show_status(gateway: Gateway, stop: asyncio.Event) -> None:
    """The line overwrites itself each second, and stands still when the simulator stops."""
    status = Status()
    while not stop.is_set():
        line = status.line(gateway.core.state)[: shutil.get_terminal_size().columns - 1]  # a wrapped line stays behind
        click.echo(f"\r{line}{_ERASE_REST}", nl=False, err=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _STATUS_INTERVAL_S)
    click.echo(err=True)


class _ParentWatch(asyncio.Protocol):
    """The parent holds the other end of standard input: it is closed when the parent ends, however it ends."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


def _is_pipe(descriptor: int) -> bool:
    kind = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)


def _tell(gateway: Gateway, control: ControlPort | None, *, announce: bool) -> None:
    options = gateway.core.state.options
    if announce:
        where = {
            "host": gateway.host,
            "port": gateway.port,
            "account": gateway.account,
            "seed": options.seed,
            "server_version": options.server_version,
            "pid": os.getpid(),
        }
        click.echo(json.dumps(where if control is None else {**where, "control": control.port}))
    click.echo(
        f"listening on {gateway.host}:{gateway.port}, account {gateway.account}, seed {options.seed}, "
        f"server version {options.server_version}{_beside(gateway, control)}; stop with Ctrl-C",
        err=announce,
    )
    sys.stdout.flush()


def _beside(gateway: Gateway, control: ControlPort | None) -> str:
    scenario = gateway.director.scenario
    playing = f", playing {scenario.name}" if scenario is not None else ""
    return playing + (f", control port {control.port}" if control is not None else "")
