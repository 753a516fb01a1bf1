"""The SQLite store: one file, one writer thread, forward-only migrations; and the sink that writes the feed to it."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import ClassVar, TypeVar

from ibkr_adapter.errors import StoreError
from ibkr_adapter.events import AccountValue, Event, FeedEvent, Gap, PositionReported, Quote, QuotesProven
from ibkr_adapter.fanout import Overflow
from ibkr_adapter.worker import Serial

T = TypeVar("T")

TRANSACTION_ROWS = 1_000
"""Most rows in one transaction: a reader waits for the disk this long at most, and a crash repeats no more."""


class SqliteStore:
    """Gives connections that live on one thread, so that sinks which share a file never wait for each other's lock."""

    def __init__(self, path: Path, *, busy_timeout_ms: int = 2_000) -> None:
        self.path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._thread = Serial("sqlite")

    async def call(self, function: Callable[[], T]) -> T:
        """Run on the store's thread; what SQLite objects to becomes ``StoreError``."""

        def mapped() -> T:
            with store_errors(self.path):
                return function()

        return await self._thread.call(mapped)

    async def connect(self) -> sqlite3.Connection:
        """A connection to the newest schema, for use on the store's thread only."""
        return await self.call(lambda: connect(self.path, busy_timeout_ms=self._busy_timeout_ms))

    def close(self, timeout_s: float = 5.0) -> None:
        self._thread.stop(timeout_s)


class SqliteSink:
    """Quotes, account values, positions and gaps, as they are published."""

    name = "sqlite"
    kinds: tuple[type[Event], ...] = (Quote, QuotesProven, AccountValue, PositionReported, Gap)
    overflow = Overflow.DROP_OLDEST
    concern = ""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        self._connection = await self._store.connect()

    async def write(self, batch: Sequence[FeedEvent]) -> None:
        """All of the batch in one transaction, or none of it."""
        connection = self._connection
        assert connection is not None
        assert len(batch) <= TRANSACTION_ROWS

        def insert() -> None:
            with transaction(connection):
                for statement, rows in _rows(batch):
                    connection.executemany(statement, rows)

        await self._store.call(insert)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._store.call(connection.close)


class _Insert:
    QUOTE: ClassVar = "INSERT INTO ib_l1_ticks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    CURRENT: ClassVar = (
        "INSERT INTO ib_l1_current VALUES (?, ?) ON CONFLICT (instrument)"
        " DO UPDATE SET ts_recv_ns = max(ts_recv_ns, excluded.ts_recv_ns)"
    )
    ACCOUNT: ClassVar = "INSERT INTO ib_account_summary VALUES (?, ?, ?, ?, ?)"
    POSITION: ClassVar = "INSERT INTO ib_positions VALUES (?, ?, ?, ?, ?, ?)"
    GAP: ClassVar = "INSERT INTO ib_data_gaps VALUES (?, ?, ?, ?, ?)"


def _rows(batch: Sequence[FeedEvent]) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """The statements of a batch, each with its rows."""
    rows: dict[str, list[tuple[object, ...]]] = {}
    current: dict[str, int] = {}
    for event in batch:
        match event:
            case Quote():
                rows.setdefault(_Insert.QUOTE, []).append(_quote_row(event))
                current[event.instrument] = event.ts_recv_ns
            case QuotesProven():
                current.update(dict.fromkeys(event.instruments, event.ts_recv_ns))
            case AccountValue():
                rows.setdefault(_Insert.ACCOUNT, []).append(
                    (event.ts_recv_ns, event.account, event.tag, event.value, event.currency)
                )
            case PositionReported():
                rows.setdefault(_Insert.POSITION, []).append(
                    (
                        event.ts_recv_ns,
                        event.account,
                        event.instrument.key,
                        event.instrument.con_id,
                        str(event.quantity),
                        event.average_cost,
                    )
                )
            case Gap():
                rows.setdefault(_Insert.GAP, []).append(
                    (event.stream, event.from_ns, event.to_ns, event.cause, event.count)
                )
    yield from rows.items()
    yield _Insert.CURRENT, list(current.items())


def _quote_row(quote: Quote) -> tuple[object, ...]:
    return (
        quote.instrument,
        quote.ts_recv_ns,
        quote.ts_event_ns,
        quote.bid,
        quote.ask,
        quote.last,
        _text(quote.bid_size),
        _text(quote.ask_size),
        _text(quote.last_size),
        quote.open,
        quote.high,
        quote.low,
        quote.close,
        _text(quote.volume),
        quote.halted,
        quote.source,
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def last_quote_times(path: Path) -> dict[str, int]:
    """The last moment at which each instrument's quote was known to be current, by instrument key.

    For the gap of the time the service itself was down. Empty when there is no store yet.
    """
    if not path.exists():
        return {}
    with store_errors(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ib_l1_current'").fetchone():
            return {}
        return dict(connection.execute("SELECT instrument, ts_recv_ns FROM ib_l1_current"))


# --- Opening, migrating, mapping errors ---------------------------------------------------------------------------


def connect(path: Path, *, busy_timeout_ms: int = 2_000) -> sqlite3.Connection:
    """Open the store, make it if absent, bring its schema up to date."""
    with store_errors(path):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(
                f"cannot write the store {path}: {error.strerror}", remedy="its directory must exist and be writable"
            ) from error
        connection = sqlite3.connect(path, timeout=busy_timeout_ms / 1_000, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            migrate(connection, migrations())
        except BaseException:
            connection.close()
            raise
        return connection


def migrations() -> list[str]:
    """The scripts of all versions, in order: the first brings an empty file to version 1."""
    folder = resources.files("ibkr_adapter.sinks") / "migrations" / "sqlite"
    scripts = sorted((entry.name, entry) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    numbers = [int(re.match(r"\d{4}", name)[0]) for name, _ in scripts]  # type: ignore[index]  # our own files
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    return [entry.read_text("utf-8") for _, entry in scripts]


def migrate(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """Apply what is missing, all of it or nothing; ``StoreError`` for a schema newer than the scripts."""
    with transaction(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(scripts):
            raise StoreError(
                f"the store has schema version {version}; this program knows up to {len(scripts)}",
                remedy="use the release that wrote it, or a later one",
            )
        for script in scripts[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        if version < len(scripts):
            connection.execute(f"PRAGMA user_version = {len(scripts)}")


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement.strip(), statement


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """SQLite's errors become ours, with what an operator can do."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the store {path} failed: {error}", remedy=_remedy(str(error))) from error


def _remedy(text: str) -> str:
    if "full" in text:
        return "free space on its disk"
    if "locked" in text:
        return "another program holds it; close that"
    if "readonly" in text or "unable to open" in text:
        return "it and its directory must be writable by this user"
    if "not a database" in text or "malformed" in text:
        return "move the file away; it is made again, orders and executions from the journal"
    return "check its disk"
