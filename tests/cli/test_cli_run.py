from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ibkr_adapter.errors import ExitCode


def started(file: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ibkr_adapter", "run", "--config", str(file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "desk.toml"
    file.write_text('data_dir = "data"\n[gateways.primary]\nport = 9\n[http]\nlisten = "127.0.0.1:0"')
    return file


@pytest.mark.wire
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_service_runs_without_a_gateway_and_stops_in_order(file: Path, number: signal.Signals) -> None:
    """It waits for the gateway, says where its page is, and leaves with 0, its state file gone."""
    state = file.parent / "data" / "service.json"
    with started(file) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        announced = process.stdout.readline()
        assert announced.startswith("development: http://127.0.0.1:")
        assert announced.endswith(f", state file {state}\n")
        assert stat.S_IMODE(os.stat(state).st_mode) == 0o600
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stdout.read() == "stopped\n"
        assert "Traceback" not in process.stderr.read()
    assert not state.exists()


@pytest.mark.wire
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_hang_the_stop(file: Path, number: signal.Signals) -> None:
    """Whoever is impatient gets his end: in order if it was over by then, else at once."""
    with started(file) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        process.send_signal(number)
        assert process.wait(20) in (0, -number, 130)


@pytest.mark.wire
def test_a_hangup_does_not_end_the_service(file: Path) -> None:
    """It reads the message codes again, be there a file or none, and goes on until it is told to stop."""
    with started(file) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        while "message_codes_reloaded" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.wire
def test_a_service_with_its_data_elsewhere_is_found(file: Path) -> None:
    """Without being told where: it has registered itself under the state home, and is gone from there afterwards."""
    status = [sys.executable, "-m", "ibkr_adapter", "status", "--json"]
    with started(file) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert subprocess.run(status, capture_output=True, timeout=30).returncode == ExitCode.FAILURE
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    gone = subprocess.run(status, capture_output=True, text=True, timeout=30)
    assert gone.returncode == ExitCode.NOT_RUNNING
    assert "--state" in gone.stderr


@pytest.mark.wire
def test_a_second_service_on_the_same_data_is_20(file: Path) -> None:
    """One line, and the first one is not disturbed."""
    with started(file) as first:
        assert first.stdout is not None
        first.stdout.readline()
        with started(file) as second:
            assert second.stderr is not None
            assert second.wait(20) == ExitCode.ALREADY_RUNNING
            assert second.stderr.read().startswith("error: ")
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 0
