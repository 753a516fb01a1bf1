"""Whether market data is asked for at all: a person may take all of it off, and on again.

Lines belong to the login and not to us: somebody who needs them at once, or sees them used up by nobody knows what,
must be able to free ours without ending the service. What was taken off stays off, over sessions and restarts, until
somebody takes it on: the record of who did so is the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ibkr_adapter.commands import CommandOutcome, Reason, StartStreams, StopStreams
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.market.subscriptions import Subscriptions
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import JournalEvent, StreamsSwitched
from ibkr_adapter.snapshot import StoppedView

Record = Callable[[JournalEvent, Outbox], int]


class Switch:
    """``last``: how an earlier life left it."""

    def __init__(self, settings: Settings, subscriptions: Subscriptions, last: StreamsSwitched | None) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._stopped: StreamsSwitched | None = None
        if last is not None:
            self._turn(last)

    def command(self, command: StopStreams | StartStreams, record: Record, now_ns: int, out: Outbox) -> None:
        stop = isinstance(command, StopStreams)
        if not self._settings.market_data:
            text = f"component {self._settings.component} has no market data"
            refusal = Reason(code="capability", text=text, remedy="ask the component that has")
            out.replies.append(CommandOutcome(command_id=command.command_id, accepted=False, reasons=(refusal,)))
            return
        changes = stop != (self._stopped is not None)
        if changes:
            event = StreamsSwitched(ts_recv_ns=now_ns, stopped=stop, actor=command.actor)
            record(event, out)
            self._turn(event)
        state = "stopped" if stop else "started"
        out.replies.append(
            CommandOutcome(command_id=command.command_id, accepted=True, state=state, repeated=not changes)
        )

    def _turn(self, event: StreamsSwitched) -> None:
        if event.stopped:
            self._stopped = event
            self._subscriptions.stop(f"stopped by {event.actor}")
        else:
            self._stopped = None
            self._subscriptions.start()

    def conditions(self) -> Iterator[Condition]:
        if self._stopped is not None and self._settings.market_data:
            yield Condition(
                key="data/stopped",
                severity=AlertSeverity.WARNING,
                text=f"market data is off: {self._stopped.actor} stopped it",
                remedy="`ibkr-adapter streams start` takes it on again",
            )

    def view(self) -> StoppedView | None:
        if self._stopped is None:
            return None
        return StoppedView(actor=self._stopped.actor, since_ns=self._stopped.ts_recv_ns)
