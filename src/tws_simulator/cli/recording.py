"""`tws-simulator record`, `replay` and `inspect`: take a recording, serve it again, look at it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from tws_simulator.cli.border import EXIT_ADDRESS, EXIT_USAGE, fail
from tws_simulator.recording.address import Address, format_address, listening_socket, parse_address
from tws_simulator.recording.format import FILE_BYTES_MAX, Damaged, Ending, NotARecording, Recording, Writer
from tws_simulator.recording.inspect import json_line, line, printable, shown
from tws_simulator.recording.record import Recorder
from tws_simulator.recording.replay import Replay
from tws_simulator.recording.replay_server import ReplayServer
from tws_simulator.recording.script import TooLarge, load_scripts
from tws_simulator.recording.writing import WriterThread
from tws_simulator.server import NotLoopback

EXIT_DAMAGED = 21
EXIT_FILE = 22

_LOOPBACK = "127.0.0.1"
_MIB = 1024 * 1024


class _AddressType(click.ParamType[Address]):
    """Host and port; a port alone is one of this machine where that makes sense."""

    def __init__(self, host: str | None = None) -> None:
        self.name = "HOST:PORT" if host is None else "PORT"
        self._host = host

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        if isinstance(value, tuple):
            return value
        try:
            return parse_address(value, host=self._host)
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


@click.command(
    epilog="""
    \b
    Example, with a gateway on another machine and the clients on this one:
      tws-simulator record --listen 7497 --upstream 10.0.0.5:4001 --out monday.twsrec

    Ends with 0 when it was told to stop and everything is written, 2 on wrong usage, 22 when a file cannot be written
    or records were lost, 23 when it cannot listen at its address.
    """
)
@click.option("--listen", required=True, type=_AddressType(_LOOPBACK), help="Where clients connect; 0 is any port.")
@click.option("--upstream", required=True, type=_AddressType(), help="The gateway, on any machine.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new file; it goes on in OUT.0001, ...")
@click.option(
    "--file-mib",
    default=FILE_BYTES_MAX // _MIB,
    show_default=True,
    type=click.IntRange(1, 1024 * 1024),
    help="Go on in a new file before one is larger. A new day in UTC also begins a new file.",
)
@click.option("--announce", is_flag=True, help="First print one JSON line that says where clients connect.")
def record(listen: Address, upstream: Address, out: Path, file_mib: int, announce: bool) -> None:
    """Stand between clients and a gateway, and write down what they say.

    Bytes are passed on at once and unchanged, orders too: point a client at --listen instead of its gateway. If the
    disk fails, the bytes are still passed on; that is told at once, and by the exit code at the end. A recording has
    account numbers in it, so only its owner can read it.
    """
    clock = _steady_clock()
    with _listening(listen) as listening:
        writer = WriterThread(
            _new_file(out, f"tws-simulator record {format_address(upstream)}", clock, file_mib), _tell
        )
        recorder = Recorder(listening, upstream, writer, clock=clock, tell=_tell)
        where = f"recording {format_address(recorder.address)} to {format_address(upstream)} in {out}"
        _announce(recorder.address, where, announce=announce)
        writer.start()
        try:
            asyncio.run(_until_stopped(recorder))
        finally:
            writer.close(clock())
    counts = f"{recorder.connections} connections, {recorder.frames} frames, {writer.written_records} records"
    if not writer.is_complete:
        why = f"{writer.failure}" if writer.failure else "the disk was too slow"
        fail(EXIT_FILE, f"{counts}, {writer.lost_records} lost: {why}", "what is written can be used, with gaps")
    _say(f"stopped: {counts}", err=announce)


@click.command(
    epilog="""
    \b
    Example, ten times as fast as it was:
      tws-simulator replay monday.twsrec --listen 7497 --speed 10

    Ends with 0 when it was told to stop, 2 on wrong usage, 21 when the file is damaged, 22 when it cannot be read or
    has nothing to replay, 23 when it cannot listen at its address.
    """
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--listen", default="7497", show_default=True, type=_AddressType(_LOOPBACK), help="0 is any port.")
@click.option(
    "--speed",
    default="1",
    show_default=True,
    type=click.Choice(["1", "10", "max"]),
    help="How much faster than recorded; max waits for nothing.",
)
@click.option("--announce", is_flag=True, help="First print one JSON line that says where clients connect.")
def replay(file: Path, listen: Address, speed: str, announce: bool) -> None:
    """Serve a recording to clients, as if it were the gateway.

    A request that asks the same as a recorded one, under whatever request id, gets the recorded replies, at their
    recorded distances. Any other gets error 321. Orders are never served: they get error 321, and there is no gateway
    that they could reach. A client is given the connection that its client id had, else the next one.
    """
    with _reading(file):
        recording = Recording(file)
        scripts = load_scripts(recording)
        _warn_of_ending(recording)
        if not scripts:
            fail(EXIT_FILE, f"{file} has no connection that came to a handshake", "record one that does")
    played = Replay(scripts, None if speed == "max" else int(speed))
    with _listening(listen) as listening:
        server = ReplayServer(played, listening, clock=_steady_clock(), tell=_tell)
        versions = ", ".join(str(version) for version in sorted({script.server_version for script in scripts}))
        where = f"replaying {file} at {format_address(server.address)}, speed {speed}, server version {versions}"
        _announce(server.address, where, announce=announce)
        asyncio.run(_until_stopped(server))
    _say(f"stopped: {played.counts.summary()}", err=announce)


@click.command(
    epilog="""
    \b
    Examples: all of connection 1; only the errors, one JSON object a line:
      tws-simulator inspect monday.twsrec --connection 1
      tws-simulator inspect monday.twsrec --only error --json

    Ends with 0, also when the file ends unfinished or in the middle of a record, which is said on standard error; 2 on
    wrong usage, 21 when the file is damaged, 22 when it cannot be read.
    """
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--only", multiple=True, metavar="NAME", help="Only messages of this name; may be repeated.")
@click.option("--connection", type=click.IntRange(0), help="Only this connection; they are counted from 1.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--offset", is_flag=True, help="Seconds since the first record instead of the local time.")
@click.option("--redact", is_flag=True, help="Cover what looks like an account number, and show no hex.")
def inspect(
    file: Path, only: tuple[str, ...], connection: int | None, as_json: bool, offset: bool, redact: bool
) -> None:
    """Print the messages of a recording, decoded, one line each.

    A line has the time, the connection, -> to the gateway or <- from it, the message and its fields, by IB's names. A
    message that is not known is shown as hex and printable text. FILE may be any file of a series: what follows it is
    read too.
    """
    with _reading(file):
        recording = Recording(file)
        start_ns: int | None = None
        for each in shown(recording, only=frozenset(only), connection=connection, redact=redact):
            if offset and start_ns is None:
                start_ns = each.record.time_ns
            click.echo(json_line(each) if as_json else line(each, start_ns=start_ns))
        _warn_of_ending(recording)


def _steady_clock() -> Callable[[], int]:
    """Nanoseconds since 1970 that never go back: the time at the start, and what has passed since."""
    start_ns = time.time_ns() - time.monotonic_ns()
    return lambda: start_ns + time.monotonic_ns()


def _new_file(out: Path, recorded: str, clock: Callable[[], int], file_mib: int) -> Writer:
    try:
        return Writer(out, recorded, clock(), file_bytes_max=file_mib * _MIB)
    except FileExistsError:
        fail(EXIT_FILE, f"{out} exists", "choose another --out; nothing is written over")
    except OSError as fault:
        fail(EXIT_FILE, f"cannot write {out}: {fault.strerror}", "choose another --out")


def _listening(listen: Address) -> socket.socket:
    try:
        return listening_socket(listen)
    except NotLoopback as refusal:
        fail(EXIT_USAGE, str(refusal), "choose another --listen")
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            fail(EXIT_ADDRESS, f"port {listen[1]} is in use", "stop what listens there, or choose another --listen")
        fail(EXIT_ADDRESS, f"cannot listen on {format_address(listen)}: {fault.strerror}", "try another --listen")


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except NotARecording as fault:
        fail(EXIT_DAMAGED, printable(str(fault)), "is it a file that `tws-simulator record` wrote?")
    except Damaged as fault:
        fail(EXIT_DAMAGED, printable(str(fault)), "what is before that is as it was recorded")
    except TooLarge as fault:
        fail(EXIT_FILE, str(fault), "replay one file of the series, copied to a place of its own")
    except OSError as fault:
        if fault.errno == errno.EPIPE:  # the reader of our output has enough
            raise
        fail(EXIT_FILE, f"cannot read {fault.filename or file}: {fault.strerror}", "check the path")


def _warn_of_ending(recording: Recording) -> None:
    if recording.ending is Ending.UNFINISHED:
        _tell("the recording is unfinished: it is being written, or its writer was killed")
    elif recording.ending is Ending.TORN:
        _tell(f"the last record, at offset {recording.torn_at}, is cut off: its writer was killed, or the disk full")


async def _until_stopped(service: Recorder | ReplayServer) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with service:
        ends = {asyncio.create_task(stop.wait()), asyncio.create_task(service.failed())}
        _, others = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()


def _announce(address: Address, where: str, *, announce: bool) -> None:
    if announce:
        click.echo(json.dumps({"host": address[0], "port": address[1], "pid": os.getpid()}))
    click.echo(f"{where}; stop with Ctrl-C", err=announce)
    sys.stdout.flush()


def _say(text: str, *, err: bool) -> None:
    with contextlib.suppress(OSError):  # a parent that has ended no longer reads
        click.echo(text, err=err)


def _tell(text: str) -> None:
    _say(printable(text), err=True)
