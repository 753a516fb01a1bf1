"""Server-sent events: the feed for one browser, at that browser's pace.

The subscription conflates, so a slow reader gets the newest quote instead of a queue; after each write the stream rests
for ``interval_s``, so a fast market costs a browser no more than ten updates a second. The whole picture follows every
second: it carries what only the core can fold (orders, streams, gate), and it proves that we are alive. A change of
those brings it sooner. All browsers share one picture, so many of them cost the loop, and thus an order, little more
than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from ibkr_adapter.console.port import ConsolePort
from ibkr_adapter.console.wire import encode, picture, plain
from ibkr_adapter.events import FeedEvent, Quote, QuotesProven, Trade

STREAMS_MAX: Final = 32
INTERVAL_S: Final = 0.1
PICTURE_EVERY_S: Final = 1.0
CHANGED_PICTURE_EVERY_S: Final = 0.25
SHARED_FOR_S: Final = 0.1
_QUIET = (Quote, QuotesProven, Trade)
"""Events that do not change what only the whole picture shows."""


class EventStreams:
    """All open streams; ``stopping`` ends them."""

    def __init__(self, port: ConsolePort, stopping: asyncio.Event) -> None:
        self._port = port
        self._stopping = stopping
        self._open = 0
        self._opened = 0
        self._drawn = b""
        self._drawn_s = float("-inf")

    @property
    def full(self) -> bool:
        return self._open >= STREAMS_MAX

    async def stream(self, interval_s: float = INTERVAL_S) -> AsyncIterator[bytes]:
        """Text of one ``text/event-stream`` response."""
        self._open += 1
        self._opened += 1
        subscription = self._port.subscribe(f"sse-{self._opened}")
        now_s = asyncio.get_running_loop().time
        try:
            yield b"retry: 1000\n\n" + self._picture(now_s())
            shown_s, changed_s = self._drawn_s, None
            while not self._stopping.is_set():
                due_s = shown_s + (PICTURE_EVERY_S if changed_s is None else CHANGED_PICTURE_EVERY_S)
                events = await _next(subscription.batch, due_s - now_s())
                if events is not None and not events:
                    return  # the subscription was closed: the service is going
                events = events or ()
                chunk = b"".join(_event(event.__struct_config__.tag, plain(event)) for event in events)
                if not all(isinstance(event, _QUIET) for event in events):
                    changed_s = now_s()
                if now_s() >= due_s:
                    chunk += self._picture(now_s())
                    shown_s = self._drawn_s
                    if changed_s is not None and changed_s <= self._drawn_s:
                        changed_s = None
                if chunk:
                    yield chunk
                if events and interval_s > 0:
                    await asyncio.sleep(interval_s)
        finally:
            self._open -= 1
            subscription.close()

    def _picture(self, now_s: float) -> bytes:
        """The whole picture, drawn anew unless another browser has just had it drawn."""
        if now_s - self._drawn_s >= SHARED_FOR_S:
            self._drawn = _event("snapshot", picture(self._port.snapshot(), self._port.sinks()))
            self._drawn_s = now_s
        return self._drawn


async def _next(batch: Callable[[], Awaitable[Sequence[FeedEvent]]], within_s: float) -> Sequence[FeedEvent] | None:
    """A batch, or ``None`` when the time is up."""
    try:
        async with asyncio.timeout(max(0.0, within_s)):
            return await batch()
    except TimeoutError:
        return None


def _event(name: object, body: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(name).encode(), encode(body))
