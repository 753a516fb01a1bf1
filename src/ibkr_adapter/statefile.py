"""How a running service is found: one small file, readable by its owner alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

NAME = "service.json"


class RunningService(Struct, frozen=True, kw_only=True):
    """Where a running service is found. The token allows whatever changes something."""

    url: str
    token: str
    pid: int
    environment: str
    state_file: str

    def __repr__(self) -> str:
        return f"<RunningService {self.environment} {self.url} pid {self.pid}>"

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


def read(path: Path) -> RunningService | None:
    """What a file says; None where there is none, or none of ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunningService)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
