"""One side of a book: the crowd's touch and depth, and our orders among it.

How much the crowd has behind its touch is a function of seed, price and second. What was taken of a level stays taken
until that is drawn anew: the touch with its next quote of another price or size, the others with the second.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.crowd import SESSION_S
from tws_simulator.world.market.events import LOT
from tws_simulator.world.market.mixing import MASK_64, mixed
from tws_simulator.world.time.units import SECOND_NS

DEEPER_EVERY_TICKS: Final = 16  # behind the touch the crowd shows ever more, so that every order finds an end
_VENUES: Final = ("NASDAQ", "ARCA", "BATS", "IEX", "NYSE", "MEMX", "EDGEA", "BEX")


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


class Side:
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

    def hit_by(self, crowd: Side) -> Match | None:
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
