"""`tws-simulator run`: a simulated gateway in a process of its own, until it is interrupted."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import cast

import click

from tws_simulator.api.limits.message_rate import PACINGS, Pacing
from tws_simulator.api.options import BadOption, OptionsGiven, options_of
from tws_simulator.cli.border import EXIT_ADDRESS, EXIT_FAILED, EXIT_USAGE, fail
from tws_simulator.cli.scenarios import pair, scenario_to_play
from tws_simulator.cli.serving import CannotListen, is_pipe, serve
from tws_simulator.clocks import RunningClock, VirtualClock
from tws_simulator.control.port import ControlPort
from tws_simulator.gateway import Gateway
from tws_simulator.server import NotLoopback, require_loopback
from tws_simulator.tls import BadTls, Tls
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION, OLDEST_SERVER_VERSION
from tws_simulator.world.instruments.universe import everything, named
from tws_simulator.world.time.calendar import new_york_ns

_FILE = click.Path(path_type=Path)
_TLS_OPTIONS = {"certificate": "--tls-cert", "key": "--tls-key", "client_ca": "--client-ca"}


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
    "--speed", default=1.0, show_default=True, type=click.FloatRange(0.01, 300), help="Its seconds per second."
)
@click.option(
    "--clock",
    type=click.Choice(["running", "manual"]),
    default="running",
    show_default=True,
    help="A manual one stands until `tws-simulator do advance seconds=600`, at the control port.",
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
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Any other option of the gateway, written as in TOML; may be repeated, and wins over the options above.",
)
@click.option("--scenario", metavar="NAME|FILE", help="Faults to play from the start: see `tws-simulator scenarios`.")
@click.option(
    "--control",
    type=click.IntRange(0, 65535),
    help="Port for status, ledger and faults as JSON over HTTP; 0 takes any.",
)
@click.option("--tls-cert", "tls_certificate", type=_FILE, help="Listen with TLS, by this certificate (PEM).")
@click.option("--tls-key", type=_FILE, help="The certificate's key.")
@click.option("--client-ca", type=_FILE, help="Take only clients with a certificate that this authority has signed.")
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
    clock: str,
    not_entitled: bool,
    pacing: Pacing,
    read_only: bool,
    master_client_id: int | None,
    accounts_after_ids: bool,
    settings: tuple[str, ...],
    scenario: str | None,
    control: int | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    announce: bool,
    exit_with_parent: bool,
    status: bool | None,
) -> None:
    """Start a simulated TWS or IB Gateway, and serve until interrupted.

    \b
    Point any client of the TWS API at the address it prints:
      tws-simulator run                          the port of a paper TWS, the newest protocol
      tws-simulator run --port 4002              the port of a paper IB Gateway
      tws-simulator run --server-version 176     as a gateway of 2023: all messages are text
      tws-simulator run --not-entitled           no live data, as an account without subscriptions
      tws-simulator run --hours exchange --start "2026-11-23 09:29" --speed 60
                                                 a trading day in six and a half minutes
      tws-simulator run --scenario daily-restart
                                                 with faults: `tws-simulator scenarios` lists them
      tws-simulator run --set lines_max=10 --set not_entitled='["SPY"]'
                                                 options without a flag: docs/reference/simulator-options.md
      tws-simulator run --clock manual --start "2026-11-23 09:29" --control 7400
                                                 time that passes when you say so
      tws-simulator run --tls-cert cert.pem --tls-key key.pem --client-ca ca.pem
                                                 behind TLS, as a gateway behind a tunnel
    """
    if exit_with_parent and not is_pipe(sys.stdin.fileno()):
        raise click.UsageError("--exit-with-parent needs a pipe as standard input: start with stdin=PIPE")
    played = scenario_to_play(scenario) if scenario is not None else None
    given: OptionsGiven = {
        "seed": seed,
        "server_version": server_version,
        "accounts": accounts,
        "symbols": _chosen(symbols),
        "always_open": hours == "always",
        "entitled": not not_entitled,
        "pacing": pacing,
        "read_only": read_only,
        "master_client_id": master_client_id,
        "accounts_after_ids": accounts_after_ids,
        **_set(settings),
    }
    try:
        gateway = Gateway(
            host=require_loopback(host),
            port=port,
            clock=_clock(clock, start, speed, control),
            scenario=played,
            tls=_tls(tls_certificate, tls_key, client_ca),
            **given,
        )
    except NotLoopback as refusal:
        fail(EXIT_USAGE, str(refusal), "choose another --host")
    except BadTls as refusal:
        fail(EXIT_USAGE, str(refusal), f"give another {_TLS_OPTIONS[refusal.option]}")
    shows = sys.stderr.isatty() if status is None else status
    controlled = ControlPort(gateway, port=control) if control is not None else None
    try:
        asyncio.run(
            serve(gateway, controlled, announce=announce, exit_with_parent=exit_with_parent, shows_status=shows)
        )
    except CannotListen as trouble:
        fail(EXIT_ADDRESS, str(trouble), trouble.remedy)
    except Exception as fault:
        if fault is not gateway.server.failure:
            raise
        fail(EXIT_FAILED, f"the simulator failed: {_told(fault)}", "a fault of its own; equal runs fail equally")


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    if certificate is not None and key is not None:
        return Tls(certificate, key, client_ca)
    if certificate is not None or key is not None or client_ca is not None:
        raise click.UsageError("--tls-cert and --tls-key go together, and --client-ca needs both")
    return None


def _told(fault: Exception) -> str:
    """What a report of it needs in one line: the kind, the text, and where it was raised."""
    frames = traceback.extract_tb(fault.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return " ".join(f"{type(fault).__name__}: {fault}{where}".split())


def _set(settings: tuple[str, ...]) -> OptionsGiven:
    """As a scenario's options are read."""
    table = dict(pair(text) for text in settings)
    try:
        options_of(table)
    except BadOption as fault:
        raise click.UsageError(f"--set {fault}") from None
    return cast("OptionsGiven", table)


def _chosen(symbols: str | None) -> tuple[str, ...]:
    chosen = tuple(part.strip().upper() for part in (symbols or "").split(",") if part.strip())
    try:
        named(chosen)
    except ValueError as refusal:
        there = ", ".join(sorted(listing.symbol for listing in everything() if listing.sec_type == "STK"))
        raise click.UsageError(f"--symbols: {refusal}; there are {there}") from None
    return chosen


def _clock(kind: str, start: datetime | None, speed: float, control: int | None) -> Callable[[], int]:
    """The wall clock, unless another beginning or pace is wanted, or none."""
    start_ns = time.time_ns() if start is None else new_york_ns(start)
    if kind == "manual":
        if control is None:
            raise click.UsageError("--clock manual needs --control 7400: time is told to pass at the control port")
        if speed != 1:
            raise click.UsageError("--clock manual has no --speed: time passes only when it is told to")
        return VirtualClock(start_ns)
    if start is None and speed == 1:
        return time.time_ns
    return RunningClock(start_ns, speed, time.monotonic_ns)
