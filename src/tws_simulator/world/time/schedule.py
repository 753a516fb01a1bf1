"""What is to happen at a certain time: sessions that open and close, orders that expire, messages that come later."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

_NEVER_NS = 2**63 - 1


class Schedule:
    """Actions by time, and in the order they were noted at the same time."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = 0
        self.next_ns = _NEVER_NS

    def note(self, ts_ns: int, action: Callable[[], None]) -> None:
        self._serial += 1
        heappush(self._due, (ts_ns, self._serial, action))
        self.next_ns = self._due[0][0]

    def take(self) -> Callable[[], None]:
        """The next action; the caller does it at ``next_ns``."""
        _, _, action = heappop(self._due)
        self.next_ns = self._due[0][0] if self._due else _NEVER_NS
        return action

    def __len__(self) -> int:
        return len(self._due)
