"""A gateway and its control port on an event loop, from the line that says where they are until they are stopped."""

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
from collections.abc import Iterator

import click

from tws_simulator.cli.status import Status
from tws_simulator.control.port import ControlPort
from tws_simulator.gateway import Gateway

_STATUS_INTERVAL_S = 1.0
_ERASE_REST = "\x1b[K"


class CannotListen(Exception):
    """At which of our addresses, why, and with which option another is chosen."""

    def __init__(self, what: str, host: str, port: int, option: str, fault: OSError) -> None:
        if fault.errno == errno.EADDRINUSE:
            super().__init__(f"{what} {port} is in use")
            self.remedy = f"stop what listens there, or choose another with {option}"
        else:
            super().__init__(f"cannot listen on {host}:{port}: {fault.strerror}")
            self.remedy = f"try another --host or {option}"


async def serve(
    gateway: Gateway, control: ControlPort | None, *, announce: bool, exit_with_parent: bool, shows_status: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as serving:
        with _naming("port", gateway.host, gateway.port, "--port"):
            await serving.enter_async_context(gateway)
        if control is not None:
            with _naming("control port", gateway.host, control.port, "--control"):
                await serving.enter_async_context(control)
        _tell(gateway, control, announce=announce)
        watch = await loop.connect_read_pipe(lambda: _ParentWatch(stop), sys.stdin) if exit_with_parent else None
        failing = loop.create_task(_stop_at_failure(gateway, stop))
        if shows_status:
            await _show_status(gateway, stop)
        await stop.wait()
        failing.cancel()
        if watch is not None:
            watch[0].close()
    with contextlib.suppress(OSError):  # a parent that has ended no longer reads
        click.echo("stopped", err=announce)


@contextlib.contextmanager
def _naming(what: str, host: str, port: int, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise CannotListen(what, host, port, option, fault) from fault


async def _stop_at_failure(gateway: Gateway, stop: asyncio.Event) -> None:
    await gateway.server.failed()
    stop.set()


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


def is_pipe(descriptor: int) -> bool:
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
    with_tls = " with TLS" if gateway.is_tls else ""
    click.echo(
        f"listening on {gateway.host}:{gateway.port}{with_tls}, account {gateway.account}, seed {options.seed}, "
        f"server version {options.server_version}{_beside(gateway, control)}; stop with Ctrl-C",
        err=announce,
    )
    sys.stdout.flush()


def _beside(gateway: Gateway, control: ControlPort | None) -> str:
    scenario = gateway.director.scenario
    playing = f", playing {scenario.name}" if scenario is not None else ""
    return playing + (f", control port {control.port}" if control is not None else "")
