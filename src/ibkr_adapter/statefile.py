"""How a running service is found: one small file, readable by its owner alone.

It stands in the service's data directory. Where that is none of the usual ones, a link to it stands in ``running/`` of
the state home, named by process id, so that ``ibkr-adapter status`` finds every service of this user.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from ibkr_adapter.config import Component

NAME = "service.json"
REGISTER = "running"


class RunningService(Struct, frozen=True, kw_only=True):
    """Where a running service is found. The token allows whatever changes something.

    It is empty where the configuration names its place: then ``token_from`` says where, and the file holds no secret.

    ``life`` is the boot id of this life, which a lease of it bears too. ``addresses`` are those of the gateways it may
    use, ``components`` the table of client ids it knows, ``store`` its own database. A service of an older version does
    not say them.
    """

    url: str
    token: str
    pid: int
    environment: str
    state_file: str
    token_from: str = ""
    component: str = ""
    life: str = ""
    addresses: tuple[str, ...] = ()
    components: dict[str, Component] = {}
    store: str = ""

    def __repr__(self) -> str:
        return f"<RunningService {self.environment} {self.component} {self.url} pid {self.pid}>"

    @property
    def alive(self) -> bool:
        """Its process exists. A service that was killed leaves its file behind."""
        try:
            os.kill(self.pid, 0)
        except PermissionError:
            return True
        except (OSError, OverflowError):
            return False
        return True


def path_in(data_dir: Path) -> Path:
    """Where the service of this directory says how to reach it."""
    return data_dir / NAME


@contextlib.contextmanager
def written(service: RunningService) -> Iterator[None]:
    """Mode 0600 from the first byte on, replaced as a whole, removed at the end."""
    path = Path(service.state_file)
    fresh = path.with_name(f".{path.name}.{service.pid}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(service), indent=2))
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def registered(service: RunningService, home: Path) -> Iterator[None]:
    """A link under ``home`` while the block runs. Where none can be made the service works all the same."""
    link = home / REGISTER / f"{service.pid}.json"
    if Path(service.state_file).absolute().parent.parent == home:
        yield  # found there without
        return
    with contextlib.suppress(OSError):
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(link.parent)
        link.unlink(missing_ok=True)
        link.symlink_to(Path(service.state_file).absolute())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            link.unlink(missing_ok=True)


def found(home: Path) -> list[RunningService]:
    """Every service that runs with its data under ``home``, or is registered there."""
    files = [*sorted(home.glob(f"*/{NAME}")), *sorted(home.glob(f"{REGISTER}/*.json"))]
    running = (service for service in map(read, files) if service is not None and service.alive)
    return list({service.state_file: service for service in running}.values())


def read(path: Path) -> RunningService | None:
    """What a file says; None where there is none, or none of ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunningService)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


def _sweep(register: Path) -> None:
    """What a killed service left behind: a link to nothing, or to the file of a process that is gone."""
    for link in register.glob("*.json"):
        service = read(link)
        if service is None or not service.alive:
            link.unlink(missing_ok=True)
