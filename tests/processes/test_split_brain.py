"""Two services with one client id, as on two machines: by the gateway's own books, only one of them ever places.

The machines share Redis and the gateway, and nothing else: each has a runtime directory, a home and a data directory
of its own, so that no lock on this machine keeps them apart.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ibkr_adapter.errors import ExitCode
from ibkr_adapter.lease.claim import RENEWALS
from tests.processes.desk import PATIENCE_S, Desk, tradable
from tests.redis_server import RedisServer
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway

CLI = [sys.executable, "-m", "ibkr_adapter"]
SHORT_TTL_S = 3
"""Where a lease must lapse. A third of it between renewals: on a loaded machine one may well come a second late."""
TTL_S = 6
"""Where none may lapse but by what the test does."""
KEY = "ib:clientid:1"


@pytest.fixture
def gateway() -> Iterator[GatewayThread]:
    with running_gateway(Gateway(seed=7)) as thread:
        yield thread


class Machine:
    """A place of its own for one service."""

    def __init__(
        self, directory: Path, name: str, gateway: GatewayThread, redis_url: str = "", ttl_s: int = TTL_S
    ) -> None:
        self.name = name
        self.home = directory / name
        self.home.mkdir()
        self.data_dir = self.home / "state"
        self.file = self.home / "desk.toml"
        ha = f'[redis]\nurl = "{redis_url}"\n[ha]\nenabled = true\nlease_ttl_s = {ttl_s}\nname = "{name}"\n'
        self.file.write_text(
            f"""
environment = "development"
data_dir = "{self.data_dir}"
[environments.development]
gateway = "simulated"
account = "{gateway.account}"
[gateways.simulated]
port = {gateway.port}
windows = []
[trading]
enabled = true
[http]
listen = "127.0.0.1:0"
[[instruments]]
symbol = "SPY"
{ha if redis_url else ""}"""
        )

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"XDG_RUNTIME_DIR": str(self.home), "HOME": str(self.home)}

    def start(self) -> Desk:
        command = [*CLI, "run", "--config", str(self.file)]
        return Desk.start(command, self.data_dir, ready_line=b"http")


_shares = itertools.count(1)


def order(key: str) -> dict[str, Any]:
    """No two alike: the same terms twice within a second are refused as a repetition."""
    return {"symbol": "SPY", "action": "BUY", "quantity": next(_shares), "order_type": "MKT", "idempotency_key": key}


def place(desk: Desk, key: str) -> bool:
    """Whether the service took the order."""
    return bool(desk.ask("POST", "/v1/orders", order(key))["accepted"])


def placed(gateway: GatewayThread) -> list[str]:
    """What the gateway was asked to place, by the key of whoever asked, in the order it came."""
    return gateway.call(lambda inside: [placement.order_ref for placement in inside.ledger.placements])


def arrive(gateway: GatewayThread, orders: int) -> None:
    """So many and no more: a service says that it took an order when it is on disk, and its frame follows."""
    until(lambda: len(placed(gateway)) >= orders)
    assert len(placed(gateway)) == orders


def reasons(snapshot: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in snapshot["gate"]["reasons"]}


def standing_by(snapshot: dict[str, Any]) -> bool:
    return not snapshot["lease"]["held"] and "held by" in snapshot["lease"]["detail"]


def lease(server: RedisServer) -> dict[str, str]:
    with server.client() as client:
        return dict(client.hgetall(KEY))


def pair(directory: Path, gateway: GatewayThread, server: RedisServer, ttl_s: int = TTL_S) -> tuple[Desk, Desk]:
    """One that has the lease and trades, and one that stands by; the one before them ended in order."""
    with server.client() as client:
        client.hset(KEY, mapping={"token": "before", "epoch": 1, "beat": 1, "ttl_ns": 0, "released": 1})
    holder = Machine(directory, "one", gateway, server.url, ttl_s).start()
    holder.wait_for(tradable)
    standby = Machine(directory, "two", gateway, server.url, ttl_s).start()
    seen = standby.wait_for(standing_by)
    assert "held by one" in seen["lease"]["detail"]
    assert seen["link"]["epoch"] == 0, "it has not even connected"
    holder.wait_for(tradable)
    return holder, standby


def until(condition: Callable[[], bool]) -> None:
    """For what stands in Redis, which tells nobody of a change."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.fault("B13")
def test_on_one_machine_the_second_is_refused_at_its_start(tmp_path: Path, gateway: GatewayThread) -> None:
    """It names the process that has the client id, and ends with a code of its own."""
    first = Machine(tmp_path, "one", gateway)
    desk = first.start()
    desk.wait_for(tradable)
    second = Machine(tmp_path, "two", gateway)
    command = [*CLI, "run", "--config", str(second.file)]
    refused = subprocess.run(
        command, env=os.environ | {"XDG_RUNTIME_DIR": str(first.home)}, capture_output=True, text=True, timeout=30
    )
    assert refused.returncode == ExitCode.ALREADY_RUNNING
    assert f"client id 1 at 127.0.0.1:{gateway.port} is in use by process {desk.process.pid}" in refused.stderr
    assert place(desk, "a")
    assert desk.stop() == 0


@pytest.mark.fault("B13")
def test_a_standby_takes_over_when_the_holder_stops(
    tmp_path: Path, gateway: GatewayThread, redis_server: RedisServer
) -> None:
    """SIGTERM releases the lease; the other trades, under a higher epoch, and the first comes back as standby."""
    holder, standby = pair(tmp_path, gateway, redis_server)
    assert place(holder, "a")
    assert not place(standby, "b")
    assert "lease" in reasons(standby.snapshot())
    epoch = int(lease(redis_server)["epoch"])
    assert holder.stop() == 0
    standby.wait_for(tradable)
    assert int(lease(redis_server)["epoch"]) == epoch + 1
    assert place(standby, "c")
    arrive(gateway, 2)
    again = Desk.start(
        [*CLI, "run", "--config", str(tmp_path / "one" / "desk.toml")], holder.data_dir, ready_line=b"http"
    )
    assert "held by two" in again.wait_for(standing_by)["lease"]["detail"]


@pytest.mark.fault("B13")
def test_a_killed_holder_is_replaced(tmp_path: Path, gateway: GatewayThread, redis_server: RedisServer) -> None:
    """kill -9: nobody releases anything, and the lease lapses."""
    holder, standby = pair(tmp_path, gateway, redis_server, SHORT_TTL_S)
    assert place(holder, "a")
    arrive(gateway, 1)
    holder.kill()
    standby.wait_for(tradable)
    assert place(standby, "b")
    arrive(gateway, 2)


@pytest.mark.fault("B13", "B14")
@pytest.mark.parametrize("paused", ["holder", "standby"])
def test_a_paused_process_places_nothing_after_its_deadline(
    paused: str, tmp_path: Path, gateway: GatewayThread, redis_server: RedisServer
) -> None:
    """SIGSTOP beyond the ttl, orders handed to it meanwhile, and it wakes up to find another epoch."""
    holder, standby = pair(tmp_path, gateway, redis_server, SHORT_TTL_S)
    assert place(holder, "a")
    arrive(gateway, 1)
    before = lease(redis_server)
    if paused == "standby":
        standby.process.send_signal(signal.SIGSTOP)
        until(lambda: int(lease(redis_server)["beat"]) > int(before["beat"]) + RENEWALS)
        standby.process.send_signal(signal.SIGCONT)
        assert not place(standby, "b")
        holder.wait_for(tradable)
        assert place(holder, "c")
        arrive(gateway, 2)
        return
    holder.process.send_signal(signal.SIGSTOP)
    with httpx.Client(base_url=holder.url, headers={"authorization": f"Bearer {holder.token}"}) as client:
        asked = [_ask_without_waiting(client, f"late-{number}") for number in range(5)]
        until(lambda: lease(redis_server)["epoch"] != before["epoch"])
        holder.process.send_signal(signal.SIGCONT)
        status = holder.died()
    assert all(asked)
    assert status == ExitCode.LEASE_LOST
    assert len(placed(gateway)) == 1, "nothing of what waited for it was placed"
    assert lease(redis_server)["name"] == "two"


def _ask_without_waiting(client: httpx.Client, key: str) -> bool:
    """The order lies in the socket of a process that is stopped; True if nobody answered."""
    try:
        client.post("/v1/orders", json=order(key), timeout=0.2)
    except httpx.TimeoutException:
        return True
    return False


@pytest.mark.fault("E05")
def test_a_redis_that_comes_back_empty_makes_no_second_writer(
    tmp_path: Path, gateway: GatewayThread, redis_server: RedisServer
) -> None:
    """Started again without its data; the holder, and nobody else, has the lease again, under a higher epoch."""
    holder, standby = pair(tmp_path, gateway, redis_server)
    assert place(holder, "a")
    epoch = int(lease(redis_server)["epoch"])
    redis_server.stop()
    closed = holder.wait_for(lambda s: "lease" in reasons(s))
    assert closed["link"]["state"] == "ready", "the session stays"
    assert not place(holder, "b")
    for kept in redis_server.socket.parent.glob("**/*"):
        if kept.is_file():
            kept.unlink()
    redis_server.start()
    again = holder.wait_for(tradable)
    assert again["lease"]["epoch"] > epoch
    assert place(holder, "c")
    assert not place(standby, "d")
    arrive(gateway, 2)
    assert standby.wait_for(standing_by)["link"]["epoch"] == 0
    assert standby.stop() == holder.stop() == 0


@pytest.mark.fault("E06")
@pytest.mark.parametrize("trouble", ["oom", "readonly"])
def test_a_redis_that_takes_no_writes_closes_the_gate(
    trouble: str, tmp_path: Path, gateway: GatewayThread, redis_server: RedisServer
) -> None:
    """Nobody places while the lease is uncertain; orders can still be cancelled, and it ends by itself."""
    holder, standby = pair(tmp_path, gateway, redis_server)
    resting = order("rests") | {"order_type": "LMT", "limit_price": _below(holder)}
    key = holder.ask("POST", "/v1/orders", resting)["order_key"]
    with redis_server.client() as client:
        if trouble == "oom":
            client.config_set("maxmemory", 1)
        else:
            client.replicaof("127.0.0.1", "1")
        holder.wait_for(lambda s: "lease" in reasons(s))
        assert not place(holder, "a")
        assert not place(standby, "b")
        cancelled = holder.ask("DELETE", f"/v1/orders/{key}")
        assert cancelled["accepted"]
        holder.wait_for(lambda s: s["orders"][0]["state"] == "cancelled")
        if trouble == "oom":
            client.config_set("maxmemory", 0)
        else:
            client.replicaof("no", "one")
    holder.wait_for(tradable)
    assert place(holder, "c")
    assert not place(standby, "d")
    arrive(gateway, 2)


def _below(desk: Desk) -> str:
    """A price that rests: some per cent below the market."""
    return f"{desk.snapshot()['quotes']['SPY']['bid'] * 0.97:.2f}"
