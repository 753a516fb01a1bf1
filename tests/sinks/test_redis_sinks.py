from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ibkr_adapter.clock import SECOND, SystemClock
from ibkr_adapter.errors import StoreError
from ibkr_adapter.events import Gap, GapCause, GateChanged, QuotesProven, Recorded
from ibkr_adapter.fanout import Fanout
from ibkr_adapter.redis_store import RedisStore
from ibkr_adapter.sinks.redis import RedisOrders, RedisSink
from ibkr_adapter.sinks.sink import SinkRunner
from ibkr_adapter.snapshot import SinkView
from tests.journals import write_journal
from tests.records import echoed, execution, intended, quote, status
from tests.redis_server import RedisServer
from tests.stories import OPENED, told

TIMEOUT_S = 5.0
"""Generous where Redis is meant to answer: a busy machine is no failure."""


class FixedClock:
    def __init__(self, now_ns: int = 100 * SECOND) -> None:
        self.at_ns = now_ns

    def now_ns(self) -> int:
        return self.at_ns


def store(server: RedisServer, **options) -> RedisStore:
    return RedisStore(server.url, **{"environment": "paper", "timeout_s": TIMEOUT_S, **options})


@pytest.fixture
async def sink(redis_server: RedisServer) -> AsyncIterator[RedisSink]:
    sink = RedisSink(store(redis_server), clock=FixedClock())
    await sink.open()
    yield sink
    await sink.close()


def entries(server: RedisServer, stream: str) -> list[dict]:
    with server.client() as client:
        return [json.loads(fields["event"]) for _, fields in client.xrange(stream)]


def latest(server: RedisServer, instrument: str) -> tuple[dict | None, int]:
    """The value and the milliseconds it has left."""
    with server.client() as client:
        value = client.get(f"ib:l1:{instrument}")
        return (None if value is None else json.loads(value)), client.pttl(f"ib:l1:{instrument}")


async def test_a_quote_is_the_latest_value_and_a_stream_entry(redis_server: RedisServer, sink: RedisSink) -> None:
    """The value carries as_of and goes after 5 s; the stream has every quote."""
    await sink.write([quote("SPY", 98 * SECOND, bid=1.0), quote("SPY", 99 * SECOND, bid=2.5)])
    value, left_ms = latest(redis_server, "SPY")
    assert value == {
        "type": "quote",
        "instrument": "SPY",
        "bid": 2.5,
        "source": "live",
        "ts_recv_ns": 99 * SECOND,
        "as_of": 99 * SECOND,
    }
    assert 0 < left_ms <= 4_000
    assert [entry["bid"] for entry in entries(redis_server, "ib:md:quote:SPY")] == [1.0, 2.5]


async def test_an_unchanged_quote_lives_while_it_is_proven(redis_server: RedisServer, sink: RedisSink) -> None:
    """A proof renews value and as_of without a stream entry; what was never quoted stays absent."""
    await sink.write([quote("SPY", 90 * SECOND), QuotesProven(ts_recv_ns=100 * SECOND, instruments=("SPY", "QQQ"))])
    value, left_ms = latest(redis_server, "SPY")
    assert value is not None
    assert (value["ts_recv_ns"], value["as_of"]) == (90 * SECOND, 100 * SECOND)
    assert 4_000 < left_ms <= 5_000
    assert latest(redis_server, "QQQ")[0] is None
    assert len(entries(redis_server, "ib:md:quote:SPY")) == 1


async def test_a_quote_written_too_late_is_no_latest_value(redis_server: RedisServer, sink: RedisSink) -> None:
    """After an outage old quotes go to the stream, not where readers take them for the present."""
    await sink.write([quote("SPY", 95 * SECOND)])
    assert latest(redis_server, "SPY")[0] is None
    assert len(entries(redis_server, "ib:md:quote:SPY")) == 1


async def test_a_gap_stands_in_a_stream_of_its_own(redis_server: RedisServer, sink: RedisSink) -> None:
    """Readers of an instrument find what they miss under its name."""
    await sink.write([Gap(ts_recv_ns=3, stream="quote:SPY", from_ns=1, to_ns=2, cause=GapCause.SINK_OVERFLOW, count=7)])
    assert entries(redis_server, "ib:md:gap:SPY")[0]["count"] == 7


async def test_streams_are_trimmed(redis_server: RedisServer) -> None:
    """A stream keeps about as many entries as it is told to."""
    sink = RedisSink(store(redis_server), clock=FixedClock(), stream_entries=100)
    await sink.open()
    await sink.write([quote("SPY", n) for n in range(1_000)])
    await sink.close()
    assert 100 <= len(entries(redis_server, "ib:md:quote:SPY")) < 300


async def test_a_redis_of_another_environment_is_refused(redis_server: RedisServer) -> None:
    """The first to come marks it; another environment is turned away before it writes, unless it has its own prefix."""
    first = RedisSink(store(redis_server), clock=FixedClock())
    await first.open()
    await first.close()
    other = RedisSink(store(redis_server, environment="production"), clock=FixedClock())
    with pytest.raises(StoreError, match="belongs to environment 'paper', this is 'production'") as refused:
        await other.open()
    assert "another prefix" in refused.value.remedy
    apart = RedisSink(store(redis_server, environment="production", prefix="prod:"), clock=FixedClock())
    await apart.open()
    await apart.write([quote("SPY", 100 * SECOND)])
    await apart.close()
    with redis_server.client() as client:
        assert sorted(client.keys()) == [
            "ib:environment",
            "prod:ib:environment",
            "prod:ib:l1:SPY",
            "prod:ib:md:quote:SPY",
        ]


async def test_a_redis_that_was_replaced_is_asked_again_whose_it_is(redis_server: RedisServer, sink: RedisSink) -> None:
    """Every new connection checks the mark, also one that the library makes on its own."""
    with redis_server.client() as client:
        client.set("ib:environment", "production")
        client.client_kill_filter(skipme=True)
    with pytest.raises(StoreError):
        await sink.write([quote("SPY", 100 * SECOND)])
    with pytest.raises(StoreError, match="belongs to environment 'production'"):
        await sink.write([quote("SPY", 100 * SECOND)])
    assert latest(redis_server, "SPY")[0] is None


async def test_a_password_is_not_shown(redis_server: RedisServer) -> None:
    """Neither errors nor repr carry the credentials of the address."""
    secret = RedisStore("redis://desk:hunter2@127.0.0.1:1/0", environment="paper")
    assert repr(secret) == "<RedisStore 127.0.0.1:1/0 paper prefix ''>"
    with pytest.raises(StoreError, match=r"Redis at 127\.0\.0\.1:1/0 failed") as failed:
        await secret.connect()
    assert "hunter2" not in str(failed.value)


# --- Under the runner ----------------------------------------------------------------------------------------------


class Running:
    """A sink under its runner, and its status changes in order."""

    def __init__(self, sink, fanout: Fanout, **options) -> None:
        self._changes: asyncio.Queue[SinkView] = asyncio.Queue()
        self.runner = SinkRunner(
            sink,
            fanout,
            clock=SystemClock(),
            backoff_s_min=0.01,
            backoff_s_max=0.05,
            on_change=self._changes.put_nowait,
            **options,
        )

    async def changed(self) -> SinkView:
        return await asyncio.wait_for(self._changes.get(), 30)

    async def __aenter__(self) -> Running:
        self._task = asyncio.create_task(self.runner.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def drained(self) -> None:
        self.runner.stop()
        await asyncio.wait_for(asyncio.shield(self._task), 30)


async def test_a_redis_that_is_stopped_and_started_gets_what_was_kept(redis_server: RedisServer) -> None:
    """The sink is down with a reason, up again by itself; what waited is written and what was dropped is a gap."""
    fanout = Fanout()
    async with Running(RedisSink(store(redis_server), clock=SystemClock()), fanout, bound=5) as running:
        assert (await running.changed()).up
        redis_server.stop()
        fanout.publish([quote("SPY", 1)])
        down = await running.changed()
        assert not down.up
        assert down.detail.startswith(f"Redis at {redis_server.socket} failed")
        fanout.publish([quote("SPY", n) for n in range(2, 12)])
        redis_server.start()
        assert (await running.changed()).up
        await running.drained()
    assert [entry["ts_recv_ns"] for entry in entries(redis_server, "ib:md:quote:SPY")] == [1, *range(7, 12)]
    gap = {"type": "gap", "stream": "quote:SPY", "from_ns": 2, "to_ns": 6, "cause": "sink_overflow", "count": 5}
    assert entries(redis_server, "ib:md:gap:SPY") == [{**gap, "ts_recv_ns": 6}]


async def test_a_redis_that_hangs_is_down_and_holds_up_nothing(redis_server: RedisServer) -> None:
    """It accepts and does not answer: the timeout strikes, the loop runs on, and all is well once it answers."""
    fanout = Fanout()
    sink = RedisSink(store(redis_server, timeout_s=0.25), clock=SystemClock())
    async with Running(sink, fanout) as running:
        assert (await running.changed()).up
        redis_server.freeze()
        fanout.publish([quote("SPY", 1)])
        turns = 0
        waiting = asyncio.ensure_future(running.changed())
        while not waiting.done():
            await asyncio.wait([waiting], timeout=0.01)
            turns += 1
        assert "did not answer" in waiting.result().detail or "failed: Timeout" in waiting.result().detail
        assert turns > 5
        redis_server.thaw()
        assert (await running.changed()).up
        await running.drained()
    assert entries(redis_server, "ib:md:quote:SPY")[-1]["ts_recv_ns"] == 1


# --- Orders ---------------------------------------------------------------------------------------------------------

EVENTS = [intended(), echoed(), GateChanged(ts_recv_ns=1, open=True), execution(), status(status="Filled")]


def order_ids(server: RedisServer, key: str = "ib:orders:evt") -> list[str]:
    with server.client() as client:
        return [entry_id for entry_id, _ in client.xrange(key)]


def recorded(seq: int) -> Recorded:
    return Recorded(ts_recv_ns=1, seq=seq, record=status())


async def test_order_records_stand_under_their_journal_number(redis_server: RedisServer, tmp_path: Path) -> None:
    """Each record of an order is one entry; the id is its number; records of other things are left out."""
    last_seq = write_journal(tmp_path / "journal", EVENTS)
    orders = RedisOrders(store(redis_server), tmp_path / "journal", durable_seq=2)
    await orders.open()
    assert order_ids(redis_server) == ["1-0", "2-0"]
    await orders.write([recorded(3), recorded(last_seq)])
    await orders.write([recorded(last_seq)])
    await orders.close()
    assert order_ids(redis_server) == ["1-0", "2-0", "4-0", "5-0"]
    types = [entry["type"] for entry in entries(redis_server, "ib:orders:evt")]
    assert types == ["order_intended", "open_order", "execution", "order_status"]


async def test_what_an_order_is_stands_behind_what_made_it_so(redis_server: RedisServer, tmp_path: Path) -> None:
    """Who follows the stream need not fold: the statement comes under the number after the record's."""
    last_seq = write_journal(tmp_path / "journal", told(OPENED, intended(), execution()))
    orders = RedisOrders(store(redis_server), tmp_path / "journal", durable_seq=last_seq)
    await orders.open()
    await orders.close()
    seen = entries(redis_server, "ib:orders:evt")
    assert [entry["type"] for entry in seen] == ["order_intended", "order_changed", "execution", "order_changed"]
    assert (seen[3]["state"], seen[3]["filled"], seen[3]["order_key"]) == ("filled", "100", "k1")


async def test_a_repeat_is_refused_by_redis_and_does_no_harm(redis_server: RedisServer, tmp_path: Path) -> None:
    """An answer lost on the way means the records come again: their ids are there already."""
    last_seq = write_journal(tmp_path / "journal", EVENTS)
    orders = RedisOrders(store(redis_server), tmp_path / "journal", durable_seq=2)
    await orders.open()
    other = RedisOrders(store(redis_server), tmp_path / "journal", durable_seq=last_seq)
    await other.open()
    await other.close()
    await orders.write([recorded(last_seq)])
    await orders.close()
    assert order_ids(redis_server) == ["1-0", "2-0", "4-0", "5-0"]


async def test_after_an_outage_every_order_record_is_there_once(redis_server: RedisServer, tmp_path: Path) -> None:
    """Redis is away while orders go on: nothing waits in memory, nothing is lost, nothing comes twice."""
    journal = tmp_path / "journal"
    fanout = Fanout()
    seq = write_journal(journal, [intended(), echoed()])
    async with Running(RedisOrders(store(redis_server), journal, durable_seq=seq), fanout, bound=1) as running:
        assert (await running.changed()).up
        redis_server.stop()
        for number in range(20):
            seq = write_journal(journal, [status(perm_id=number)])
            fanout.publish([recorded(seq)])
        assert not (await running.changed()).up
        redis_server.start()
        assert (await running.changed()).up
        await running.drained()
    assert order_ids(redis_server) == [f"{number}-0" for number in range(1, seq + 1)]
    assert running.runner.status.dropped == 0


async def test_a_redis_that_forgot_gets_what_its_length_would_keep(redis_server: RedisServer, tmp_path: Path) -> None:
    """With the same ids as before, so that a reader which remembers its place sees nothing twice."""
    last_seq = write_journal(tmp_path / "journal", [status()] * 30)
    for _ in range(2):
        orders = RedisOrders(store(redis_server), tmp_path / "journal", durable_seq=last_seq, stream_entries=10)
        await orders.open()
        await orders.close()
        assert order_ids(redis_server) == [f"{number}-0" for number in range(21, 31)]
        with redis_server.client() as client:
            client.flushall()


async def test_a_stream_ahead_of_the_journal_is_refused(redis_server: RedisServer, tmp_path: Path) -> None:
    """Redis has seen records the journal does not hold: one of the two is the wrong one."""
    last_seq = write_journal(tmp_path / "journal", EVENTS)
    orders = RedisOrders(store(redis_server), tmp_path / "journal", durable_seq=last_seq)
    await orders.open()
    await orders.close()
    shorter = RedisOrders(store(redis_server), tmp_path / "journal", durable_seq=3)
    with pytest.raises(StoreError, match="has seen record 5 of a journal that ends at record 3"):
        await shorter.open()
    await shorter.close()


async def test_a_stream_of_another_journal_is_refused(redis_server: RedisServer, tmp_path: Path) -> None:
    """The newest entry carries the hash of its record: two journals are not mixed in one stream."""
    for name, events in (("journal", EVENTS), ("other", [*EVENTS, *EVENTS])):
        write_journal(tmp_path / name, [status(perm_id=len(name)), *events])
    orders = RedisOrders(store(redis_server), tmp_path / "journal", durable_seq=5)
    await orders.open()
    await orders.close()
    other = RedisOrders(store(redis_server), tmp_path / "other", durable_seq=11)
    with pytest.raises(StoreError, match="has seen another record 5 than the journal holds"):
        await other.open()
    await other.close()
