"""How long we bear with a gateway that has lost IB.

It heals itself, mostly within a minute, and tearing our session down only adds an outage. Only where the configuration
says so the session is made anew after a while, or the standby used instead. Never while a planned window explains it.
"""

from __future__ import annotations

from enum import Enum

from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox


class Remedy(Enum):
    FAIL_OVER = "fail over"
    RECYCLE = "recycle"


class UpstreamPatience:
    """Says once in each outage what to do about it, when it has lasted long enough."""

    def __init__(self, settings: Settings) -> None:
        configured = ((Remedy.FAIL_OVER, settings.upstream_failover_ns), (Remedy.RECYCLE, settings.upstream_recycle_ns))
        self._after_ns = {remedy: after_ns for remedy, after_ns in configured if after_ns is not None}
        self._tried: set[Remedy] = set()

    def watch(self, lost_ns: int | None, now_ns: int, *, excused: bool, out: Outbox) -> Remedy | None:
        """``lost_ns``: since when the gateway of the present session is without IB."""
        if lost_ns is None:
            self._tried.clear()
            return None
        for remedy, after_ns in self._after_ns.items():
            if remedy in self._tried:
                continue
            if now_ns < lost_ns + after_ns:
                out.wake_at(lost_ns + after_ns)
            elif not excused:
                self._tried.add(remedy)
                return remedy
        return None
