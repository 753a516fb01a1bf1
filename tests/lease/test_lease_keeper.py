"""The keeper of the lease against a real Redis, with a clock of our own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ibkr_adapter.clock import SECOND, SystemClock
from ibkr_adapter.errors import LeaseLapsed, LeaseLost, StoreError
from ibkr_adapter.events import LeaseChanged
from ibkr_adapter.lease.keeper import LeaseKeeper, boottime
from ibkr_adapter.lease.mark import EpochMark
from ibkr_adapter.lease.redis_epoch import RedisEpoch, read_once
from ibkr_adapter.redis_store import RedisStore
from tests.redis_server import RedisServer

TTL_NS = SECOND // 2


class Kept:
    """A keeper, what it told, and a way to wait for what it will tell."""

    def __init__(self, server: RedisServer, directory: Path, name: str) -> None:
        self.told: list[LeaseChanged] = []
        self.lead_ns = 0
        self._news = asyncio.Event()
        self.mark = EpochMark(directory / f"mark-{name}")
        self.keeper = LeaseKeeper(
            RedisEpoch(RedisStore(server.url, environment="development", prefix="t:"), 1),
            self.mark,
            client_id=1,
            name=name,
            token=name,
            ttl_ns=TTL_NS,
            clock=SystemClock(),
            tell=self._tell,
            boottime_ns=lambda: boottime() + self.lead_ns,
        )

    def _tell(self, event: LeaseChanged) -> None:
        self.told.append(event)
        self._news.set()

    async def until(self, condition: Callable[[LeaseChanged], bool]) -> LeaseChanged:
        async with asyncio.timeout(30):
            while not self.told or not condition(self.told[-1]):
                self._news.clear()
                await self._news.wait()
        return self.told[-1]


def held(event: LeaseChanged) -> bool:
    return event.held


async def test_it_is_taken_renewed_and_released(tmp_path: Path, redis_server: RedisServer) -> None:
    """The record says who has it; the mark on disk is not below it; a release is taken at once by the next."""
    one, two = Kept(redis_server, tmp_path, "one"), Kept(redis_server, tmp_path, "two")
    store = RedisStore(redis_server.url, environment="development", prefix="t:")
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(one.keeper.run())
        await one.until(held)
        assert one.keeper.may_place()
        second = tasks.create_task(two.keeper.run())
        told = await two.until(lambda event: "held by one" in event.detail)
        assert not told.held
        assert not two.keeper.may_place()
        record = await read_once(store, 1)
        assert record is not None
        assert (record.token, record.epoch, record.name, record.ttl_ns) == ("one", 1, "one", TTL_NS)
        assert 0 <= time.time_ns() - record.since_ns < 60 * SECOND
        assert record.stands
        assert EpochMark(tmp_path / "mark-one").epoch == 1
        first.cancel()
        await one.keeper.release()
        assert not one.keeper.may_place()
        assert (await two.until(held)).epoch == 2
        second.cancel()
        await two.keeper.release()


async def test_it_is_lost_to_who_took_it(tmp_path: Path, redis_server: RedisServer) -> None:
    """The keeper says so once, lets nothing through, and ends."""
    one = Kept(redis_server, tmp_path, "one")
    task = asyncio.create_task(one.keeper.run())
    await one.until(held)
    with redis_server.client() as client:
        client.hset("t:ib:clientid:1", mapping={"token": "thief", "epoch": "9", "name": "elsewhere"})
    with pytest.raises(LeaseLost, match="the lease of client id 1 is lost: elsewhere"):
        await task
    assert one.told[-1].lost
    assert not one.keeper.may_place()
    await one.keeper.release()
    with redis_server.client() as client:
        assert client.hget("t:ib:clientid:1", "released") == "0", "what is another's is not released"


@pytest.mark.fault("B14")
async def test_the_deadline_passes_without_anybody_saying_so(tmp_path: Path, redis_server: RedisServer) -> None:
    """A process that did not run cannot have been told: the network thread sees it by the clock alone."""
    one = Kept(redis_server, tmp_path, "one")
    task = asyncio.create_task(one.keeper.run())
    await one.until(held)
    assert one.keeper.may_place()
    one.lead_ns = TTL_NS
    assert not one.keeper.may_place()
    task.cancel()
    await one.keeper.release()


@pytest.mark.fault("B12")
async def test_each_connection_is_preceded_by_a_look_at_the_lease(tmp_path: Path, redis_server: RedisServer) -> None:
    """By the clock, not by what was told last: a process that was stopped may have an attempt that is due."""
    one = Kept(redis_server, tmp_path, "one")
    with pytest.raises(LeaseLapsed, match="client id 1 is not held"):
        one.keeper.check()
    task = asyncio.create_task(one.keeper.run())
    await one.until(held)
    one.keeper.check()
    one.lead_ns = TTL_NS
    assert one.told[-1].held
    with pytest.raises(LeaseLapsed):
        one.keeper.check()
    task.cancel()
    await one.keeper.release()


@pytest.mark.fault("E05", "E06")
async def test_the_epoch_outlives_a_redis_that_forgot(tmp_path: Path, redis_server: RedisServer) -> None:
    """After FLUSHALL, and after a start with nothing but the mark on disk, the next epoch is a higher one."""
    one = Kept(redis_server, tmp_path, "one")
    one.mark.rise(41)
    one = Kept(redis_server, tmp_path, "one")
    task = asyncio.create_task(one.keeper.run())
    assert (await one.until(held)).epoch == 42
    with redis_server.client() as client:
        client.delete("t:ib:clientid:1")
    assert (await one.until(lambda event: event.held and event.epoch > 42)).epoch == 43
    with redis_server.client() as client:
        client.config_set("maxmemory", 1)
        refused = await one.until(lambda event: not event.held)
        assert "OOM" in refused.detail
        client.config_set("maxmemory", 0)
    await one.until(held)
    task.cancel()
    await one.keeper.release()


async def test_a_record_written_by_hand_does_no_harm(tmp_path: Path, redis_server: RedisServer) -> None:
    """Half a record is watched and replaced like a whole one; a key of another kind is trouble that is told."""
    one = Kept(redis_server, tmp_path, "one")
    with redis_server.client() as client:
        client.hset("t:ib:clientid:1", mapping={"name": "somebody", "epoch": "seven"})
    task = asyncio.create_task(one.keeper.run())
    await one.until(held)
    with redis_server.client() as client:
        client.delete("t:ib:clientid:1")
        client.set("t:ib:clientid:1", "text")
    assert "WRONGTYPE" in (await one.until(lambda event: not event.held and "WRONGTYPE" in event.detail)).detail
    task.cancel()
    await one.keeper.release()


def test_a_mark_that_cannot_be_read_is_not_taken_for_zero(tmp_path: Path) -> None:
    """To begin at 0 would undo the fence: the service does not start."""
    (tmp_path / "mark").write_text("nonsense")
    with pytest.raises(StoreError, match="cannot be read"):
        EpochMark(tmp_path / "mark")


def test_the_mark_only_rises(tmp_path: Path) -> None:
    """And what it says is what another process finds."""
    mark = EpochMark(tmp_path / "mark")
    assert mark.epoch == 0
    mark.rise(7)
    mark.rise(3)
    assert EpochMark(tmp_path / "mark").epoch == 7
    assert [path.name for path in tmp_path.iterdir()] == ["mark"]
