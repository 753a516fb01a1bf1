"""A clock that stands still until it is told how much time has passed."""

from __future__ import annotations

_SECOND = 1_000_000_000


class VirtualClock:
    """For a gateway whose days are to pass in seconds: ``Gateway(clock=VirtualClock(start_ns))``."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns

    def __call__(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        self._now_ns += int(seconds * _SECOND)
