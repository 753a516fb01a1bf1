from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from ibkr_adapter.errors import ExitCode, StoreError
from ibkr_adapter.events import AccountValue, Gap, GapCause, PositionReported, QuotesProven, Source
from ibkr_adapter.sinks.sqlite import SqliteSink, SqliteStore, connect, last_quote_times, migrate, migrations
from tests.records import SPY, quote


def rows(path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def written(path: Path, *batches: list) -> None:
    store = SqliteStore(path)
    sink = SqliteSink(store)
    await sink.open()
    for batch in batches:
        await sink.write(batch)
    await sink.close()
    store.close()


async def test_the_feed_is_stored_as_published(tmp_path: Path) -> None:
    """Quotes with their source, account values, positions and gaps each have their table; nothing is made up."""
    path = tmp_path / "store.sqlite"
    await written(
        path,
        [
            quote("SPY", 5, ask=500.25, bid_size=Decimal("300"), volume=Decimal("0.0001"), halted=False, ts_event_ns=4),
            quote("QQQ", 6, bid=None, source=Source.DELAYED),
            AccountValue(ts_recv_ns=7, epoch=1, req_id=1, account="DU1", tag="Cash", value="10.50", currency="USD"),
            PositionReported(
                ts_recv_ns=8, epoch=1, account="DU1", instrument=SPY, quantity=Decimal("-0.5"), average_cost=499.5
            ),
            Gap(ts_recv_ns=9, stream="quote:SPY", from_ns=1, to_ns=2, cause=GapCause.SESSION_LOST),
        ],
    )
    assert rows(
        path, "SELECT instrument, ts_recv_ns, bid, ask, last, bid_size, volume, halted, source FROM ib_l1_ticks"
    ) == [
        ("SPY", 5, 500.0, 500.25, None, 300, 0.0001, 0, "live"),
        ("QQQ", 6, None, None, None, None, None, None, "delayed"),
    ]
    assert rows(path, "SELECT * FROM ib_account_summary") == [(7, "DU1", "Cash", "10.50", "USD")]
    assert rows(path, "SELECT * FROM ib_positions") == [(8, "DU1", "SPY", 756733, "-0.5", 499.5)]
    assert rows(path, "SELECT * FROM ib_data_gaps") == [("quote:SPY", 1, 2, "session_lost", None)]


async def test_the_store_knows_when_each_quote_was_last_current(tmp_path: Path) -> None:
    """A change of the quote or a proof of its line, whichever came last; a late row does not turn it back."""
    path = tmp_path / "store.sqlite"
    assert last_quote_times(path) == {}
    path.touch()
    assert last_quote_times(path) == {}
    await written(
        path,
        [quote("SPY", 5), quote("QQQ", 6)],
        [QuotesProven(ts_recv_ns=9, instruments=("SPY",))],
        [quote("SPY", 7)],
    )
    assert last_quote_times(path) == {"SPY": 9, "QQQ": 6}


async def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A row the store refuses takes its batch with it, so that the batch can come again without doubles."""
    path = tmp_path / "store.sqlite"
    store = SqliteStore(path)
    sink = SqliteSink(store)
    await sink.open()
    await store.call(
        lambda: rows(path, "CREATE TRIGGER no BEFORE INSERT ON ib_data_gaps BEGIN SELECT RAISE(FAIL, 'no'); END")
    )
    gap = Gap(ts_recv_ns=9, stream="quote:SPY", from_ns=1, to_ns=2, cause=GapCause.SESSION_LOST)
    with pytest.raises(StoreError, match="no"):
        await sink.write([quote("SPY", 5), gap])
    assert rows(path, "SELECT count(*) FROM ib_l1_ticks") == [(0,)]
    await sink.write([quote("SPY", 5)])
    assert rows(path, "SELECT count(*) FROM ib_l1_ticks") == [(1,)]
    await sink.close()
    await sink.close()
    store.close()


def test_a_new_store_is_private_and_survives_a_crash_of_the_process(tmp_path: Path) -> None:
    """Only its owner reads it; it is in write-ahead mode, which a killed writer cannot corrupt."""
    path = tmp_path / "store.sqlite"
    with closing(connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_older_store_is_brought_up_to_date_with_its_rows(tmp_path: Path) -> None:
    """What a store of version 1 holds is all there after the migrations that it lacks."""
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, migrations()[:1])
        connection.execute("INSERT INTO ib_data_gaps VALUES ('quote:SPY', 1, 2, 'overload', 3)")
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT count FROM ib_data_gaps").fetchall() == [(3,)]
        assert connection.execute("SELECT seq FROM ib_journal_cursor").fetchall() == [(0,)]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Version and tables stay as they were: the older release can still use the store."""
    path = tmp_path / "store.sqlite"
    with closing(connect(path)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, [*migrations(), "CREATE TABLE half (a);\nCREATE TABLE ib_orders (a);\n"])
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)


def test_a_store_of_a_later_release_is_refused(tmp_path: Path) -> None:
    """A schema this program does not know is not written to."""
    path = tmp_path / "store.sqlite"
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="has schema version 99") as refused:
        connect(path)
    assert "later" in refused.value.remedy
    assert refused.value.exit_code == ExitCode.STORE


def test_a_store_that_cannot_be_written_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """No directory, a directory in its place, something that is no database: each says what to do."""
    with pytest.raises(StoreError, match=r"cannot write the store .*absent.*must exist and be writable"):
        connect(tmp_path / "absent" / "store.sqlite")
    with pytest.raises(StoreError, match="cannot write the store"):
        connect(tmp_path)
    (tmp_path / "text").write_text("this is no database, although it is long enough to be looked at " * 20)
    with pytest.raises(StoreError, match="move the file away"):
        connect(tmp_path / "text")


def test_a_store_that_another_program_holds_is_refused_in_time(tmp_path: Path) -> None:
    """A lock that is not let go is an error after the busy timeout, not a wait without end."""
    path = tmp_path / "store.sqlite"
    with closing(connect(path)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds it"):
            connect(path, busy_timeout_ms=1)
