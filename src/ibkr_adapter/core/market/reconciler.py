"""Closing the difference between what is wanted and what this session was asked.

Desired and wire state are two objects, and neither knows the other's past. Whoever has both (a *source*) says what
stands and should not, and what should stand and does not; the reconciler takes from all sources in one order, no more
at a time than the message budget has room for, so that what matters more and comes later need not wait behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import Protocol

from ibkr_adapter.clock import MILLISECOND
from ibkr_adapter.effects import Outbox
from ibkr_adapter.requests import Request

Ask = Callable[[Request], None]

ROOM_AGAIN_NS = 100 * MILLISECOND


class Precedence(IntEnum):
    """What is asked for first. What is at risk comes before what it is worth, and that before what is nice to know.

    Open orders and executions are a question with an answer, not a subscription: ``core/trading/inquiry.py`` asks it at
    the start of each session, before anything here.
    """

    ORDERS = 0
    ACCOUNT = 1
    DETAILS = 2
    PINNED_DEPTH = 3
    QUOTES = 4
    TICK_BY_TICK = 5
    BARS = 6
    PROFIT = 7
    DEPTH = 8


class Source(Protocol):
    """One kind of thing that stands at the gateway. What its iterators give out it takes for done.

    ``needs_ready``: only once it is known what is at risk; else as soon as the session has named its accounts.
    """

    precedence: Precedence
    needs_ready: bool

    def surplus(self) -> Iterator[Request]: ...

    def missing(self, now_ns: int) -> Iterator[Request]: ...


class Reconciler:
    """Looks for differences when something was said that may have made one, or when there was no room the last time.

    Ticks make none, and are most of what comes: comparing a hundred streams behind each of them would cost more than
    all that is done with it.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sorted(sources, key=lambda source: source.precedence)
        self._again_ns: int | None = 0

    def stir(self) -> None:
        """Something other than a tick was said."""
        self._again_ns = 0

    def due(self, now_ns: int) -> bool:
        return self._again_ns is not None and now_ns >= self._again_ns

    def cancel(self, ask: Ask) -> None:
        """What stands and is not wanted, of every source, whatever the state of the session."""
        for unwanted in (request for source in self._sources for request in source.surplus()):
            ask(unwanted)

    def close(self, ask: Ask, now_ns: int, out: Outbox, *, room: int, ready: bool) -> None:
        """Cancel what is too much, then ask for what is missing; come back soon if there was no room for all of it."""
        sources = [source for source in self._sources if ready or not source.needs_ready]
        for unwanted in (request for source in sources for request in source.surplus()):
            ask(unwanted)
            room -= 1
        for source in sources:
            missing = source.missing(now_ns)
            while room > 0 and (request := next(missing, None)) is not None:
                ask(request)
                room -= 1
        self._again_ns = None
        if room <= 0:
            self._again_ns = now_ns + ROOM_AGAIN_NS
            out.wake_at(self._again_ns)
