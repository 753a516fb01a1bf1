"""``ibkr-adapter clients``: what it finds of services that run, that ran, and that should not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ibkr_adapter.lease import Lease
from tests.processes.desk import tradable
from tests.processes.office import CLI, Office, has_account
from tests.redis_server import RedisServer
from tws_simulator.gateway import Gateway, running_gateway


def clients(office: Office, *options: str) -> str:
    environment = os.environ | {"XDG_RUNTIME_DIR": str(office.directory)}
    command = [*CLI, "clients", "--config", str(office.file), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def report(office: Office) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(clients(office, "--json"))
    told["by_id"] = {row["client_id"]: row for row in told["clients"]}
    return told


def test_it_shows_who_has_an_id_and_how_its_last_session_ended(tmp_path: Path) -> None:
    """While a component runs its process is named; when it has stopped, its last session stays with its end."""
    with running_gateway(Gateway(seed=3)) as gateway:
        office = Office(tmp_path, gateway)
        watcher = office.start("risk_manager")
        watcher.wait_for(has_account)
        running = report(office)
        assert running["by_id"][2]["holder"]["pid"] == watcher.process.pid
        assert running["by_id"][2]["holder"]["alive"]
        assert running["by_id"][2]["address"] == f"127.0.0.1:{gateway.port}"
        assert running["by_id"][1]["holder"] is None
        assert running["strangers"] == []
        assert f"process {watcher.process.pid}" in clients(office)
        assert watcher.stop() == 0
        ended = report(office)["by_id"][2]
    assert not ended["holder"]["alive"]
    last = ended["last"]
    assert (last["component"], last["pid"], last["outcome"]) == ("risk_manager", watcher.process.pid, "asked")
    assert last["address"] == f"127.0.0.1:{gateway.port}"
    assert last["from_ns"] < last["to_ns"]


def test_it_names_who_should_not_be_there(tmp_path: Path) -> None:
    """A lock of an id that is nobody's, and an order of a client id that is nobody's."""
    with running_gateway(Gateway(seed=3)) as gateway:
        office = Office(tmp_path, gateway)
        (tmp_path / "other").mkdir()
        other = Office(tmp_path / "other", gateway)
        other.file.write_text(other.file.read_text() + "[components.emergency_console]\nclient_id = 50\n")
        rogue = other.start("emergency_console")
        rogue.wait_for(lambda s: s["gate"]["open"])
        order = {"symbol": "SPY", "action": "BUY", "quantity": 1, "order_type": "LMT", "limit_price": "1.00"}
        while not rogue.ask("POST", "/v1/orders", order)["accepted"]:
            pass  # until the contract is known
        rogue.wait_for(lambda s: s["orders"][0]["state"] == "working")
        adapter = office.start("ibkr_adapter")
        adapter.wait_for(tradable)
        with Lease([f"127.0.0.1:{gateway.port}"], 77, directory=tmp_path / "ibkr-adapter"):
            told = report(office)
            words = clients(office)
        assert adapter.stop() == rogue.stop() == 0
    found = {(stranger["client_id"], stranger["what"]) for stranger in told["strangers"]}
    assert (50, "1 order of a program nobody listed") in found
    assert (77, f"process {os.getpid()}, no component of the table") in found
    assert "should not: client id 77" in words


def test_a_refused_id_is_kept_with_its_reason(tmp_path: Path) -> None:
    """326: another session has the id, and the use that failed is on record."""
    with running_gateway(Gateway(seed=3)) as gateway:
        (tmp_path / "other").mkdir()
        first, second = Office(tmp_path, gateway), Office(tmp_path / "other", gateway)
        holder = first.start("risk_manager")
        holder.wait_for(has_account)
        late = second.start("risk_manager")
        late.wait_for(lambda s: s["link"]["state"] == "down" and "in use" in s["link"]["detail"])
        assert late.stop() == holder.stop() == 0
        last = report(second)["by_id"][2]["last"]
    assert last["outcome"] == "in_use"
    assert "already in use" in last["detail"]


def test_it_shows_the_lease_between_machines(tmp_path: Path, redis_server: RedisServer) -> None:
    """Who has it, its epoch and how long it still stands; a Redis that does not answer is told, and nothing else."""
    with running_gateway(Gateway(seed=3)) as gateway:
        office = Office(tmp_path, gateway)
        office.file.write_text(
            office.file.read_text()
            + f'[redis]\nurl = "{redis_server.url}"\n[ha]\nenabled = true\nlease_ttl_s = 1\nname = "desk-a"\n'
        )
        assert report(office)["by_id"][1]["lease"] is None
        with redis_server.client() as client:
            assert client.keys() == [], "it left nothing there"
        adapter = office.start("ibkr_adapter")
        adapter.wait_for(tradable)
        lease = report(office)["by_id"][1]["lease"]
        assert (lease["name"], lease["pid"]) == ("desk-a", adapter.process.pid)
        assert "lease of 1: desk-a (host " in clients(office)
        assert adapter.stop() == 0
        assert "lease of 1: free, epoch 1" in clients(office)
        redis_server.stop()
        assert "not looked at: leases: " in clients(office)
