"""Who may use a client id at a gateway from this machine: a lock file per gateway address and client id.

The journal's own lock already keeps two services out of one state directory. What it cannot see is a second service
with *another* state directory and the same client id: IB refuses the newcomer with code 326, but only after a connect,
and on a bad night (the incumbent reconnecting) the newcomer wins. So the lease is about what IB sees: one file per
``address`` and ``client_id``, in a directory all services of one user share. Services of other users are beyond it,
and services on other machines too: for those there is the key in Redis (``keeper.py``).

The kernel drops the lock when its process ends, however it ends; the file stays and says who had it last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from ibkr_adapter.errors import AlreadyRunning, StoreError

_LOCK_BYTES_MAX = 512
_LOCK_NAME = re.compile(r"(?P<address>.+)-client-(?P<client_id>[0-9]{1,10})\.lock")


class Holder(Struct, frozen=True, kw_only=True):
    """What a lock file says of who locked it last; ``alive``: that process holds it now. ``since_ns`` is UTC."""

    pid: int
    since_ns: int | None
    component: str
    alive: bool


class Lease:
    """The right to use one client id at some gateways; all of them or none."""

    def __init__(
        self, addresses: Sequence[str], client_id: int, *, component: str = "", directory: Path | None = None
    ) -> None:
        """Raises ``AlreadyRunning``, which names the process that holds it."""
        self.client_id = client_id
        with contextlib.ExitStack() as taken:
            for address in sorted({_canonical(address) for address in addresses}):
                lock = FileLock(
                    lock_path(address, client_id, directory=directory),
                    what=f"client id {client_id} at {address}",
                    remedy="stop that process, or give this one another client_id",
                    component=component,
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

    def __init__(self, path: Path, *, what: str, remedy: str, component: str = "") -> None:
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
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").partition("\n")[0].strip()
            os.close(self._fd)
            raise AlreadyRunning(f"{what} is in use by process {holder or 'unknown'}", remedy=remedy) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n{time.time_ns()}\n{component}\n".encode(), 0)
        self._held = True

    def release(self) -> None:
        """Let go; any number of times."""
        if self._held:
            self._held = False
            os.close(self._fd)


# --- Looking without touching -------------------------------------------------------------------------------------


def lock_path(address: str, client_id: int, *, directory: Path | None = None) -> Path:
    """The file that stands for a client id at a gateway's address."""
    where = shared_directory() if directory is None else directory
    return where / f"{re.sub('[^A-Za-z0-9.-]', '_', _canonical(address))}-client-{client_id}.lock"


def locks_of(directory: Path) -> Iterator[tuple[str, int, Path]]:
    """Address (as it stands in the file's name), client id and file of every lock in a shared directory."""
    for path in sorted(directory.glob("*-client-*.lock")):
        if (named := _LOCK_NAME.fullmatch(path.name)) is not None:
            yield named["address"], int(named["client_id"]), path


def holder_of(path: Path) -> Holder | None:
    """Who holds a lock, or held it last, without taking it even for a moment: a service may start just then.

    ``None`` where there is no such file, or it does not say. The kernel's own list of locks decides whether it is
    held; where there is none to read, that the process exists.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LOCK_BYTES_MAX).decode("ascii", "replace")
            inode = os.fstat(file.fileno()).st_ino
    except OSError:
        return None
    pid, since, component, *_ = [*text.split("\n"), "", "", ""]
    if not pid.isdigit():
        return None
    alive = _exists(int(pid))
    with contextlib.suppress(OSError):
        alive = alive and inode in _locked_inodes()
    return Holder(
        pid=int(pid), since_ns=int(since) if since.isdigit() else None, component=component.strip(), alive=alive
    )


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


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _locked_inodes() -> frozenset[int]:
    """Inodes of all files locked as a whole, as Linux lists them: ``1: FLOCK ADVISORY WRITE 2112 08:01:1307 0 EOF``.

    A line with an arrow is of a process that waits for a lock.
    """
    locks = (line.split() for line in Path("/proc/locks").read_text("ascii").splitlines() if "->" not in line)
    return frozenset(int(fields[5].rpartition(":")[2]) for fields in locks if fields[1] == "FLOCK")
