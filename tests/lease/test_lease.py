from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ibkr_adapter.errors import AlreadyRunning, StoreError
from ibkr_adapter.lease import Lease, holder_of, lock_path, locks_of, shared_directory


def test_a_client_id_is_held_once_for_each_gateway(tmp_path: Path) -> None:
    """A second holder of the same id at the same gateway is refused and told who has it; others are free."""
    with Lease(["127.0.0.1:4002"], 1, directory=tmp_path):
        with pytest.raises(AlreadyRunning, match=rf"client id 1 at 127.0.0.1:4002 is in use by process {os.getpid()}"):
            Lease(["127.0.0.1:4002"], 1, directory=tmp_path)
        Lease(["127.0.0.1:4002"], 2, directory=tmp_path).release()
        Lease(["127.0.0.1:4001"], 1, directory=tmp_path).release()
    Lease(["127.0.0.1:4002"], 1, directory=tmp_path).release()


@pytest.mark.parametrize("address", ["localhost:4002", " LOCALHOST:4002 ", "[::1]:4002"])
def test_the_same_gateway_by_another_name_is_the_same(tmp_path: Path, address: str) -> None:
    """The names of this machine mean one gateway."""
    with Lease(["127.0.0.1:4002"], 1, directory=tmp_path), pytest.raises(AlreadyRunning):
        Lease([address], 1, directory=tmp_path)


def test_all_gateways_or_none(tmp_path: Path) -> None:
    """Where one gateway of several is taken, the others are let go again."""
    with Lease(["gw-b:4002"], 1, directory=tmp_path):
        with pytest.raises(AlreadyRunning, match="gw-b:4002"):
            Lease(["gw-a:4002", "gw-b:4002"], 1, directory=tmp_path)
        Lease(["gw-a:4002"], 1, directory=tmp_path).release()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    """The kernel lets go when a process ends, even by kill -9."""
    script = (
        "import sys, pathlib, ibkr_adapter.lease as l;"
        "lease = l.Lease(['gw:4002'], 1, directory=pathlib.Path(sys.argv[1])); print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(AlreadyRunning, match=f"in use by process {holder.pid}"):
        Lease(["gw:4002"], 1, directory=tmp_path)
    holder.kill()
    holder.communicate()
    Lease(["gw:4002"], 1, directory=tmp_path).release()


def test_released_twice_is_released(tmp_path: Path) -> None:
    """Letting go again lets go of nobody else's lock."""
    lease = Lease(["gw:4002"], 1, directory=tmp_path)
    lease.release()
    with Lease(["gw:4002"], 1, directory=tmp_path):
        lease.release()
        with pytest.raises(AlreadyRunning):
            Lease(["gw:4002"], 1, directory=tmp_path)


def test_services_of_one_user_meet_in_a_private_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared directory is the user's own; one that is not is refused."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert shared_directory() == tmp_path / "ibkr-adapter"
    assert (tmp_path / "ibkr-adapter").stat().st_mode & 0o777 == 0o700
    with Lease(["gw:4002"], 1), pytest.raises(AlreadyRunning):
        Lease(["gw:4002"], 1)
    (tmp_path / "other").symlink_to(tmp_path / "ibkr-adapter")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"ibkr-adapter-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="belongs to another user"):
        shared_directory()


def test_a_directory_that_is_not_there_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """An operator is told what to make."""
    with pytest.raises(StoreError, match="must exist and be writable"):
        Lease(["gw:4002"], 1, directory=tmp_path / "absent")


def test_a_lock_is_looked_at_without_being_taken(tmp_path: Path) -> None:
    """Whoever looks learns process, component and since when; and whether it is held now."""
    path = lock_path("gw:4002", 2, directory=tmp_path)
    assert holder_of(path) is None
    with Lease(["gw:4002"], 2, component="risk_manager", directory=tmp_path):
        held = holder_of(path)
        assert held is not None
        assert (held.pid, held.component, held.alive) == (os.getpid(), "risk_manager", True)
        assert held.since_ns is not None
        assert [(address, client_id) for address, client_id, _ in locks_of(tmp_path)] == [("gw_4002", 2)]
    left = holder_of(path)
    assert left is not None
    assert not left.alive, "this process lives, and has let go"


def test_a_lock_file_that_says_nothing_is_nobodys(tmp_path: Path) -> None:
    """One that somebody emptied, or an older release wrote without more than a number."""
    path = lock_path("gw:4002", 2, directory=tmp_path)
    path.write_text("")
    assert holder_of(path) is None
    path.write_text(f"{os.getpid()}\n")
    old = holder_of(path)
    assert old is not None
    assert (old.since_ns, old.component, old.alive) == (None, "", False)
