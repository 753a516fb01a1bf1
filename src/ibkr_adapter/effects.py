"""What the core tells the shell to do, and what the shell answers. One outbox per batch; the shell performs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from ibkr_adapter.commands import CommandOutcome
from ibkr_adapter.events import AlertSeverity, FeedEvent, JournalEvent
from ibkr_adapter.notices import Notice
from ibkr_adapter.requests import Request


class Open(Struct, frozen=True, kw_only=True):
    """Connect to a gateway; ``SessionOpened`` or ``SessionLost`` with this epoch will answer."""

    gateway: str
    epoch: int


class Close(Struct, frozen=True, kw_only=True):
    """End a session; ``SessionLost`` answers."""

    epoch: int
    reason: str


class Send(Struct, frozen=True, kw_only=True):
    """Hand a request to the session of this epoch; to a session that is gone it is dropped."""

    epoch: int
    request: Request


class Append(Struct, frozen=True, kw_only=True):
    """Write one record to the journal. Numbers are consecutive; ``Durable`` answers the last one that is safe."""

    seq: int
    event: JournalEvent


class Outbox:
    """The effects of one batch, of each kind in the order in which they arose; ``perform`` says which is first."""

    __slots__ = ("appends", "closes", "opens", "publishes", "replies", "sends", "wake_at_ns")

    def __init__(self) -> None:
        self.closes: list[Close] = []
        self.appends: list[Append] = []
        self.opens: list[Open] = []
        self.sends: list[Send] = []
        self.replies: list[CommandOutcome] = []
        self.publishes: list[FeedEvent] = []
        self.wake_at_ns: int | None = None

    def wake_at(self, ns: int) -> None:
        """Ask to be woken at the earliest of all moments asked for."""
        if self.wake_at_ns is None or ns < self.wake_at_ns:
            self.wake_at_ns = ns


class Hands(Struct, frozen=True, kw_only=True):
    """Who performs the effects, one of us for each kind. ``wake`` is told of each batch, ``None`` for no alarm."""

    close: Callable[[Close], None]
    append: Callable[[Sequence[Append]], None]
    open: Callable[[Open], None]
    send: Callable[[Send], None]
    reply: Callable[[CommandOutcome], None]
    publish: Callable[[Sequence[FeedEvent]], None]
    wake: Callable[[int | None], None]


def perform(out: Outbox, hands: Hands) -> None:
    """In the one order that is safe: a record is on its way to the disk before what follows from it leaves the process.

    One session is closed before the next is opened, and nobody hears of an order before it was handed over.
    """
    for close in out.closes:
        hands.close(close)
    if out.appends:
        hands.append(out.appends)
    for opening in out.opens:
        hands.open(opening)
    for send in out.sends:
        hands.send(send)
    for reply in out.replies:
        hands.reply(reply)
    hands.publish(out.publishes)
    hands.wake(out.wake_at_ns)


# --- What became of them: the shell's answers, which the core is told like any event ---------------------------------


class Durable(Struct, frozen=True, kw_only=True):
    """The journal is on disk up to and including ``seq``."""

    seq: int


class JournalFailed(Struct, frozen=True, kw_only=True):
    """A write or a sync of the journal failed; it is not tried again."""

    detail: str


class TicksDropped(Struct, frozen=True, kw_only=True):
    """The mailbox was full and threw away ticks of this request; the last value of each field was kept."""

    req_id: int
    count: int


class WallClockStepped(Struct, frozen=True, kw_only=True):
    """The machine's clock stands ``step_ns`` from where it would be had nobody moved it since the start."""

    step_ns: int


class FramesTaken(Struct, frozen=True, kw_only=True):
    """How far a session's frames have come: ``unsent`` wait here, the last write ended at ``written_ns``.

    Told before each batch, so that pacing counts a message when it left and not when it was released.
    """

    epoch: int
    unsent: int
    written_ns: int


class SummaryOwned(Struct, frozen=True, kw_only=True):
    """Another component asks for the account summary, so we do not; empty: none does."""

    component: str


class OutsideTrouble(Struct, frozen=True, kw_only=True):
    """Something around the core is wrong, as the shell sees it: it stands until told again, ``None`` when it is over.

    ``key`` as of every alert: the same for one cause for ever, and without values in it.
    """

    key: str
    severity: AlertSeverity | None
    text: str = ""
    remedy: str = ""


class MessageCodesReplaced(Struct, frozen=True, kw_only=True):
    """From this moment on these rows say what IB's message codes mean."""

    rows: tuple[Notice, ...]


class SendFailed(Struct, frozen=True, kw_only=True):
    """The official encoder would not take this request: nothing of it reached the socket."""

    request: Request
    detail: str
