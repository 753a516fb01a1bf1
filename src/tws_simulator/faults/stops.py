"""Market data that has stopped while everything else goes on."""

from __future__ import annotations

from tws_simulator.wire.row import Message

TOLD_BY_KIND: dict[str, frozenset[str]] = {
    "quote": frozenset({"tickPrice", "tickSize", "tickString", "tickGeneric", "tickOptionComputation", "tickEFP"}),
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


class Stops:
    """Which kinds of market data are stopped, by whom and for whom: each stop is lifted by its own name."""

    def __init__(self) -> None:
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

    def swallows(self, client_id: int, message: Message) -> bool:
        """Whether it carries data of a kind that has stopped, also where a request asked for it."""
        return any(message.name in names and self.stops(client_id, kind) for kind, names in TOLD_BY_KIND.items())
