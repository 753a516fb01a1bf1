from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ibkr_adapter.errors import ExitCode

pytestmark = pytest.mark.wire


class Demo:
    """``ibkr-adapter demo`` as a process of its own, with a state directory of its own."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self.process = process
        self.home = home
        assert process.stdout is not None
        self.url = process.stdout.readline().split()[-1]

    @property
    def simulator(self) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if "tws_simulator" in child.cmdline())

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ibkr_adapter", *arguments]
        return subprocess.run(command, env=environment(self.home), capture_output=True, text=True, timeout=30)

    def until(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """The command again and again until it ends with ``code``; a process gives no event to wait for."""
        deadline_s = time.monotonic() + 20
        while True:
            result = self.cli(*arguments)
            if result.returncode == code or time.monotonic() > deadline_s:
                assert result.returncode == code, result.stdout + result.stderr
                return result


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"XDG_STATE_HOME": str(home)}


@contextlib.contextmanager
def demo(home: Path, *arguments: str) -> Iterator[Demo]:
    command = [sys.executable, "-m", "ibkr_adapter", "demo", "--http", "127.0.0.1:0", *arguments]
    with subprocess.Popen(
        command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Demo(process, home)
        finally:
            process.kill()


def test_from_nothing_to_a_filled_order_and_back(tmp_path: Path) -> None:
    """The demo becomes ready, an order is filled and listed, and SIGTERM leaves nothing: no process, no file."""
    with demo(tmp_path) as running:
        running.until("status")
        placed = running.cli("orders", "place", "BUY", "100", "SPY", "--market", "--json")
        assert placed.returncode == ExitCode.OK, placed.stderr
        assert json.loads(placed.stdout)["state"] == "filled"
        listed = running.cli("orders", "list", "--all")
        assert "BUY 100 SPY at market DAY" in listed.stdout
        simulator = running.simulator
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
        assert not simulator.is_running()
        assert running.process.stderr is not None
        assert "Traceback" not in running.process.stderr.read()
    assert list((tmp_path / "ibkr-adapter").iterdir()) == []


def test_a_demo_has_nothing_to_be_warned_of(tmp_path: Path) -> None:
    """Its gateway is set up as a desk should set up its own: no alert stands."""
    with demo(tmp_path) as running:
        running.until("status")
        snapshot = json.loads(running.cli("status", "--json").stdout)["snapshot"]
    assert snapshot["preflight"]["maintains_orders"] in ("ok", "unchecked")
    assert snapshot["alerts"] == []


def test_a_simulator_that_dies_is_restarted_where_it_was(tmp_path: Path) -> None:
    """Killed, it comes back on its port with its account, and the service is ready again by itself."""
    with demo(tmp_path) as running:
        before = json.loads(running.until("status", "--json").stdout)["snapshot"]
        running.simulator.kill()
        running.until("status", code=ExitCode.FAILURE)
        after = json.loads(running.until("status", "--json").stdout)["snapshot"]
    assert after["link"]["address"] == before["link"]["address"]
    assert after["link"]["epoch"] > before["link"]["epoch"]
    assert after["accounts"][0]["account"] == before["accounts"][0]["account"]


def test_a_demo_with_a_duration_ends_by_itself(tmp_path: Path) -> None:
    """After two seconds it is over, in order, and what it wrote was kept where it was asked to."""
    with demo(tmp_path, "--duration", "2s", "--data-dir", str(tmp_path / "kept")) as running:
        assert running.process.wait(20) == 0
    assert (tmp_path / "kept" / "journal").is_dir()
    assert not (tmp_path / "kept" / "service.json").exists()


def test_a_demo_ends_with_its_terminal(tmp_path: Path) -> None:
    """A hangup stops it in order, and its simulator with it."""
    with demo(tmp_path) as running:
        running.until("status")
        simulator = running.simulator
        running.process.send_signal(signal.SIGHUP)
        assert running.process.wait(20) == 0
        assert not simulator.is_running()


def test_a_demo_that_is_killed_takes_its_simulator_along(tmp_path: Path) -> None:
    """Whatever ends the parent closes the pipe that the child watches."""
    with demo(tmp_path) as running:
        simulator = running.simulator
        running.process.kill()
        running.process.wait(10)
        simulator.wait(10)


def test_what_a_killed_demo_left_is_swept_by_the_next(tmp_path: Path) -> None:
    """Its directory goes with the next demo, and that of a demo which runs stays."""
    with demo(tmp_path) as killed:
        killed.process.kill()
        killed.process.wait(10)
        (left,) = (tmp_path / "ibkr-adapter").glob("demo-*")
    with demo(tmp_path) as running:
        (first,) = (tmp_path / "ibkr-adapter").glob("demo-*")
        assert first != left
        with demo(tmp_path):
            assert len(list((tmp_path / "ibkr-adapter").glob("demo-*"))) == 2
            assert running.cli("status", "--state", str(first)).returncode in (ExitCode.OK, ExitCode.FAILURE)


def test_an_address_in_use_is_23(tmp_path: Path) -> None:
    """One line that names the address and the option, and no simulator left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "ibkr_adapter", "demo", "--http", listen]
        result = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=30)
    assert result.returncode == ExitCode.ADDRESS_IN_USE
    assert listen in result.stderr
    assert "--http" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("value", ["soon", "-1s", "1d", ""])
def test_a_duration_is_seconds_minutes_or_hours(value: str) -> None:
    """Anything else is a usage error."""
    command = [sys.executable, "-m", "ibkr_adapter", "demo", "--duration", value]
    assert subprocess.run(command, capture_output=True, timeout=30).returncode == ExitCode.USAGE
