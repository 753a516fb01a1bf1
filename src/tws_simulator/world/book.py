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

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tws_simulator.world.calendar import SECOND_NS
from tws_simulator.world.market import LOT, SESSION_S, QuoteChanged
from tws_simulator.world.mixing import MASK_64, mixed
from tws_simulator.world.universe import Listing

DEEPER_EVERY_TICKS: Final = 16  # behind the touch the crowd shows ever more, so that every order finds an end
_VENUES: Final = ("NASDAQ", "ARCA", "BATS", "IEX", "NYSE", "MEMX", "EDGEA", "BEX")


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


@dataclass(frozen=True, slots=True)
class Match:
    """``shares`` changed hands at ``tick``; ``maker`` is our order that had been waiting there, None for the crowd."""

    maker: int | None
    tick: int
    shares: int


@dataclass(slots=True)
class Resting:
    """One of our orders; ``ahead`` are the crowd's shares at this price that come first."""

    key: int
    tick: int
    shares: int
    ahead: int
    serial: int


class Book:
    """``key`` of our orders is any number that tells them apart, here the permanent id."""

    def __init__(self, listing: Listing, seed: int, standing: QuoteChanged) -> None:
        self.ticks_per_usd = round(1 / float(listing.min_tick))
        self.bids = _Side(listing, seed, asks=False)
        self.asks = _Side(listing, seed, asks=True)
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

    def _levels(self, side: _Side, rows: int) -> tuple[Level, ...]:
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

    def _side_met(self, tick: int) -> _Side | None:
        """The side whose orders a crowd trade at ``tick`` meets; None for a price between both."""
        if (self.asks.resting and self.asks.resting[0].tick <= tick) or tick >= self.asks.crowd_tick:
            return self.asks
        if (self.bids.resting and self.bids.resting[0].tick >= tick) or tick <= self.bids.crowd_tick:
            return self.bids
        return None


class _Side:
    """Bids or asks: the crowd's touch and depth, and our orders, best price first, then oldest."""

    def __init__(self, listing: Listing, seed: int, *, asks: bool) -> None:
        self.other = self
        self.asks = asks
        self.away = 1 if asks else -1
        self.crowd_tick = 0
        self.crowd_size = 0
        self.at_ns = 0
        self.resting: list[Resting] = []
        self.by_key: dict[int, Resting] = {}
        self.taken: dict[int, tuple[int, int]] = {}  # tick: (drawing, shares)
        self._drawing = 0
        self._salt = mixed(mixed(seed & MASK_64) ^ (listing.con_id << 1 | asks))
        self._mean_lots = max(listing.average_volume / (SESSION_S * 4 * LOT), 1.0)

    def show(self, tick: int, size: int) -> None:
        if (tick, size) != (self.crowd_tick, self.crowd_size):
            self.crowd_tick, self.crowd_size = tick, size
            self._drawing -= 1
        for resting in self.resting:
            if self._beyond(resting.tick, tick):
                break
            left = self.crowd_left(resting.tick)
            if resting.ahead > left:
                resting.ahead = left

    def within(self, tick: int, limit: int | None) -> bool:
        return limit is None or not self._beyond(tick, limit)

    def crowd_left(self, tick: int, *, across: bool = False) -> int:
        """What the crowd has at a price, less what was taken of it; ``across`` also where it crosses our orders."""
        if tick < 1 or self._beyond(self.crowd_tick, tick):
            return 0
        if not across and self.other.resting and not self._beyond(tick, self.other.resting[0].tick):
            return 0
        size = self.crowd_size if tick == self.crowd_tick else self._depth(tick)
        drawing, taken = self.taken.get(tick, (0, 0))
        return size - taken if taken and drawing == self._drawing_of(tick) else size

    def best(self) -> tuple[int, int]:
        """The first that ``walk`` tells, cheaply where nothing of the touch was taken; 0 of 0 when there is nothing."""
        tick, left = self.crowd_tick, self.crowd_left(self.crowd_tick)
        if not self.resting:
            return (tick, left) if left else next(self.walk(), (0, 0))
        own = self.resting[0].tick
        if self._beyond(own, tick):
            return (tick, left) if left else next(self.walk(), (0, 0))
        shares = sum(resting.shares for resting in self.resting if resting.tick == own)
        return own, shares + (left if own == tick else 0)

    def walk(self) -> Iterator[tuple[int, int]]:
        """Prices that have something, best first, with how much; asks without end."""
        ours: dict[int, int] = {}
        for resting in self.resting:
            ours[resting.tick] = ours.get(resting.tick, 0) + resting.shares
        tick = self.crowd_tick
        if self.resting and self._beyond(tick, self.resting[0].tick):
            tick = self.resting[0].tick
        while tick >= 1:
            size = ours.get(tick, 0) + self.crowd_left(tick)
            if size:
                yield tick, size
            tick += self.away

    def give(self, limit: int | None, shares: int) -> Match | None:
        """Let somebody take up to ``shares`` within the limit from whoever is first."""
        tick = self.crowd_tick
        if self.resting and self._beyond(tick, self.resting[0].tick):
            tick = self.resting[0].tick
        while tick >= 1 and self.within(tick, limit):
            match = self._turn(tick, shares, self.crowd_left(tick))
            if match is not None:
                if match.maker is None:
                    self.lose(tick, match.shares)
                return match
            tick += self.away
        return None

    def hit_by(self, crowd: _Side) -> Match | None:
        """Our best order and the crowd of the other side, as far as that comes."""
        if not self.resting:
            return None
        maker, tick, shares = self.resting[0], crowd.crowd_tick, 0
        while shares < maker.shares and crowd.within(tick, maker.tick):
            size = min(crowd.crowd_left(tick, across=True), maker.shares - shares)
            crowd.lose(tick, size)
            shares += size
            tick += crowd.away
        if not shares:
            return None
        match = Match(maker.key, maker.tick, shares)
        self.filled(maker, shares)
        return match

    def meet(self, tick: int, shares: int) -> Match:
        """A crowd trade: our better orders, then the turns at its price.

        What the crowd trades with itself is its own affair, and shows in its next quote.
        """
        if self.resting and self._beyond(tick, self.resting[0].tick):
            maker = self.resting[0]
            match = Match(maker.key, maker.tick, min(maker.shares, shares))
            self.filled(maker, match.shares)
            return match
        return self._turn(tick, shares, shares) or Match(None, tick, shares)

    def lose(self, tick: int, shares: int) -> None:
        """Of the crowd's shares at a price some were taken."""
        if shares:
            drawing = self._drawing_of(tick)
            before, so_far = self.taken.get(tick, (drawing, 0))
            self.taken[tick] = (drawing, shares + (so_far if before == drawing else 0))

    def add(self, resting: Resting) -> None:
        insort(self.resting, resting, key=self._priority)
        self.by_key[resting.key] = resting

    def remove(self, key: int) -> None:
        resting = self.by_key.pop(key, None)
        if resting is not None:
            del self.resting[bisect_left(self.resting, self._priority(resting), key=self._priority)]

    def filled(self, maker: Resting, shares: int) -> None:
        maker.shares -= shares
        if not maker.shares:
            self.remove(maker.key)

    def forget_redrawn(self) -> None:
        self.taken = {tick: each for tick, each in self.taken.items() if each[0] == self._drawing_of(tick)}

    def venue(self, tick: int) -> str:
        return _VENUES[mixed(self._salt ^ tick) & 7]

    def _turn(self, tick: int, shares: int, crowd_left: int) -> Match | None:
        """Who trades next at one price: the crowd that came before our oldest order, it, the other crowd."""
        makers = [resting for resting in self.resting if resting.tick == tick]
        used = min(shares, crowd_left, makers[0].ahead) if makers else min(shares, crowd_left)
        if used:
            for maker in makers:
                maker.ahead = max(maker.ahead - used, 0)
            return Match(None, tick, used)
        if not makers:
            return None
        match = Match(makers[0].key, tick, min(shares, makers[0].shares))
        self.filled(makers[0], match.shares)
        return match

    def _priority(self, resting: Resting) -> tuple[int, int]:
        return resting.tick * self.away, resting.serial

    def _beyond(self, tick: int, other: int) -> bool:
        """Whether ``tick`` is a worse price to take than ``other``."""
        return tick > other if self.asks else tick < other

    def _drawing_of(self, tick: int) -> int:
        """Which drawing of the crowd's shares is valid: the touch's has its number, of the others it is the second."""
        if tick == self.crowd_tick:
            return self._drawing
        return (self.at_ns + mixed(tick) % SECOND_NS) // SECOND_NS

    def _depth(self, tick: int) -> int:
        draw = (mixed(self._salt ^ (tick << 40) ^ self._drawing_of(tick)) >> 11) / (1 << 53)
        behind = abs(tick - self.crowd_tick)
        growth = 1 + behind // DEEPER_EVERY_TICKS
        return (1 + int(self._mean_lots * draw / (3.0 * (1.02 - draw)))) * growth * LOT
