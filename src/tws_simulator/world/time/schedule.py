"""What is to happen at a certain time: sessions that open and close, orders that expire, messages that come later."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush

_NEVER_NS = 2**63 - 1
_FORGOTTEN_KEPT = 64


class Schedule:
    """Actions by time, and in the order they were noted at the same time.

    An action noted under a key takes the place of the one that was noted under it before. What is forgotten is thrown
    away once it is more than half of what is kept.
    """

    def __init__(self) -> None:
        self._due: list[tuple[int, int]] = []  # time and serial number, forgotten ones too
        self._actions: dict[int, tuple[Callable[[], None], Hashable | None]] = {}
        self._serials: dict[Hashable, int] = {}
        self._serial = 0
        self.next_ns = _NEVER_NS

    def note(self, ts_ns: int, action: Callable[[], None], *, key: Hashable | None = None) -> None:
        self._serial += 1
        if key is not None:
            self._actions.pop(self._serials.pop(key, 0), None)
            self._serials[key] = self._serial
        self._actions[self._serial] = action, key
        heappush(self._due, (ts_ns, self._serial))
        self._tidy()

    def forget(self, key: Hashable) -> None:
        serial = self._serials.pop(key, None)
        if serial is not None:
            del self._actions[serial]
            self._tidy()

    def take(self) -> Callable[[], None]:
        """The next action; the caller does it at ``next_ns``."""
        _, serial = heappop(self._due)
        action, key = self._actions.pop(serial)
        if key is not None:
            del self._serials[key]
        self._tidy()
        return action

    def _tidy(self) -> None:
        if len(self._due) > 2 * len(self._actions) + _FORGOTTEN_KEPT:
            self._due = [each for each in self._due if each[1] in self._actions]
            heapify(self._due)
        while self._due and self._due[0][1] not in self._actions:
            heappop(self._due)
        self.next_ns = self._due[0][0] if self._due else _NEVER_NS

    def __len__(self) -> int:
        return len(self._actions)
