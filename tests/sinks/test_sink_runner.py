from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.fanout import Fanout
from ibkr_adapter.sinks.sink import SinkRunner
from ibkr_adapter.sinks.sqlite import SqliteSink, SqliteStore, connect
from ibkr_adapter.snapshot import SinkView
from tests.records import quote


class Watch:
    """Status changes, to be waited for."""

    def __init__(self) -> None:
        self._changes: asyncio.Queue[SinkView] = asyncio.Queue()

    def __call__(self, status: SinkView) -> None:
        self._changes.put_nowait(status)

    async def next(self) -> SinkView:
        return await asyncio.wait_for(self._changes.get(), 30)

    def empty(self) -> bool:
        return self._changes.empty()


def make_runner(path: Path, fanout: Fanout, watch: Watch, **options) -> tuple[SinkRunner, SqliteStore]:
    store = SqliteStore(path, busy_timeout_ms=0)
    runner = SinkRunner(
        SqliteSink(store),
        fanout,
        clock=SystemClock(),
        backoff_s_min=0.001,
        backoff_s_max=0.002,
        on_change=watch,
        **options,
    )
    return runner, store


async def ended(runner: SinkRunner, task: asyncio.Task[None], store: SqliteStore) -> None:
    runner.stop()
    await asyncio.wait_for(task, 30)
    store.close()


def select(path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def test_what_is_published_is_written_and_stop_drains(tmp_path: Path) -> None:
    """Everything published before stop is in the store when run ends."""
    fanout, watch = Fanout(), Watch()
    runner, store = make_runner(tmp_path / "s", fanout, watch, batch_rows=10)
    assert repr(runner) == "<Sink sqlite down: not opened yet; written 0 waiting 0 dropped 0>"
    task = asyncio.create_task(runner.run())
    assert (await watch.next()).up
    fanout.publish([quote("SPY", n) for n in range(1, 101)])
    await ended(runner, task, store)
    assert select(tmp_path / "s", "SELECT count(*), min(ts_recv_ns), max(ts_recv_ns) FROM ib_l1_ticks") == [
        (100, 1, 100)
    ]
    assert (runner.status.written, runner.status.dropped, runner.status.depth) == (100, 0, 0)
    assert fanout.subscriptions == ()


async def test_a_store_that_is_away_holds_up_nothing_and_its_losses_become_gaps(tmp_path: Path) -> None:
    """While the store is down publishing goes on; what the bounded queue had to drop is written as a gap afterwards."""
    path = tmp_path / "s"
    fanout, watch = Fanout(), Watch()
    runner, store = make_runner(path, fanout, watch, bound=10)
    task = asyncio.create_task(runner.run())
    assert (await watch.next()).up
    with closing(connect(path)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        fanout.publish([quote("SPY", 1)])
        down = await watch.next()
        assert not down.up
        assert "another program holds it" in down.detail
        fanout.publish([quote("SPY", n) for n in range(2, 31)])
        assert runner.status.dropped == 19
        assert runner.status.depth == 11
        assert watch.empty()
        holder.execute("ROLLBACK")
    assert (await watch.next()).up
    await ended(runner, task, store)
    assert select(path, "SELECT ts_recv_ns FROM ib_l1_ticks") == [(1,), *((n,) for n in range(21, 31))]
    assert select(path, "SELECT * FROM ib_data_gaps") == [("quote:SPY", 2, 20, "sink_overflow", 19)]


async def test_a_store_that_is_away_at_start_is_waited_for(tmp_path: Path) -> None:
    """The first try may fail; it is told once, tried again, and nothing published meanwhile is lost."""
    path = tmp_path / "absent" / "s"
    fanout, watch = Fanout(), Watch()
    runner, store = make_runner(path, fanout, watch)
    fanout.publish([quote("SPY", 1)])
    task = asyncio.create_task(runner.run())
    assert "must exist and be writable" in (await watch.next()).detail
    path.parent.mkdir()
    assert (await watch.next()).up
    await ended(runner, task, store)
    assert select(path, "SELECT ts_recv_ns FROM ib_l1_ticks") == [(1,)]


async def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    """The database reaches its size limit: the sink is down with a remedy, and up again when there is room."""
    path = tmp_path / "s"
    fanout, watch = Fanout(), Watch()
    store = SqliteStore(path)
    sink = FullSink(store)
    runner = SinkRunner(
        sink, fanout, clock=SystemClock(), backoff_s_min=0.001, backoff_s_max=0.002, on_change=watch, batch_rows=100
    )
    task = asyncio.create_task(runner.run())
    assert (await watch.next()).up
    fanout.publish([quote("SPY", n) for n in range(5_000)])
    assert "free space on its disk" in (await watch.next()).detail
    sink.pages_max = 1_000_000
    assert (await watch.next()).up
    await ended(runner, task, store)
    assert select(path, "SELECT count(DISTINCT ts_recv_ns), count(*) FROM ib_l1_ticks") == [(5_000, 5_000)]


class FullSink(SqliteSink):
    """Its file may only grow to so many pages."""

    pages_max = 60

    async def open(self) -> None:
        await super().open()
        connection = self._connection
        assert connection is not None
        await self._store.call(lambda: connection.execute(f"PRAGMA max_page_count = {self.pages_max}").fetchone())


async def test_cancelling_ends_it_at_once(tmp_path: Path) -> None:
    """Cancel is the way to stop without draining: the store is closed, the fan-out has forgotten it."""
    fanout, watch = Fanout(), Watch()
    runner, store = make_runner(tmp_path / "s", fanout, watch)
    task = asyncio.create_task(runner.run())
    assert (await watch.next()).up
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert fanout.subscriptions == ()
    store.close()
