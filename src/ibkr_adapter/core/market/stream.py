"""One stream: what it is on the wire, and what of it was missed.

A gap goes from the last event before an interruption to the first one after it. It is opened by whatever is known to
interrupt; what only *may* have interrupted (a farm broke, and nobody says whose it is) raises a doubt, which the next
event settles: if it comes at once nothing was missed, and there is no gap. Gaps of a stream never overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.market.rhythm import Rhythm
from ibkr_adapter.events import Gap, GapCause
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.snapshot import StreamView

QUOTE = "quote"
"""The kind of stream that is the top of book. A kind is one way of asking for an instrument, and of cancelling that."""

STRAGGLE_NS = SECOND
"""An event this soon after its source broke may have been under way: it proves nothing of the time behind it."""

RETRY_FIRST_NS = 10 * SECOND
RETRY_MAX_NS = 300 * SECOND
SETTLED_NS = 60 * SECOND
"""A subscription that still speaks after this long works: what it took to get there is forgiven."""


class StreamState(StrEnum):
    WAITING = "waiting"
    ASKED = "asked"
    LIVE = "live"
    REFUSED = "refused"


TRANSITIONS: dict[StreamState, frozenset[StreamState]] = {
    StreamState.WAITING: frozenset({StreamState.ASKED}),
    StreamState.ASKED: frozenset({StreamState.LIVE, StreamState.REFUSED, StreamState.WAITING}),
    StreamState.LIVE: frozenset({StreamState.REFUSED, StreamState.WAITING}),
    StreamState.REFUSED: frozenset({StreamState.LIVE, StreamState.WAITING}),  # some refusals are advice: ticks follow
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """Since when, and why, it is not known whether this stream still flows."""

    cause: GapCause
    since_ns: int


@dataclass(slots=True, eq=False)
class Stream:
    """One stream, wanted or to be cancelled. ``interrupted_ns`` is where its present gap began, None while it flows.

    ``ended_ns``: when a code last ended it. Ticks are delivered behind codes, so those of that moment and before it are
    older than the code and prove no revival. ``check_ns``: it must speak again after this moment or is asked anew;
    ``check_alone``: even if its peers are silent too. ``next_ask_ns``: not before that, lest we ask in a loop.
    ``failed``: refused, or asked for twice without an answer, and not accepted since.
    """

    kind: str
    key: str
    instrument: Instrument
    wanted: bool = True
    state: StreamState = StreamState.WAITING
    detail: str = ""
    req_id: int | None = None
    asked_ns: int = 0
    answered: bool = False
    failed: bool = False
    last_recv_ns: int | None = None
    interrupted_ns: int | None = None
    told_ns: int = 0
    ended_ns: int = 0
    cause: GapCause = GapCause.SESSION_LOST
    doubt: Doubt | None = None
    check_ns: int | None = None
    check_alone: bool = False
    retries: int = 0
    next_ask_ns: int = 0
    retry_ns: int | None = None
    events: int = 0
    gaps: int = 0
    resubscriptions: int = 0
    rhythm: Rhythm = field(default_factory=Rhythm)

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.key}"

    @property
    def on_wire(self) -> bool:
        return self.state in (StreamState.ASKED, StreamState.LIVE)

    @property
    def flows(self) -> bool:
        return self.state is StreamState.LIVE and self.interrupted_ns is None and self.doubt is None

    def to(self, state: StreamState) -> None:
        if state is self.state:
            return
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"{self.name} cannot go from {self.state.name} to {state.name}")
        self.state = state

    def accepted(self) -> None:
        """The gateway knows of the subscription: a thin one may be silent behind that."""
        self.answered, self.failed = True, False

    # What of it was missed.

    def interrupt(self, cause: GapCause, *, since_ns: int | None = None) -> None:
        """A gap begins at the last event, once; a stream that never flowed has nothing to interrupt."""
        start_ns = since_ns if since_ns is not None else self.last_recv_ns
        if self.interrupted_ns is None and start_ns is not None:
            self.interrupted_ns = max(start_ns, self.told_ns)
            self.cause = cause

    def blame_the_line(self) -> None:
        """What was taken for a silence of this stream was one of the whole session."""
        if self.interrupted_ns is not None and self.cause is GapCause.SILENT:
            self.cause = GapCause.SESSION_LOST

    def raise_doubt(self, cause: GapCause, since_ns: int) -> None:
        if self.doubt is None and self.on_wire:
            self.doubt = Doubt(cause, since_ns)

    def settle_doubt(self, before_ns: int | None, ts_recv_ns: int) -> None:
        """It spoke, last at ``before_ns``: if it paused longer than it does by itself, that was an interruption."""
        if self.doubt is None or ts_recv_ns <= self.doubt.since_ns + STRAGGLE_NS:
            return
        paused_ns = ts_recv_ns - max(before_ns or 0, self.doubt.since_ns)
        perhaps = self.doubt.cause is GapCause.FARM_BROKEN  # it may be another farm's: then only its own rhythm tells
        if paused_ns > (self.rhythm.pause_ns if perhaps else self.rhythm.lull_ns):
            self.interrupt(self.doubt.cause, since_ns=before_ns)
        self.doubt = None

    def resume(self, ts_recv_ns: int) -> Gap | None:
        """It flows; the gap that ends with it, if there was one."""
        if self.interrupted_ns is None:
            return None
        gap = self.missed(self.interrupted_ns, ts_recv_ns, self.cause)
        self.interrupted_ns = None
        return gap

    def missed(self, from_ns: int, to_ns: int, cause: GapCause, *, count: int | None = None) -> Gap:
        from_ns = max(from_ns, self.told_ns)
        self.told_ns = to_ns = max(from_ns, to_ns)
        self.gaps += 1
        return Gap(
            ts_recv_ns=to_ns,
            stream=self.name,
            from_ns=from_ns,
            to_ns=to_ns,
            cause=cause,
            count=count,
        )

    # How often it was asked.

    def spend(self, now_ns: int) -> None:
        """One more try: the next one waits twice as long."""
        self.retries += 1
        self.resubscriptions += 1
        self.next_ask_ns = now_ns + self.backoff_ns

    @property
    def backoff_ns(self) -> int:
        return min(RETRY_FIRST_NS << min(self.retries, 10), RETRY_MAX_NS)

    def forgive(self, ts_recv_ns: int) -> None:
        if self.retries and ts_recv_ns - self.asked_ns >= SETTLED_NS:
            self.retries, self.next_ask_ns = 0, 0

    @property
    def perhaps_taken(self) -> bool:
        """Another session of the login has taken a stream of its, and this one has not spoken since."""
        return self.doubt is not None and self.doubt.cause is GapCause.COMPETING

    def view(self, *, taken: bool, stopped: bool) -> StreamView:
        state = "stopped" if stopped else "competing" if taken or self.perhaps_taken else self.state.value
        return StreamView(
            stream=self.name,
            instrument=self.key,
            req_id=self.req_id,
            state=state,
            detail=self.detail,
            last_recv_ns=self.last_recv_ns,
            events=self.events,
            gaps=self.gaps,
            gap_since_ns=self.interrupted_ns,
            resubscriptions=self.resubscriptions,
        )
