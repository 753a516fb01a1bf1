"""A made-up market that looks like one: quotes and trades of correlated stocks from a seed.

Time is cut into slots of 20 ms on an absolute grid. In each slot every stock's *fair value* takes one small step: a
share of a common factor, of its sector's factor and of its own noise, plus a weak pull towards its reference price that
keeps a simulator which runs for weeks plausible. Then the stock may requote around its fair value, or trade against the
standing quote, or, mostly, do nothing. How often depends on the time of day in New York (busy at the open and the
close, never quiet), on *stress* (rare shocks, common or the stock's own, that fade in seconds, move prices faster and
widen spreads) and on *echo* (each trade makes more activity likely for about half a second, so trades come in bursts).

The generator always works in whole slots and runs at most one slot ahead of what it has told: that is why the stream
does not depend on how callers cut the time. It uses only integers and the arithmetic that IEEE 754 defines to the last
bit: no exp or log, whose last digit differs between C libraries, and no gauss. Its bell curve counts random bits.
"""

import math
import random
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from operator import attrgetter
from typing import Final

from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import LOT, MarketEvent, QuoteChanged, Traded
from tws_simulator.world.market.mixing import bell
from tws_simulator.world.time.calendar import Calendar, Phase, new_york_time
from tws_simulator.world.time.units import MINUTE_NS, SECOND_NS

SLOT_NS: Final = 20_000_000
SLOTS_PER_S: Final = SECOND_NS // SLOT_NS
SESSION_S: Final = 23_400  # 09:30 to 16:00, what volatility and average volume are quoted for
TRADING_DAYS: Final = 252

# Activity by New York hour, linear in between; 1.0 is the middle of an ordinary session. Our own rough drawing of the
# well-known U shape, with a floor high enough that something moves at any hour.
ACTIVITY: Final = (
    (0.0, 0.3), (4.0, 0.3), (9.45, 0.6), (9.5, 2.0), (10.5, 1.1), (12.5, 0.8), (15.0, 1.0), (15.9, 2.0), (16.0, 2.2),
    (16.05, 0.6), (20.0, 0.3), (24.0, 0.3),
)  # fmt: skip

QUOTES_PER_S: Final = 1.8  # per stock at activity 1.0, before stress, echo and the requotes that trades cause
MARKET_VOLATILITY: Final = 0.13  # annual, of the common factor
SECTOR_SHARE: Final = 0.5  # of the variance that the common factor leaves
REVERSION_PER_SLOT: Final = 3e-7  # half of a deviation is gone after two busy days
FLOOR_SHARE: Final = 0.2  # of the reference price: fair value never falls below
STRESS_KEPT: Final = 0.995  # per slot: fades in about four seconds
ECHO_KEPT: Final = 0.96  # per slot: fades in about half a second
ECHO_PER_TRADE_PER_S: Final = 1.0
COMMON_SHOCK_CHANCE: Final = 1 / (150 * SLOTS_PER_S)
OWN_SHOCK_BITS: Final = 14  # of 65,536 per slot: every minute and a half
OUTSIDE_HOURS_SHARE: Final = 0.5  # of the activity drawn above, before and after the regular session


class Market:
    """Equal listings, seeds and starts give equal events, however the time is cut into calls of ``advance``.

    This is the crowd alone: what our own clients' orders do to it is the business of the book. ``opening`` are the
    quotes at the start, ``closes`` the closing prices of the day before.
    """

    def __init__(self, listings: Sequence[Listing], seed: int, start_ns: int, calendar: Calendar | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311  reproducible is what we want; nothing here is secret
        self._calendar = calendar or Calendar(always_open=True)
        self._tracks = [_Track(listing, self._random) for listing in listings]
        self._con_ids = frozenset(track.con_id for track in self._tracks)
        self._sectors = sorted({listing.sector for listing in listings})
        self._slot = start_ns // SLOT_NS + 1
        self._activity = self._activity_at(start_ns)
        self._pending: deque[MarketEvent] = deque()
        self._now_ns = start_ns
        self.opening = [track.quote_changed(start_ns) for track in self._tracks]
        self.closes = {track.con_id: round(track.reference) / track.ticks_per_usd for track in self._tracks}

    def advance(self, to_ns: int) -> list[MarketEvent]:
        """Everything that happened after the last call and up to ``to_ns``, in order of time.

        A simulated second of all listings takes about a millisecond and, in a session, yields a hundred events: after a
        long pause call this in pieces.
        """
        told: list[MarketEvent] = []
        while self._slot * SLOT_NS <= to_ns:
            self._tell(told, self._slot * SLOT_NS - 1)
            self._play_slot()
        self._tell(told, to_ns)
        self._now_ns = max(self._now_ns, to_ns)
        return told

    def __contains__(self, con_id: int) -> bool:
        return con_id in self._con_ids

    def __repr__(self) -> str:
        now = datetime.fromtimestamp(self._now_ns // SECOND_NS, UTC)
        return f"<Market {len(self._tracks)} listings at {now:%Y-%m-%d %H:%M:%S} UTC activity {self._activity:.2f}>"

    def _tell(self, told: list[MarketEvent], to_ns: int) -> None:
        pending = self._pending
        while pending and pending[0].ts_ns <= to_ns:
            told.append(pending.popleft())

    def _activity_at(self, ts_ns: int) -> float:
        """0 while the market is closed."""
        if self._calendar.always_open:
            return activity_at(ts_ns)
        phase = self._calendar.phase(ts_ns)
        if phase is Phase.CLOSED:
            return 0.0
        return activity_at(ts_ns) * (1.0 if phase is Phase.REGULAR else OUTSIDE_HOURS_SHARE)

    def _play_slot(self) -> None:
        start_ns = self._slot * SLOT_NS
        self._slot += 1
        if start_ns % MINUTE_NS == 0:
            self._activity = self._activity_at(start_ns)
        if not self._activity:
            self._slot = (start_ns // MINUTE_NS + 1) * MINUTE_NS // SLOT_NS
            return
        rng, activity = self._random, self._activity
        common = bell(rng)
        sectors = {sector: bell(rng) for sector in self._sectors}
        shock = 1.0 + 2.0 * rng.random() if rng.random() < COMMON_SHOCK_CHANCE else 0.0
        pace = math.sqrt(activity)
        events: list[MarketEvent] = []
        for track in self._tracks:
            track.play(rng, activity, pace, common, sectors[track.sector], shock, start_ns, events)
        if events:
            if len(events) > 1:
                events.sort(key=_by_time)
            self._pending.extend(events)


class _Track:
    """The generator's side of one stock: fair value and quote, in ticks, up to a slot ahead of what was told."""

    __slots__ = (
        "ask",
        "ask_size",
        "bid",
        "bid_size",
        "common_step",
        "con_id",
        "echo",
        "fair",
        "floor",
        "mean_lots",
        "own_step",
        "reference",
        "sector",
        "sector_step",
        "spread",
        "stress",
        "ticks_per_usd",
        "trades_per_s",
        "venues",
    )  # fmt: skip

    def __init__(self, listing: Listing, rng: random.Random) -> None:
        self.con_id = listing.con_id
        self.sector = listing.sector
        self.ticks_per_usd = listing.ticks_per_usd
        self.spread = listing.spread_ticks
        self.venues = (listing.primary_exchange,) * 3 + ("NASDAQ", "ARCA", "DRCTEDGE", "BATS", "IEX")

        year_slots = TRADING_DAYS * SESSION_S * SLOTS_PER_S
        common = listing.beta * MARKET_VOLATILITY
        rest = max(listing.volatility * listing.volatility - common * common, 0.0004)
        self.common_step = common / math.sqrt(year_slots)
        self.sector_step = math.sqrt(rest * SECTOR_SHARE / year_slots)
        self.own_step = math.sqrt(rest * (1 - SECTOR_SHARE) / year_slots)

        self.trades_per_s = 0.5 + math.sqrt(listing.average_volume / 1_000_000) / 8
        # Echo and stress about double the rate of trades.
        self.mean_lots = listing.average_volume / (SESSION_S * 2 * self.trades_per_s * LOT)

        self.reference = listing.reference_price * self.ticks_per_usd
        self.floor = self.reference * FLOOR_SHARE
        overnight = listing.volatility / math.sqrt(TRADING_DAYS) / 3
        self.fair = self.reference * (1 + overnight * bell(rng))
        self.stress = 0.0
        self.echo = 0.0
        self._requote(rng, 1.0)

    def play(
        self,
        rng: random.Random,
        activity: float,
        pace: float,
        common: float,
        sector: float,
        shock: float,
        slot_ns: int,
        out: list[MarketEvent],
    ) -> None:
        """Move the fair value by one slot; then requote, trade, or (mostly) let the slot pass.

        ``pace`` is the square root of the activity. One function, because it runs 500 times a second of market.
        """
        bits = rng.getrandbits(64)
        if bits >> 48 < OWN_SHOCK_BITS:
            shock += 2.0
        stress = self.stress = self.stress * STRESS_KEPT + shock
        echo = self.echo = self.echo * ECHO_KEPT
        own = ((bits & 0xFFFF_FFFF_FFFF).bit_count() - 24) * 0.288675  # 48 bits: standard deviation sqrt(12)
        move = self.common_step * common + self.sector_step * sector + self.own_step * own
        excited = 1.0 + stress
        fair = self.fair
        fair = fair + fair * move * (pace * excited) + (self.reference - fair) * REVERSION_PER_SLOT * activity
        self.fair = fair if fair > self.floor else self.floor

        busy = activity * excited
        trade = (self.trades_per_s * busy + 0.5 * echo) / SLOTS_PER_S
        chance = rng.random()
        if chance < trade:
            self._trade(rng, slot_ns + rng.getrandbits(24), out)
        elif chance < trade + (QUOTES_PER_S * busy + 1.5 * echo) / SLOTS_PER_S:
            self._requote(rng, activity)
            out.append(self.quote_changed(slot_ns + rng.getrandbits(24)))

    def _requote(self, rng: random.Random, activity: float) -> None:
        draw = rng.random()
        tail = draw / (1.05 - draw)  # below 1 half of the time, at most 20
        wide = int(tail * self.spread * (0.06 + 0.12 * self.stress + 0.02 / activity))
        spread = max(1, int(self.spread * (0.5 + rng.random()))) + wide
        self.bid = max(1, int(self.fair - (spread - 1) * 0.5))
        self.ask = self.bid + spread
        self.bid_size = self._lots(rng) * LOT
        self.ask_size = self._lots(rng) * LOT

    def _trade(self, rng: random.Random, ts_ns: int, out: list[MarketEvent]) -> None:
        self.echo += ECHO_PER_TRADE_PER_S
        spread = self.ask - self.bid
        lean = (self.fair - self.bid) / spread - 0.5  # buyers come when fair value is above the quote
        buys = rng.random() < 0.5 + min(max(lean, -1.0), 1.0) * 0.3
        size = self._lots(rng) * LOT
        venue = self.venues[rng.getrandbits(3)]
        if spread > 1 and rng.random() < 0.1:
            price = self.bid + spread // 2
            out.append(self._traded(ts_ns, price, size, venue))
            return
        if buys:
            size = min(size, self.ask_size)
            out.append(self._traded(ts_ns, self.ask, size, venue))
            self.ask_size -= size
            if not self.ask_size:
                self.ask += 1
                self.ask_size = self._lots(rng) * LOT
        else:
            size = min(size, self.bid_size)
            out.append(self._traded(ts_ns, self.bid, size, venue))
            self.bid_size -= size
            if not self.bid_size:
                self.bid = max(1, self.bid - 1)
                self.bid_size = self._lots(rng) * LOT
        out.append(self.quote_changed(ts_ns + 1_000 + rng.getrandbits(20)))

    def _lots(self, rng: random.Random) -> int:
        """At least 1, about ``mean_lots`` on average, up to sixteen times that."""
        draw = rng.random()
        return 1 + int(self.mean_lots * draw / (3.0 * (1.02 - draw)))

    def quote_changed(self, ts_ns: int) -> QuoteChanged:
        return QuoteChanged(
            con_id=self.con_id,
            ts_ns=ts_ns,
            bid=self.bid / self.ticks_per_usd,
            ask=self.ask / self.ticks_per_usd,
            bid_size=self.bid_size,
            ask_size=self.ask_size,
        )

    def _traded(self, ts_ns: int, ticks: int, size: int, venue: str) -> Traded:
        return Traded(con_id=self.con_id, ts_ns=ts_ns, price=ticks / self.ticks_per_usd, size=size, exchange=venue)


def activity_at(ts_ns: int) -> float:
    """How busy the market is at this time of day; every day alike, weekends too: the simulator never closes."""
    time = new_york_time(ts_ns)
    hour = time.hour + time.minute / 60
    for (before, low), (after, high) in pairwise(ACTIVITY):
        if hour < after:
            return low + (high - low) * (hour - before) / (after - before)
    raise AssertionError(f"no activity drawn for hour {hour}")


_by_time: Final = attrgetter("ts_ns")
