"""One market data line: what a subscriber is told of a quote, first all, then what changed.

Delayed lines show the same market under IB's delayed tick ids; the simulator does not hold them back. While the market
is closed a line has no bid and no ask (-1, with size 0), unless it was asked to be frozen: then it shows those of the
close. Message 58 says which of the four types a line is, when it opens and when that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from tws_simulator.api.streams import book
from tws_simulator.api.streams.generic_values import GenericValues
from tws_simulator.api.streams.stream import Change, Moment
from tws_simulator.api.streams.ticks import Tick, TickTeller
from tws_simulator.wire.row import Message, message
from tws_simulator.world.instruments.listing import VENUE_LETTERS, Listing
from tws_simulator.world.market.events import Quote
from tws_simulator.world.time.calendar import Phase
from tws_simulator.world.time.units import SECOND_NS
from tws_simulator.world.world import World

KIND = "quote"
LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
SNAPSHOT_NS_MAX: Final = 11_000_000_000
"""A snapshot ends after this time, whatever is still missing. Source: TWS API, "Watchlist data, snapshots"."""

BBO_EXCHANGE = "9c0001"
_SNAPSHOT_PERMISSIONS = 3
_STOCK, _CURRENCY = "STK", "CASH"
_PRECISION = "0.000001"
_CAN_AUTO_EXECUTE, _NO_ATTRIBUTE = 1, 0
_NO_PRICE = -1.0
_MINUTE_NS = 60 * SECOND_NS
_ON_THEIR_WAY = (
    Tick.HIGH, Tick.LOW, Tick.VOLUME, Tick.CLOSE, Tick.LAST, Tick.LAST_TIMESTAMP, Tick.OPEN, Tick.BID, Tick.ASK,
)  # fmt: skip


def shown_type(asked: int, phase: Phase, *, entitled: bool) -> int | None:
    """What a line asked for as one of the four types is shown as; None when it is refused.

    Who may see live data sees it, whatever was asked; frozen types are frozen while the market is closed.
    """
    closed = phase is Phase.CLOSED
    if entitled:
        return FROZEN if closed and asked in (FROZEN, DELAYED_FROZEN) else LIVE
    if asked in (LIVE, FROZEN):
        return None
    return DELAYED_FROZEN if closed and asked == DELAYED_FROZEN else DELAYED


class QuoteStream:
    """What one line has told its subscriber. ``asked_type`` must be one that is not refused."""

    def __init__(
        self,
        req_id: int,
        listing: Listing,
        world: World,
        *,
        now_ns: int,
        generic_ticks: frozenset[int],
        asked_type: int,
        entitled: bool,
    ) -> None:
        self.req_id = req_id
        self.con_id = listing.con_id
        self.listing = listing
        self._moved_by = listing.con_id
        self._world = world
        self._asked_type = asked_type
        self._entitled = entitled
        self._phase = world.calendar.phase(now_ns)
        self._minute = now_ns // _MINUTE_NS
        self._type = self._shown_type()
        self._delayed = self._type in (DELAYED, DELAYED_FROZEN)
        self._ticks = TickTeller(req_id, delayed=self._delayed)
        self._generic = GenericValues(generic_ticks, listing, world, self._ticks, delayed=self._delayed)

    @property
    def delayed(self) -> bool:
        return self._delayed

    def data_type(self) -> Message:
        return message("marketDataType", reqId=self.req_id, marketDataType=self._type)

    def whole_picture(self, now_ns: int) -> Iterator[Message]:
        quote = self._world.quote(self.con_id)
        if self._delayed:
            yield from self._generic.first(quote, now_ns)
        yield from self._exchanges()
        yield from self._prices(quote)
        yield from self._last_time(quote)
        yield from self._day(quote)
        yield from self._ticks.price(Tick.CLOSE, quote.close)
        yield from self._ticks.generic(Tick.HALTED, 0.0)
        if not self._delayed:
            yield from self._generic.first(quote, now_ns)

    def tell(self, moment: Moment) -> Iterator[Message]:
        if moment.now_ns // _MINUTE_NS != self._minute:
            self._minute = moment.now_ns // _MINUTE_NS
            yield from self._phases(moment.now_ns)
        change = moment.changes.get(self._moved_by)
        if change is not None:
            yield from self._update(self._world.quote(self.con_id), change, moment.now_ns)

    def late(self, count: int) -> list[Message]:
        """Ticks that were on their way when the line was cancelled."""
        return self._ticks.again(_ON_THEIR_WAY, count)

    def is_complete(self) -> bool:
        """Whether a snapshot has all its prices."""
        quote = self._world.quote(self.con_id)
        return not self._hides_quotes() and min(quote.bid, quote.ask, quote.last) > 0

    def _phases(self, now_ns: int) -> Iterator[Message]:
        phase = self._world.calendar.phase(now_ns)
        if phase is self._phase:
            return
        self._phase = phase
        before, self._type = self._type, self._shown_type()
        if self._type != before:
            yield self.data_type()
        yield from self._prices(self._world.quote(self.con_id))

    def _shown_type(self) -> int:
        shown = shown_type(self._asked_type, self._phase, entitled=self._entitled)
        assert shown is not None, "a refused line has no stream"
        return shown

    def _hides_quotes(self) -> bool:
        return self._phase is Phase.CLOSED and self._type not in (FROZEN, DELAYED_FROZEN)

    def _update(self, quote: Quote, change: Change, now_ns: int) -> Iterator[Message]:
        if change.trades:
            yield from self._last_time(quote)
        yield from self._exchanges(change.trades[-1].exchange if change.trades else None)
        yield from self._prices(quote)
        yield from self._generic.update(quote, change, now_ns)
        if change.trades:
            yield from self._day(quote)

    def _prices(self, quote: Quote) -> Iterator[Message]:
        execute = _NO_ATTRIBUTE if self._delayed else _CAN_AUTO_EXECUTE
        bid, bid_size = self._shown(quote.bid, quote.bid_size)
        ask, ask_size = self._shown(quote.ask, quote.ask_size)
        yield from self._ticks.quoted(Tick.BID, Tick.BID_SIZE, bid, bid_size, execute)
        yield from self._ticks.quoted(Tick.ASK, Tick.ASK_SIZE, ask, ask_size, execute)
        yield from self._ticks.quoted(Tick.LAST, Tick.LAST_SIZE, quote.last, quote.last_size, _NO_ATTRIBUTE)

    def _shown(self, price: float, size: int) -> tuple[float, int]:
        return (_NO_PRICE, 0) if self._hides_quotes() or price <= 0 or size <= 0 else (price, size)

    def _day(self, quote: Quote) -> Iterator[Message]:
        yield from self._ticks.size(Tick.VOLUME, quote.volume)
        yield from self._ticks.price(Tick.HIGH, quote.high)
        yield from self._ticks.price(Tick.LOW, quote.low)
        yield from self._ticks.price(Tick.OPEN, quote.open)

    def _last_time(self, quote: Quote) -> Iterator[Message]:
        yield from self._ticks.string(Tick.LAST_TIMESTAMP, str(quote.last_ts_ns // SECOND_NS))

    def _exchanges(self, last_venue: str | None = None) -> Iterator[Message]:
        """The letters of the venues that stand at the best prices, and of the last trade's."""
        if self._delayed or self._hides_quotes() or self.listing.sec_type != _STOCK:
            return
        bids, asks = book.sides(self._world, self.con_id, 1)
        yield from self._ticks.string(Tick.BID_EXCHANGE, book.best_letters(self.con_id, bids))
        yield from self._ticks.string(Tick.ASK_EXCHANGE, book.best_letters(self.con_id, asks))
        if last_venue is not None:
            yield from self._ticks.string(Tick.LAST_EXCHANGE, VENUE_LETTERS[last_venue])


class SnapshotStream:
    """A snapshot of which something is missing yet. It ends when that has come, or after eleven seconds."""

    def __init__(self, quotes: QuoteStream, now_ns: int, ended: Callable[[], None]) -> None:
        self.con_id = quotes.con_id
        self._quotes = quotes
        self._until_ns = now_ns + SNAPSHOT_NS_MAX
        self._ended = ended

    def tell(self, moment: Moment) -> Iterator[Message]:
        yield from self._quotes.tell(moment)
        if self._quotes.is_complete() or moment.now_ns >= self._until_ns:
            self._ended()
            yield message("tickSnapshotEnd", reqId=self._quotes.req_id)


def parameters(req_id: int, listing: Listing) -> Message:
    """The first message about every line, told also of those that are refused; currency pairs have no best exchange."""
    if listing.sec_type == _CURRENCY:
        return message("tickReqParams", reqId=req_id, minTick=Decimal(listing.min_tick), snapshotPermissions=0)
    return message(
        "tickReqParams",
        reqId=req_id,
        minTick=Decimal(listing.min_tick),
        bboExchange=BBO_EXCHANGE,
        snapshotPermissions=_SNAPSHOT_PERMISSIONS,
        lastPricePrecision=_PRECISION,
        lastSizePrecision=_PRECISION,
    )
