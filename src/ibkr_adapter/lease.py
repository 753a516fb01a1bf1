"""Who may use a client id at a gateway from this machine: a lock file per gateway address and client id.

The journal's own lock already keeps two services out of one state directory. What it cannot see is a second service
with *another* state directory and the same client id: IB refuses the newcomer with code 326, but only after a connect,
and on a bad night (the incumbent reconnecting) the newcomer wins. So the lease is about what IB sees: one file per
``address`` and ``client_id``, in a directory all services of one user share. Services on other machines or of other
users are beyond it; there IB's one session per client id remains the fence.

The kernel drops the lock when its process ends, however it ends; the file stays and says who had it last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ibkr_adapter.errors import AlreadyRunning, StoreError


class Lease:
    """The right to use one client id at some gateways; all of them or none."""

    def __init__(self, addresses: Sequence[str], client_id: int, *, directory: Path | None = None) -> None:
        """Raises ``AlreadyRunning``, which names the process that holds it."""
        self.client_id = client_id
        where = shared_directory() if directory is None else directory
        with contextlib.ExitStack() as taken:
            for address in sorted({_canonical(address) for address in addresses}):
                file = where / f"{re.sub('[^A-Za-z0-9.-]', '_', address)}-client-{client_id}.lock"
                lock = FileLock(
                    file,
                    what=f"client id {client_id} at {address}",
                    remedy="stop that process, or give this one another client_id",
                )
                taken.callback(lock.release)
            self._taken = taken.pop_all()

    def release(self) -> None:
        self._taken.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class FileLock:
    """An exclusive lock on a file that names its holder. The file is never removed: that would let two hold it."""

    def __init__(self, path: Path, *, what: str, remedy: str) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreError(
                f"cannot open the lock file {path}: {error.strerror}",
                remedy="the directory must exist and be writable by this user",
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise AlreadyRunning(f"{what} is in use by process {holder or 'unknown'}", remedy=remedy) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        self._held = True

    def release(self) -> None:
        """Let go; any number of times."""
        if self._held:
            self._held = False
            os.close(self._fd)


def shared_directory() -> Path:
    """Where the services of this user on this machine meet; made if absent, refused if another user's."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(runtime) / "ibkr-adapter" if runtime else Path(tempfile.gettempdir()) / f"ibkr-adapter-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        owner = path.lstat().st_uid
    except OSError as error:
        raise StoreError(
            f"cannot make {path} for lock files: {error.strerror}", remedy="set XDG_RUNTIME_DIR to a directory of yours"
        ) from error
    if owner != os.getuid() or path.is_symlink():
        raise StoreError(f"{path} belongs to another user", remedy="set XDG_RUNTIME_DIR to a directory of yours")
    return path


def _canonical(address: str) -> str:
    """``localhost`` and 127.0.0.1 are the same gateway; other names are taken as written, nothing is resolved."""
    host, colon, port = address.strip().lower().rpartition(":")
    if host in ("localhost", "::1", "[::1]"):
        host = "127.0.0.1"
    return f"{host}{colon}{port}"
