"""How many streams of a kind may stand at once, of how many, and who gives way to whom.

The limits are the login's and shared with the windows of TWS and with every other client, so that nobody can know what
is left but by asking. A refusal teaches: the limit falls to what was in use when the gateway refused. It is kept over
reconnects, and tried again by one claim more, after a while or in a new session; what comes of that one, data or
another refusal, moves the limit up by one or leaves it.

Source: TWS API, "Market data lines": 100 lines (quotes and five-second bars), 3 depths, 5 tick-by-tick at the least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import IntEnum

from ibkr_adapter.clock import MINUTE
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import SessionLost
from ibkr_adapter.snapshot import QuotaView


class Priority(IntEnum):
    """Who goes before whom where there is not room for all."""

    ORDER = 0
    PINNED = 1
    CONFIGURED = 2
    OTHER = 3

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Priority.ORDER: "for orders",
    Priority.PINNED: "pinned",
    Priority.CONFIGURED: "configured",
    Priority.OTHER: "others",
}


class Quota:
    """Claims on one kind of stream, by name. At most ``room`` of them at a time."""

    PROBE_NS = 10 * MINUTE
    """After a refusal, until one claim more is tried."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.learned: int | None = None
        self._claims: dict[str, Priority] = {}
        self._probe: str | None = None
        self._probe_ns = 0

    def __repr__(self) -> str:
        learned = "" if self.learned is None else f", learned {self.learned}"
        return f"<Quota {self.name} {self.used} of {self.limit}{learned}>"

    @property
    def used(self) -> int:
        return len(self._claims)

    @property
    def probing(self) -> bool:
        """One claim is out that goes beyond what was learned, and nothing has come of it yet."""
        return self._probe is not None

    @property
    def next_probe_ns(self) -> int | None:
        """When one claim more may be tried; ``None`` where nothing is learned or one is being tried."""
        return None if self.learned is None or self.probing else self._probe_ns

    def claim(self, key: str, priority: Priority, now_ns: int) -> bool:
        """True if ``key`` may be asked for. Claimed again, it keeps its place, with the new priority."""
        if key not in self._claims and self.learned is not None and self.used >= self.learned:
            if self.probing or now_ns < self._probe_ns or self.used >= self.limit:
                return False
            self._probe = key
        elif key not in self._claims and self.used >= self.limit:
            return False
        self._claims[key] = priority
        return True

    def release(self, key: str) -> None:
        self._claims.pop(key, None)
        if self._probe == key:
            self._probe = None

    def keep(self, keys: Collection[str]) -> None:
        """Release what does not stand any more."""
        for key in [key for key in self._claims if key not in keys]:
            self.release(key)

    def proved(self, key: str) -> None:
        """Something came for it: there is room for as many as stand now, and perhaps for one more."""
        if self._probe == key:
            self._probe = None
            self._probe_ns = 0
            self.learned = self.used if self.used < self.limit else None

    def refused(self, key: str, now_ns: int) -> None:
        """The gateway has no room for it: what is left in use is what it allows, for now."""
        self.release(key)
        self.learned = min(self.used, self.limit)
        self._probe_ns = now_ns + self.PROBE_NS

    def session_lost(self) -> None:
        """Nothing stands any more. What was learned is kept, and tried anew by the next session."""
        self._claims.clear()
        self._probe = None
        self._probe_ns = 0

    def gives_way(self, priority: Priority) -> str | None:
        """The claim that yields to one of this priority: the least important, and of these the newest."""
        worst = max(self._claims.values(), default=Priority.ORDER)
        return [key for key, held in self._claims.items() if held is worst][-1] if worst > priority else None

    @property
    def refusal(self) -> str:
        """Why a claim is refused: how many there are, and what holds them."""
        counts = Counter(self._claims.values())
        held = ", ".join(f"{counts[priority]} {priority.label}" for priority in Priority if counts[priority])
        told = "" if self.learned is None else f", of which the gateway gives us {self.learned}"
        return f"{self.limit} {self.name}{told}: {held or 'held by others of this login'}"

    def view(self) -> QuotaView:
        return QuotaView(name=self.name, used=self.used, limit=self.limit, learned=self.learned)


class Quotas:
    """All quotas of the login."""

    def __init__(self, *, lines: int, depth: int, tick_by_tick: int) -> None:
        self.lines = Quota("lines", lines)
        self.depth = Quota("depth", depth)
        self.tick_by_tick = Quota("tick-by-tick", tick_by_tick)

    @property
    def all(self) -> tuple[Quota, ...]:
        return self.lines, self.depth, self.tick_by_tick

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        for quota in self.all:
            quota.session_lost()

    def views(self) -> tuple[QuotaView, ...]:
        return tuple(quota.view() for quota in self.all)
