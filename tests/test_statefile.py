from __future__ import annotations

import os
from pathlib import Path

import pytest

from ibkr_adapter.statefile import REGISTER, RunningService, found, registered, written


def service(directory: Path, *, pid: int | None = None) -> RunningService:
    directory.mkdir(parents=True, exist_ok=True)
    return RunningService(
        url="http://127.0.0.1:1",
        token="secret",
        pid=os.getpid() if pid is None else pid,
        environment="development",
        state_file=str(directory / "service.json"),
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def dead_pid() -> int:
    child = os.posix_spawn("/bin/true", ["/bin/true"], {})
    os.waitpid(child, 0)
    return child


def test_a_service_with_its_data_elsewhere_is_found(tmp_path: Path, home: Path) -> None:
    """A link under the state home leads to its state file while it runs, and is gone afterwards."""
    desk = service(tmp_path / "elsewhere")
    with written(desk), registered(desk, home):
        assert found(home) == [desk]
        assert "secret" not in os.readlink(home / REGISTER / f"{desk.pid}.json")
    assert list((home / REGISTER).iterdir()) == []


def test_a_service_in_the_usual_place_is_found_once(home: Path) -> None:
    """Its data directory is enough; nothing more is written, nothing stays."""
    desk = service(home / "development")
    with written(desk), registered(desk, home):
        assert found(home) == [desk]
        assert not (home / REGISTER).exists()


def test_what_a_killed_service_left_is_swept_by_the_next(tmp_path: Path, home: Path, dead_pid: int) -> None:
    """Neither a link to nothing nor one to the file of a dead process stays, and neither counts as running."""
    killed = service(tmp_path / "killed", pid=dead_pid)
    with written(killed), registered(killed, home):
        (home / REGISTER / "1.json").symlink_to(tmp_path / "nowhere")
        assert found(home) == []
        desk = service(tmp_path / "elsewhere")
        with written(desk), registered(desk, home):
            assert [link.name for link in (home / REGISTER).iterdir()] == [f"{desk.pid}.json"]


def test_a_state_home_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    """To be found is a convenience; the service runs without it."""
    (tmp_path / "file").write_text("")
    desk = service(tmp_path / "elsewhere")
    with written(desk), registered(desk, tmp_path / "file" / "state"):
        assert found(tmp_path / "file" / "state") == []
