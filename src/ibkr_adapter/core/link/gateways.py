"""When to try a gateway again."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Delays double from ``first_ns`` to ``max_ns``, each spread by ±20 % so that no two services knock together.

    ``rand`` is given and yields numbers in [0, 1).
    """

    SPREAD = 0.2

    def __init__(self, *, first_ns: int, max_ns: int, rand: Callable[[], float]) -> None:
        self._first_ns = first_ns
        self._max_ns = max_ns
        self._rand = rand
        self.failures = 0

    def failed(self, *, at_least_ns: int = 0) -> int:
        """Count a failure and say how long to wait; ``at_least_ns`` where the cause asks for patience of its own."""
        delay_ns = min(self._max_ns, self._first_ns << min(self.failures, 32))
        self.failures += 1
        spread = 1 - self.SPREAD + 2 * self.SPREAD * self._rand()
        return max(at_least_ns, int(delay_ns * spread))

    def succeeded(self) -> None:
        self.failures = 0
