"""The book: never crossed, shares conserved, price before time, and the public quote on top of what is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tws_simulator.world.instruments.listing import VENUE_LETTERS, Listing
from tws_simulator.world.instruments.universe import find
from tws_simulator.world.market.book import Book
from tws_simulator.world.market.book_side import Match
from tws_simulator.world.market.events import QuoteChanged
from tws_simulator.world.time.units import SECOND_NS

START_NS = int(datetime(2026, 6, 22, 14, tzinfo=UTC).timestamp()) * SECOND_NS
BID, ASK = 64_000, 64_002  # ticks of SPY's first quote here


def spy() -> Listing:
    listing = find("SPY")
    assert listing is not None
    return listing


def quote(
    ts_ns: int = START_NS, bid: int = BID, ask: int = ASK, bid_size: int = 300, ask_size: int = 500
) -> QuoteChanged:
    return QuoteChanged(
        con_id=spy().con_id, ts_ns=ts_ns, bid=bid / 100, ask=ask / 100, bid_size=bid_size, ask_size=ask_size
    )


@pytest.fixture
def book() -> Book:
    return Book(spy(), 7, quote())


def take_all(book: Book, *, buys: bool, limit: int | None, shares: int, at_ns: int = START_NS) -> list[Match]:
    matches = []
    while shares and (match := book.take(buys=buys, limit=limit, shares=shares, at_ns=at_ns)) is not None:
        matches.append(match)
        shares -= match.shares
    return matches


def place(book: Book, key: int, *, buys: bool, limit: int, shares: int, at_ns: int = START_NS) -> list[Match]:
    matches = take_all(book, buys=buys, limit=limit, shares=shares, at_ns=at_ns)
    left = shares - sum(match.shares for match in matches)
    if left:
        book.rest(key, buys=buys, tick=limit, shares=left, at_ns=at_ns)
    return matches


def test_a_book_without_orders_shows_the_crowd(book: Book) -> None:
    """Its quote on top, every price behind it, sizes in round lots, known venues."""
    levels = book.levels(20)
    assert (levels.bids[0].price, levels.bids[0].size) == (640.0, 300)
    assert (levels.asks[0].price, levels.asks[0].size) == (640.02, 500)
    assert [round(level.price * 100) for level in levels.bids] == list(range(BID, BID - 20, -1))
    assert [round(level.price * 100) for level in levels.asks] == list(range(ASK, ASK + 20))
    for level in (*levels.bids, *levels.asks):
        assert level.size > 0
        assert level.size % 100 == 0
        assert level.venue in VENUE_LETTERS
    assert book.plain


def test_depth_is_the_same_for_the_same_seed_and_moves_within_seconds() -> None:
    """Drawn, not stored: levels change one by one as the seconds pass."""
    books = [Book(spy(), seed, quote()) for seed in (7, 7, 8)]
    assert books[0].levels(30) == books[1].levels(30) != books[2].levels(30)
    before = books[0].levels(30)
    books[0].follow(quote(START_NS + SECOND_NS // 2))
    some = books[0].levels(30)
    changed = sum(one != other for one, other in zip(before.bids[1:], some.bids[1:], strict=True))
    assert 0 < changed < 29
    books[0].follow(quote(START_NS + 2 * SECOND_NS))
    whole = books[0].levels(30)
    assert sum(one != other for one, other in zip(before.bids[1:], whole.bids[1:], strict=True)) > 20


def test_a_sweep_takes_level_after_level_and_what_it_took_stays_taken(book: Book) -> None:
    """Until the crowd draws the level anew: the touch with another quote."""
    levels = book.levels(4).asks
    wanted = levels[0].size + levels[1].size + 100
    matches = take_all(book, buys=True, limit=None, shares=wanted)
    assert [(match.tick, match.shares) for match in matches] == [
        (ASK, levels[0].size),
        (ASK + 1, levels[1].size),
        (ASK + 2, 100),
    ]
    top = book.touch(1, START_NS)
    assert (round(top.ask * 100), top.ask_size) == (ASK + 2, levels[2].size - 100)
    book.requote(quote(START_NS + 1, ask_size=600))
    assert book.touch(1, START_NS + 1).ask_size == 600


def test_our_orders_trade_by_price_then_time(book: Book) -> None:
    """A better price goes first; at one price the older order; before both whatever of the crowd was there earlier."""
    place(book, 1, buys=False, limit=ASK, shares=100)
    place(book, 2, buys=False, limit=ASK, shares=100)
    place(book, 3, buys=False, limit=ASK - 1, shares=100)
    matches = take_all(book, buys=True, limit=ASK, shares=750)
    assert matches == [Match(3, ASK - 1, 100), Match(None, ASK, 500), Match(1, ASK, 100), Match(2, ASK, 50)]


def test_an_order_better_than_the_touch_is_the_touch_and_is_hit_first(book: Book) -> None:
    """A crowd seller meets it before the crowd's own bid, and pays it its price."""
    place(book, 1, buys=True, limit=BID + 1, shares=40)
    top = book.touch(1, START_NS)
    assert (round(top.bid * 100), top.bid_size) == (BID + 1, 40)
    assert book.cross(BID, 100) == Match(1, BID + 1, 40)
    assert book.cross(BID, 60) == Match(None, BID, 60)


def test_the_crowd_comes_to_an_order_and_pays_its_price(book: Book) -> None:
    """As many shares as the crowd shows up to that price; the rest keeps the crowd from standing across it."""
    place(book, 1, buys=True, limit=BID, shares=10_000_000)
    book.requote(quote(START_NS + 1, bid=BID - 3, ask=BID - 1, ask_size=200))
    hit = book.hit()
    assert hit is not None
    assert (hit.maker, hit.tick) == (1, BID)
    assert hit.shares > 200
    assert book.hit() is None
    top = book.touch(1, START_NS + 1)
    assert round(top.bid * 100) == BID
    assert round(top.ask * 100) == BID + 1


def test_fewer_shares_keep_the_place_in_the_queue(book: Book) -> None:
    """Reducing an order does not send it to the back."""
    place(book, 1, buys=False, limit=ASK - 1, shares=300)
    place(book, 2, buys=False, limit=ASK - 1, shares=100)
    book.reduce(1, 50)
    assert take_all(book, buys=True, limit=ASK - 1, shares=100) == [Match(1, ASK - 1, 50), Match(2, ASK - 1, 50)]


def test_what_could_be_filled_is_known_before_it_is_taken(book: Book) -> None:
    """Exactly what a taker within the limit would get."""
    place(book, 1, buys=False, limit=ASK - 1, shares=70)
    for limit, shares in ((ASK - 1, 100), (ASK, 500), (ASK, 5_000), (None, 5_000)):
        offered = book.offered(buys=True, limit=limit, shares=shares, at_ns=START_NS)
        other = Book(spy(), 7, quote())
        place(other, 1, buys=False, limit=ASK - 1, shares=70)
        assert offered == sum(match.shares for match in take_all(other, buys=True, limit=limit, shares=shares))


@dataclass
class Waiting:
    buys: bool
    tick: int
    shares: int
    serial: int


class Floor(RuleBasedStateMachine):
    """Any mix of crowd and orders; ``waiting`` is what should be in the book, kept by the simplest possible rules."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(spy(), 3, quote())
        self.now_ns = START_NS
        self.bid, self.ask = BID, ASK
        self.waiting: dict[int, Waiting] = {}
        self.key = 0

    def _filled(self, match: Match, *, maker_buys: bool) -> None:
        if match.maker is None:
            return
        maker = self.waiting[match.maker]
        assert maker.buys is maker_buys
        assert maker.tick == match.tick
        assert 0 < match.shares <= maker.shares
        same_side = [each for each in self.waiting.values() if each.buys is maker_buys]
        sign = -1 if maker_buys else 1
        assert maker is min(same_side, key=lambda each: (sign * each.tick, each.serial)), "somebody else was first"
        maker.shares -= match.shares
        if not maker.shares:
            del self.waiting[match.maker]

    @rule(buys=st.booleans(), offset=st.integers(-8, 8), shares=st.integers(1, 3000))
    def order(self, buys: bool, offset: int, shares: int) -> None:
        self.key += 1
        limit = self.bid + offset
        left = shares
        for match in place(self.book, self.key, buys=buys, limit=limit, shares=shares, at_ns=self.now_ns):
            assert match.tick <= limit if buys else match.tick >= limit
            self._filled(match, maker_buys=not buys)
            left -= match.shares
        assert left >= 0
        if left:
            self.waiting[self.key] = Waiting(buys, limit, left, self.key)

    @rule(move=st.integers(-6, 6), spread=st.integers(1, 4), lots=st.integers(1, 9), wait_ms=st.integers(0, 1500))
    def requote(self, move: int, spread: int, lots: int, wait_ms: int) -> None:
        self.now_ns += wait_ms * 1_000_000
        self.bid += move
        self.ask = self.bid + spread
        self.book.requote(quote(self.now_ns, self.bid, self.ask, lots * 100, (10 - lots) * 100))
        while (match := self.book.hit()) is not None:
            assert match.maker is not None
            self._filled(match, maker_buys=self.waiting[match.maker].buys)

    @rule(buys=st.booleans(), shares=st.integers(1, 900))
    def trade(self, buys: bool, shares: int) -> None:
        tick, left = self.ask if buys else self.bid, shares
        while left:
            match = self.book.cross(tick, left)
            if match.maker is not None:
                maker_buys = self.waiting[match.maker].buys
                assert match.tick >= tick if maker_buys else match.tick <= tick
                self._filled(match, maker_buys=maker_buys)
            left -= match.shares
        assert left == 0

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        if self.waiting:
            key = data.draw(st.sampled_from(sorted(self.waiting)))
            self.book.withdraw(key)
            del self.waiting[key]

    @rule(data=st.data())
    def reduce(self, data: st.DataObject) -> None:
        if self.waiting:
            key = data.draw(st.sampled_from(sorted(self.waiting)))
            self.waiting[key].shares = (self.waiting[key].shares + 1) // 2
            self.book.reduce(key, self.waiting[key].shares)

    @invariant()
    def never_crossed_and_well_sorted(self) -> None:
        levels = self.book.levels(12)
        bids, asks = [level.price for level in levels.bids], [level.price for level in levels.asks]
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))
        assert bids[0] < asks[0]
        assert all(level.size > 0 for level in (*levels.bids, *levels.asks))

    @invariant()
    def the_quote_is_the_best_level(self) -> None:
        top, levels = self.book.touch(1, self.now_ns), self.book.levels(1)
        assert (top.bid, top.bid_size) == (levels.bids[0].price, levels.bids[0].size)
        assert (top.ask, top.ask_size) == (levels.asks[0].price, levels.asks[0].size)

    @invariant()
    def every_waiting_order_is_there_with_its_shares(self) -> None:
        for side, buys in ((self.book.bids, True), (self.book.asks, False)):
            held = {resting.key: (resting.tick, resting.shares) for resting in side.resting}
            expected = {key: (each.tick, each.shares) for key, each in self.waiting.items() if each.buys is buys}
            assert held == expected
            assert all(resting.ahead >= 0 for resting in side.resting)


Floor.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestWhateverComesTheBookKeepsItsPromises = Floor.TestCase
