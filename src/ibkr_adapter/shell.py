"""The thin shell around the core: it has the loop, the sessions, the disk and the clock, and decides nothing.

One task takes whatever has come (events of the network threads, commands, the journal's answers), gives it to the
engine with the time of day, and performs what the engine left in the outbox, in an order that matters: records go to
the disk's queue before anything that follows from them leaves the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from msgspec.structs import replace

from ibkr_adapter.clock import SECOND, WallClock
from ibkr_adapter.commands import Command, CommandOutcome, Reason
from ibkr_adapter.core.engine import Engine, Happening
from ibkr_adapter.effects import (
    Append,
    Durable,
    Hands,
    JournalFailed,
    MessageCodesReplaced,
    Open,
    Outbox,
    OutsideTrouble,
    Send,
    SendFailed,
    SummaryOwned,
    TicksDropped,
    WallClockStepped,
    perform,
)
from ibkr_adapter.errors import AccountMismatch
from ibkr_adapter.events import (
    AccountValue,
    AlertChanged,
    BrokerEvent,
    BrokerTime,
    Event,
    Gap,
    LeaseChanged,
    LinkChanged,
    LossCause,
    PositionReported,
    Quote,
    QuotesProven,
    Recorded,
    SessionLost,
    SessionOpened,
    Started,
    Stopped,
    Trade,
)
from ibkr_adapter.fanout import Fanout, Overflow, Subscription
from ibkr_adapter.ops.reporting import Reporter
from ibkr_adapter.requests import RequestCurrentTime
from ibkr_adapter.sessions import CLOSE_S_MAX, SessionPort, Sessions
from ibkr_adapter.sinks.sink import SinkRunner
from ibkr_adapter.snapshot import SinkView, Snapshot

BULK_SLICE = 2_000
"""Ticks taken in one turn of the loop: some milliseconds of work, so that orders and the page get their turn."""

COMMANDS_MAX = 1_000
"""Commands that may wait for an answer; one more is refused at the border."""

CONSOLE_KINDS: tuple[type[Event], ...] = (
    Quote,
    QuotesProven,
    Trade,
    AccountValue,
    PositionReported,
    Gap,
    LinkChanged,
    AlertChanged,
    Recorded,
)

WALL_STEP_NS_MAX = SECOND
"""The wall clock may drift this far from ours before somebody is told: other machines' times no longer fit to ours."""

LEAVE_S_MAX = 3.5
"""How long a stop may take to cancel every subscription: a second that is used up already, then 102 at 45 a second."""

STOP_S_MAX = LEAVE_S_MAX + CLOSE_S_MAX + 1
"""How long ``run`` may go on after it was cancelled."""

_log = structlog.get_logger()


class MailboxPort(Protocol):
    """Where the network threads leave events, as ``tws.mailbox.Mailbox``."""

    def drain(self, max_bulk: int) -> list[BrokerEvent]: ...
    def take_dropped(self) -> dict[int, int]: ...


class JournalPort(Protocol):
    """The journal's writer thread."""

    def append(self, appends: Sequence[Append]) -> None: ...


class Shell:
    """Performs the outbox. ``snapshot``, ``submit``, ``subscribe`` and ``sinks`` are what the console may use."""

    def __init__(
        self,
        engine: Engine,
        *,
        mailbox: MailboxPort,
        journal: JournalPort,
        open_session: Callable[[Open], SessionPort],
        fanout: Fanout,
        runners: Sequence[SinkRunner],
        clock: WallClock,
        client_id: int,
    ) -> None:
        self._engine = engine
        self._mailbox = mailbox
        self._fanout = fanout
        self._runners = tuple(runners)
        self._report = Reporter(client_id)
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._stopping = False
        self._wall_step_ns = 0
        self._inbox: deque[Happening] = deque()
        self._answers: dict[str, asyncio.Future[CommandOutcome]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._sessions = Sessions(open_session, tell=self._not_performed, clock=clock, client_id=client_id)
        self._hands = Hands(
            close=self._sessions.close,
            append=journal.append,
            open=self._sessions.open,
            send=self._send,
            reply=self._reply,
            publish=fanout.publish,
            wake=self._set_alarm,
        )

    # What other threads call.

    def rouse(self) -> None:
        """There is something to take; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            self._loop.call_soon_threadsafe(self._wake.set)

    def durable(self, seq: int) -> None:
        """The journal is safe up to here; from the writer's thread."""
        self._tell(Durable(seq=seq))

    def journal_failed(self, detail: str) -> None:
        self._tell(JournalFailed(detail=detail))

    def lease_changed(self, event: LeaseChanged) -> None:
        """What the keeper of the lease has to say."""
        self._tell(event)

    def summary_owned(self, event: SummaryOwned) -> None:
        self._tell(event)

    def outside(self, happening: OutsideTrouble | MessageCodesReplaced) -> None:
        """What those who watch secrets and files have to say; from any thread."""
        self._tell(happening)

    def publish_last(self, durable_seq: int) -> None:
        """After the end: what was written last is safe by now, and those who follow the journal may have it too."""
        out = Outbox()
        self._engine.ledger.records.durable(durable_seq, out)
        self._fanout.publish(out.publishes)

    def _tell(self, happening: Happening) -> None:
        self._inbox.append(happening)  # a deque takes from both ends at once; nothing appended is ever missed
        self.rouse()

    # What the console calls, on the loop.

    def snapshot(self) -> Snapshot:
        picture = self._engine.snapshot(self._clock.now_ns())
        return replace(picture, counters=picture.counters | self._sessions.counts())

    def sinks(self) -> tuple[SinkView, ...]:
        return tuple(runner.status for runner in self._runners)

    def subscribe(self, name: str) -> Subscription:
        return self._fanout.subscribe(name, CONSOLE_KINDS, overflow=Overflow.CONFLATE, bound=5_000)

    async def submit(self, command: Command) -> CommandOutcome:
        """The engine's answer: after the disk and the second look for a placement."""
        if len(self._answers) >= COMMANDS_MAX:
            busy = Reason(code="busy", text=f"{COMMANDS_MAX} commands wait already", remedy="try again")
            return CommandOutcome(command_id=command.command_id, accepted=False, reasons=(busy,))
        answer: asyncio.Future[CommandOutcome] = self._loop.create_future()
        self._answers[command.command_id] = answer
        self._inbox.append(command)
        self._wake.set()
        try:
            return await answer
        finally:
            self._answers.pop(command.command_id, None)

    # The life of the service.

    async def run(self, started: Started) -> None:
        """Until cancelled; then subscriptions are cancelled, every session closed, and the last record written."""
        out = Outbox()
        self._engine.begin(started, out)
        perform(out, self._hands)
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._turn()
                if self._engine.unfit:
                    raise AccountMismatch(self._engine.unfit, remedy="this component is for paper accounts only")
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            await self._leave()
            raise
        finally:
            self._end(started.boot_id)

    async def _leave(self) -> None:
        """What stands at the gateway is cancelled before its session is closed: lines are counted over all clients."""
        self._turn()  # pacing has to know what was written by now
        out = Outbox()
        self._engine.leave(self._clock.now_ns(), out)
        perform(out, self._hands)
        try:
            async with asyncio.timeout(LEAVE_S_MAX):
                while not self._engine.left:
                    await self._wake.wait()
                    self._wake.clear()
                    self._turn()
        except TimeoutError:
            self._report.left_uncancelled(self._engine.uncancelled)

    def _turn(self) -> None:
        happenings = self._taken()
        letters = self._mailbox.drain(BULK_SLICE)
        dropped = self._mailbox.take_dropped()
        # What was dropped lies before what is left: the gap begins at the last tick that was taken earlier.
        happenings += [TicksDropped(req_id=req_id, count=count) for req_id, count in dropped.items()]
        happenings += letters
        out = Outbox()
        self._engine.receive([*self._sessions.taken(), *happenings], self._clock.now_ns(), out)
        perform(out, self._hands)
        self._tell_log(happenings, out)

    def _taken(self) -> list[Happening]:
        """What other threads and the console left, in their order."""
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def _send(self, send: Send) -> None:
        self._sessions.send(send)
        if isinstance(send.request, RequestCurrentTime):
            self._watch_wall_clock()

    def _not_performed(self, happening: SessionLost | SendFailed) -> None:
        if isinstance(happening, SendFailed):
            self._report.not_encodable(happening.request, happening.detail)
        self._tell(happening)

    def _reply(self, reply: CommandOutcome) -> None:
        answer = self._answers.get(reply.command_id)
        if answer is not None and not answer.done():
            answer.set_result(reply)

    def _watch_wall_clock(self) -> None:
        """Looked at with every probe; one warning for each step."""
        step_ns = self._clock.wall_step_ns()
        if abs(step_ns - self._wall_step_ns) > WALL_STEP_NS_MAX:
            self._report.wall_clock_stepped(step_ns - self._wall_step_ns)
            self._wall_step_ns = step_ns
            self._tell(WallClockStepped(step_ns=step_ns))

    def _set_alarm(self, at_ns: int | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if at_ns is not None:
            delay_s = max(0, at_ns - self._clock.now_ns()) / SECOND
            self._alarm = self._loop.call_later(delay_s, self._wake.set)

    def _tell_log(self, happenings: Sequence[Happening], out: Outbox) -> None:
        """One line for each transition, after it was performed."""
        for happening in happenings:
            match happening:
                case SessionOpened():
                    self._report.connected(happening)
                case SessionLost():
                    self._session_over(happening)
                case BrokerTime():
                    self._report.told_time(happening)
                case JournalFailed():
                    self._report.journal_failed(happening.detail)
                case _:
                    pass
        for noted in self._engine.notebook.take():
            self._report.notice(noted.event, noted.notice, noted.subject)
        for published in out.publishes:
            if isinstance(published, Recorded):
                self._report.recorded(published.record)
            elif isinstance(published, LinkChanged):
                self._report.link(published)
            elif isinstance(published, AlertChanged):
                self._report.alert(published)

    def _session_over(self, event: SessionLost) -> None:
        self._sessions.forget(event.epoch)
        self._report.disconnected(event, stopping=self._stopping and event.cause is LossCause.ASKED)

    def _end(self, boot_id: str) -> None:
        """The last turn: what it decided is written, answered and published, and nothing is begun any more."""
        self._set_alarm(None)
        self._stopping = True
        self._sessions.end("the service stops")
        out = Outbox()
        now_ns = self._clock.now_ns()
        letters = self._mailbox.drain(BULK_SLICE)
        self._engine.receive([*self._taken(), *letters], now_ns, out)
        self._engine.end(Stopped(ts_recv_ns=now_ns, boot_id=boot_id), out)
        perform(out, replace(self._hands, open=_leave_undone, send=_leave_undone, wake=_leave_undone))
        self._tell_log(letters, out)
        for answer in self._answers.values():
            answer.cancel()


def _leave_undone(_: object) -> None:
    """Of a service that stops: no session is opened, none is sent anything, nobody is woken."""
