"""One instrument's order book: the crowd's shares and our own orders, matched by price, then time.

Prices are whole ticks here, sizes whole shares. The crowd shows one quote; how much it has behind its touch is a
function of seed, price and second, so that depth costs nothing while nobody looks. What our orders took of a level
stays taken until the crowd draws that level anew: the touch with its next quote of another price or size, the others
with the second.

Our own orders rest one by one. Each remembers how many of the crowd's shares were at its price before it; these go
first. A crowd trade meets better prices first, so an order of ours that improves the quote is hit before the crowd. The
book is never crossed: whatever can trade has traded, and where the crowd would come to stand across an order of ours by
a new second's drawing, it does not stand until its next quote. Orders of one account may trade with each other.

Matches come one by one, because a fill may end or start other orders of ours before the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.book_side import Match, Resting, Side
from tws_simulator.world.market.events import QuoteChanged


@dataclass(frozen=True, slots=True)
class Level:
    """Everything offered at one price; ``venue`` is where most of it is."""

    price: float
    size: int
    venue: str


@dataclass(frozen=True, slots=True)
class Levels:
    """Best first. The first of each side is the public quote."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Book:
    """``key`` of our orders is any number that tells them apart, here the permanent id."""

    def __init__(self, listing: Listing, seed: int, standing: QuoteChanged) -> None:
        self.ticks_per_usd = listing.ticks_per_usd
        self.bids = Side(listing, seed, asks=False)
        self.asks = Side(listing, seed, asks=True)
        self.bids.other, self.asks.other = self.asks, self.bids
        self._standing = standing
        self._seen: QuoteChanged | None = None
        self._serial = 0

    @property
    def plain(self) -> bool:
        """Only the crowd is here, and nothing of it was taken: its quote is the public one."""
        return not (self.bids.resting or self.asks.resting or self.bids.taken or self.asks.taken)

    def follow(self, quote: QuoteChanged) -> None:
        """The crowd's next quote, while the book is ``plain``."""
        self._standing = quote

    def requote(self, quote: QuoteChanged) -> None:
        """The crowd's next quote; ask ``hit`` what it did to our orders."""
        self._standing = quote
        self._look()

    def hit(self) -> Match | None:
        """The next of our orders that the crowd crosses, filled at its own price; None when there is no more."""
        self._look()
        return self.bids.hit_by(self.asks) or self.asks.hit_by(self.bids)

    def cross(self, tick: int, shares: int) -> Match:
        """Somebody of the crowd trades: with better prices of ours first, then in turn at this price.

        Call again for what is left of ``shares``.
        """
        self._look()
        side = self._side_met(tick)
        return Match(None, tick, shares) if side is None else side.meet(tick, shares)

    def take(self, *, buys: bool, limit: int | None, shares: int, at_ns: int) -> Match | None:
        """Take what is offered first within the limit; None when nothing is. Nothing is left resting here.

        Call again for what is left of ``shares``.
        """
        self._look(at_ns)
        return (self.asks if buys else self.bids).give(limit, shares)

    def offered(self, *, buys: bool, limit: int | None, shares: int, at_ns: int) -> int:
        """How many of ``shares`` could be taken at once within the limit."""
        self._look(at_ns)
        side, found = self.asks if buys else self.bids, 0
        for tick, size in side.walk():
            if found >= shares or not side.within(tick, limit):
                break
            found += size
        return min(found, shares)

    def rest(self, key: int, *, buys: bool, tick: int, shares: int, at_ns: int) -> None:
        """Wait at ``tick``, behind all that is there now. Take first: the book must not become crossed."""
        self._look(at_ns)
        self._serial += 1
        side = self.bids if buys else self.asks
        side.add(Resting(key, tick, shares, side.crowd_left(tick), self._serial))

    def reduce(self, key: int, shares: int) -> None:
        """Leave ``shares`` of an order in its place."""
        resting = self.bids.by_key.get(key) or self.asks.by_key.get(key)
        if resting is not None:
            resting.shares = shares

    def withdraw(self, key: int) -> None:
        for side in (self.bids, self.asks):
            side.remove(key)

    def __contains__(self, key: int) -> bool:
        return key in self.bids.by_key or key in self.asks.by_key

    def touch(self, con_id: int, at_ns: int) -> QuoteChanged:
        """The public quote: ours and the crowd's best together. A side without anything is at price 0."""
        self._look(at_ns)
        bid, bid_size = self.bids.best()
        ask, ask_size = self.asks.best()
        return QuoteChanged(
            con_id=con_id,
            ts_ns=at_ns,
            bid=bid / self.ticks_per_usd,
            ask=ask / self.ticks_per_usd,
            bid_size=bid_size,
            ask_size=ask_size,
        )

    def levels(self, rows: int) -> Levels:
        """As of the latest quote, trade or order."""
        self._look()
        return Levels(self._levels(self.bids, rows), self._levels(self.asks, rows))

    def _levels(self, side: Side, rows: int) -> tuple[Level, ...]:
        found = zip(range(rows), side.walk(), strict=False)
        return tuple(Level(tick / self.ticks_per_usd, size, side.venue(tick)) for _, (tick, size) in found)

    def _look(self, at_ns: int = 0) -> None:
        """Take over the crowd's latest quote, which a plain book only remembers."""
        quote = self._standing
        at_ns = max(at_ns, quote.ts_ns)
        if self._seen is not quote:
            self._seen = quote
            self.bids.show(round(quote.bid * self.ticks_per_usd), quote.bid_size)
            self.asks.show(round(quote.ask * self.ticks_per_usd), quote.ask_size)
        for side in (self.bids, self.asks):
            if side.at_ns < at_ns:
                side.at_ns = at_ns
            if side.taken:
                side.forget_redrawn()

    def _side_met(self, tick: int) -> Side | None:
        """The side whose orders a crowd trade at ``tick`` meets; None for a price between both."""
        if (self.asks.resting and self.asks.resting[0].tick <= tick) or tick >= self.asks.crowd_tick:
            return self.asks
        if (self.bids.resting and self.bids.resting[0].tick >= tick) or tick <= self.bids.crowd_tick:
            return self.bids
        return None
