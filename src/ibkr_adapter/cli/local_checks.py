"""What must be right on this machine, whatever the gateway does: files, stores, address, client id."""

from __future__ import annotations

import asyncio
import ctypes
import sqlite3
import tempfile
from pathlib import Path

from ibkr_adapter import checks
from ibkr_adapter.cli.finding import Finding, checked, failed, fine, warning
from ibkr_adapter.cli.redis_probe import marked
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.config import Config
from ibkr_adapter.config.references import references
from ibkr_adapter.console.server import listen
from ibkr_adapter.errors import IbkrError, StoreError
from ibkr_adapter.journal.verify import verify
from ibkr_adapter.lease import FileLock
from ibkr_adapter.ops.secrets import Secrets
from ibkr_adapter.statefile import RunningService


def examine(config: Config, running: RunningService | None) -> list[Finding]:
    """In the order in which it matters. What a service of this configuration holds is its own."""
    secrets = Secrets(config, SystemClock())
    return [
        checked("configuration", lambda: _configuration(config)),
        official_client(config),
        checked("data directory", lambda: _writable(config.data_path)),
        checked("journal", lambda: _journal(Path(config.journal.directory), running)),
        checked("store", lambda: _store(Path(config.store.path))),
        *tls_files(config),
        *_secret_places(config, secrets),
        *([checked("redis", lambda: _redis(config, secrets))] if config.redis.url else []),
        checked("page", lambda: _page(config, running)),
        system_clock(kernel_synchronised()),
    ]


def official_client(config: Config) -> Finding:
    """Release, channel, licence, and the server versions it speaks."""
    try:
        package = checks.package(config)
    except IbkrError as error:
        return failed("official client", error)
    if not package.tested:
        remedy = "pin a release that is: see packages under environments in the reference"
        return warning("official client", f"{package} is none that this adapter was tested with", remedy)
    return fine("official client", str(package))


def tls_files(config: Config) -> list[Finding]:
    """Certificates and keys as they are now; nothing where no gateway in use has any."""
    if not any(config.gateways[name].tls for name in config.usable_gateways):
        return []
    try:
        known = checks.tls(config)
    except IbkrError as error:
        return [failed("tls files", error)]
    return [warning("tls files", text) for text in known] or [fine("tls files", "certificates and keys can be used")]


def _secret_places(config: Config, secrets: Secrets) -> list[Finding]:
    """Every place that is named for a secret has one; what they are is shown to nobody."""
    places = references(config)
    if not places:
        return []

    def look() -> str:
        asyncio.run(secrets.open())
        secrets.close()
        return ", ".join(f"{key} is where it is said to be" for key in places)

    return [checked("secrets", look)]


def system_clock(synchronised: bool | None) -> Finding:
    if synchronised is None:
        return warning("system clock", "this system does not say whether its clock is synchronised")
    if not synchronised:
        return warning(
            "system clock",
            "the kernel does not count its clock as synchronised",
            "run chrony or another NTP client on this host; time stamps of orders and fills depend on it",
        )
    return fine("system clock", "synchronised, says the kernel")


_TIMEX_BYTES = 512
"""More than ``struct timex`` has; zeros mean that nothing is to be changed."""

_TIME_ERROR = 5


def kernel_synchronised() -> bool | None:
    """Whether an NTP client keeps the kernel's clock. Source: adjtimex(2)."""
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def _configuration(config: Config) -> str:
    notes = "".join(f"; warning: {warned}" for warned in config.warnings)
    return f"{config.origin}: {config.environment}, trading {'on' if config.trading.enabled else 'off'}{notes}"


def _writable(directory: Path) -> str:
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise StoreError(
            f"{existing} cannot be written: {error.strerror}", remedy="give it to this user, or set data_dir"
        ) from None
    return f"{directory} {'is writable' if existing == directory else 'will be made'}"


def _journal(directory: Path, running: RunningService | None) -> str:
    if not directory.exists():
        return _writable(directory)
    found = verify(directory)
    _writable(directory)
    if running is None and (directory / "lock").exists():
        remedy = "stop that process, or set journal.directory"
        FileLock(directory / "lock", what=f"the journal {directory}", remedy=remedy).release()
    torn = f"; the {found.torn_bytes} bytes after them are cut at the next start" if found.torn_bytes else ""
    held = f", held by the service, process {running.pid}" if running is not None else ", free"
    return f"{directory} verifies: {found.last_seq:,} records{held}{torn if running is None else ''}"


def _store(path: Path) -> str:
    if not path.exists():
        return _writable(path.parent)
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=1)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}", remedy="see who holds it, or move it away: it is rebuilt") from None
    if verdict != "ok":
        raise StoreError(f"{path} is damaged: {verdict}", remedy="move it away: orders are rebuilt from the journal")
    return f"{path} is sound and writable"


def _redis(config: Config, secrets: Secrets) -> str:
    checks.extras(config)
    mark = marked(config.redis, secrets.source("redis.password", config.redis.password))
    if mark not in ("", config.environment):
        raise StoreError(
            f"{config.redis.shown_url} belongs to environment {mark!a}, this is {config.environment!a}",
            remedy="use another Redis or another redis.prefix",
        )
    return f"{config.redis.shown_url} answers, {'and is ours' if mark else 'and will be marked as ours'}"


def _page(config: Config, running: RunningService | None) -> str:
    if running is not None:
        return f"served by the service at {running.url}"
    listen(config).close()
    return f"{config.http.listen} is free"
