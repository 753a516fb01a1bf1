"""When something is to happen: after some seconds, at a time of day, or when gateway and clients do something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tws_simulator.faults.event import Event, EventKind
from tws_simulator.faults.values import matches
from tws_simulator.world.time.calendar import new_york_time
from tws_simulator.world.time.units import SECOND_NS


@dataclass(frozen=True, kw_only=True, slots=True)
class After:
    """``at_s`` seconds after the scenario starts; then ``times`` in all, ``every_s`` seconds apart."""

    at_s: float = 0.0
    every_s: float = 0.0
    times: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """The next time that clocks in New York show "HH:MM:SS", plus ``after_s`` seconds; and ``daily`` again."""

    clock: str
    after_s: float = 0.0
    daily: bool = False

    def next_ns(self, now_ns: int) -> int:
        """A night on which the clocks change is an hour longer or shorter: counted on the clock, then set right."""
        here = _shown(now_ns)
        then = datetime.combine(here.date(), datetime.strptime(self.clock, "%H:%M:%S").time())
        if then <= here:
            then += timedelta(days=1)
        then_ns = now_ns + _nanoseconds(then - here)
        then_ns += _nanoseconds(then - _shown(then_ns))
        return then_ns + int(self.after_s * SECOND_NS)


@dataclass(frozen=True, kw_only=True, slots=True)
class On:
    """The ``nth`` event of its kind that fits, or with ``every`` each from then on; ``after_s`` seconds later.

    ``name`` is that of the message, where the event has one; ``where`` are values of that message.
    """

    kind: EventKind
    nth: int = 1
    name: str = ""
    client: int | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    every: bool = False
    after_s: float = 0.0

    def fits(self, event: Event) -> bool:
        if event.kind != self.kind or self.client not in (None, event.peer.client_id):
            return False
        if event.message is None:
            return not self.name
        return self.name in ("", event.message.name) and (not self.where or matches(event.message.values, self.where))


def _shown(ts_ns: int) -> datetime:
    return new_york_time(ts_ns).replace(tzinfo=None)


def _nanoseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000


Trigger = After | Clock | On
