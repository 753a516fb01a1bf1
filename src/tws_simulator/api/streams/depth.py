"""One depth subscription: the book row by row, first all of it, then what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import chain
from typing import Final

from tws_simulator.api.notices import error
from tws_simulator.api.notices.market_data import DEPTH_HALTED, DEPTH_RESET
from tws_simulator.api.streams import book
from tws_simulator.api.streams.book import Side
from tws_simulator.api.streams.depth_rows import ASK, BID, UPDATE, Operation, steps
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.world.instruments.listing import SMART, Listing
from tws_simulator.world.world import World

KIND = "depth"
ROWS_MAX: Final = 60
_MARKET_MAKER: Final = {"NASDAQ": "NSDQ"}
"""Venues that name who stands in a row of their own book."""


class DepthStream:
    """``venue`` None is the book of all venues, each row with its own. ``shifting`` rows come and go in the middle, see
    `depth_rows`. ``ended`` is called when the stream ends itself.

    ``reset`` and ``halt`` are what happens to subscriptions of real gateways now and then: after a reset (317) the
    reader empties its book and is told all of it again; after a halt (316) it is told nothing more.
    """

    def __init__(
        self,
        req_id: int,
        listing: Listing,
        world: World,
        *,
        rows: int,
        venue: str | None,
        shifting: bool,
        ended: Callable[[], None],
    ) -> None:
        self.req_id = req_id
        self.con_id = listing.con_id
        self.smart = venue is None
        self._world = world
        self._rows = min(max(rows, 1), ROWS_MAX)
        self._venue = venue
        self._shifting = shifting
        self._own_book = venue if len(set(listing.valid_exchanges) - {SMART}) > 1 else None
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
            yield error(self.req_id, DEPTH_HALTED, moment.now_ns)
            return
        if self._resets:
            self._resets = False
            self._bids, self._asks = [], []
            yield error(self.req_id, DEPTH_RESET, moment.now_ns)
        # Orders that rest behind the best price change the book, and no quote.
        yield from self._told(*moment.once((KIND, self.con_id, self._rows, self._own_book), self._look))

    def changes(self) -> Iterator[Message]:
        yield from self._told(*self._look())

    def _look(self) -> tuple[Side, Side]:
        return book.sides(self._world, self.con_id, self._rows, self._own_book)

    def _told(self, bids: Side, asks: Side) -> Iterator[Message]:
        for operation in steps((self._bids, self._asks), (bids, asks), shifting=self._shifting):
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
