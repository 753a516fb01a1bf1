"""Market data that has stopped while everything else goes on."""

from __future__ import annotations

from dataclasses import dataclass

from tws_simulator.api.session import Session
from tws_simulator.api.streams.stream import Stream
from tws_simulator.wire.row import Message

TOLD_BY_KIND: dict[str, frozenset[str]] = {
    "quote": frozenset(
        {"tickPrice", "tickSize", "tickString", "tickGeneric", "tickOptionComputation", "tickEFP", "tickSnapshotEnd"}
    ),
    "depth": frozenset({"updateMktDepth", "updateMktDepthL2"}),
    "tick-by-tick": frozenset({"tickByTick"}),
    "bars": frozenset({"realtimeBar"}),
    "history": frozenset({"historicalDataUpdate"}),
}
"""The messages of each kind of subscription."""

DATA_KINDS = frozenset(TOLD_BY_KIND)
FARM_KINDS: dict[str, frozenset[str]] = {
    "market": DATA_KINDS - {"history"},
    "history": frozenset({"history"}),
    "sec-def": frozenset(),
}
"""What each sort of farm feeds."""


_HELD_MAX = 100_000


@dataclass(frozen=True, slots=True)
class _Held:
    """``stream`` is None where nothing goes on after the message, as after a snapshot."""

    session: Session
    kind: str
    stream: Stream | None
    message: Message

    @property
    def is_wanted(self) -> bool:
        running = self.session.streams.get((self.kind, self.message["reqId"]))
        return self.stream is None or running is self.stream


class Stops:
    """Which kinds of market data are stopped, by whom and for whom: each stop is lifted by its own name.

    What is told of a subscription from its second picture on makes sense to nobody who was not told the first: that of
    a subscription which begins during a stop is held back until there is none.
    """

    def __init__(self) -> None:
        self._held: list[_Held] = []
        self._stops: dict[str, tuple[frozenset[str], int | None]] = {}

    def __bool__(self) -> bool:
        return bool(self._stops)

    def add(self, name: str, kinds: frozenset[str], client_id: int | None = None) -> None:
        self._stops[name] = (kinds, client_id)

    def lift(self, name: str) -> None:
        self._stops.pop(name, None)

    def clear(self) -> None:
        self._stops.clear()

    def stops(self, client_id: int, kind: str) -> bool:
        return any(kind in kinds and client in (None, client_id) for kinds, client in self._stops.values())

    def stopped_kind(self, client_id: int, message: Message) -> str | None:
        """That of the data which it carries, if it has stopped; also where a request asked for it."""
        for kind, names in TOLD_BY_KIND.items():
            if message.name in names and self.stops(client_id, kind):
                return kind
        return None

    def hold(self, session: Session, kind: str, message: Message) -> None:
        """Part of a first picture; lost where too much waits already."""
        if len(self._held) < _HELD_MAX:
            self._held.append(_Held(session, kind, session.streams.get((kind, message["reqId"])), message))

    def take_free(self) -> list[tuple[Session, Message]]:
        """What was held of data that have stopped no more, as far as its subscription still runs."""
        free = [each for each in self._held if not self.stops(each.session.client_id, each.kind)]
        self._held = [each for each in self._held if self.stops(each.session.client_id, each.kind)]
        return [(each.session, each.message) for each in free if each.is_wanted]
