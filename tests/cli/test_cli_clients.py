"""``clients`` and ``--component`` beside services that run: state files and locks as they write them, no gateway."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ibkr_adapter.cli import main
from ibkr_adapter.cli.clients import Row, _strange_leases
from ibkr_adapter.cli.reach import find
from ibkr_adapter.cli.tables import IdTable
from ibkr_adapter.config import Component
from ibkr_adapter.config.defaults import DEFAULT_COMPONENTS
from ibkr_adapter.errors import NotRunning
from ibkr_adapter.lease import Holder, Lease
from ibkr_adapter.lease.claim import Record
from ibkr_adapter.statefile import RunningService, written

ADDRESS = "10.1.2.3:4002"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "ibkr-adapter"


@contextlib.contextmanager
def running(home: Path, component: str = "ibkr_adapter", **changes: Any) -> Iterator[RunningService]:
    """A service that says so of itself; its process is ours, and its page answers nothing."""
    directory = home / f"{component}-{changes.get('environment', 'development')}"
    directory.mkdir(parents=True)
    service = RunningService(
        **{
            "url": "http://127.0.0.1:1",
            "token": "secret",
            "pid": os.getpid(),
            "environment": "development",
            "state_file": str(directory / "service.json"),
            "component": component,
            "life": f"life of {component}",
            "addresses": (ADDRESS,),
            "components": dict(DEFAULT_COMPONENTS),
            **changes,
        }
    )
    with written(service):
        yield service


def clients(*options: str) -> str:
    result = CliRunner().invoke(main, ["clients", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_without_a_file_the_running_service_says_where_to_look(home: Path) -> None:
    """Its gateways and its table, not those of an untouched installation: its own lock is seen."""
    with running(home), Lease([ADDRESS], 1, component="ibkr_adapter"):
        told = clients()
    assert f"process {os.getpid()} for" in told
    assert f"at {ADDRESS}" in told
    assert f"looked at: development, {ADDRESS} (as process {os.getpid()} says)" in told
    assert "should not" not in told


def test_components_of_one_desk_are_one_table(home: Path) -> None:
    """Each id stands once, and the gateways of both are looked at."""
    with running(home), running(home, "risk_manager", addresses=("10.1.2.3:4001",)):
        told = json.loads(clients("--json"))
    assert [row["client_id"] for row in told["clients"]] == [c.client_id for c in DEFAULT_COMPONENTS.values()]
    (place,) = told["looked_at"]
    assert sorted(place["addresses"]) == ["10.1.2.3:4001", ADDRESS]


def test_several_desks_are_all_looked_at(home: Path) -> None:
    """Each row says of which it is."""
    other = {"gatekeeper": Component(client_id=7, purpose="other")}
    with running(home), running(home, environment="staging", components=other, addresses=("10.9.9.9:4002",)):
        told = clients()
    assert "environment" in told.splitlines()[0]
    assert f"looked at: development, {ADDRESS}" in told
    assert "looked at: staging, 10.9.9.9:4002" in told
    assert "gatekeeper" in told


def test_where_nobody_runs_the_address_that_was_looked_at_is_told(home: Path) -> None:
    """Nobody seen at the default port is not nobody there."""
    told = clients()
    assert "looked at: development, 127.0.0.1:7497 (the defaults, for no service of this user runs; --config" in told


def test_a_service_of_an_older_version_says_neither(home: Path) -> None:
    """Its state file has no addresses: the defaults are looked at, and it is said."""
    with running(home, addresses=(), components={}, component="ibkr_adapter"):
        assert "the services that run do not say theirs" in clients()


class TestLeases:
    """Of two machines, or containers, with one host name."""

    @staticmethod
    def strangers(home: Path, token: str, pid: int) -> list[str]:
        record = Record(
            token=token, epoch=4, beat=1, name="desk", host=os.uname().nodename, pid=pid, since_ns=0, ttl_ns=10**10
        )
        row = Row(
            environment="development",
            client_id=1,
            component="ibkr_adapter",
            purpose="",
            capabilities=(),
            holder=Holder(pid=77, since_ns=None, component="ibkr_adapter", alive=True),
            lease=record,
        )
        with running(home) as service:
            table = IdTable(
                environment="development", components={}, addresses=(ADDRESS,), said_by="", services=(service,)
            )
            return [stranger.what for stranger in _strange_leases(table, (row,))]

    def test_a_standby_accuses_nobody_of_another_machine_with_its_host_name(self, home: Path) -> None:
        """The lease is of a life that is not of this machine, whatever its host is called and its process numbered."""
        assert self.strangers(home, "life of another", 12) == []
        assert self.strangers(home / "again", "life of another", os.getpid()) == []

    def test_a_process_of_this_machine_with_the_lease_and_not_the_lock_is_named(self, home: Path) -> None:
        """Its state file has the life that the lease bears."""
        (what,) = self.strangers(home, "life of ibkr_adapter", os.getpid())
        assert what == f"process {os.getpid()} has the lease, process 77 the lock of this machine"


class TestComponent:
    def test_it_chooses_among_those_that_run(self, home: Path) -> None:
        """Two of one file are ambiguous without it; the words name both and the way out."""
        with running(home) as adapter, running(home, "risk_manager") as watcher:
            assert find(None, "ibkr_adapter") == adapter
            assert find(None, "risk_manager") == watcher
            with pytest.raises(NotRunning, match=r"2 services run: .* ibkr_adapter .* risk_manager") as caught:
                find(None)
            assert "--component NAME" in caught.value.remedy
            with pytest.raises(NotRunning, match="no execution_replay is running, but development ibkr_adapter"):
                find(None, "execution_replay")

    def test_it_must_fit_to_the_state_that_is_named(self, home: Path) -> None:
        """A contradiction is not decided by us."""
        with running(home) as adapter:
            assert find(Path(adapter.state_file), "ibkr_adapter") == adapter
            with pytest.raises(NotRunning, match="runs as ibkr_adapter"):
                find(Path(adapter.state_file), "risk_manager")

    @pytest.mark.parametrize("command", ["status", "orders list", "streams list", "codes show", "codes reload"])
    def test_commands_take_it(self, home: Path, command: str) -> None:
        """Each of them asks the one that is named."""
        with running(home), running(home, "risk_manager", url="http://127.0.0.1:2"):
            result = CliRunner().invoke(main, [*command.split(), "--component", "risk_manager"])
            alone = CliRunner().invoke(main, command.split())
        assert "http://127.0.0.1:2 does not answer" in result.output
        assert "2 services run" in alone.output
