"""Who used which client id, from when to when, and how it ended: rows made of the journal's sessions.

Reading them back is here too, for the command line: a store that is not there, or older, has none to show.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from ibkr_adapter.events import ClientIdRefused, SessionLost, SessionOpened, Started, Stopped
from ibkr_adapter.sinks.sqlite import store_errors

Sql = Callable[..., Any]


class Use(Struct, frozen=True, kw_only=True):
    """One session with a client id. ``to_ns`` is ``None`` while it is open, or where nobody knows."""

    client_id: int
    component: str
    gateway: str
    address: str
    host: str
    pid: int
    from_ns: int
    to_ns: int | None
    outcome: str
    detail: str


Told = Started | Stopped | SessionOpened | SessionLost | ClientIdRefused


def project(sql: Sql, event: Told, *, boot: str, seq: int) -> None:
    """What one record says of the uses of client ids."""
    match event:
        case Started():
            sql("UPDATE ib_client_ids SET outcome = 'process_ended' WHERE outcome = 'open'")
            sql(
                "INSERT OR REPLACE INTO ib_processes VALUES (?, ?, ?, ?, ?, ?, NULL, ?)",
                (boot, event.component, event.client_id, event.host, event.pid, event.ts_recv_ns, seq),
            )
        case Stopped():
            sql("UPDATE ib_processes SET stopped_ns = ? WHERE boot = ?", (event.ts_recv_ns, boot))
        case SessionOpened():
            sql(
                "INSERT OR REPLACE INTO ib_client_ids SELECT ?, ?, ?, coalesce(max(component), ''), ?, ?,"
                " coalesce(max(host), ''), coalesce(max(pid), 0), ?, NULL, 'open', '', ?"
                " FROM ib_processes WHERE boot = ?",
                (boot, event.epoch, event.client_id, event.gateway, event.address, event.ts_recv_ns, seq, boot),
            )
        case ClientIdRefused():
            sql(
                "UPDATE ib_client_ids SET outcome = 'in_use', detail = ?, to_ns = ? WHERE boot = ? AND epoch = ?",
                (event.detail, event.ts_recv_ns, boot, event.epoch),
            )
        case SessionLost():
            sql(
                "UPDATE ib_client_ids SET outcome = ?, detail = ?, to_ns = ?"
                " WHERE boot = ? AND epoch = ? AND outcome = 'open'",
                (event.cause.value, event.detail, event.ts_recv_ns, boot, event.epoch),
            )


def last_uses(path: Path) -> dict[int, Use]:
    """The last use of each client id that a store knows; none where there is no store yet."""
    if not path.exists():
        return {}
    with store_errors(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ib_client_ids'").fetchone():
            return {}
        columns = ", ".join(Use.__struct_fields__)
        rows = connection.execute(f"SELECT {columns} FROM ib_client_ids ORDER BY from_ns")  # noqa: S608 - our own names
        return {row[0]: Use(**dict(zip(Use.__struct_fields__, row, strict=True))) for row in rows}
