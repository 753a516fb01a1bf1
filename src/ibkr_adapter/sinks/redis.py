"""Redis: latest quotes that expire, streams of the feed, and the journal as a stream that refuses repeats.

Keys, each behind the configured prefix: ``ib:l1:{instrument}``, JSON of the quote with ``as_of``, gone 5 s after the
last proof that it is current; ``ib:md:quote:{instrument}`` and ``ib:md:gap:{instrument}``, streams of quotes and of
their interruptions; ``ib:orders:evt``, the journal's order records with the record's number as stream id.
Every entry has a field ``event`` holding JSON; entries of orders also have the ``hash`` of their record.

Market data arrives at least once: a batch whose answer was lost is sent again. Order records arrive exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from ibkr_adapter.clock import MILLISECOND, SECOND, Clock
from ibkr_adapter.events import (
    CancelIntended,
    CommissionReported,
    CompletedOrderReported,
    Event,
    ExecutionReported,
    FeedEvent,
    Gap,
    NoticeReceived,
    OpenOrderReported,
    OrderChanged,
    OrderDoubted,
    OrderIntended,
    OrderLapsed,
    OrderNotFound,
    OrderRefused,
    OrderStatusReported,
    Quote,
    QuotesProven,
    Recorded,
)
from ibkr_adapter.fanout import Overflow
from ibkr_adapter.journal.record import Record
from ibkr_adapter.redis_store import RedisStore
from ibkr_adapter.sinks.projection import JournalSource
from ibkr_adapter.worker import Serial

T = TypeVar("T")

QUOTE_TTL_NS = 5 * SECOND
PIPELINE_COMMANDS = 200
"""Most commands sent before their answers are read: well under the timeout on a slow machine."""

ORDER_KINDS = (
    OrderIntended,
    OrderRefused,
    OrderDoubted,
    OrderNotFound,
    OrderLapsed,
    OrderChanged,
    CancelIntended,
    OpenOrderReported,
    CompletedOrderReported,
    OrderStatusReported,
    ExecutionReported,
    CommissionReported,
    NoticeReceived,
)
"""What of the journal concerns who follows orders."""


class RedisSink:
    """Quotes and gaps, as they are published."""

    name = "redis"
    kinds: tuple[type[Event], ...] = (Quote, QuotesProven, Gap)
    overflow = Overflow.DROP_OLDEST
    concern = ""

    def __init__(self, store: RedisStore, *, clock: Clock, stream_entries: int = 10_000) -> None:
        """``stream_entries``: about how many entries each market data stream keeps."""
        self._store = store
        self._clock = clock
        self._stream_entries = stream_entries
        self._latest: dict[str, Quote] = {}
        """By instrument, so bounded by what is subscribed: a proof renews a value that Redis may have lost."""
        self._client: Redis | None = None

    async def open(self) -> None:
        self._client = await self._store.connect()

    async def write(self, batch: Sequence[FeedEvent]) -> None:
        assert self._client is not None
        current: dict[str, int] = {}
        streamed: list[tuple[str, Event]] = []
        for event in batch:
            match event:
                case Quote():
                    self._latest[event.instrument] = event
                    current[event.instrument] = event.ts_recv_ns
                    streamed.append((f"ib:md:quote:{event.instrument}", event))
                case QuotesProven():
                    proven = (instrument for instrument in event.instruments if instrument in self._latest)
                    current.update(dict.fromkeys(proven, event.ts_recv_ns))
                case Gap():
                    streamed.append((f"ib:md:gap:{event.stream.rpartition(':')[2]}", event))
        for part in _parts(streamed):
            await self._add(self._client, part)
        for values in _parts(list(current.items())):
            await self._set(self._client, values)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await self._store.disconnect(client)

    async def _add(self, client: Redis, part: Iterable[tuple[str, Event]]) -> None:
        pipeline = client.pipeline(transaction=False)
        for stream, event in part:
            pipeline.xadd(
                self._store.prefix + stream,
                {"event": msgspec.json.encode(event)},
                maxlen=self._stream_entries,
                approximate=True,
            )
        async with self._store.answering():
            await pipeline.execute()

    async def _set(self, client: Redis, values: Iterable[tuple[str, int]]) -> None:
        """Values expire 5 s after they were last known to be current, not 5 s after we got round to writing them."""
        pipeline = client.pipeline(transaction=False)
        now_ns = self._clock.now_ns()
        for instrument, as_of_ns in values:
            left_ms = (as_of_ns + QUOTE_TTL_NS - now_ns) // MILLISECOND
            if left_ms > 0:
                value = {**msgspec.to_builtins(self._latest[instrument]), "as_of": as_of_ns}
                pipeline.set(f"{self._store.prefix}ib:l1:{instrument}", msgspec.json.encode(value), px=left_ms)
        async with self._store.answering():
            await pipeline.execute()


class RedisOrders:
    """The order records of the journal as ``ib:orders:evt``, each with the id ``<seq>-0``.

    The cursor is the stream's own last id. A Redis that lost some of its memory is given again what it lost, with the
    same ids, so a reader that remembers its place sees nothing twice; one that lost all of it is given the records that
    its length bound would keep.
    """

    name = "redis.orders"
    kinds: tuple[type[Event], ...] = (Recorded,)
    overflow = Overflow.CONFLATE
    concern = ""

    def __init__(self, store: RedisStore, directory: Path, *, durable_seq: int, stream_entries: int = 100_000) -> None:
        self._store = store
        self._source = JournalSource(directory, durable_seq)
        self._stream_entries = stream_entries
        self._thread: Serial | None = None
        self._client: Redis | None = None
        self._seq = 0

    @property
    def key(self) -> str:
        return f"{self._store.prefix}ib:orders:evt"

    async def open(self) -> None:
        """Connect and catch up. ``StoreError`` when the stream and the journal do not belong together."""
        client = self._client = await self._store.connect()
        self._thread = Serial("redis.orders")
        seq, hash_seen = await self._last(client)
        await self._thread.call(lambda: self._source.check(f"{self.key} in {self._store!r}", seq, hash_seen))
        self._seq = max(seq, self._source.durable_seq - self._stream_entries)
        await self._catch_up(client, self._thread)

    async def write(self, batch: Sequence[FeedEvent]) -> None:
        assert self._client is not None
        assert self._thread is not None
        self._source.woken_by(batch)
        await self._catch_up(self._client, self._thread)

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.call(self._source.close)
            thread.stop(0)
        client, self._client = self._client, None
        if client is not None:
            await self._store.disconnect(client)

    async def _last(self, client: Redis) -> tuple[int, str | None]:
        """Number and hash of the newest entry. A stream that was emptied refuses repeats all the same."""
        async with self._store.answering():
            newest: Any = await client.xrevrange(self.key, count=1)
        if not newest:
            return 0, None
        ((entry_id, fields),) = newest
        return int(entry_id.partition(b"-")[0]), fields[b"hash"].decode()

    async def _catch_up(self, client: Redis, thread: Serial) -> None:
        while records := await thread.call(lambda: self._source.after(self._seq, PIPELINE_COMMANDS)):
            await self._add(client, [record for record in records if isinstance(record.event, ORDER_KINDS)])
            self._seq = records[-1].seq

    async def _add(self, client: Redis, records: Sequence[Record]) -> None:
        pipeline = client.pipeline(transaction=False)
        for record in records:
            pipeline.xadd(
                self.key,
                {"event": msgspec.json.encode(record.event), "hash": record.hash},
                id=f"{record.seq}-0",
                maxlen=self._stream_entries,
                approximate=True,
            )
        async with self._store.answering():
            for answer in await pipeline.execute(raise_on_error=False):
                if isinstance(answer, Exception) and not _is_repeat(answer):
                    raise answer


def _is_repeat(answer: Exception) -> bool:
    """Redis has this record already: an earlier answer was lost on the way."""
    return isinstance(answer, ResponseError) and "equal or smaller" in str(answer)


def _parts(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[at : at + PIPELINE_COMMANDS] for at in range(0, len(items), PIPELINE_COMMANDS))
