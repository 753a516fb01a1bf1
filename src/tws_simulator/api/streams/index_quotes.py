"""One market data line of an index: nobody bids for it, and its level is what its options look at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from tws_simulator.api.streams.quotes import QuoteStream
from tws_simulator.api.streams.stream import Change
from tws_simulator.api.streams.ticks import Tick
from tws_simulator.wire.row import Message
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import Quote
from tws_simulator.world.options.underlyings import followed, spot
from tws_simulator.world.time.calendar import new_york_date
from tws_simulator.world.world import World

INDEX = "IND"


class IndexQuoteStream(QuoteStream):
    """Last, close, high and low, told anew when the fund that it follows has moved; no bid, no ask and no sizes."""

    def __init__(self, req_id: int, listing: Listing, world: World, *, now_ns: int, **asked: Any) -> None:
        super().__init__(req_id, listing, world, now_ns=now_ns, **asked)
        self._moved_by = followed(listing).con_id
        self._today: date | None = None
        self._high = self._low = 0.0

    def whole_picture(self, now_ns: int) -> Iterator[Message]:
        """The level between bid and ask of the fund may lie beyond its highest and lowest trade."""
        level = spot(self._world, self.listing)
        today = new_york_date(now_ns)
        if today != self._today:
            self._today, self._high, self._low = today, level.high, level.low
        self._high = max(self._high, level.high, level.price)
        self._low = min(self._low, level.low, level.price)
        yield from self._ticks.price(Tick.LAST, level.price)
        yield from self._ticks.price(Tick.CLOSE, level.close)
        yield from self._ticks.price(Tick.HIGH, self._high)
        yield from self._ticks.price(Tick.LOW, self._low)

    def is_complete(self) -> bool:
        return True

    def _prices(self, quote: Quote) -> Iterator[Message]:
        yield from ()

    def _update(self, quote: Quote, change: Change, now_ns: int) -> Iterator[Message]:
        yield from self.whole_picture(now_ns)
