"""The record of a client id in Redis: read and written as a whole, each time in one step.

Key ``ib:clientid:{id}`` behind the configured prefix, a hash: ``token``, ``epoch``, ``beat``, ``name``, ``host``,
``pid``, ``since_ns``, ``ttl_ns``, ``released``, ``beat_us`` (Redis's clock at the last beat, for people to look at).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ibkr_adapter.lease.claim import Look, Plant, Record, Renew, Step, Take
from ibkr_adapter.redis_store import RedisStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

_SCRIPT = """\
local key, what = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now_us = string.format('%.0f', time[1] * 1000000 + time[2])
local at = redis.call('HMGET', key, 'token', 'epoch', 'beat')
local done = 0
if what == 'take' then
  local same = (ARGV[2] == '' and not at[1]) or (at[1] == ARGV[2] and at[2] == ARGV[3] and at[3] == ARGV[4])
  if same then
    redis.call('DEL', key)
    redis.call('HSET', key, 'beat', '1', 'beat_us', now_us, unpack(ARGV, 5))
    done = 1
  end
elseif what == 'renew' and at[1] == ARGV[2] and at[2] == ARGV[3] then
  redis.call('HSET', key, 'beat', string.format('%.0f', at[3] + 1), 'beat_us', now_us)
  done = 1
elseif what == 'release' and at[1] == ARGV[2] then
  redis.call('HSET', key, 'released', '1')
  done = 1
end
return {done, now_us, redis.call('HGETALL', key)}
"""


class RedisEpoch:
    """The key of one client id; ``mine`` is what a taking writes. Every trouble is a ``StoreError``."""

    def __init__(self, store: RedisStore, client_id: int) -> None:
        self._store = store
        self.key = f"{store.prefix}ib:clientid:{client_id}"
        self._client: Redis | None = None

    def __repr__(self) -> str:
        return f"<RedisEpoch {self.key} in {self._store!r}>"

    async def perform(self, step: Step, mine: Record) -> tuple[bool, Record | None]:
        """Whether it was done, and what stands there now."""
        match step:
            case Look():
                return await self._run("look")
            case Renew():
                return await self._run("renew", mine.token, step.epoch)
            case Plant(token, epoch):
                nobody = replace(mine, token=token, name="", host="", pid=0)
                return await self._run("take", "", "", "", *_fields(nobody, epoch))
            case Take():
                over = (step.over.token, step.over.epoch, step.over.beat) if step.over is not None else ("", "", "")
                return await self._run("take", *over, *_fields(mine, step.epoch))

    async def read(self) -> Record | None:
        return (await self._run("look"))[1]

    async def release(self, token: str) -> bool:
        """Say that it is free now, if it is this token's."""
        return (await self._run("release", token))[0]

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await self._store.disconnect(client)

    async def _run(self, what: str, *arguments: str | int) -> tuple[bool, Record | None]:
        if self._client is None:
            self._client = await self._store.connect()
        async with self._store.answering():
            answer: Any = await self._client.eval(_SCRIPT, 1, self.key, what, *arguments)
        done, now_us, flat = answer
        fields = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
        return bool(done), _record(fields, int(now_us)) if fields else None


async def read_once(store: RedisStore, client_id: int) -> Record | None:
    """The record of a client id, by a connection of its own."""
    key = RedisEpoch(store, client_id)
    try:
        return await key.read()
    finally:
        await key.close()


def _fields(mine: Record, epoch: int) -> tuple[str | int, ...]:
    values: dict[str, str | int] = {
        "token": mine.token,
        "epoch": epoch,
        "name": mine.name,
        "host": mine.host,
        "pid": mine.pid,
        "since_ns": mine.since_ns,
        "ttl_ns": mine.ttl_ns,
        "released": 0,
    }
    return tuple(part for pair in values.items() for part in pair)


def _record(fields: dict[str, str], now_us: int) -> Record:
    """A hash that somebody else wrote by hand still has a holder: what cannot be read stands as nobody's, epoch 0."""

    def number(name: str) -> int:
        text = fields.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else 0

    return Record(
        token=fields.get("token", ""),
        epoch=number("epoch"),
        beat=number("beat"),
        name=fields.get("name", ""),
        host=fields.get("host", ""),
        pid=number("pid"),
        since_ns=number("since_ns"),
        ttl_ns=number("ttl_ns"),
        released=fields.get("released") == "1",
        age_ns=max(0, now_us - number("beat_us")) * 1_000,
    )
