"""What the page and the API need of the service, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ibkr_adapter.commands import Command, CommandOutcome
from ibkr_adapter.events import FeedEvent
from ibkr_adapter.snapshot import SinkView, Snapshot


class EventBatches(Protocol):
    """A bounded subscription to the feed; ``batch`` waits for at least one event and may be cancelled."""

    async def batch(self) -> Sequence[FeedEvent]: ...

    def close(self) -> None: ...


class ConsolePort(Protocol):
    def snapshot(self) -> Snapshot: ...

    def sinks(self) -> tuple[SinkView, ...]: ...

    def subscribe(self, name: str) -> EventBatches: ...

    async def submit(self, command: Command) -> CommandOutcome: ...
