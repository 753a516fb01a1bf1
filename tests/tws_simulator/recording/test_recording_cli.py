"""`tws-simulator record`, `replay` and `inspect` as processes."""

from __future__ import annotations

import json
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ibkr_adapter.errors import ExitCode
from tests.tws_simulator.recording.recordings import START_NS, RecordedConnection, writer_at
from tws_simulator.cli import main
from tws_simulator.cli.recording import EXIT_DAMAGED, EXIT_FILE
from tws_simulator.wire.codec import Codec, frame
from tws_simulator.wire.row import message

WAIT_S_MAX = 30.0
LOOPBACK = "127.0.0.1"


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


@contextmanager
def command(*arguments: str | Path, file_bytes_max: int | None = None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process and the port that it announced."""
    words = [sys.executable, "-m", "tws_simulator", *map(str, arguments), "--announce"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        if file_bytes_max is not None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
        try:
            assert process.stdout is not None
            announced = json.loads(process.stdout.readline())
            assert announced["pid"] == process.pid
            yield process, announced["port"]
        finally:
            if process.poll() is None:
                process.kill()


def stop(process: subprocess.Popen[str], number: int = signal.SIGINT) -> str:
    """What it said on standard error, in the end."""
    process.send_signal(number)
    return process.communicate(timeout=WAIT_S_MAX)[1]


class Talker:
    """A client that sends requests and reads whole payloads."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), WAIT_S_MAX)
        self.socket.sendall(b"API\0" + frame(b"v100..226"))
        self.codec = Codec(int(self.payload().split(b"\0")[0]))

    def asks(self, name: str, /, **values: object) -> None:
        self.socket.sendall(frame(self.codec.encode_request(message(name, **values))))

    def hears(self) -> str:
        return self.codec.decode_reply(self.payload()).name

    def payload(self) -> bytes:
        return self._exactly(struct.unpack("!I", self._exactly(4))[0])

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            assert more, "the connection has ended"
            data += more
        return data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A recording of one client that asked for positions."""
    writer = writer_at(tmp_path / "f.tws")
    recorded = RecordedConnection(writer, 176)
    recorded.hears(0, "managedAccounts", accountsList="DU1234567")
    recorded.asks(1, "reqPositions")
    recorded.hears(2, "positionEnd")
    writer.close(START_NS)
    return tmp_path / "f.tws"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_session_is_recorded_replayed_and_shown(path: Path, tmp_path: Path, number: int) -> None:
    """The replay of a recording is recorded in its turn; each command ends with a line that counts."""
    copy = tmp_path / "copy.tws"
    with (
        command("replay", path, "--listen", "0", "--speed", "max") as (replay, port),
        command("record", "--listen", "0", "--upstream", f"{LOOPBACK}:{port}", "--out", copy) as (record, listening),
    ):
        client = Talker(listening)
        client.asks("startApi", clientId=1)
        assert client.hears() == "managedAccounts"
        client.asks("reqPositions")
        assert client.hears() == "positionEnd"
        client.socket.close()
        said = stop(record, number)
        assert record.returncode == 0
        assert said.splitlines()[-1].startswith("stopped: 1 connections, 4 frames, ")
        said = stop(replay, number)
        assert replay.returncode == 0
        assert said.splitlines()[-1] == "stopped: 1 clients, 1 requests answered, 0 orders refused"
    shown = invoke("inspect", copy, "--json")
    assert shown.exit_code == 0
    names = [each["name"] for each in map(json.loads, shown.stdout.splitlines()) if each["kind"] == "frame"]
    assert names == ["startApi", "managedAccounts", "reqPositions", "positionEnd"]


def test_a_recording_can_be_read_while_it_is_made(tmp_path: Path) -> None:
    """What was said is in the file within a second, and a kill leaves a file that can be used."""
    out = tmp_path / "f"
    with (
        command("run", "--port", "0") as (_, upstream),
        command("record", "--listen", "0", "--upstream", f"{LOOPBACK}:{upstream}", "--out", out) as (record, port),
    ):
        client = Talker(port)
        client.asks("startApi", clientId=1)
        while client.hears() != "nextValidId":
            pass
        shown = ""
        while "nextValidId" not in shown:
            result = invoke("inspect", out)
            shown = result.stdout
        assert result.exit_code == 0
        assert "unfinished" in result.stderr
        record.kill()
        record.wait(WAIT_S_MAX)
        client.socket.close()
    assert "nextValidId" in invoke("inspect", out).stdout


def test_inspect_selects_and_covers(path: Path) -> None:
    """By name, by connection; offsets in place of times."""
    only = invoke("inspect", path, "--only", "managedAccounts", "--offset", "--redact")
    assert only.stdout == "+0.000000000    1 <- managedAccounts accountsList=DU*****\n"
    assert invoke("inspect", path, "--connection", "2").stdout == ""


def test_damage_ends_with_a_code_of_its_own(path: Path) -> None:
    """What is before it is shown; a replay does not begin."""
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    shown = invoke("inspect", path)
    assert shown.exit_code == EXIT_DAMAGED == ExitCode.JOURNAL
    assert "managedAccounts" in shown.stdout
    assert f"{path}: damaged at offset" in shown.stderr
    assert invoke("replay", path).exit_code == EXIT_DAMAGED
    path.write_bytes(b"not one")
    assert "no recording" in invoke("inspect", path).stderr


def test_a_torn_end_is_said_and_is_no_fault(path: Path) -> None:
    """The last record is missing, the others are there."""
    path.write_bytes(path.read_bytes()[:-3])
    shown = invoke("inspect", path)
    assert shown.exit_code == 0
    assert "cut off" in shown.stderr
    assert "positionEnd" in shown.stdout


def test_files_that_cannot_be_used_are_said_so(path: Path, tmp_path: Path) -> None:
    """With the code that a store has at the adapter; nothing is written over."""
    before = path.read_bytes()
    for arguments in (
        ("inspect", tmp_path / "missing"),
        ("replay", tmp_path / "missing"),
        ("record", "--listen", "0", "--upstream", "127.0.0.1:1", "--out", path),
        ("record", "--listen", "0", "--upstream", "127.0.0.1:1", "--out", tmp_path / "none" / "f"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == EXIT_FILE == ExitCode.STORE
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("error: ")
    assert path.read_bytes() == before
    writer = writer_at(tmp_path / "silent")
    writer.close(START_NS)
    assert invoke("replay", tmp_path / "silent").exit_code == EXIT_FILE


def test_an_address_in_use_or_of_strangers_is_refused(path: Path, tmp_path: Path) -> None:
    """23 and 2, as with `run`; no file is left behind."""
    out = tmp_path / "new"
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments in (
            ("replay", path, "--listen", port),
            ("record", "--listen", port, "--upstream", "127.0.0.1:1", "--out", out),
        ):
            result = invoke(*arguments)
            assert result.exit_code == ExitCode.ADDRESS_IN_USE
            assert f"port {port} is in use" in result.stderr
    assert invoke("replay", path, "--listen", "0.0.0.0:0").exit_code == ExitCode.USAGE
    assert invoke("replay", path, "--listen", "here").exit_code == ExitCode.USAGE
    assert invoke("record", "--listen", "0", "--upstream", "4001", "--out", out).exit_code == ExitCode.USAGE
    assert not out.exists()


@pytest.mark.parametrize("name", ["record", "replay", "inspect"])
def test_help_teaches(name: str) -> None:
    """With an example that can be typed, and what the exit codes mean."""
    told = invoke(name, "--help").stdout
    assert "Example" in told
    assert f"tws-simulator {name} " in told.split("Example")[1]
    assert "Ends with 0" in told


def test_a_disk_that_fails_is_told_in_the_end(tmp_path: Path) -> None:
    """The client was served all the while. Here the system lets no file of the recorder grow beyond 500 bytes."""
    with (
        command("run", "--port", "0") as (_, upstream),
        command(
            *("record", "--listen", "0", "--upstream", f"{LOOPBACK}:{upstream}", "--out", tmp_path / "f"),
            file_bytes_max=500,
        ) as (record, port),
    ):
        client = Talker(port)
        client.asks("startApi", clientId=1)
        for _ in range(5):
            while client.hears() != "nextValidId":
                pass
            client.asks("reqIds", numIds=1)
        client.socket.close()
        said = stop(record)
        assert record.returncode == EXIT_FILE
    assert said.count("the recording has ended") == 1
    assert "File too large" in said.splitlines()[-1]
    assert "cut off" in invoke("inspect", tmp_path / "f").stderr
