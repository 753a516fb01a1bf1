"""What a sink is, and the runner that keeps one going whatever its store does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import IbkrError
from ibkr_adapter.events import Event, FeedEvent, Gap, GapCause
from ibkr_adapter.fanout import Fanout, Overflow
from ibkr_adapter.snapshot import SinkView


class Sink(Protocol):
    """A place events are written to.

    ``open`` and ``write`` raise when the store does not answer; then ``close`` and ``open`` follow. A batch whose
    ``write`` raised comes again, whole, so a write is either all or nothing, or does no harm when repeated. ``concern``
    is what an operator should know of a sink that works all the same; mostly nothing.
    """

    name: str
    kinds: tuple[type[Event], ...]
    overflow: Overflow

    @property
    def concern(self) -> str: ...

    async def open(self) -> None: ...
    async def write(self, batch: Sequence[FeedEvent]) -> None: ...
    async def close(self) -> None: ...


class SinkRunner:
    """Moves events from a bounded queue of its own to one sink. Failures are met with patience, never with silence.

    While the store is down the queue fills and then drops; what was dropped is written as ``Gap`` rows (cause
    ``SINK_OVERFLOW``), in its place, once the store is back. The feed is never held up.
    """

    def __init__(
        self,
        sink: Sink,
        fanout: Fanout,
        *,
        clock: Clock,
        bound: int = 50_000,
        batch_rows: int = 1_000,
        backoff_s_min: float = 0.2,
        backoff_s_max: float = 30.0,
        on_change: Callable[[SinkView], None] | None = None,
    ) -> None:
        """``on_change`` is called when the sink goes up or down, once for each."""
        self.sink = sink
        self._subscription = fanout.subscribe(sink.name, sink.kinds, overflow=sink.overflow, bound=bound)
        self._clock = clock
        self._batch_rows = batch_rows
        self._backoff_s_min = backoff_s_min
        self._backoff_s_max = backoff_s_max
        self._on_change = on_change
        self._batches: deque[list[FeedEvent]] = deque()
        """Taken from the queue and not yet written."""
        self._up = False
        self._announced: bool | None = None
        self._since_ns = clock.now_ns()
        self._error = "not opened yet"
        self._written = 0

    def __repr__(self) -> str:
        status = self.status
        state = "up" if status.up else f"down: {status.detail}"
        return f"<Sink {status.name} {state}; written {status.written} waiting {status.depth} dropped {status.dropped}>"

    @property
    def status(self) -> SinkView:
        return SinkView(
            name=self.sink.name,
            up=self._up,
            since_ns=self._since_ns,
            detail=self._error or self.sink.concern,
            written=self._written,
            dropped=self._subscription.dropped,
            depth=self._subscription.depth + sum(map(len, self._batches)),
        )

    def stop(self) -> None:
        """Take no more; ``run`` ends when what waits is written. Cancel ``run`` to end at once."""
        self._subscription.close()

    async def run(self) -> None:
        """Ends after ``stop``, or when cancelled."""
        backoff_s = self._backoff_s_min
        try:
            while True:
                try:
                    await self.sink.open()
                    if not self._batches:
                        self._is_up()
                    while await self._write_next():
                        backoff_s = self._backoff_s_min
                except Exception as error:  # noqa: BLE001 - whatever a store does wrong must not end the sink
                    self._is_down(error)
                else:
                    return
                await self._close()
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, self._backoff_s_max)
        finally:
            self._subscription.close()
            await self._close()

    async def _write_next(self) -> bool:
        """Write one batch; False when there will be none."""
        if not self._batches:
            events = await self._subscription.batch(self._batch_rows)
            if not events:
                return False
            self._batches.extend(self._gaps())
            self._batches.append(events)
        await self.sink.write(self._batches[0])
        self._written += len(self._batches.popleft())
        self._is_up()
        return True

    def _gaps(self) -> list[list[FeedEvent]]:
        losses = self._subscription.losses()
        if Gap not in self.sink.kinds:
            return []
        gaps: list[FeedEvent] = [
            Gap(
                ts_recv_ns=loss.to_ns,
                stream=loss.stream,
                from_ns=loss.from_ns,
                to_ns=loss.to_ns,
                cause=GapCause.SINK_OVERFLOW,
                count=loss.count,
            )
            for loss in losses
        ]
        return [gaps[at : at + self._batch_rows] for at in range(0, len(gaps), self._batch_rows)]

    def _is_up(self) -> None:
        self._change(up=True, error="")

    def _is_down(self, error: Exception) -> None:
        words = str(error) if isinstance(error, IbkrError) else f"{type(error).__name__}: {error}"
        self._change(up=False, error=words)

    def _change(self, *, up: bool, error: str) -> None:
        if up != self._up:
            self._since_ns = self._clock.now_ns()
        self._up, self._error = up, error
        if up != self._announced:
            self._announced = up
            if self._on_change is not None:
                self._on_change(self.status)

    async def _close(self) -> None:
        try:
            await self.sink.close()
        except Exception as error:  # noqa: BLE001 - closing what is broken may fail too; it is down anyway
            self._is_down(error)
