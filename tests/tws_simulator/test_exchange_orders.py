"""Order entry and matching: the messages real gateways send, and quantities that always add up."""

import re
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import zip_longest
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tws_simulator.world.accounts import Ledger, PlacementKind, opening_positions
from tws_simulator.world.calendar import SECOND_NS, Calendar
from tws_simulator.world.exchange import Exchange
from tws_simulator.world.market import Market, Quote, QuoteChanged, Traded, as_decimal
from tws_simulator.world.tape import Tape
from tws_simulator.world.tickets import (
    TRANSITIONS,
    Commissioned,
    Echo,
    Executed,
    ExecutionFilter,
    Notice,
    OrderEvent,
    OrderStatus,
    OrderTicket,
    Status,
    WhatIf,
)
from tws_simulator.world.universe import LISTINGS
from tws_simulator.world.commissions import commission_usd

START_NS = int(datetime(2026, 6, 22, 14, tzinfo=UTC).timestamp()) * SECOND_NS
NOW_NS = START_NS + SECOND_NS
SPY, TSLA = 756733, 76792991


class Floor:
    """An exchange over a market that stands still, so that each test says what the market does."""

    def __init__(self, seed: int = 1) -> None:
        self.crowd = Market(LISTINGS, seed, START_NS)
        self.calendar = Calendar(always_open=True)
        self.market = Tape(self.calendar, self.crowd.opening, self.crowd.closes)
        self.ledger = Ledger("DU1234567", positions=opening_positions())
        self.exchange = self.another(seed)
        self.now_ns = NOW_NS

    def another(self, seed: int = 1, start_ns: int = START_NS, **bounds: int) -> Exchange:
        return Exchange(self.market, self.calendar, {self.ledger.account: self.ledger}, seed, start_ns, **bounds)

    @property
    def spy(self) -> Quote:
        return self.market.quote(SPY)

    def bid(self, ticks: int = 0) -> Decimal:
        return as_decimal(self.spy.bid) + Decimal(ticks) / 100

    def ask(self, ticks: int = 0) -> Decimal:
        return as_decimal(self.spy.ask) + Decimal(ticks) / 100

    def place(self, ticket: OrderTicket) -> list[OrderEvent]:
        return self.exchange.place(ticket, self.now_ns)

    def quote(self, bid: Decimal, ask: Decimal, size: int = 100) -> list[OrderEvent]:
        self.now_ns += SECOND_NS
        event = QuoteChanged(
            con_id=SPY, ts_ns=self.now_ns, bid=float(bid), ask=float(ask), bid_size=size, ask_size=size
        )
        return self.exchange.advance(self.now_ns, [event])

    def trade(self, price: Decimal, size: int) -> list[OrderEvent]:
        self.now_ns += SECOND_NS
        event = Traded(con_id=SPY, ts_ns=self.now_ns, price=float(price), size=size, exchange="IEX")
        return self.exchange.advance(self.now_ns, [event])


@pytest.fixture
def floor() -> Floor:
    return Floor()


def buy(order_id: int = 1, quantity: int = 1, limit: Decimal | None = None, **other) -> OrderTicket:
    terms = {
        "client_id": 7,
        "order_id": order_id,
        "con_id": SPY,
        "symbol": "SPY",
        "action": "BUY",
        "order_type": "MKT" if limit is None else "LMT",
        "quantity": Decimal(quantity),
        "limit_price": limit,
        "order_ref": f"ref-{order_id}",
    }
    return OrderTicket(**{**terms, **other})


def sell(order_id: int = 1, quantity: int = 1, limit: Decimal | None = None, **other) -> OrderTicket:
    return buy(order_id, quantity, limit, action="SELL", **other)


def story(events: list[OrderEvent]) -> list[str]:
    """The messages in short: kind, and status or code."""
    told = []
    for event in events:
        if isinstance(event, Echo | Status):
            paid = " paid" if isinstance(event, Echo) and event.order.commission_usd is not None else ""
            told.append(f"{type(event).__name__} {event.order.status.value}{paid}")
        elif isinstance(event, Notice):
            told.append(f"Notice {event.code}")
        else:
            told.append(type(event).__name__)
    return told


def fills(events: list[OrderEvent]) -> list[tuple[Decimal, Decimal]]:
    return [(event.execution.shares, event.execution.price) for event in events if isinstance(event, Executed)]


WORKING = ["Echo PreSubmitted", "Status PreSubmitted", "Echo Submitted", "Status Submitted"]
FILLED = ["Executed", "Echo Filled", "Status Filled", "Echo Filled paid", "Status Filled", "Commissioned"]
PARTIAL = [told.replace("Filled", "Submitted") for told in FILLED]
CANCELLED = ["Status Cancelled", "Notice 202"]


# The messages of an order's life


def test_a_market_order_draws_the_captured_sequence(floor: Floor):
    """Echoes, the execution, Filled, Filled again with the commission, and the commission report last."""
    events = floor.place(buy())
    assert story(events) == WORKING + FILLED
    assert fills(events) == [(Decimal(1), floor.ask())]
    assert all(event.ts_ns == NOW_NS and event.client_id == 7 for event in events)


def test_a_cancelled_order_draws_status_then_202(floor: Floor):
    """Filled 0, remaining the whole quantity, and no openOrder, as captured."""
    assert story(floor.place(buy(quantity=5, limit=floor.bid(-100)))) == WORKING
    events = floor.exchange.cancel(7, 1, NOW_NS)
    assert story(events) == CANCELLED
    assert isinstance(events[0], Status)
    assert (events[0].order.filled, events[0].order.remaining) == (0, 5)
    assert isinstance(events[1], Notice)
    assert events[1].text == "Order Canceled - reason:"


def test_a_large_order_sweeps_the_book_at_worsening_prices(floor: Floor):
    """Each level gives what it shows; remaining and average price stay exact; the commission minimum is paid once."""
    shown, ask = floor.spy.ask_size, floor.ask()
    behind = floor.exchange.book(SPY).levels(2).asks[1]
    events = floor.place(buy(quantity=shown + 50))
    assert story(events) == WORKING + PARTIAL + [FILLED[0], "Echo Filled paid", *FILLED[2:]]
    assert fills(events) == [(shown, ask), (50, as_decimal(behind.price))]
    [order] = floor.exchange.completed_orders()
    value = shown * ask + 50 * as_decimal(behind.price)
    assert (order.filled, order.remaining, order.average_price) == (shown + 50, 0, value / (shown + 50))
    assert order.commission_usd == commission_usd(order.filled, value)
    assert order.commission_usd == sum(each.commission_usd for each in floor.ledger.commissions.values())
    assert order.completed_status == f"Filled Size: {shown + 50}"
    assert floor.spy.ask == behind.price


def test_a_limit_order_takes_what_is_within_its_limit_and_rests_with_the_remainder(floor: Floor):
    """It becomes the public bid, and is filled there by whoever comes down to it."""
    shown, ask = floor.spy.ask_size, floor.ask()
    events = floor.place(buy(1, shown + 150, ask))
    assert story(events) == WORKING + PARTIAL
    assert (as_decimal(floor.spy.bid), floor.spy.bid_size) == (ask, 150)
    more = floor.quote(ask - Decimal("0.02"), ask, 100)
    assert story(more) == [PARTIAL[0], "Echo Submitted paid", *PARTIAL[2:]]
    last = floor.quote(ask - Decimal("0.02"), ask, 300)
    assert story(last) == [FILLED[0], "Echo Filled paid", *FILLED[2:]]
    assert fills(events + more + last) == [(shown, ask), (100, ask), (50, ask)]
    assert (as_decimal(floor.spy.ask), floor.spy.ask_size) == (ask, 250)


def test_two_orders_cannot_take_the_same_shares(floor: Floor):
    """What one order took is gone for the next until the crowd quotes anew."""
    shown, ask = floor.spy.ask_size, floor.ask()
    assert fills(floor.place(buy(1, shown))) == [(shown, ask)]
    assert fills(floor.place(buy(2, 10, ask, tif="IOC"))) == []
    assert floor.ask() > ask
    floor.quote(ask - Decimal("0.01"), ask, 300)
    assert fills(floor.place(buy(3, 10, ask, tif="IOC"))) == [(10, ask)]


def test_an_immediate_or_cancel_order_never_rests(floor: Floor):
    """IOC takes what is there and is cancelled for the rest."""
    assert story(floor.place(buy(1, 10, floor.bid(-5), tif="IOC"))) == WORKING + CANCELLED
    shown = floor.spy.ask_size
    events = floor.place(buy(2, shown + 1, floor.ask(), tif="IOC"))
    assert story(events) == WORKING + PARTIAL + CANCELLED
    assert floor.exchange.open_orders() == []


def test_marketable_limits_fill_at_the_quote(floor: Floor):
    """A limit through the quote gets the quote's price, not its own."""
    assert fills(floor.place(buy(1, 1, floor.ask(50)))) == [(1, floor.ask())]
    assert fills(floor.place(sell(2, 1, floor.bid(-50)))) == [(1, floor.bid())]


def test_a_resting_limit_fills_at_its_price_when_the_quote_reaches_it(floor: Floor):
    """Whoever crosses it pays its price, even when the quote jumps past it."""
    limit = floor.bid(-10)
    floor.place(buy(1, 10, limit))
    assert floor.quote(floor.bid(-9), floor.ask(-9)) == []
    events = floor.quote(floor.bid(-30), floor.ask(-30))
    assert fills(events) == [(10, limit)]
    assert [event.execution.liquidity for event in events if isinstance(event, Executed)] == [1]


def test_a_trade_through_a_resting_limit_fills_it(floor: Floor):
    """A print below a resting bid means the bid was hit; no more shares than were traded."""
    limit = floor.bid(-2)
    floor.place(buy(1, 300, limit))
    assert fills(floor.trade(limit + Decimal("0.01"), 900)) == []
    assert fills(floor.trade(limit - Decimal("0.01"), 200)) == [(200, limit)]
    assert fills(floor.trade(limit - Decimal("0.01"), 200)) == [(100, limit)]


def test_trades_at_the_limit_work_through_the_queue(floor: Floor):
    """What was displayed at the price comes first, then the order; a smaller display shortens the queue."""
    floor.quote(floor.bid(), floor.ask(), 500)
    bid = floor.bid()
    floor.place(buy(1, 100, bid))
    assert fills(floor.trade(bid, 400)) == []
    assert fills(floor.trade(bid, 150)) == [(50, bid)]
    floor.place(buy(2, 100, bid))
    floor.quote(bid, floor.ask(), 200)
    assert fills(floor.trade(bid, 250)) == [(50, bid)]
    assert fills(floor.trade(bid, 200)) == [(100, bid)]


def test_an_older_order_is_filled_first(floor: Floor):
    """One trade's shares are shared out by age and never counted twice."""
    floor.place(buy(1, 100, floor.bid(-1)))
    floor.place(buy(2, 100, floor.bid(-1)))
    events = floor.trade(floor.bid(-5), 150)
    assert [(event.execution.order_id, event.execution.shares) for event in events if isinstance(event, Executed)] == [
        (1, 100),
        (2, 50),
    ]


# Modify


def test_the_same_id_modifies_a_working_order(floor: Floor):
    """New price and size are echoed under the same permId; a price that crosses fills at once."""
    floor.place(buy(1, 10, floor.bid(-10)))
    [before] = floor.exchange.open_orders()
    assert story(floor.place(buy(1, 20, floor.bid(-5)))) == ["Echo Submitted", "Status Submitted"]
    [after] = floor.exchange.open_orders()
    assert (after.perm_id, after.remaining, after.ticket.limit_price) == (before.perm_id, 20, floor.bid(-5))
    assert story(floor.place(buy(1, 20))) == ["Echo Submitted", "Status Submitted", *FILLED]


def test_a_modify_after_the_fill_is_ignored_in_silence(floor: Floor):
    """The gateway says nothing, fills nothing, and the record shows that it was received."""
    floor.place(buy(1))
    assert floor.place(buy(1, 5)) == []
    assert floor.ledger.placements_by_ref(PlacementKind.IGNORED) == {"ref-1": 1}
    assert len(floor.ledger.executions) == 1


def test_a_modify_may_not_change_what_the_order_is(floor: Floor):
    """Another side or instrument under the same id is 105, and the order works on as it was."""
    floor.place(buy(1, 10, floor.bid(-10)))
    assert story(floor.place(sell(1, 10, floor.ask(10)))) == ["Notice 105"]
    assert story(floor.place(buy(1, 10, floor.bid(-10), con_id=TSLA, symbol="TSLA"))) == ["Notice 105"]
    [order] = floor.exchange.open_orders()
    assert (order.ticket.action, order.ticket.con_id) == ("BUY", SPY)


def test_a_modify_below_what_is_filled_ends_the_order(floor: Floor):
    """Nothing is left to do: cancelled, with the fills kept and nothing remaining."""
    floor.place(buy(1, 300, floor.bid(-1)))
    floor.trade(floor.bid(-2), 100)
    events = floor.place(buy(1, 50, floor.bid(-1)))
    assert story(events) == CANCELLED
    assert isinstance(events[0], Status)
    assert (events[0].order.filled, events[0].order.remaining) == (100, 0)


# Refusals


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tif": ""}, 10052),
        ({"tif": "SOON"}, 10052),
        ({"order_type": "FEELING"}, 321),
        ({"order_type": "STP"}, 403),
        ({"order_type": "TRAIL"}, 403),
        ({"tif": "GTD"}, 391),
        ({"trigger_method": 99}, 321),
        ({"display_size": 1}, 10255),
        ({"has_active_times": True}, 10315),
        ({"action": "HOLD"}, 321),
        ({"account": "DU7654321"}, 321),
        ({"symbol": "ZZZNONE", "con_id": 0}, 200),
        ({"con_id": 8314}, 200),
        ({"exchange": "IDEALPRO"}, 200),
        ({"quantity": Decimal(0)}, 434),
        ({"quantity": Decimal("NaN")}, 434),
        ({"quantity": Decimal("0.5")}, 10243),
        ({"order_type": "LMT", "limit_price": Decimal("600.005")}, 110),
        ({"order_type": "LMT", "limit_price": None}, 321),
        ({"order_type": "LMT", "limit_price": Decimal("Infinity")}, 321),
        ({"parent_id": 99}, 10006),
        ({"order_id": 0}, 103),
        ({"order_id": -1}, 103),
    ],
)
def test_a_refused_order_draws_one_error_and_does_not_exist(floor: Floor, change, code: int):
    """No echo, no status, nothing open or completed; but the record shows that it was received."""
    events = floor.place(replace(buy(), **change))
    assert story(events) == [f"Notice {code}"]
    assert floor.exchange.open_orders() == floor.exchange.completed_orders() == []
    assert [each.kind for each in floor.ledger.placements] == [PlacementKind.REFUSED]
    assert floor.exchange.cancel(7, 1, NOW_NS)[0].code == 10147


def test_captured_error_texts(floor: Floor):
    """Word for word what a gateway said."""
    texts = [
        floor.place(replace(buy(), **change))[0].text
        for change in ({"order_type": "FEELING"}, {"tif": ""}, {"symbol": "ZZZNONE", "con_id": 0})
    ]
    assert texts == [
        "Error validating request.-'bz' : cause - Invalid order type was entered",
        "Invalid time in force:Empty",
        "No security definition has been found for the request",
    ]


def test_a_refused_id_may_be_used_again_at_once(floor: Floor):
    """It is not a duplicate, though the next id offered is above it."""
    floor.place(buy(5, tif=""))
    assert floor.exchange.next_order_id(7) == 6
    assert story(floor.place(buy(5))) == WORKING + FILLED


def test_an_order_that_is_not_taken_on_is_inactive_then_201_then_inactive(floor: Floor):
    """The captured refusal after acceptance; cancelling it says that it is cancelled already."""
    events = floor.place(buy(1, tif="AUC"))
    assert story(events) == ["Echo Inactive", "Status Inactive", "Notice 201", "Echo Inactive", "Status Inactive"]
    assert isinstance(events[2], Notice)
    assert events[2].text == (
        "Order rejected - reason:The time-in-force AUC is invalid for this combination of exchange and security type."
    )
    [notice] = floor.exchange.cancel(7, 1, NOW_NS)
    assert isinstance(notice, Notice)
    assert (notice.code, notice.text) == (
        10148,
        "OrderId 1 that needs to be cancelled cannot be cancelled, state: Cancelled.",
    )


def test_fill_or_kill_is_filled_at_once_or_not_at_all(floor: Floor):
    """It looks through the levels within its limit before it takes the first share."""
    shown, ask = floor.spy.ask_size, floor.ask()
    assert story(floor.place(buy(1, shown + 1, ask, tif="FOK"))) == WORKING + CANCELLED
    assert story(floor.place(buy(2, shown, ask, tif="FOK"))) == WORKING + FILLED


def test_an_order_beyond_the_margin_is_rejected(floor: Floor):
    """About 6,600 SPY is what a million dollars carries at 25 %; selling what is held needs no margin."""
    assert "Notice 201" in story(floor.place(buy(1, 10_000)))
    assert "Notice 201" in story(floor.place(sell(2, 10_000)))
    assert story(floor.place(sell(3, 100))) == WORKING + FILLED


def test_a_full_day_refuses_new_orders(floor: Floor):
    """At the bound a new order is turned away with 201; those that exist can still be changed and cancelled."""
    exchange = floor.another(orders_max=1)
    exchange.place(buy(1, 10, floor.bid(-10)), NOW_NS)
    assert story(exchange.place(buy(2), NOW_NS)) == ["Notice 201"]
    assert story(exchange.place(buy(1, 20, floor.bid(-10)), NOW_NS)) == ["Echo Submitted", "Status Submitted"]
    assert story(exchange.cancel(7, 1, NOW_NS)) == CANCELLED


# Ids


def test_ids_grow_per_client_and_outlive_a_connection(floor: Floor):
    """Highest used plus one, for each client apart."""
    assert floor.exchange.next_order_id(7) == 1
    floor.place(buy(546, 1))
    assert floor.exchange.next_order_id(7) == 547
    assert floor.exchange.next_order_id(8) == 1


def test_an_id_at_or_below_the_highest_used_is_a_duplicate(floor: Floor):
    """103 for a lower id and for the id of a cancelled order."""
    floor.place(buy(10, 1, floor.bid(-10)))
    floor.exchange.cancel(7, 10, NOW_NS)
    assert story(floor.place(buy(10))) == ["Notice 103"]
    assert story(floor.place(buy(9))) == ["Notice 103"]
    assert story(floor.place(buy(9, client_id=8))) == WORKING + FILLED


def test_execution_and_permanent_ids(floor: Floor):
    """execIds have IB's four segments; permIds are unique; neither repeats in another run of the same seed."""
    later = floor.another(start_ns=START_NS + SECOND_NS)
    exchanges = [floor.exchange, later]
    events = [event for each in exchanges for order_id in range(1, 30) for event in each.place(buy(order_id), NOW_NS)]
    exec_ids = [event.execution.exec_id for event in events if isinstance(event, Executed)]
    assert len(exec_ids) == len(set(exec_ids)) > 20
    assert all(re.fullmatch(r"[0-9a-f]{8}\.[0-9a-f]{8}\.01\.01", exec_id) for exec_id in exec_ids)
    perm_ids = {event.execution.perm_id for event in events if isinstance(event, Executed)}
    assert len(perm_ids) == len(exec_ids)
    assert all(2**28 < perm_id < 2**63 for perm_id in perm_ids)


# Cancel


def test_cancels_that_find_nothing_to_cancel(floor: Floor):
    """Unknown and other clients' orders are not found; filled and cancelled ones cannot be cancelled."""
    floor.place(buy(1))
    floor.place(buy(2, 1, floor.bid(-10)))
    assert story(floor.exchange.cancel(7, 99, NOW_NS)) == ["Notice 10147"]
    assert story(floor.exchange.cancel(8, 2, NOW_NS)) == ["Notice 10147"]
    assert story(floor.exchange.cancel(7, 1, NOW_NS)) == ["Notice 10148"]
    assert len(floor.exchange.open_orders()) == 1
    floor.exchange.cancel(7, 2, NOW_NS)
    assert story(floor.exchange.cancel(7, 2, NOW_NS)) == ["Notice 10148"]


def test_global_cancel_reaches_every_client(floor: Floor):
    """161 for what was dead already, then status and 202 for each live order in no order, told to its owner."""
    for client_id, order_id in ((7, 1), *((7, number) for number in range(2, 8)), (8, 1)):
        floor.place(buy(order_id, 1, floor.bid(-10), client_id=client_id))
    floor.exchange.cancel(7, 1, NOW_NS)
    events = floor.exchange.global_cancel(7, NOW_NS)
    assert story(events) == ["Notice 161", *CANCELLED * 7]
    ended = [(event.client_id, event.order_id) for event in events[2::2] if isinstance(event, Notice)]
    assert sorted(ended) == [*((7, number) for number in range(2, 8)), (8, 1)] != ended
    assert floor.exchange.open_orders() == []


# Brackets and what-if


def bracket(floor: Floor, parent: OrderTicket) -> list[OrderEvent]:
    events = floor.place(replace(parent, transmit=False))
    events += floor.place(sell(2, 10, floor.ask(100), parent_id=1, transmit=False))
    assert events == []
    return floor.place(sell(3, 10, floor.ask(200), parent_id=1))


def test_a_bracket_waits_for_its_last_leg(floor: Floor):
    """Nothing is told until the last leg; then the children wait as PreSubmitted, held by their parent."""
    events = bracket(floor, buy(1, 10, floor.bid(-10)))
    assert story(events) == [*WORKING[:2] * 3, *WORKING[2:]]
    parent, first, second = floor.exchange.open_orders()
    assert parent.status is OrderStatus.SUBMITTED
    for child in (first, second):
        assert (child.status, child.why_held) == (OrderStatus.PRE_SUBMITTED, "child")
        assert child.parent_perm_id == parent.perm_id
        assert child.ticket.oca_group == str(parent.perm_id)


def test_a_filled_parent_starts_its_children_and_one_child_ends_the_other(floor: Floor):
    """The children work only after the fill; the first to fill cancels its sibling."""
    events = bracket(floor, buy(1, 10))
    assert story(events) == [*WORKING[:2] * 3, *WORKING[2:], *FILLED, *WORKING[2:], *WORKING[2:]]
    events = floor.quote(floor.ask(120), floor.ask(121))
    assert story(events) == [*FILLED, *CANCELLED]
    assert floor.exchange.open_orders() == []


def test_cancelling_a_parent_cancels_its_children(floor: Floor):
    """Parent first; who ended it is told apart afterwards."""
    bracket(floor, buy(1, 10, floor.bid(-10)))
    assert story(floor.exchange.cancel(7, 1, NOW_NS)) == CANCELLED * 3
    assert [order.completed_status for order in floor.exchange.completed_orders()] == [
        "Cancelled by Trader",
        "Cancelled by System:\n",
        "Cancelled by System:\n",
    ]


def test_a_rejected_parent_takes_its_children_along(floor: Floor):
    """None of them is left waiting."""
    events = bracket(floor, buy(1, 20_000))
    assert story(events)[-4:] == CANCELLED * 2
    assert floor.exchange.open_orders() == []


def test_a_what_if_order_is_one_answer_and_no_order(floor: Floor):
    """Margins before and after, nothing placed, and the id is used up."""
    [answer] = floor.place(buy(1, 100, what_if=True))
    assert isinstance(answer, WhatIf)
    mark = floor.market.marks()[SPY]
    assert answer.order.status is OrderStatus.PRE_SUBMITTED
    assert answer.initial_margin_after_usd - answer.initial_margin_before_usd == 25 * mark
    assert answer.equity_after_usd == answer.equity_before_usd
    assert floor.exchange.open_orders() == []
    assert floor.exchange.next_order_id(7) == 2
    assert floor.ledger.placements_by_ref(PlacementKind.NEW) == {}


# Queries, days, commissions


def test_executions_are_filtered_as_clients_ask(floor: Floor):
    """By client, side in the client's words, symbol, venue and time."""
    floor.place(buy(1))
    floor.now_ns += 10 * SECOND_NS
    floor.place(sell(1, client_id=8))
    floor.place(buy(2, con_id=TSLA, symbol="TSLA"))

    def ids(**wanted) -> list[tuple[int, int]]:
        found = floor.exchange.executions(ExecutionFilter(**wanted))
        return [(each.client_id, each.order_id) for each in found]

    assert ids() == [(7, 1), (8, 1), (7, 2)]
    assert ids(client_id=8) == ids(side="SELL") == [(8, 1)]
    assert ids(symbol="TSLA") == ids(exchange="NASDAQ") == [(7, 2)]
    assert ids(since_ns=NOW_NS + 1) == [(8, 1), (7, 2)]
    assert ids(account="DU0000000") == ids(sec_type="OPT") == []
    assert len(floor.exchange.executions()) == 3


def test_open_orders_of_one_client_or_all(floor: Floor):
    """Each with its owner's ids."""
    floor.place(buy(1, 1, floor.bid(-10)))
    floor.place(buy(4, 1, floor.bid(-10), client_id=8))
    assert [(each.ticket.client_id, each.ticket.order_id) for each in floor.exchange.open_orders()] == [(7, 1), (8, 4)]
    assert [each.ticket.order_id for each in floor.exchange.open_orders(8)] == [4]


def test_a_new_day_ends_day_orders_and_forgets_finished_ones(floor: Floor):
    """GTC orders, positions and ids live on; yesterday's fills and finished orders are no longer told."""
    floor.place(buy(1))
    floor.place(buy(2, 1, floor.bid(-100)))
    floor.place(buy(3, 1, floor.bid(-100), tif="GTC"))
    events = floor.exchange.advance(START_NS + 24 * 3600 * SECOND_NS, [])
    assert story(events) == CANCELLED
    assert [order.ticket.order_id for order in floor.exchange.open_orders()] == [3]
    assert floor.exchange.completed_orders() == floor.exchange.executions() == []
    assert floor.exchange.next_order_id(7) == 4
    assert story(floor.exchange.place(buy(1), START_NS)) == ["Notice 103"]


def test_commissions():
    """0.0035 a share, at least 0.35, at most 1 % of the value even below the minimum."""
    assert commission_usd(Decimal(1), Decimal(600)) == Decimal("0.35")
    assert commission_usd(Decimal(1000), Decimal(600_000)) == Decimal("3.5")
    assert commission_usd(Decimal(10), Decimal(20)) == Decimal("0.2")
    assert commission_usd(Decimal(0), Decimal(0)) == 0


def test_an_operator_can_read_it(floor: Floor):
    """The repr says whose, and how many orders are in which state."""
    assert repr(floor.exchange) == "<Exchange DU1234567 no orders>"
    floor.place(buy(1))
    floor.place(buy(2, 1, floor.bid(-10)))
    assert repr(floor.exchange) == "<Exchange DU1234567 Submitted 1 Filled 1>"


# Everything together

actions = st.one_of(
    st.tuples(
        st.just("place"),
        st.integers(1, 12),
        st.sampled_from(["BUY", "SELL", "SSHORT"]),
        st.sampled_from([SPY, TSLA]),
        st.integers(1, 2500),
        st.none() | st.integers(-30, 30),
        st.sampled_from(["DAY", "GTC", "IOC", "FOK"]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.booleans(),
    ),
    st.tuples(st.just("cancel"), st.integers(1, 12)),
    st.tuples(st.just("global")),
    st.tuples(st.just("wait"), st.integers(1, 3000)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=25), st.integers(0, 1000))
def test_whatever_clients_and_the_market_do_the_accounts_agree(steps, seed: int):
    """Any mix of orders on a moving market keeps every promise an order makes.

    Statuses only move along the table; filled + remaining is the quantity; fills are never worse than the limit; every
    fill is followed by its commission; the ledger's positions are what the executions say; the story repeats.
    """
    stories = [play(steps, seed) for _ in range(2)]
    assert stories[0] == stories[1]


def test_busy_days_keep_every_promise_too():
    """The same on long seeded mixes of all that clients do, in which every kind of message occurs."""
    seen = Counter()
    for seed in range(12):
        seen.update(story(play(busy_day(seed), seed)))
    assert seen.keys() >= {
        "Echo Inactive", "Echo Submitted paid", "Echo Filled paid", "Status Cancelled", "Executed", "Commissioned",
        "Notice 103", "Notice 105", "Notice 161", "Notice 201", "Notice 202", "Notice 10006", "Notice 10147",
        "Notice 10148",
    }  # fmt: skip


def busy_day(seed: int) -> list[tuple]:
    """Mostly new orders with rising ids, some repeats of old ids, cancels, brackets, and pauses of up to 3 s."""
    rng = Random(seed)
    steps: list[tuple] = []
    for index in range(120):
        newest = index // 2 + 1
        chance = rng.random()
        if chance < 0.55:
            order_id = newest if rng.random() < 0.7 else rng.randint(1, newest)
            offset = None if rng.random() < 0.2 else rng.randint(-12, 12)
            tif = rng.choice(["DAY"] * 6 + ["GTC", "GTC", "IOC", "FOK"])
            terms = (rng.choice(["BUY", "SELL", "SSHORT"]), rng.choice([SPY, TSLA]), rng.randint(1, 900), offset, tif)
            steps.append(("place", order_id, *terms, rng.choice([0, 0, 0, newest - 1]), rng.random() < 0.8))
        elif chance < 0.65:
            steps.append(("cancel", rng.randint(1, newest)))
        elif chance < 0.67:
            steps.append(("global",))
        else:
            steps.append(("wait", rng.randint(1, 3000)))
    return steps


def play(steps, seed: int) -> list[OrderEvent]:
    floor = Floor(seed)
    exchange, market = floor.exchange, floor.market
    status: dict[int, OrderStatus] = defaultdict(lambda: OrderStatus.HELD)
    filled: dict[int, Decimal] = defaultdict(Decimal)
    told: list[OrderEvent] = []
    now_ns = START_NS
    for step in steps:
        match step:
            case ["place", order_id, action, con_id, quantity, offset, tif, parent_id, transmit]:
                symbol = "SPY" if con_id == SPY else "TSLA"
                limit = None if offset is None else as_decimal(market.quote(con_id).bid) + Decimal(offset) / 100
                ticket = buy(order_id, quantity, limit, action=action, con_id=con_id, symbol=symbol, tif=tif)
                events = exchange.place(replace(ticket, parent_id=parent_id, transmit=transmit), now_ns)
            case ["cancel", order_id]:
                events = exchange.cancel(7, order_id, now_ns)
            case ["global"]:
                events = exchange.global_cancel(7, now_ns)
            case ["wait", ms]:
                now_ns += ms * 1_000_000
                events = exchange.advance(now_ns, floor.crowd.advance(now_ns))
        told += events
        for event, following in zip_longest(events, events[1:]):
            assert event.ts_ns <= now_ns
            if isinstance(event, Echo | Status):
                order = event.order
                before, status[order.perm_id] = status[order.perm_id], order.status
                assert reachable(before, order.status), f"{before} became {order.status}"
                assert order.filled == filled[order.perm_id]
                assert order.remaining == max(order.ticket.quantity - order.filled, Decimal(0))
            elif isinstance(event, Executed):
                filled[event.execution.perm_id] += event.execution.shares
                assert event.execution.cum_qty == filled[event.execution.perm_id]
                assert isinstance(following, Echo)
                limit = following.order.ticket.limit_price if following.order.ticket.order_type == "LMT" else None
                if limit is not None and event.execution.side == "BOT":
                    assert event.execution.price <= limit
                elif limit is not None:
                    assert event.execution.price >= limit

    done = [event.execution for event in told if isinstance(event, Executed)]
    assert [event.report.exec_id for event in told if isinstance(event, Commissioned)] == [
        each.exec_id for each in done
    ]
    assert len({each.exec_id for each in done}) == len(done) == len(floor.ledger.executions)
    for con_id, opening in ((SPY, 100), (TSLA, 0)):
        position = floor.ledger.position(con_id)
        traded = sum(each.shares if each.side == "BOT" else -each.shares for each in done if each.con_id == con_id)
        assert (position.shares if position else 0) == opening + traded
    return told


def reachable(before: OrderStatus, after: OrderStatus) -> bool:
    """Whether the table leads from one to the other; PreSubmitted may pass untold on the way to Inactive."""
    if before is after or after in TRANSITIONS[before]:
        return True
    return before is OrderStatus.HELD and after is OrderStatus.INACTIVE
