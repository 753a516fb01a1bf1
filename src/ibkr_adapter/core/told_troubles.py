"""Trouble around the core, which the shell sees and tells: each stands until it is told that it is over."""

from __future__ import annotations

from collections.abc import Iterator

from ibkr_adapter.core.alerts import Condition
from ibkr_adapter.effects import OutsideTrouble


class ToldTroubles:
    KEYS_MAX = 50
    """The shell has a handful of sources; what is told beyond this many keys is counted in ``dropped``."""

    def __init__(self) -> None:
        self._standing: dict[str, Condition] = {}
        self.dropped = 0

    def told(self, event: OutsideTrouble) -> None:
        if event.severity is None:
            self._standing.pop(event.key, None)
        elif event.key in self._standing or len(self._standing) < self.KEYS_MAX:
            self._standing[event.key] = Condition(
                key=event.key, severity=event.severity, text=event.text, remedy=event.remedy
            )
        else:
            self.dropped += 1

    def conditions(self, now_ns: int) -> Iterator[Condition]:
        yield from self._standing.values()
