"""Clocks for gateways whose time is not that of the wall."""

from __future__ import annotations

from collections.abc import Callable

from tws_simulator.world.time.units import SECOND_NS


class VirtualClock:
    """For a gateway whose days are to pass in seconds: ``Gateway(clock=VirtualClock(start_ns))``."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns

    def __call__(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        self._now_ns += int(seconds * SECOND_NS)


class RunningClock:
    """Time that begins where it is told to and runs ``speed`` times as fast as ``steady``, a clock that never steps."""

    def __init__(self, start_ns: int, speed: float, steady: Callable[[], int]) -> None:
        self._start_ns = start_ns
        self._speed = speed
        self._steady = steady
        self._origin_ns = steady()

    def __call__(self) -> int:
        return self._start_ns + int((self._steady() - self._origin_ns) * self._speed)
