"""The service goes on: without a browser, without Redis, without its gateway; and says what it missed."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from ibkr_adapter.errors import ExitCode
from tests.processes.desk import Desk, tradable
from tests.redis_server import RedisServer

CLI = [sys.executable, "-m", "ibkr_adapter"]
QUOTED = ("SPY", "QQQ", "IWM", "AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA")


class SimulatorProcess:
    """``tws-simulator run`` on a port that stays the same over its lives."""

    def __init__(self) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.account = ""
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tws_simulator", "run", "--port", str(self.port), "--seed", "3", "--announce"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.account = json.loads(self._process.stdout.readline())["account"]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def simulator() -> Iterator[SimulatorProcess]:
    process = SimulatorProcess()
    yield process
    process.kill()


def configuration(directory: Path, simulator: SimulatorProcess, redis_url: str = "") -> Path:
    file = directory / "desk.toml"
    file.write_text(
        f"""
environment = "development"
data_dir = "{directory / "state"}"
[environments.development]
gateway = "simulated"
account = "{simulator.account}"
[gateways.simulated]
port = {simulator.port}
windows = []
[trading]
enabled = true
[http]
listen = "127.0.0.1:0"
{f'[redis]{chr(10)}url = "{redis_url}"' if redis_url else ""}
"""
    )
    return file


def running(directory: Path, simulator: SimulatorProcess, redis_url: str = "") -> Desk:
    file = configuration(directory, simulator, redis_url)
    return Desk.start([*CLI, "run", "--config", str(file)], directory / "state", ready_line=b"http")


def gaps_of(directory: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / "state" / "store.sqlite")) as store:
        return store.execute("select stream, cause, from_ns, to_ns from ib_data_gaps order by from_ns").fetchall()


def flowing(snapshot: dict[str, Any]) -> bool:
    return snapshot["link"]["state"] == "ready" and all(stream["state"] == "live" for stream in snapshot["streams"])


def test_a_killed_gateway_is_found_again_and_every_stream_has_its_gap(
    tmp_path: Path, simulator: SimulatorProcess
) -> None:
    """After kill -9 of the gateway data flows again, and each stream's gap is on the page and in the store."""
    desk = running(tmp_path, simulator)
    before = desk.wait_for(flowing)
    simulator.kill()
    lost = desk.wait_for(lambda s: s["link"]["state"] != "ready")
    assert not lost["gate"]["open"]
    simulator.start()
    after = desk.wait_for(flowing)
    assert after["link"]["epoch"] > before["link"]["epoch"]
    assert {gap["stream"] for gap in after["gaps"]} == {f"quote:{symbol}" for symbol in QUOTED}
    assert desk.stop() == 0
    stored = gaps_of(tmp_path)
    assert {(stream, cause) for stream, cause, _, _ in stored} == {(f"quote:{s}", "session_lost") for s in QUOTED}
    assert all(from_ns < to_ns for _, _, from_ns, to_ns in stored)


def test_the_time_the_service_was_down_itself_is_a_gap(tmp_path: Path, simulator: SimulatorProcess) -> None:
    """A service that was killed accounts for its own absence when it is back."""
    desk = running(tmp_path, simulator)
    desk.wait_for(lambda s: flowing(s) and next(v for v in s["sinks"] if v["name"] == "sqlite")["written"] > 50)
    desk.kill()
    heir = running(tmp_path, simulator)
    heir.wait_for(flowing)
    assert heir.stop() == 0
    assert {cause for _, cause, _, _ in gaps_of(tmp_path)} == {"adapter_down"}
    assert {stream for stream, _, _, _ in gaps_of(tmp_path)} == {f"quote:{symbol}" for symbol in QUOTED}


def test_redis_may_go_and_come_back(tmp_path: Path, simulator: SimulatorProcess, redis_server: RedisServer) -> None:
    """While Redis is away the feed and the store go on; when it is back, so are its keys, and every order record."""
    desk = running(tmp_path, simulator, redis_server.url)

    def sink(snapshot: dict[str, Any], name: str) -> dict[str, Any]:
        return next(view for view in snapshot["sinks"] if view["name"] == name)

    desk.wait_for(lambda s: tradable(s) and sink(s, "redis")["written"] > 0)
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        assert 0 < client.ttl("ib:l1:SPY") <= 5
        assert json.loads(client.get("ib:l1:SPY"))["bid"] > 0  # type: ignore[arg-type]
    redis_server.stop()
    down = desk.wait_for(lambda s: not sink(s, "redis")["up"])
    desk.ask("POST", "/v1/orders", {"symbol": "SPY", "action": "BUY", "quantity": 1, "order_type": "MKT"})
    desk.wait_for(lambda s: sink(s, "sqlite")["written"] > sink(down, "sqlite")["written"] and s["executions"])
    redis_server.start()
    desk.wait_for(lambda s: sink(s, "redis")["up"] and sink(s, "redis.orders")["up"])
    desk.wait_for(lambda s: sink(s, "redis")["depth"] < 100)
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        kinds = [json.loads(entry[b"event"])["type"] for _, entry in client.xrange("ib:orders:evt")]  # type: ignore[union-attr]
    assert kinds.count("order_intended") == 1
    assert kinds.count("execution") == 1
    assert desk.stop() == 0


def test_a_closed_page_changes_nothing(tmp_path: Path, simulator: SimulatorProcess) -> None:
    """Browsers come and go in the middle of the stream, and the service keeps serving the others."""
    desk = running(tmp_path, simulator)
    desk.wait_for(flowing)
    for _ in range(5):
        with httpx.stream("GET", f"{desk.url}/v1/events", timeout=10) as stream:
            next(stream.iter_raw())
    first = desk.snapshot()
    desk.wait_for(lambda s: s["quotes"]["SPY"]["ts_recv_ns"] > first["quotes"]["SPY"]["ts_recv_ns"])
    assert httpx.get(f"{desk.url}/readyz").status_code == 200
    assert desk.stop() == 0


def test_a_second_service_is_kept_out(tmp_path: Path, simulator: SimulatorProcess) -> None:
    """The same state directory or the same client id: the second process names the first, and ends."""
    desk = running(tmp_path, simulator)
    second = subprocess.run(
        [*CLI, "run", "--config", str(configuration(tmp_path, simulator))], capture_output=True, text=True, timeout=30
    )
    assert second.returncode == ExitCode.ALREADY_RUNNING
    assert str(desk.process.pid) in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    assert desk.stop() == 0


def test_the_journal_of_another_environment_is_refused(tmp_path: Path, simulator: SimulatorProcess) -> None:
    """Paper and live that share a directory by mistake must not take each other's orders for their own."""
    file = configuration(tmp_path, simulator)
    desk = Desk.start([*CLI, "run", "--config", str(file)], tmp_path / "state", ready_line=b"http")
    assert desk.stop() == 0
    file.write_text(file.read_text().replace("development", "staging"))
    other = subprocess.run([*CLI, "run", "--config", str(file)], capture_output=True, text=True, timeout=30)
    assert other.returncode == ExitCode.JOURNAL
    assert "environment development" in other.stderr
    assert len(other.stderr.strip().splitlines()) == 1
