"""Everything that exists without a protocol: the market, the exchange and the account books, under one clock.

    world = World(seed=7, start_ns=start)
    step = world.advance(start + 60 * SECOND_NS)        # a minute of market and matching, no sockets

It runs as fast as the machine allows: who asks for a day gets a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.opening import account_for, opening_positions
from tws_simulator.world.history.history import History
from tws_simulator.world.history.morning import morning
from tws_simulator.world.history.past import Past
from tws_simulator.world.instruments.universe import LISTINGS, everything, named
from tws_simulator.world.market.book import Book
from tws_simulator.world.market.crowd import Market
from tws_simulator.world.market.events import MarketEvent, Quote
from tws_simulator.world.market.stillness import last_closes, standing_quotes
from tws_simulator.world.market.tape import Tape
from tws_simulator.world.orders.exchange import Exchange
from tws_simulator.world.orders.order_events import OrderEvent
from tws_simulator.world.time.calendar import Calendar


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in one call of ``advance``, each list in order of time."""

    market_events: list[MarketEvent]
    order_events: list[OrderEvent]


class World:
    """Equal seeds and starts give equal worlds, however the time is cut into calls of ``advance``.

    ``always_open`` False keeps the hours of US stocks: closed at night, on weekends and holidays. ``symbols`` are the
    stocks and funds that trade, the usual ones when empty; every other instrument has a quote that never changes.
    ``ledgers`` are the books of each of the ``accounts``; ``first_account`` and ``first_ledger`` serve whom any does.
    """

    def __init__(
        self,
        *,
        seed: int,
        start_ns: int,
        always_open: bool = True,
        symbols: Iterable[str] = (),
        accounts: int = 1,
    ) -> None:
        self.accounts = tuple(account_for(seed, number) for number in range(accounts))
        self.first_account = self.accounts[0]
        self.calendar = Calendar(always_open=always_open)
        quoted = named(symbols) or LISTINGS
        self.market = Market(quoted, seed, start_ns, self.calendar)
        still = [listing for listing in everything() if listing not in quoted]
        self.tape = Tape(
            self.calendar,
            (*self.market.opening, *standing_quotes(still, start_ns)),
            {**self.market.closes, **last_closes(still)},
        )
        every = (*quoted, *still)
        opening = {listing.con_id: self.tape.last(listing.con_id) for listing in every}
        closes = {listing.con_id: self.tape.quote(listing.con_id).close for listing in every}
        past = Past(every, seed, start_ns, opening, closes)
        self.history = History(past, self.tape, self.calendar)
        self.tape.morning = cache(partial(morning, past, self.calendar))
        self.ledgers = {account: Ledger(account, positions=opening_positions()) for account in self.accounts}
        self.first_ledger = self.ledgers[self.first_account]
        self.exchange = Exchange(self.tape, self.calendar, self.ledgers, seed, start_ns, listings=quoted)

    def __repr__(self) -> str:
        return f"<World {self.market!r} {self.exchange!r}>"

    def advance(self, now_ns: int) -> Step:
        order_events = self.exchange.advance(now_ns, self.market.advance(now_ns))
        return Step(self.tape.take_fresh(), order_events)

    def quote(self, con_id: int) -> Quote:
        """What the public sees of one instrument; KeyError for one that is not listed."""
        return self.tape.quote(con_id)

    def book(self, con_id: int) -> Book:
        """What is offered behind the quote, as of its latest change; KeyError for what is not listed."""
        return self.exchange.book(con_id)

    def marks(self) -> dict[int, Decimal]:
        """Last price of every instrument, for valuing positions."""
        return self.tape.marks()
