"""Our clients' orders in the books: what they take, where they rest, when the crowd reaches them, what the public sees.

Only the books in which our orders rest, or from which they have just taken, are looked at when the crowd moves: all
other instruments show the crowd's own quotes and trades.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from tws_simulator.world.instruments import universe
from tws_simulator.world.instruments.listing import SMART, Listing
from tws_simulator.world.market.book import Book
from tws_simulator.world.market.book_side import Match
from tws_simulator.world.market.events import LOT, MarketEvent, QuoteChanged, Traded
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders.order_store import OrderStore
from tws_simulator.world.orders.working_order import WorkingOrder

_AUCTION_LOTS_PER_MILLION = 40  # the crowd's part of an auction, by the average volume of a day


class Matching:
    """``after_fill`` is told of each order that got shares, after its owner was.

    ``busy`` are the books that the crowd's moves have to be played in; others are looked at when an order comes.
    """

    def __init__(
        self, tape: Tape, store: OrderStore, seed: int, after_fill: Callable[[WorkingOrder, Decimal], None]
    ) -> None:
        self.busy: dict[int, Book] = {}
        self._tape = tape
        self._store = store
        self._seed = seed
        self._after_fill = after_fill
        self._fresh: list[MarketEvent] = []
        self._books: dict[int, Book] = {}
        self._unfilled_at_market: dict[int, list[WorkingOrder]] = {}  # and found nothing

    def book(self, con_id: int) -> Book:
        """KeyError for an instrument that is not listed."""
        book = self._books.get(con_id)
        if book is None:
            standing = self._tape.standing(con_id)
            book = self._books[con_id] = Book(universe.listing(con_id), self._seed, standing)
        elif con_id not in self.busy:
            book.follow(self._tape.standing(con_id))
        return book

    def meet(self, event: MarketEvent) -> None:
        """One move of the crowd."""
        con_id = event.con_id
        book = self.busy.get(con_id)
        if book is None:
            self._publish(event)
            return
        if isinstance(event, QuoteChanged):
            book.requote(event)
            while (match := book.hit()) is not None:
                self._apply(con_id, match, None, "")
            for order in self._unfilled_at_market.pop(con_id, []):
                if order.is_live:
                    self.work(order)
        else:
            left, tick = event.size, round(event.price * book.ticks_per_usd)
            while left:
                match = book.cross(tick, left)
                left -= match.shares
                self._apply(con_id, match, None, event.exchange)
        self._show(con_id)

    def work(self, order: WorkingOrder, *, rests: bool = True) -> None:
        """Take what is within the limit, and rest there with what is left."""
        con_id = order.ticket.con_id
        book = self.busy[con_id] = self.book(con_id)
        limit, at_ns = self._limit_tick(order), self._store.now_ns
        while order.is_live and order.remaining:
            match = book.take(buys=order.buys, limit=limit, shares=int(order.remaining), at_ns=at_ns)
            if match is None:
                break
            self._apply(con_id, match, order, "")
        if rests and order.is_live and order.remaining:
            if limit is None:
                self._unfilled_at_market.setdefault(con_id, []).append(order)
            else:
                book.rest(order.perm_id, buys=order.buys, tick=limit, shares=int(order.remaining), at_ns=at_ns)
        self._show(con_id)

    def can_fill(self, order: WorkingOrder) -> bool:
        """Whether all of it would be filled at once."""
        book, at_ns, shares = self.book(order.ticket.con_id), self._store.now_ns, int(order.remaining)
        return book.offered(buys=order.buys, limit=self._limit_tick(order), shares=shares, at_ns=at_ns) == shares

    def rests(self, order: WorkingOrder) -> bool:
        con_id = order.ticket.con_id
        if order in self._unfilled_at_market.get(con_id, ()):
            return True
        return con_id in self.busy and order.perm_id in self.busy[con_id]

    def reduced(self, order: WorkingOrder) -> None:
        """Fewer shares, at the same price, keep their place."""
        con_id = order.ticket.con_id
        if con_id in self.busy:
            self.busy[con_id].reduce(order.perm_id, int(order.remaining))
            self._show(con_id)

    def withdraw(self, order: WorkingOrder) -> None:
        con_id = order.ticket.con_id
        unfilled = self._unfilled_at_market.get(con_id)
        if unfilled and order in unfilled:
            unfilled.remove(order)
        if con_id in self.busy:
            self.busy[con_id].withdraw(order.perm_id)
            self._show(con_id)

    def auction(self, listing: Listing, orders: Sequence[WorkingOrder]) -> None:
        """One price for all: the middle of the quote. The crowd takes the other side of whatever is left over."""
        standing = self._tape.standing(listing.con_id)
        ticks_per_usd = listing.ticks_per_usd
        tick = (round(standing.bid * ticks_per_usd) + round(standing.ask * ticks_per_usd)) // 2
        price = Decimal(tick) * Decimal(listing.min_tick)
        filled = [order for order in orders if _accepts(order, price)]
        ours = sum(int(order.remaining) for order in filled)
        crowd = listing.average_volume // 1_000_000 * _AUCTION_LOTS_PER_MILLION * LOT
        if crowd + ours:
            self._print(listing.con_id, tick / ticks_per_usd, crowd + ours, listing.primary_exchange)
        for order in filled:
            if order.is_live:
                self._fill(order, order.remaining, price, listing.primary_exchange, 2)
                self._after_fill(order, order.filled)

    def fill_outside(self, order: WorkingOrder, shares: Decimal, price: Decimal) -> None:
        """From nobody in the book, at a price that the public does not see; what is left keeps its place."""
        self._fill(order, shares, price, _venue(order, universe.listing(order.ticket.con_id)), 1, force=True)
        if order.is_live:
            self.reduced(order)
        else:
            self.withdraw(order)

    def take_fresh(self) -> list[MarketEvent]:
        """What was made public since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def _publish(self, event: MarketEvent) -> None:
        self._tape.record(event)
        self._fresh.append(event)

    def _apply(self, con_id: int, match: Match, taker: WorkingOrder | None, venue: str) -> None:
        """Tell the public and the owners of one match, then let it have its consequences."""
        listing = universe.listing(con_id)
        maker = None if match.maker is None else self._store.by_perm_id[match.maker]
        shares, price = Decimal(match.shares), Decimal(match.tick) * Decimal(listing.min_tick)
        at = venue or _venue(taker or maker, listing)
        self._print(con_id, match.tick / self._books[con_id].ticks_per_usd, match.shares, at)
        for order, liquidity in ((taker, 2), (maker, 1)):
            if order is not None:
                self._fill(order, shares, price, at, liquidity)
        for order in (taker, maker):
            if order is not None:
                self._after_fill(order, shares)

    def _fill(
        self, order: WorkingOrder, shares: Decimal, price: Decimal, venue: str, liquidity: int, *, force: bool = False
    ) -> None:
        listing = universe.listing(order.ticket.con_id)
        self._store.fill(
            order,
            shares,
            price,
            venue=venue,
            liquidity=liquidity,
            sec_type=listing.sec_type,
            multiplier=listing.multiplier or 1,
            force=force,
        )

    def _print(self, con_id: int, price: float, shares: int, venue: str) -> None:
        self._publish(Traded(con_id=con_id, ts_ns=self._store.now_ns, price=price, size=shares, exchange=venue))

    def _show(self, con_id: int) -> None:
        """Publish the quote if it is another one; a book with nothing of ours left is the crowd's again."""
        book = self.busy.get(con_id)
        if book is None:
            return
        now, before = book.touch(con_id, self._store.now_ns), self._tape.standing(con_id)
        if (now.bid, now.ask, now.bid_size, now.ask_size) != (before.bid, before.ask, before.bid_size, before.ask_size):
            self._publish(now)
        if book.plain and not self._unfilled_at_market.get(con_id):
            del self.busy[con_id]

    def _limit_tick(self, order: WorkingOrder) -> int | None:
        limit = order.limit
        return None if limit is None else int(limit / Decimal(universe.listing(order.ticket.con_id).min_tick))


def _venue(order: WorkingOrder | None, listing: Listing) -> str:
    if order is None or order.ticket.exchange in ("", SMART):
        return listing.primary_exchange
    return order.ticket.exchange


def _accepts(order: WorkingOrder, price: Decimal) -> bool:
    limit = order.limit
    return limit is None or (price <= limit if order.buys else price >= limit)
