"""What README tells a reader to try, done as it is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ibkr_adapter.config.reading import load
from ibkr_adapter.errors import ExitCode

README = (Path(__file__).parents[2] / "README.md").read_text()
PATIENCE_S = 25

pytestmark = pytest.mark.wire


def recipe() -> str:
    """The configuration that stands in README between the two commands."""
    found = re.search(r"cat > simulated\.toml <<END\n(.*?)END\n", README, re.DOTALL)
    assert found is not None
    return found[1]


def cli(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"XDG_STATE_HOME": str(home)}
    command = [sys.executable, "-m", "ibkr_adapter", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)


@contextmanager
def service(home: Path, file: Path) -> Iterator[float]:
    """Runs until it is killed at the end; gives the bid of SPY once it is ready."""
    environment = os.environ | {"XDG_STATE_HOME": str(home)}
    command = [sys.executable, "-m", "ibkr_adapter", "run", "--config", str(file)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            deadline_s = time.monotonic() + PATIENCE_S
            while (bid := bid_when_ready(home)) is None:  # a process gives no event to wait for
                assert time.monotonic() < deadline_s
            yield bid
        finally:
            process.kill()


def bid_when_ready(home: Path) -> float | None:
    status = cli(home, "status", "--json")
    if status.returncode != ExitCode.OK:
        return None
    bid: float | None = json.loads(status.stdout)["snapshot"]["quotes"].get("SPY", {}).get("bid")
    return bid


@pytest.fixture
def simulator_port() -> Iterator[int]:
    command = [sys.executable, "-m", "tws_simulator", "run", "--port", "0", "--announce", "--exit-with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(json.loads(process.stdout.readline())["port"])
        process.stdin.close()
        process.wait(10)


def test_a_service_that_was_killed_finds_its_orders(tmp_path: Path, simulator_port: int) -> None:
    """kill -9, started again with the same file: what rested and what was filled are there, and nothing twice."""
    file, home = tmp_path / "simulated.toml", tmp_path / "home"
    ours = recipe().replace("port = 7497", f"port = {simulator_port}")
    file.write_text(f'{ours}\n[http]\nlisten = "127.0.0.1:0"\n')
    with service(home, file) as bid:
        filled = cli(home, "orders", "place", "buy", "100", "SPY", "--market")
        resting = cli(home, "orders", "place", "buy", "20", "SPY", "--limit", f"{bid * 0.97:.2f}")
        assert (filled.stdout.split(":")[0], resting.stdout.split(":")[0]) == ("filled", "working"), resting.stderr
        before = known(home)
    with service(home, file):
        assert known(home) == before
        assert len(before) == 2


def known(home: Path) -> set[tuple[str, str, float]]:
    listed = json.loads(cli(home, "orders", "list", "--all", "--json").stdout)
    return {(order["order_key"], order["state"], order["filled"]) for order in listed}


def test_the_recipe_is_a_usable_configuration(tmp_path: Path) -> None:
    """A paper account at the simulator's default port, with trading on at any hour of any night."""
    file = tmp_path / "simulated.toml"
    file.write_text(recipe())
    config = load(file)
    assert (config.gateway.address, config.trading.enabled) == ("127.0.0.1:7497", True)
    assert config.gateway.windows == ()
