"""Planned windows: the times at which a gateway or IB itself is expected to be away."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

DEFAULT_ZONE: Final = "America/New_York"
"""In which windows are meant that say nothing else: IB's own, and that of the exchanges."""


class WindowKind(StrEnum):
    RESTART = "restart"
    """The gateway restarts: its socket goes down and comes back."""
    BROKER = "broker"
    """IB's side is being reset: the gateway loses IB, or its farms, and heals itself."""
    LOGIN = "login"
    """The gateway's tokens have ended: it waits for a person with the second factor."""


RESETS: Final = frozenset({WindowKind.RESTART, WindowKind.BROKER})
"""What heals by itself: whatever goes with a restart or a reset may be due to it."""

ANY: Final = frozenset(WindowKind)
"""Also a login that waits for a person: it explains that IB is away, and nothing else for half a day."""


class Window(Struct, frozen=True, kw_only=True):
    """One window of a gateway, in the local time of its zone, on each of its days.

    ``days``: the local days on which it starts, Monday 0. ``start_minute`` counts from local midnight; ``minutes`` is
    its length by the local clock, less than a day. ``patience_minutes``, for restarts: how long after the loss the
    gateway may stay away, which may be beyond the window's end; the other kinds excuse until their end.
    """

    name: str
    kind: WindowKind = WindowKind.RESTART
    days: frozenset[int] = frozenset(range(7))
    start_minute: int
    minutes: int = 30
    patience_minutes: int = 10
