"""Whether the gateway answers anything but the time.

A gateway has been seen whose heart beats and who is deaf to all else. The heartbeat is content with it, so silence
that is broken by the time alone is questioned: the next order id costs one message and every gateway names it. A quiet
night passes this way with one question in ten seconds; a gateway that leaves it and its repeat is a zombie.
"""

from __future__ import annotations

from collections.abc import Callable

from ibkr_adapter.clock import SECOND
from ibkr_adapter.effects import Outbox
from ibkr_adapter.requests import Request, RequestIds

ASK_AFTER_NS = 10 * SECOND
ZOMBIE_AFTER_NS = 28 * SECOND
"""After the last word; the question was asked twice by then, and nine seconds passed since."""


class Deafness:
    """When the present session last said something else than the time, and what was asked since."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._asked = 0

    def heard(self, ts_recv_ns: int) -> None:
        """Also at the start of a session, and whenever silence is explained."""
        self._last_ns = max(self._last_ns, ts_recv_ns)
        self._asked = 0

    def watch(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> bool:
        """Ask if it is time to; true if the gateway is a zombie."""
        if now_ns >= self._last_ns + ZOMBIE_AFTER_NS:
            return True
        if self._asked < 2 and now_ns >= self._due_ns:
            self._asked += 1
            ask(RequestIds())
        out.wake_at(self._due_ns if self._asked < 2 else self._last_ns + ZOMBIE_AFTER_NS)
        return False

    @property
    def _due_ns(self) -> int:
        return self._last_ns + ASK_AFTER_NS + self._asked * (ZOMBIE_AFTER_NS - ASK_AFTER_NS) // 2
