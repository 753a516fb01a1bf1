"""Account summary subscriptions: all rows once, then the rows that changed."""

from __future__ import annotations

from collections.abc import Iterator

from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.world.world import World

KIND = "account summary"


class SummaryStream:
    """Remembers what one request was told, and looks for changes every ``interval_ns``."""

    def __init__(self, req_id: int, world: World, tags: frozenset[str], interval_ns: int) -> None:
        self._req_id = req_id
        self._world = world
        self._tags = tags
        self._interval_ns = interval_ns
        self._due_ns = 0
        self._told: dict[str, str] = {}

    def tell(self, moment: Moment) -> Iterator[Message]:
        if moment.now_ns >= self._due_ns:
            yield from self.changes(moment.now_ns)

    def changes(self, now_ns: int) -> Iterator[Message]:
        self._due_ns = now_ns + self._interval_ns
        for row in self._world.ledger.summary(self._world.marks()):
            if row.tag in self._tags and self._told.get(row.tag) != row.value:
                self._told[row.tag] = row.value
                yield message(
                    "accountSummary",
                    reqId=self._req_id,
                    account=self._world.account,
                    tag=row.tag,
                    value=row.value,
                    currency=row.currency,
                )
