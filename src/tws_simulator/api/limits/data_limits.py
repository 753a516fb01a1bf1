"""How much market data the clients of one user may ask for.

Lines are shared by all clients and taken by quotes and five-second bars. Depth is limited by instruments: one that is
shown already may be asked for again. Tick-by-tick subscriptions are limited in number, and a client waits before it
asks for the same kind of ticks of the same instrument again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from tws_simulator.api.session import Session
from tws_simulator.api.streams import bars, depth, quotes, tick_by_tick

SECOND_NS = 1_000_000_000
BARS_MAX, BARS_WINDOW_NS = 60, 600 * SECOND_NS
"""New requests for five-second bars within ten minutes."""

_LINE_KINDS = frozenset({quotes.KIND, bars.KIND})


def lines_taken(sessions: Iterable[Session]) -> int:
    return sum(kind in _LINE_KINDS for session in sessions for kind, _ in session.streams)


def instruments_with_depth(sessions: Iterable[Session]) -> set[int]:
    streams = (stream for session in sessions for stream in session.streams.values())
    return {stream.con_id for stream in streams if isinstance(stream, depth.DepthStream)}


def tick_by_tick_taken(sessions: Iterable[Session]) -> int:
    return sum(kind == tick_by_tick.KIND for session in sessions for kind, _ in session.streams)


class Pauses:
    """When each (client, instrument, kind) may be asked for again; forgets what is over."""

    def __init__(self) -> None:
        self._until_ns: dict[tuple[int, int, str], int] = {}

    def rests(self, key: tuple[int, int, str], now_ns: int) -> bool:
        return self._until_ns.get(key, now_ns) > now_ns

    def start(self, key: tuple[int, int, str], now_ns: int, pause_ns: int) -> None:
        self._until_ns = {each: until_ns for each, until_ns in self._until_ns.items() if until_ns > now_ns}
        self._until_ns[key] = now_ns + pause_ns


class Pace:
    """At most ``most`` requests in any ``window_ns``."""

    def __init__(self, most: int, window_ns: int) -> None:
        self._most = most
        self._window_ns = window_ns
        self._times_ns: deque[int] = deque()

    def allows(self, now_ns: int) -> bool:
        """Counts the request when it does."""
        while self._times_ns and self._times_ns[0] <= now_ns - self._window_ns:
            self._times_ns.popleft()
        if len(self._times_ns) >= self._most:
            return False
        self._times_ns.append(now_ns)
        return True
