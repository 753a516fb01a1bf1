"""The rules by which two machines share one client id, without clock, network or disk.

One record in Redis says who has the client id: token, epoch, and a beat that rises with every renewal. It has no
expiry of its own. Whoever does not hold it watches, and takes it when the record has stood *unchanged by the watcher's
own clock* for longer than its holder may rely on it; no two machines' clocks are ever compared, and neither is Redis's.

    the holder renews every ttl/3 and relies on a renewal for 7/10 of the ttl, counted from before it was asked for
    a watcher takes a record that has not changed for 17/20 of the ttl; it looks every tenth
    so who is killed is replaced within a ttl, and who is paused finds its deadline passed when it wakes up

A record that says it was released is taken at once. That there is *no* record proves nothing: a Redis that lost its
memory may have lost the record of a holder that still relies on it. So whoever finds none plants one that is nobody's,
and it is watched as long as any other; were absence itself watched, one who sleeps could not tell that a record came
and was lost meanwhile. A holder that relies on its last renewal puts its own record back, under a higher epoch. A
failed exchange, or a long time without one, begins the watch anew. A holder whose deadline passed is a watcher like the
others; its patience is a little shorter, because its session at the gateway still stands and the newcomer's would be
refused.

Epochs only rise: each taking uses one above every epoch this machine has seen, and the mark of those outlives Redis.
A holder that finds a record with an epoch not below its own and another's token has been replaced, for good.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

HOLD_TENTHS = 7
WATCH_TWENTIETHS = 17
RENEWALS = 3
LOOKS = 10
VACANT = "vacant:"


class Record(Struct, frozen=True, kw_only=True):
    """What stands in Redis. ``since_ns`` is UTC; ``age_ns`` since the last beat, by Redis's own clock, to be shown."""

    token: str
    epoch: int
    beat: int
    name: str
    host: str
    pid: int
    since_ns: int
    ttl_ns: int
    released: bool = False
    age_ns: int = 0

    @property
    def vacant(self) -> bool:
        """Planted where there was none; nobody holds it."""
        return self.token.startswith(VACANT)

    @property
    def stands(self) -> bool:
        """Held, as far as Redis's clock can tell: to be shown, never to be decided by."""
        return not (self.vacant or self.released) and self.age_ns < self.ttl_ns

    @property
    def identity(self) -> tuple[str, int, int, bool]:
        return self.token, self.epoch, self.beat, self.released


class Look(Struct, frozen=True):
    """Read the record."""


class Renew(Struct, frozen=True):
    """One more beat, if token and epoch are ours."""

    epoch: int


class Take(Struct, frozen=True):
    """Write our own record, if what stands there is still ``over`` (``None``: still nothing)."""

    over: Record | None
    epoch: int


class Plant(Struct, frozen=True):
    """Write a record that is nobody's, if there is none."""

    token: str
    epoch: int


Step = Look | Renew | Take | Plant


class Hold(Enum):
    WATCHING = "watching"
    HELD = "held"
    DOUBTED = "doubted"
    LAPSED = "lapsed"
    LOST = "lost"


TRANSITIONS: dict[Hold, frozenset[Hold]] = {
    Hold.WATCHING: frozenset({Hold.HELD}),
    Hold.HELD: frozenset({Hold.DOUBTED, Hold.LAPSED, Hold.LOST}),
    Hold.DOUBTED: frozenset({Hold.HELD, Hold.LAPSED, Hold.LOST}),
    Hold.LAPSED: frozenset({Hold.HELD, Hold.LOST}),
    Hold.LOST: frozenset(),
}


class Claim:
    """One machine's side of it. Times are of one clock that also counts while the machine sleeps."""

    def __init__(self, token: str, *, ttl_ns: int, mark: int) -> None:
        """``mark``: the highest epoch this machine has ever seen."""
        self.token = token
        self.ttl_ns = ttl_ns
        self.mark = mark
        self.state = Hold.WATCHING
        self.epoch = 0
        self.until_ns = 0
        """Placements may leave before this moment."""
        self.trouble = ""
        """Why the last exchange did not go as wished."""
        self.seen: Record | None = None
        self._seen_since_ns: int | None = None
        self._gone = False
        self._missing = False
        self._planted = 0
        self._exchanged_ns = 0

    def __repr__(self) -> str:
        return f"<Claim {self.token[:8]} {self.state.name} epoch {self.epoch} mark {self.mark}>"

    @property
    def watching_for_ns(self) -> int:
        """How long a record must stand unchanged before we take it."""
        ttl_ns = max(self.ttl_ns, self.seen.ttl_ns) if self.seen is not None else self.ttl_ns
        if self.state is Hold.WATCHING:
            return ttl_ns * WATCH_TWENTIETHS // 20
        return ttl_ns * HOLD_TENTHS // 10

    # What to do next, and when.

    def step(self, now_ns: int) -> Step:
        self.passed(now_ns)
        if self.state in (Hold.HELD, Hold.DOUBTED):
            return Take(self.seen, self.mark + 1) if self._gone else Renew(self.epoch)
        if now_ns - self._exchanged_ns >= self.ttl_ns // RENEWALS:
            self._missing, self._seen_since_ns = False, None
        if self._missing:
            return Plant(f"{VACANT}{self.token}:{self._planted}", self.mark)
        return Take(self.seen, self.mark + 1) if self._free_at_ns(now_ns) <= now_ns else Look()

    def next_ns(self, now_ns: int) -> int:
        """When the next step is due."""
        if self.state is Hold.LOST:
            return now_ns
        if self._gone or self._missing:
            return now_ns
        if self.state is Hold.HELD:
            return now_ns + self.ttl_ns // RENEWALS
        soon_ns = now_ns + self.ttl_ns // LOOKS
        return soon_ns if self.state is Hold.DOUBTED else min(soon_ns, self._free_at_ns(now_ns))

    def passed(self, now_ns: int) -> None:
        """Time went by; it may have been the deadline."""
        if self.state in (Hold.HELD, Hold.DOUBTED) and now_ns >= self.until_ns:
            self._gone = False
            self._seen_since_ns = None
            self._to(Hold.LAPSED)

    def _free_at_ns(self, now_ns: int) -> int:
        if self._seen_since_ns is None:
            return now_ns + self.watching_for_ns
        if self.seen is not None and self.seen.released:
            return now_ns
        return self._seen_since_ns + self.watching_for_ns

    # What became of it.

    def answered(self, step: Step, done: bool, record: Record | None, *, asked_ns: int, now_ns: int) -> None:
        """``record`` is what stands there after the step."""
        self.trouble = ""
        self._exchanged_ns = now_ns
        if record is not None:
            self.mark = max(self.mark, record.epoch)
        if isinstance(step, Plant):
            self._planted += 1
        if done and isinstance(step, Renew | Take):
            self._holds(step, record, asked_ns, now_ns)
        else:
            if isinstance(step, Take):
                self._seen_since_ns = None
            self._saw(record, now_ns)

    def failed(self, trouble: str, now_ns: int) -> None:
        """No answer, or a refusal: whether the step was done nobody knows."""
        self.trouble = trouble
        self._gone = self._missing = False
        self._seen_since_ns = None
        self.passed(now_ns)
        if self.state is Hold.HELD:
            self._to(Hold.DOUBTED)

    def _holds(self, step: Renew | Take, record: Record | None, asked_ns: int, now_ns: int) -> None:
        self.epoch = step.epoch
        self.mark = max(self.mark, step.epoch)
        self.seen = record
        self._seen_since_ns = now_ns
        self._gone = self._missing = False
        self.until_ns = asked_ns + self.ttl_ns * HOLD_TENTHS // 10
        if self.state is not Hold.HELD:
            self._to(Hold.HELD)
        self.passed(now_ns)  # an answer that took too long is worth nothing

    def _saw(self, record: Record | None, now_ns: int) -> None:
        unchanged = _identity(record) == _identity(self.seen) and self._seen_since_ns is not None
        self.seen = record
        if not unchanged:
            self._seen_since_ns = now_ns
        self._missing = record is None
        if self.state is Hold.WATCHING:
            return
        if record is not None and not record.vacant and record.token != self.token and record.epoch >= self.epoch:
            self.until_ns = 0
            self._to(Hold.LOST)
            return
        self.passed(now_ns)
        if self.state in (Hold.HELD, Hold.DOUBTED):
            self._gone, self._missing = True, False
            lost = record is None or record.vacant
            self.trouble = "the record of the lease is gone from Redis" if lost else "Redis went back in time"
            if self.state is Hold.HELD:
                self._to(Hold.DOUBTED)

    def _to(self, state: Hold) -> None:
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"a claim cannot go from {self.state.name} to {state.name}")
        self.state = state


def _identity(record: Record | None) -> tuple[str, int, int, bool] | None:
    return None if record is None else record.identity
