"""Typed, bounded, in-process publish and subscribe on one asyncio loop.

Publishing never waits. What happens to a consumer that cannot keep up is chosen by meaning when it subscribes: values
are conflated, prints dropped and counted, records that must not be lost end the subscription with an error. A consumer
that falls behind is reported once, when it first loses something, and again only after it had caught up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from enum import Enum
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

from ibkr_adapter.errors import SlowConsumer
from ibkr_adapter.events import (
    AccountValue,
    AlertChanged,
    Event,
    FeedEvent,
    Gap,
    LinkChanged,
    PositionReported,
    Quote,
    QuotesProven,
    Recorded,
    Trade,
)


class Overflow(Enum):
    """What happens when ``bound`` events wait and one more comes."""

    CONFLATE = "conflate"
    """Only the last value of each ``(type, key)`` waits at all; ``bound`` is then the number of keys."""
    DROP_OLDEST = "drop_oldest"
    """The oldest goes, counted, and its stream has a loss."""
    FAIL = "fail"
    """The subscription ends; ``batch`` gives what waited and then raises ``SlowConsumer``."""


class Loss(Struct, frozen=True, kw_only=True):
    """``count`` consecutive events of ``stream`` that one subscriber did not get, from the first to the last."""

    stream: str
    from_ns: int
    to_ns: int
    count: int


class Fanout:
    """``on_slow`` is called once for each time a subscription begins to lose events."""

    def __init__(self, on_slow: Callable[[Subscription], None] | None = None) -> None:
        self._on_slow = on_slow
        self._by_kind: dict[type[Event], tuple[Subscription, ...]] = {}
        self._subscriptions: tuple[Subscription, ...] = ()

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        return self._subscriptions

    def subscribe(self, name: str, kinds: tuple[type[Event], ...], *, overflow: Overflow, bound: int) -> Subscription:
        """Events of exactly these types from now on; close it, or use it as a context, to end."""
        subscription = Subscription(name, kinds, overflow=overflow, bound=bound, closed=self._forget, slow=self._slow)
        self._subscriptions += (subscription,)
        for kind in kinds:
            self._by_kind[kind] = (*self._by_kind.get(kind, ()), subscription)
        return subscription

    def publish(self, events: Sequence[FeedEvent]) -> None:
        """Give each event to who asked for its type; never waits. Called on the loop."""
        touched = set()
        for event in events:
            for subscription in self._by_kind.get(type(event), ()):
                subscription.offer(event)
                touched.add(subscription)
        for subscription in touched:
            subscription.wake()

    def _forget(self, gone: Subscription) -> None:
        self._subscriptions = tuple(each for each in self._subscriptions if each is not gone)
        for kind in gone.kinds:
            self._by_kind[kind] = tuple(each for each in self._by_kind[kind] if each is not gone)

    def _slow(self, subscription: Subscription) -> None:
        if self._on_slow is not None:
            self._on_slow(subscription)


class Subscription:
    """One consumer's queue. Only one task may wait on it."""

    def __init__(
        self,
        name: str,
        kinds: tuple[type[Event], ...],
        *,
        overflow: Overflow,
        bound: int,
        closed: Callable[[Subscription], None],
        slow: Callable[[Subscription], None],
    ) -> None:
        assert bound > 0
        self.name = name
        self.kinds = kinds
        self.overflow = overflow
        self.bound = bound
        self.dropped = 0
        """Events lost to the bound since the beginning; a conflated value is not lost."""
        self._queue: _Queue = _Latest() if overflow is Overflow.CONFLATE else _Fifo()
        self._losses: dict[str, Loss] = {}
        self._slow_now = False
        self._failed = False
        self._open = True
        self._closed = closed
        self._slow = slow
        self._ready = asyncio.Event()

    def __repr__(self) -> str:
        state = "" if self._open else " closed"
        return (
            f"<Subscription {self.name}{state} {self.depth}/{self.bound} {self.overflow.value} dropped {self.dropped}>"
        )

    @property
    def depth(self) -> int:
        return len(self._queue)

    async def batch(self, limit: int = 1_000) -> list[FeedEvent]:
        """What waits, oldest first, once there is anything; empty when closed, and then always.

        Raises ``SlowConsumer`` after the last of what waited when ``Overflow.FAIL`` struck.
        """
        await self._ready.wait()
        events = self._queue.take(limit)
        if not self._queue:
            self._slow_now = False
            if self._open:
                self._ready.clear()
            elif self._failed and not events:
                raise SlowConsumer(
                    f"{self.name} fell more than {self.bound} events behind",
                    remedy="read what was missed from the journal and subscribe again",
                )
        return events

    def losses(self) -> list[Loss]:
        """What was lost since the last call, one for each stream, oldest first.

        What is lost between two batches lies, in its stream, just before the events of the second.
        """
        found = sorted(self._losses.values(), key=lambda loss: loss.from_ns)
        self._losses = {}
        return found

    def close(self) -> None:
        """No more events; what waits can still be taken."""
        if self._open:
            self._open = False
            self._closed(self)
            self._ready.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- for the fan-out -------------------------------------------------------------------------------------------

    def offer(self, event: FeedEvent) -> None:
        if not self._open:
            return
        if len(self._queue) < self.bound or event in self._queue:
            self._queue.put(event)
            return
        if self.overflow is Overflow.FAIL:
            self._failed = True
            self.dropped += 1
            self.close()
        else:
            self._lose(self._queue.take(1)[0])
            self._queue.put(event)
        if not self._slow_now:
            self._slow_now = True
            self._slow(self)

    def wake(self) -> None:
        if self._queue:
            self._ready.set()

    def _lose(self, event: FeedEvent) -> None:
        self.dropped += 1
        stream = stream_of(event)
        before = self._losses.get(stream)
        self._losses[stream] = Loss(
            stream=stream,
            from_ns=before.from_ns if before else event.ts_recv_ns,
            to_ns=event.ts_recv_ns,
            count=before.count + 1 if before else 1,
        )


class _Queue(Protocol):
    def __len__(self) -> int: ...
    def __contains__(self, event: object) -> bool:
        """Would ``put`` replace rather than add."""

    def put(self, event: FeedEvent) -> None: ...
    def take(self, limit: int) -> list[FeedEvent]: ...


class _Fifo:
    def __init__(self) -> None:
        self._events: deque[FeedEvent] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def __contains__(self, event: object) -> bool:
        return False

    def put(self, event: FeedEvent) -> None:
        self._events.append(event)

    def take(self, limit: int) -> list[FeedEvent]:
        return [self._events.popleft() for _ in range(min(limit, len(self._events)))]


class _Latest:
    """A value that replaces another keeps its place, so a busy instrument does not starve a quiet one."""

    def __init__(self) -> None:
        self._events: dict[Hashable, FeedEvent] = {}

    def __len__(self) -> int:
        return len(self._events)

    def __contains__(self, event: object) -> bool:
        return _key(event) in self._events

    def put(self, event: FeedEvent) -> None:
        self._events[_key(event)] = event

    def take(self, limit: int) -> list[FeedEvent]:
        keys = list(self._events)[:limit] if limit < len(self._events) else list(self._events)
        return [self._events.pop(key) for key in keys]


def stream_of(event: FeedEvent) -> str:
    """The stream an event belongs to, as gaps name it: ``quote:SPY``, ``trade:SPY``, ``positions:DU123``."""
    match event:
        case Quote():
            return f"quote:{event.instrument}"
        case Trade():
            return f"trade:{event.instrument}"
        case AccountValue():
            return f"account:{event.account}"
        case PositionReported():
            return f"positions:{event.account}"
        case QuotesProven():
            return "quotes_proven"
        case Gap():
            return "gaps"
        case LinkChanged():
            return "link"
        case AlertChanged():
            return "alerts"
        case Recorded():
            return "journal"


def _key(event: object) -> Hashable:
    """What a newer event must share with an older one to replace it.

    Gaps never replace each other. Of records only the last matters to who conflates them: it reads the journal.
    """
    match event:
        case Quote() | Trade():
            return type(event), event.instrument
        case AccountValue():
            return type(event), event.account, event.tag, event.currency
        case PositionReported():
            return type(event), event.account, event.instrument
        case QuotesProven():
            return type(event), event.instruments
        case Gap():
            return type(event), event.stream, event.from_ns
        case AlertChanged():
            return type(event), event.key
        case _:
            return str(type(event))
