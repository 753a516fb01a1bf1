"""Whether the other side still lives, and what its clock says.

One prober asks for the gateway's time, never more often than every five seconds, because a gateway may leave a repeat
within four unanswered. Any byte that comes is as good a proof of life as the answer. A peer is suspect only when it
left a probe unanswered *and* nothing else came: a slow line delays the answers and everything else alike, and stays
unsuspected as long as something keeps coming.

What comes proves nothing of what we say. A peer that no longer reads goes on ticking, and an order would end in its
buffers: a question that stands unanswered for too long is told as *late*, and one that answers none at all is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from ibkr_adapter.clock import SECOND
from ibkr_adapter.clock_offset import Offset
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.requests import Request, RequestCurrentTime

MISSED_NS = 4 * SECOND
"""A probe that nothing followed for this long counts as missed. With 5 s between probes a dead peer is suspect at
most 9 s after its last byte; an answer that took 3 s arrives in time."""


PAUSE_NS = 4 * SECOND
"""We were to be woken so long ago: it was this process that stood still, and what came meanwhile was not read."""

LATE_NS = 20 * SECOND
"""A question that waits longer for its answer: whoever speaks on this line is not known to hear us."""

UNANSWERED_NS = 60 * SECOND
UNANSWERED_MIN = 5
"""No answer at all for so long, to so many questions: they do not arrive. A narrow line brings answers late, but brings
them."""

OPEN_MAX = 100
"""Questions of which the answer is awaited; of more the oldest is forgotten, and long since late."""


class Pulse(Enum):
    """``UNANSWERED``: something comes, but no answer."""

    ALIVE = "alive"
    UNANSWERED = "unanswered"
    MISSED = "missed"
    DEAD = "dead"


class Heartbeat:
    """The proofs of life of one connection at a time. ``offset``: the gateway's clock, once it was measured."""

    def __init__(self, settings: Settings) -> None:
        self._probe_every_ns = settings.probe_every_ns
        self._suspect_after_ns = settings.suspect_after_ns
        self._silent_after_ns = settings.silent_after_ns
        self._since_ns = 0
        self._asked_ns: int | None = None
        self._waiting_since_ns: int | None = None
        self._open_ns: deque[int] = deque(maxlen=OPEN_MAX)
        """When each question was asked that no answer has come for."""
        self._answered_ns = 0
        self._due_ns: int | None = None
        """When ``beat`` was to be called again at the latest."""
        self._woke_ns: int | None = None
        """When we woke from a pause of our own; nothing was heard since."""
        self.last_inbound_ns: int | None = None
        self.offset: Offset | None = None

    def begin(self, now_ns: int) -> None:
        """A new connection: the first probe follows the greeting after the usual pause."""
        self._since_ns = now_ns
        self._asked_ns = now_ns
        self._waiting_since_ns = None
        self._open_ns.clear()
        self._answered_ns = now_ns
        self._due_ns = self._woke_ns = None
        self.last_inbound_ns = None
        self.offset = None

    def heard(self, ts_recv_ns: int) -> None:
        """Something came, whatever it was."""
        self.last_inbound_ns = max(ts_recv_ns, self.last_inbound_ns or 0)
        self._waiting_since_ns = None
        if self._woke_ns is not None and ts_recv_ns >= self._woke_ns:
            self._woke_ns = None

    def answered(self, time_ns: int, ts_recv_ns: int) -> None:
        """The gateway told its time. An answer that may belong to either of two questions measures nothing."""
        self._answered_ns = max(self._answered_ns, ts_recv_ns)
        if not self._open_ns:
            return
        asked_ns = self._open_ns.popleft()
        if not self._open_ns:
            self.offset = Offset.measured(time_ns, asked_ns=asked_ns, answered_ns=ts_recv_ns)
        elif self.offset is not None:
            self._pass_over(time_ns - self.offset.ahead_ns - self.offset.unsure_ns - SECOND)

    def _pass_over(self, read_ns: int) -> None:
        """Questions from before the gateway read its clock are answered too, or never will be: a repeat may be left."""
        while self._open_ns and self._open_ns[0] < read_ns:
            self._open_ns.popleft()

    def late(self, now_ns: int) -> bool:
        """A question has waited too long for its answer."""
        return bool(self._open_ns) and now_ns - self._open_ns[0] >= LATE_NS

    def _unanswered(self, now_ns: int) -> bool:
        return len(self._open_ns) >= UNANSWERED_MIN and now_ns - self._answered_ns >= UNANSWERED_NS

    def silent_ns(self, now_ns: int) -> int:
        """For how long nothing has come."""
        return now_ns - (self.last_inbound_ns if self.last_inbound_ns is not None else self._since_ns)

    def beat(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> Pulse:
        """Ask if it is time to; how the peer is; and be woken when that may change."""
        silent_ns = self.silent_ns(now_ns)
        self._notice_pause(now_ns, silent_ns)
        grace_ns = 0 if self._woke_ns is None else self._woke_ns + self._probe_every_ns
        if silent_ns >= self._silent_after_ns and now_ns >= grace_ns:
            return Pulse.DEAD
        if self._asked_ns is None or now_ns - self._asked_ns >= self._probe_every_ns:
            self._asked_ns = now_ns
            self._open_ns.append(now_ns)
            if self._waiting_since_ns is None:
                self._waiting_since_ns = now_ns
            ask(RequestCurrentTime())
        self._due_ns = self._asked_ns + self._probe_every_ns
        out.wake_at(self._due_ns)
        if now_ns < grace_ns:
            out.wake_at(grace_ns)
            return Pulse.MISSED
        out.wake_at(now_ns - silent_ns + self._silent_after_ns)
        if self._unanswered(now_ns):
            return Pulse.UNANSWERED
        if self._open_ns and not self.late(now_ns):
            out.wake_at(self._open_ns[0] + LATE_NS)
        return self._missed(now_ns, now_ns - silent_ns, out)

    def _notice_pause(self, now_ns: int, silent_ns: int) -> None:
        """A process that was stopped, or a machine: the peer has had no chance yet, and is given one question."""
        if self._due_ns is not None and now_ns - self._due_ns >= PAUSE_NS and silent_ns >= PAUSE_NS:
            self._woke_ns = now_ns

    @property
    def paused(self) -> bool:
        """We stood still, and nothing has been heard since."""
        return self._woke_ns is not None

    def _missed(self, now_ns: int, last_ns: int, out: Outbox) -> Pulse:
        if self._waiting_since_ns is None:
            return Pulse.ALIVE
        due_ns = max(last_ns + self._suspect_after_ns, self._waiting_since_ns + MISSED_NS)
        if now_ns >= due_ns:
            return Pulse.MISSED
        out.wake_at(due_ns)
        return Pulse.ALIVE
