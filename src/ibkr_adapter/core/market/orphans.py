"""Data for nobody: what goes on coming for a request id that was cancelled, and takes a line that others need.

IB does not acknowledge a cancel, and what was under way still arrives: ticks for nobody are normal for a moment. What
speaks longer was not cancelled at all, for whatever reason, and is cancelled again, a few times, each time with twice
the patience. What goes on all the same only the end of the session stops, and that is for a person to decide.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.snapshot import OrphanView

GRACE_NS = 5 * SECOND
"""How long data may straggle in behind a cancel; with the whole budget used up, the cancel itself takes half of it."""

QUIET_NS = 60 * SECOND
"""One that has said nothing for so long is over."""

CANCELS_MAX = 4


@dataclass(slots=True)
class _Orphan:
    since_ns: int
    last_ns: int
    due_ns: int
    cancels: int = 0

    def stands(self, now_ns: int) -> bool:
        return self.last_ns - self.since_ns >= GRACE_NS and now_ns - self.last_ns < QUIET_NS

    def defies(self, now_ns: int) -> bool:
        return self.cancels == CANCELS_MAX and self.last_ns >= self.due_ns and now_ns - self.last_ns < QUIET_NS


class Orphans:
    """Request ids that are nobody's and speak. At ``WATCHED_MAX`` the one that has been quiet longest is forgotten."""

    WATCHED_MAX = 200

    def __init__(self) -> None:
        self._watched: OrderedDict[int, _Orphan] = OrderedDict()
        self.cancelled = 0

    def session_lost(self) -> None:
        self._watched.clear()

    def heard(self, req_id: int, ts_recv_ns: int) -> bool:
        """Something came for it; true if it is time to cancel it again, which is then taken for done."""
        orphan = self._watched.get(req_id)
        if orphan is None or ts_recv_ns - orphan.last_ns >= QUIET_NS:
            orphan = self._watched[req_id] = _Orphan(ts_recv_ns, ts_recv_ns, ts_recv_ns + GRACE_NS)
        self._watched.move_to_end(req_id)
        if len(self._watched) > self.WATCHED_MAX:
            self._watched.popitem(last=False)
        orphan.last_ns = ts_recv_ns
        if ts_recv_ns < orphan.due_ns or orphan.cancels == CANCELS_MAX:
            return False
        orphan.cancels += 1
        orphan.due_ns = ts_recv_ns + (GRACE_NS << orphan.cancels)
        self.cancelled += 1
        return True

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        deaf = sum(orphan.defies(now_ns) for orphan in self._watched.values())
        if deaf:
            yield Condition(
                key="data/orphans",
                severity=AlertSeverity.WARNING,
                text=f"data keeps coming for {deaf} requests that were cancelled: each takes a market-data line",
                remedy="restart the service when nothing is at stake: the end of its session ends them",
            )

    def views(self, now_ns: int) -> tuple[OrphanView, ...]:
        return tuple(
            OrphanView(req_id=req_id, since_ns=orphan.since_ns, last_recv_ns=orphan.last_ns, cancels=orphan.cancels)
            for req_id, orphan in self._watched.items()
            if orphan.stands(now_ns)
        )
