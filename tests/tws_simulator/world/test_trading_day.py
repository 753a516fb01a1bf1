"""Thousands of random orders on a moving market: books balance, every order ends, the same seed is the same day.

With ``--whole-day``, from before the market opens to after it has closed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from random import Random

import pytest

from tws_simulator.world.accounts.opening import OPENING_CASH_USD
from tws_simulator.world.accounts.records import PlacementKind
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.instruments.universe import LISTINGS
from tws_simulator.world.market.events import LOT, QuoteChanged, Traded, as_decimal
from tws_simulator.world.orders.order_events import Commissioned, Echo, Executed, Notice, OrderEvent, Status
from tws_simulator.world.orders.tickets import TRANSITIONS, OrderStatus, OrderTicket
from tws_simulator.world.time.calendar import new_york_ns
from tws_simulator.world.time.units import SECOND_NS
from tws_simulator.world.world import World

CLIENTS = (1, 2, 3, 4)
TEN = LISTINGS[:10]
TYPES = ("MKT", "LMT", "LMT", "LMT", "STP", "STP LMT", "TRAIL", "TRAIL LIMIT", "MOC", "LOC")
TIFS = ("DAY", "DAY", "DAY", "GTC", "IOC", "FOK", "OPG", "GTD")


@dataclass
class Day:
    """What was told of everything, and the orders that somebody may still change."""

    world: World
    random: Random
    told: list[OrderEvent] = field(default_factory=list)
    next_id: Counter[int] = field(default_factory=Counter)
    placed: list[OrderTicket] = field(default_factory=list)

    def step(self, now_ns: int) -> None:
        step = self.world.advance(now_ns)
        self.told += step.order_events
        for event in step.market_events:
            if isinstance(event, QuoteChanged):
                assert event.bid < event.ask, f"a crossed quote: {event}"
            else:
                assert event.size > 0

    def act(self, now_ns: int) -> None:
        """One client does something: mostly a new order, sometimes a bracket, a change or a cancel."""
        dice, exchange = self.random.random(), self.world.exchange
        if self.placed and dice < 0.10:
            chosen = self.random.choice(self.placed)
            self.told += exchange.cancel(chosen.client_id, chosen.order_id, now_ns)
        elif self.placed and dice < 0.18:
            self.told += exchange.place(self._changed(self.random.choice(self.placed)), now_ns)
        elif dice < 0.28:
            self._bracket(now_ns)
        else:
            self._place(self._ticket(now_ns), now_ns)

    def _place(self, ticket: OrderTicket, now_ns: int) -> None:
        self.placed.append(ticket)
        self.told += self.world.exchange.place(ticket, now_ns)

    def _ticket(self, now_ns: int, **fixed: object) -> OrderTicket:
        rng, listing = self.random, self.random.choice(TEN)
        client_id = int(str(fixed.get("client_id", rng.choice(CLIENTS))))
        self.next_id[client_id] += 1
        terms = {
            "client_id": client_id,
            "order_id": self.next_id[client_id],
            "con_id": listing.con_id,
            "symbol": listing.symbol,
            "action": rng.choice(("BUY", "SELL")),
            "order_type": rng.choice(TYPES),
            "quantity": Decimal(rng.choice((1, 10, 50, 100, 250))),
            "limit_price": self._near(listing),
            "aux_price": self._near(listing),
            "tif": rng.choice(TIFS),
            "good_till_ns": now_ns + rng.randrange(1, 1800) * SECOND_NS,
            "oca_group": rng.choice(("", "", "", f"group {rng.randrange(8)}")),
            "oca_type": rng.choice((1, 2, 3)),
            "outside_rth": rng.random() < 0.3,
            "account": rng.choice(self.world.accounts),
        }
        terms |= fixed
        if str(terms["order_type"]).startswith("TRAIL"):
            terms |= {"aux_price": Decimal("0.25"), "limit_offset": Decimal("0.05"), "limit_price": None}
        return OrderTicket(**terms)  # type: ignore[arg-type]

    def _near(self, listing: Listing) -> Decimal:
        return as_decimal(self.world.quote(listing.con_id).bid) + Decimal(self.random.randrange(-60, 61)) / 100

    def _changed(self, ticket: OrderTicket) -> OrderTicket:
        price = (
            None if ticket.limit_price is None else ticket.limit_price + Decimal(self.random.randrange(-20, 21)) / 100
        )
        terms = {name: getattr(ticket, name) for name in OrderTicket.__dataclass_fields__}
        return OrderTicket(**{**terms, "limit_price": price, "quantity": ticket.quantity + 5})

    def _bracket(self, now_ns: int) -> None:
        parent = self._ticket(now_ns, order_type="LMT", tif="DAY", transmit=False, oca_group="")
        shared = {name: getattr(parent, name) for name in ("client_id", "con_id", "symbol", "quantity", "account")}
        out = {"action": "SELL" if parent.action == "BUY" else "BUY", "parent_id": parent.order_id, "tif": "GTC"}
        self._place(parent, now_ns)
        self._place(self._ticket(now_ns, **shared, **out, order_type="LMT", transmit=False, oca_group=""), now_ns)
        self._place(self._ticket(now_ns, **shared, **out, order_type="STP", oca_group=""), now_ns)


def trading(seed: int, start_ns: int, seconds: int, orders: int, *, always_open: bool) -> Day:
    symbols = [listing.symbol for listing in TEN]
    world = World(seed=seed, start_ns=start_ns, always_open=always_open, symbols=symbols, accounts=2)
    day = Day(world, Random(seed))
    moments = sorted(day.random.randrange(seconds * 10) for _ in range(orders))
    second = 0
    for tenth in moments:
        while second < tenth // 10:
            second += 1
            day.step(start_ns + second * SECOND_NS)
        day.act(start_ns + tenth * SECOND_NS // 10)
    day.step(start_ns + seconds * SECOND_NS)
    day.told += world.exchange.global_cancel(CLIENTS[0], start_ns + seconds * SECOND_NS)
    day.step(start_ns + (seconds + 2) * SECOND_NS)
    return day


def check(day: Day) -> None:
    world = day.world
    assert world.exchange.open_orders() == []
    check_orders(day.told)
    for ledger in world.ledgers.values():
        fills = ledger.executions
        assert fills
        spent = sum((_signed(each.side, each.shares) * each.price for each in fills), Decimal(0))
        commissions = sum((report.commission_usd for report in ledger.commissions.values()), Decimal(0))
        assert ledger.cash_usd == OPENING_CASH_USD - spent - commissions
        realized = sum((report.realized_pnl_usd or Decimal(0) for report in ledger.commissions.values()), Decimal(0))
        cost = sum((position.cost_usd for position in ledger.positions()), Decimal(0))
        opening_cost = 100 * Decimal("640")
        assert round(ledger.cash_usd + cost, 4) == round(OPENING_CASH_USD + opening_cost + realized, 4)
        for listing in TEN:
            shares = sum(
                (_signed(each.side, each.shares) for each in fills if each.con_id == listing.con_id), Decimal(0)
            )
            position = ledger.position(listing.con_id)
            opening = 100 if listing.symbol == "SPY" else 0
            assert (position.shares if position else 0) == shares + opening
        assert len({each.exec_id for each in fills}) == len(fills) == len(ledger.commissions)
        assert ledger.placements_by_id(PlacementKind.NEW)


def check_orders(told: list[OrderEvent]) -> None:
    """Statuses move along the table only, shares add up, every order that was told of ended."""
    status: dict[int, OrderStatus] = {}
    filled: Counter[int] = Counter()
    commissions = []
    for event in told:
        if isinstance(event, Echo | Status):
            order = event.order
            before = status.get(order.perm_id, OrderStatus.HELD)
            assert order.status in (before, *TRANSITIONS[before]) or before is OrderStatus.HELD
            status[order.perm_id] = order.status
            assert order.filled == filled[order.perm_id]
        elif isinstance(event, Executed):
            filled[event.execution.perm_id] += int(event.execution.shares)
        elif isinstance(event, Commissioned):
            commissions.append(event.report.exec_id)
    assert not [perm_id for perm_id, each in status.items() if TRANSITIONS[each]]
    assert commissions == [event.execution.exec_id for event in told if isinstance(event, Executed)]


def _signed(side: str, shares: Decimal) -> Decimal:
    return shares if side == "BOT" else -shares


def digest(day: Day) -> str:
    return sha256("\n".join(map(repr, day.told)).encode()).hexdigest()


def test_ten_minutes_of_ten_symbols_with_two_thousand_orders_from_four_clients() -> None:
    """Every kind of order, the closing auction too; both accounts balance to the last digit."""
    day = trading(5, new_york_ns(datetime(2026, 6, 22, 15, 52)), 600, 2000, always_open=True)
    check(day)
    told = Counter(type(event) for event in day.told)
    assert told[Executed] > 500
    ended = Counter(view.status for view in day.world.exchange.completed_orders())
    assert min(ended[each] for each in (OrderStatus.FILLED, OrderStatus.CANCELLED)) > 100


def test_the_seed_decides() -> None:
    """The minutes around the closing auction, twice: every message is the same, ids and all."""
    start_ns = new_york_ns(datetime(2026, 6, 22, 15, 59))
    days = [trading(5, start_ns, 100, 300, always_open=True) for _ in range(2)]
    assert digest(days[0]) == digest(days[1])
    assert any(isinstance(event, Executed) for event in days[0].told)


@pytest.mark.timeout(1200)
def test_a_day_of_ten_symbols_by_the_exchanges_hours(request: pytest.FixtureRequest) -> None:
    """Orders wait for the opening, meet in auctions, expire: around the opening, or from 03:59 to 20:01 if asked to."""
    whole = request.config.getoption("--whole-day")
    start_ns = new_york_ns(datetime(2026, 6, 22, 3, 59) if whole else datetime(2026, 6, 22, 9, 27))
    seconds, orders = (16 * 3600 + 120, 2000) if whole else (300, 500)
    days = [trading(11, start_ns, seconds, orders, always_open=False) for _ in range(2)]
    check(days[0])
    assert digest(days[0]) == digest(days[1])
    assert {399, 201, 202} <= {event.code for event in days[0].told if isinstance(event, Notice)}


def test_what_our_orders_do_is_public() -> None:
    """Each fill against the crowd is printed with its shares, and bars and volume count it."""
    world = World(seed=1, start_ns=new_york_ns(datetime(2026, 6, 22, 11)))
    spy = TEN[0]
    before, now_ns = world.quote(spy.con_id), new_york_ns(datetime(2026, 6, 22, 11))
    ticket = OrderTicket(
        client_id=1, order_id=1, con_id=spy.con_id, symbol="SPY", action="BUY", order_type="MKT", quantity=Decimal(LOT)
    )
    told = world.exchange.place(ticket, now_ns)
    [fill] = [event.execution for event in told if isinstance(event, Executed)]
    after = world.quote(spy.con_id)
    assert (after.last, after.last_size, after.volume) == (float(fill.price), LOT, before.volume + LOT)
    events = world.advance(now_ns + 1).market_events
    assert next(event.size for event in events if isinstance(event, Traded)) == LOT
    assert world.tape.bars(spy.con_id)[0].volume == LOT
