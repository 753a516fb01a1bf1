"""The one place that reads a clock, and the units of time."""

from __future__ import annotations

import time
from typing import Protocol

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND


class Clock(Protocol):
    """What the shell asks for the time: UTC nanoseconds since 1970 that never run backwards."""

    def now_ns(self) -> int: ...


class WallClock(Clock, Protocol):
    """A clock that also knows how far the machine's own has been moved."""

    def wall_step_ns(self) -> int: ...


class SystemClock:
    """Wall time at start plus monotonic time since.

    A step of the wall clock (an operator, a resumed virtual machine) would otherwise fire every timer at once or
    none for an hour. Slewing by NTP reaches the monotonic clock of Linux too, so the two stay together.
    """

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        return self._offset_ns + time.monotonic_ns()

    def wall_step_ns(self) -> int:
        """How far the wall clock has stepped away from this one since it was made."""
        return time.time_ns() - self.now_ns()
