from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ibkr_adapter.cli import main
from ibkr_adapter.cli.finding import Verdict, exit_code
from ibkr_adapter.cli.local_checks import system_clock
from ibkr_adapter.errors import ExitCode
from ibkr_adapter.journal.recover import recover
from ibkr_adapter.lease import Lease
from tests.journals import write_journal
from tests.records import echoed
from tests.redis_server import RedisServer


@pytest.fixture(scope="module")
def simulator() -> Iterator[dict[str, object]]:
    """The real simulator, as the demo starts it."""
    command = [sys.executable, "-m", "tws_simulator", "run", "--port", "0", "--announce", "--exit-with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(10)


def doctor(directory: Path, port: int, more: str = "") -> Result:
    file = directory / "desk.toml"
    file.write_text(f'data_dir = "data"\n[http]\nlisten = "127.0.0.1:0"\n[gateways.primary]\nport = {port}\n{more}')
    return CliRunner().invoke(main, ["doctor", "--config", str(file)])


def test_a_gateway_that_refuses_is_10(tmp_path: Path) -> None:
    """Nothing listens: start it, and enable socket clients."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = doctor(tmp_path, port)
    assert result.exit_code == ExitCode.GATEWAY_REFUSED
    assert f"FAIL  gateway           127.0.0.1:{port} refuses connections" in result.stdout
    assert "→ start TWS or IB Gateway" in result.stdout
    assert "ok    official client" in result.stdout


@pytest.mark.wire
def test_a_healthy_gateway_is_0(tmp_path: Path, simulator: dict[str, object]) -> None:
    """Versions, free client id and the account by its kind."""
    result = doctor(tmp_path, int(str(simulator["port"])))
    assert result.exit_code == ExitCode.OK
    assert "FAIL" not in result.stdout
    assert f"{simulator['account']}, paper as configured" in result.stdout


@pytest.mark.wire
def test_another_account_than_configured_is_14(tmp_path: Path, simulator: dict[str, object]) -> None:
    """The gateway is logged in to somebody else."""
    more = '[environments.development]\naccount = "DU0000001"'
    result = doctor(tmp_path, int(str(simulator["port"])), more)
    assert result.exit_code == ExitCode.ACCOUNT_MISMATCH
    assert "log the gateway in to DU0000001" in result.stdout


@pytest.mark.wire
def test_a_paper_account_in_production_is_14(tmp_path: Path, simulator: dict[str, object]) -> None:
    """Kind is judged by prefix, whatever the port promised."""
    file = tmp_path / "desk.toml"
    file.write_text(
        f'environment = "production"\ndata_dir = "data"\n[http]\nlisten = "127.0.0.1:0"\n'
        f'[environments.production]\naccount = "U1234567"\n'
        f'[gateways.primary]\nport = {simulator["port"]}\nkind = "live"'
    )
    result = CliRunner().invoke(main, ["doctor", "--config", str(file)])
    assert result.exit_code == ExitCode.ACCOUNT_MISMATCH


def test_a_directory_that_cannot_be_written_is_22(tmp_path: Path) -> None:
    """A file stands where the data directory should be."""
    (tmp_path / "data").write_text("")
    result = doctor(tmp_path, 1)
    assert result.exit_code == ExitCode.STORE
    assert "FAIL  data directory" in result.stdout


def test_a_damaged_store_is_22(tmp_path: Path) -> None:
    """It can be moved away: the journal is the truth."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "store.sqlite").write_bytes(b"not a database" * 100)
    result = doctor(tmp_path, 1)
    assert result.exit_code == ExitCode.STORE
    assert "move it away" in result.stdout


def test_a_journal_that_does_not_verify_is_21(tmp_path: Path) -> None:
    """It names the record, and says what to keep."""
    write_journal(tmp_path / "data" / "journal", [echoed("1"), echoed("2")])
    (segment,) = (tmp_path / "data" / "journal").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"DU1", b"DU2", 1))
    result = doctor(tmp_path, 1)
    assert result.exit_code == ExitCode.JOURNAL
    assert "(record 1)" in result.stdout
    assert "restore the files from a copy" in result.stdout


def test_a_sound_journal_is_counted_and_left_as_it_is(tmp_path: Path) -> None:
    """Its lock is free afterwards, and a record that was cut short is not cut off by looking."""
    directory = tmp_path / "data" / "journal"
    write_journal(directory, [echoed("1"), echoed("2")])
    (segment,) = directory.glob("*.jsonl")
    with segment.open("ab") as file:
        file.write(b'{"seq"')
    before = segment.read_bytes()
    said = doctor(tmp_path, 1).stdout
    assert "verifies: 2 records, free; the 6 bytes after them are cut at the next start" in said
    assert segment.read_bytes() == before
    recover(directory).close()


def test_a_journal_that_another_process_holds_is_20(tmp_path: Path) -> None:
    """With its number and what to do."""
    with closing(recover(tmp_path / "data" / "journal")):
        result = doctor(tmp_path, 1)
    assert result.exit_code == ExitCode.ALREADY_RUNNING
    assert f"in use by process {os.getpid()}" in result.stdout


def test_a_client_id_that_another_service_holds_is_20(tmp_path: Path) -> None:
    """Its data is elsewhere, its client id at this gateway is the same."""
    with Lease(["127.0.0.1:1"], 1):
        result = doctor(tmp_path, 1)
    assert result.exit_code == ExitCode.ALREADY_RUNNING
    assert "FAIL  client id" in result.stdout
    assert "another client_id" in result.stdout


def test_an_address_in_use_is_23(tmp_path: Path) -> None:
    """The page could not be served there."""
    file = tmp_path / "desk.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        file.write_text(f'data_dir = "data"\n[http]\nlisten = "{listen}"\n[gateways.primary]\nport = 1')
        result = CliRunner().invoke(main, ["doctor", "--config", str(file)])
    assert result.exit_code == ExitCode.ADDRESS_IN_USE
    assert f"http.listen: {listen}" in result.stdout


class TestRedis:
    def test_one_that_answers_is_not_marked_by_looking(self, tmp_path: Path, redis_server: RedisServer) -> None:
        """Only a service makes it its environment's."""
        assert "ok    redis" in doctor(tmp_path, 1, f'[redis]\nurl = "{redis_server.url}"').stdout
        assert redis_server.client().keys() == []

    def test_one_that_belongs_to_another_environment_is_22(self, tmp_path: Path, redis_server: RedisServer) -> None:
        """Whose it is, under our prefix."""
        redis_server.client().set("desk:ib:environment", "production")
        result = doctor(tmp_path, 1, f'[redis]\nurl = "{redis_server.url}"\nprefix = "desk:"')
        assert result.exit_code == ExitCode.STORE
        assert "belongs to environment 'production', this is 'development'" in result.stdout

    def test_one_that_does_not_answer_is_22(self, tmp_path: Path) -> None:
        """Its address without the password, and the key to correct."""
        result = doctor(tmp_path, 1, '[redis]\nurl = "redis://desk:secret@127.0.0.1:1/0"')
        assert result.exit_code == ExitCode.STORE
        assert "redis://***@127.0.0.1:1/0 does not answer" in result.stdout
        assert "secret" not in result.stdout

    @pytest.mark.parametrize("command", ["check-config", "doctor --config", "run --config"])
    def test_a_missing_library_is_3(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
        """A configuration that needs what is not installed is not usable; the remedy installs it."""
        monkeypatch.setitem(sys.modules, "redis", None)  # how Python marks what cannot be imported
        file = tmp_path / "desk.toml"
        file.write_text('data_dir = "data"\n[gateways.primary]\nport = 1\n[redis]\nurl = "redis://localhost"')
        result = CliRunner().invoke(main, [*command.split(), str(file)])
        assert result.exit_code == ExitCode.CONFIGURATION
        assert "pip install 'ibkr-adapter[redis]'" in result.output
        assert "usable" not in result.stdout


def test_a_release_that_is_not_allowed_here_is_3(tmp_path: Path) -> None:
    """Each environment may pin the official client."""
    result = doctor(tmp_path, 1, '[environments.development]\npackages = ["10.99.1"]')
    assert result.exit_code == ExitCode.CONFIGURATION
    assert "not 10.99.1" in result.stdout


def test_findings_are_json_on_request(tmp_path: Path) -> None:
    """Each with its check, verdict, text, remedy and code."""
    file = tmp_path / "desk.toml"
    file.write_text('data_dir = "data"\n[gateways.primary]\nport = 1')
    findings = json.loads(CliRunner().invoke(main, ["doctor", "--json", "--config", str(file)]).stdout)
    assert [finding["check"] for finding in findings][:2] == ["configuration", "official client"]
    assert findings[-1]["exit_code"] == ExitCode.GATEWAY_REFUSED
    assert findings[-1]["verdict"] == "fail"


def test_a_clock_that_nobody_keeps_is_a_warning() -> None:
    """The kernel says whether an NTP client sets it; a warning fails nothing."""
    assert system_clock(True).verdict is Verdict.OK
    assert (system_clock(False).verdict, system_clock(None).verdict) == (Verdict.WARN, Verdict.WARN)
    assert "chrony" in system_clock(False).remedy
    assert exit_code([system_clock(False)]) is ExitCode.OK
