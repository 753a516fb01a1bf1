"""What happened lately: the one way in which limits look back."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

What = TypeVar("What")


class Window(Generic[What]):
    """What was added within ``length_ns``; what is exactly so old is forgotten.

    It grows as its owner adds: who limits what is added asks for ``count`` or ``times`` first.
    """

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._added: deque[tuple[int, What]] = deque()

    def __len__(self) -> int:
        """As of the latest look."""
        return len(self._added)

    def add(self, now_ns: int, what: What) -> None:
        self._added.append((now_ns, what))

    def count(self, now_ns: int) -> int:
        while self._added and self._added[0][0] <= now_ns - self._length_ns:
            self._added.popleft()
        return len(self._added)

    def times(self, now_ns: int, what: What) -> int:
        """How often the same was added."""
        self.count(now_ns)
        return sum(each == what for _, each in self._added)
