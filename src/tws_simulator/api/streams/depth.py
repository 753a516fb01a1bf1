"""One depth subscription: the book row by row, first all of it, then what changed.

Rows are told as changes of two lists, bids and asks, best first: 0 adds a row, 1 overwrites it, 2 takes it out. Rows
come and go at the end of a list only, and what is before them is overwritten, because clients do not agree on the
rest: where most move rows to make room for another or to close a gap, ib_async keeps rows by their position.

After each step of the world a reader who applied them all holds the true book. On the way there it holds a shorter or
an older one, but never one that is out of order or crossed: first rows go, then rows worsen, then rows improve and
arrive. For the same reason it never holds more rows than were asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, zip_longest
from typing import Final

from tws_simulator.api import data_notices, notices
from tws_simulator.api.streams import book
from tws_simulator.api.streams.book import Row, Side
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.world.universe import SMART, Listing
from tws_simulator.world.world import World

KIND = "depth"
ROWS_MAX: Final = 60
INSERT, UPDATE, DELETE = 0, 1, 2
ASK, BID = 0, 1
_MARKET_MAKER: Final = {"NASDAQ": "NSDQ"}
"""Venues that name who stands in a row of their own book."""


@dataclass(frozen=True, slots=True)
class Operation:
    position: int
    operation: int
    side: int
    row: Row | None


class DepthStream:
    """``venue`` None is the book of all venues, each row with its own. ``ended`` is called when the stream ends itself.

    ``reset`` and ``halt`` are what happens to subscriptions of real gateways now and then: after a reset (317) the
    reader empties its book and is told all of it again; after a halt (316) it is told nothing more.
    """

    def __init__(
        self, req_id: int, listing: Listing, world: World, *, rows: int, venue: str | None, ended: Callable[[], None]
    ) -> None:
        self.req_id = req_id
        self.con_id = listing.con_id
        self.smart = venue is None
        self._world = world
        self._rows = min(max(rows, 1), ROWS_MAX)
        self._venue = venue
        self._shares_book = len(set(listing.valid_exchanges) - {SMART}) > 1
        self._ended = ended
        self._bids: Side = []
        self._asks: Side = []
        self._resets = False
        self._halts = False

    def reset(self) -> None:
        """Tell 317 and the whole book with the next step."""
        self._resets = True

    def halt(self) -> None:
        """Tell 316 with the next step, and end."""
        self._halts = True

    def tell(self, moment: Moment) -> Iterator[Message]:
        if self._halts:
            self._ended()
            yield notices.error(self.req_id, data_notices.DEPTH_HALTED, moment.now_ns)
            return
        if self._resets:
            self._resets = False
            self._bids, self._asks = [], []
            yield notices.error(self.req_id, data_notices.DEPTH_RESET, moment.now_ns)
        yield from self.changes()  # orders that rest behind the best price change the book, and no quote

    def changes(self) -> Iterator[Message]:
        venue = self._venue if self._shares_book else None
        bids, asks = book.sides(self._world, self.con_id, self._rows, venue)
        for operation in steps((self._bids, self._asks), (bids, asks)):
            yield self._message(operation)
        self._bids, self._asks = bids, asks

    def late(self, count: int) -> Iterator[Message]:
        """Rows that were on their way when the subscription was cancelled."""
        rows = chain.from_iterable(
            (Operation(at, UPDATE, side, row),)
            for at, pair in enumerate(zip(self._bids, self._asks, strict=False))
            for side, row in zip((BID, ASK), pair, strict=True)
        )
        for operation, _ in zip(rows, range(count), strict=False):
            yield self._message(operation)

    def _message(self, operation: Operation) -> Message:
        price, size, venue = operation.row or (0.0, 0, "")
        row = {
            "position": operation.position,
            "operation": operation.operation,
            "side": operation.side,
            "price": price,
            "size": Decimal(size),
        }
        market_maker = venue if self.smart else _MARKET_MAKER.get(self._venue or "")
        if market_maker is None:
            return message("updateMktDepth", reqId=self.req_id, marketDepthData=row)
        row |= {"marketMaker": market_maker, "isSmartDepth": self.smart}
        return message("updateMktDepthL2", reqId=self.req_id, marketDepthData=row)


def steps(old: tuple[Side, Side], new: tuple[Side, Side]) -> Iterator[Operation]:
    """From the old bids and asks to the new ones, with as few operations as a reader in order can follow."""
    bids, asks = _Edit(BID, old[0], new[0]), _Edit(ASK, old[1], new[1])
    yield from bids.deletions()
    yield from asks.deletions()
    yield from bids.worsenings()
    yield from asks.worsenings()
    yield from bids.improvements()
    yield from asks.improvements()
    for pair in zip_longest(bids.insertions(), asks.insertions()):
        yield from (operation for operation in pair if operation is not None)


class _Edit:
    """One side, position by position."""

    def __init__(self, side: int, old: Side, new: Side) -> None:
        self._side = side
        self._old, self._new = old, new

    def deletions(self) -> Iterator[Operation]:
        for at in reversed(range(len(self._new), len(self._old))):
            yield Operation(at, DELETE, self._side, None)

    def worsenings(self) -> Iterator[Operation]:
        """And changes of size; from the worst row up."""
        for position, (before, after) in reversed(list(enumerate(self._rows()))):
            if before != after and not self._improves(before, after):
                yield Operation(position, UPDATE, self._side, after)

    def improvements(self) -> Iterator[Operation]:
        """From the best row down."""
        for position, (before, after) in enumerate(self._rows()):
            if self._improves(before, after):
                yield Operation(position, UPDATE, self._side, after)

    def insertions(self) -> Iterator[Operation]:
        for at in range(len(self._old), len(self._new)):
            yield Operation(at, INSERT, self._side, self._new[at])

    def _rows(self) -> Iterator[tuple[Row, Row]]:
        return zip(self._old, self._new, strict=False)

    def _improves(self, before: Row, after: Row) -> bool:
        return after[0] > before[0] if self._side == BID else after[0] < before[0]
