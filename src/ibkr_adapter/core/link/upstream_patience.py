"""How long we bear with a gateway that has lost IB.

It heals itself, mostly within a minute, and tearing our session down only adds an outage. Only where the configuration
says so the session is made anew after a while, or the standby used instead. Never while a planned window explains it.

The outage is the gateway's and not the session's: it goes on while sessions come and go, and only a word that IB is
back ends it. Of a gateway that we leave nothing is remembered: should we come back, its time begins anew.
"""

from __future__ import annotations

from enum import Enum

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import SessionLost

GREETING_NS = 10 * SECOND
"""A new session has this long to say how the gateway stands with IB, before it is judged by what the last one said."""

WELL_NS = 10 * SECOND
"""What is lost again within this time was never back: a gateway may greet with its farms first, and with 1100 then."""


class Remedy(Enum):
    FAIL_OVER = "fail over"
    RECYCLE = "recycle"


class UpstreamPatience:
    """Says once in each outage of the present gateway what to do about it, when it has lasted long enough."""

    def __init__(self, settings: Settings) -> None:
        configured = ((Remedy.FAIL_OVER, settings.upstream_failover_ns), (Remedy.RECYCLE, settings.upstream_recycle_ns))
        self._after_ns = {remedy: after_ns for remedy, after_ns in configured if after_ns is not None}
        self._tried: set[Remedy] = set()
        self._gateway = ""
        self._opened_ns: int | None = None
        self._lost_ns: int | None = None
        self._back_ns: int | None = None

    # What happened.

    def session_opened(self, gateway: str, now_ns: int) -> None:
        if gateway != self._gateway:
            self._gateway = gateway
            self._forget()
        self._opened_ns = now_ns

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        self._opened_ns = None

    def lost(self, now_ns: int) -> None:
        """However often it is said: the first time counts."""
        if self._back_ns is not None and now_ns - self._back_ns >= WELL_NS:
            self._forget()
        self._back_ns = None
        if self._lost_ns is None:
            self._lost_ns = now_ns

    def restored(self, now_ns: int) -> None:
        if self._lost_ns is not None and self._back_ns is None:
            self._back_ns = now_ns

    def _forget(self) -> None:
        self._lost_ns = self._back_ns = None
        self._tried.clear()

    # What time does.

    def watch(self, now_ns: int, *, excused: bool, out: Outbox) -> Remedy | None:
        """What is to be done now, if the present session can still be ended."""
        if self._lost_ns is None or self._back_ns is not None or self._opened_ns is None:
            return None
        for remedy, after_ns in self._after_ns.items():
            if remedy in self._tried:
                continue
            due_ns = max(self._lost_ns + after_ns, self._opened_ns + GREETING_NS)
            if now_ns < due_ns:
                out.wake_at(due_ns)
            elif not excused:
                self._tried.add(remedy)
                return remedy
        return None
