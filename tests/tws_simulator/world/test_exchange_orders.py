"""Order entry and matching: the messages real gateways send, and quantities that always add up."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.tws_simulator.world.exchange_floor import (
    CANCELLED,
    FILLED,
    PARTIAL,
    SPY,
    TSLA,
    WORKING,
    Floor,
    buy,
    messages,
    sell,
    trades,
)
from tws_simulator.world.accounts.records import PlacementKind
from tws_simulator.world.market.events import as_decimal
from tws_simulator.world.orders.commissions import commission_usd
from tws_simulator.world.orders.executions import ExecutionFilter
from tws_simulator.world.orders.order_events import Executed, Notice, OrderEvent, Status, WhatIf
from tws_simulator.world.orders.tickets import OrderStatus, OrderTicket
from tws_simulator.world.time.units import DAY_NS, SECOND_NS


@pytest.fixture
def floor() -> Floor:
    return Floor(10, always_open=True)


def test_a_market_order_draws_the_captured_sequence(floor: Floor):
    """Echoes, the execution, Filled, Filled again with the commission, and the commission report last."""
    events = floor.place(buy())
    assert messages(events) == WORKING + FILLED
    assert trades(events) == [(Decimal(10), floor.ask())]
    assert all(event.ts_ns == floor.now_ns and event.client_id == 7 for event in events)


def test_a_cancelled_order_draws_status_then_202(floor: Floor):
    """Filled 0, remaining the whole quantity, and no openOrder, as captured."""
    assert messages(floor.place(buy(quantity=5, limit=floor.bid(-100)))) == WORKING
    events = floor.cancel(1)
    assert messages(events) == CANCELLED
    assert isinstance(events[0], Status)
    assert (events[0].order.filled, events[0].order.remaining) == (0, 5)
    assert isinstance(events[1], Notice)
    assert events[1].text == "Order Canceled - reason:"


def test_a_large_order_sweeps_the_book_at_worsening_prices(floor: Floor):
    """Each level gives what it shows; remaining and average price stay exact; the commission minimum is paid once."""
    shown, ask = floor.spy.ask_size, floor.ask()
    behind = floor.exchange.book(SPY).levels(2).asks[1]
    events = floor.place(buy(quantity=shown + 50))
    assert messages(events) == WORKING + PARTIAL + [FILLED[0], "Echo Filled paid", *FILLED[2:]]
    assert trades(events) == [(shown, ask), (50, as_decimal(behind.price))]
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
    assert messages(events) == WORKING + PARTIAL
    assert (as_decimal(floor.spy.bid), floor.spy.bid_size) == (ask, 150)
    more = floor.quote(ask - Decimal("0.02"), ask, 100)
    assert messages(more) == [PARTIAL[0], "Echo Submitted paid", *PARTIAL[2:]]
    last = floor.quote(ask - Decimal("0.02"), ask, 300)
    assert messages(last) == [FILLED[0], "Echo Filled paid", *FILLED[2:]]
    assert trades(events + more + last) == [(shown, ask), (100, ask), (50, ask)]
    assert (as_decimal(floor.spy.ask), floor.spy.ask_size) == (ask, 250)


def test_two_orders_cannot_take_the_same_shares(floor: Floor):
    """What one order took is gone for the next until the crowd quotes anew."""
    shown, ask = floor.spy.ask_size, floor.ask()
    assert trades(floor.place(buy(1, shown))) == [(shown, ask)]
    assert trades(floor.place(buy(2, 10, ask, tif="IOC"))) == []
    assert floor.ask() > ask
    floor.quote(ask - Decimal("0.01"), ask, 300)
    assert trades(floor.place(buy(3, 10, ask, tif="IOC"))) == [(10, ask)]


def test_an_immediate_or_cancel_order_never_rests(floor: Floor):
    """IOC takes what is there and is cancelled for the rest."""
    assert messages(floor.place(buy(1, 10, floor.bid(-5), tif="IOC"))) == WORKING + CANCELLED
    shown = floor.spy.ask_size
    events = floor.place(buy(2, shown + 1, floor.ask(), tif="IOC"))
    assert messages(events) == WORKING + PARTIAL + CANCELLED
    assert floor.exchange.open_orders() == []


def test_marketable_limits_fill_at_the_quote(floor: Floor):
    """A limit through the quote gets the quote's price, not its own."""
    assert trades(floor.place(buy(1, 1, floor.ask(50)))) == [(1, floor.ask())]
    assert trades(floor.place(sell(2, 1, floor.bid(-50)))) == [(1, floor.bid())]


def test_a_resting_limit_fills_at_its_price_when_the_quote_reaches_it(floor: Floor):
    """Whoever crosses it pays its price, even when the quote jumps past it."""
    limit = floor.bid(-10)
    floor.place(buy(1, 10, limit))
    assert floor.quote(floor.bid(-9), floor.ask(-9)) == []
    events = floor.quote(floor.bid(-30), floor.ask(-30))
    assert trades(events) == [(10, limit)]
    assert [event.execution.liquidity for event in events if isinstance(event, Executed)] == [1]


def test_a_trade_through_a_resting_limit_fills_it(floor: Floor):
    """A print below a resting bid means the bid was hit; no more shares than were traded."""
    limit = floor.bid(-2)
    floor.place(buy(1, 300, limit))
    assert trades(floor.trade(limit + Decimal("0.01"), 900)) == []
    assert trades(floor.trade(limit - Decimal("0.01"), 200)) == [(200, limit)]
    assert trades(floor.trade(limit - Decimal("0.01"), 200)) == [(100, limit)]


def test_trades_at_the_limit_work_through_the_queue(floor: Floor):
    """What was displayed at the price comes first, then the order; a smaller display shortens the queue."""
    floor.quote(floor.bid(), floor.ask(), 500)
    bid = floor.bid()
    floor.place(buy(1, 100, bid))
    assert trades(floor.trade(bid, 400)) == []
    assert trades(floor.trade(bid, 150)) == [(50, bid)]
    floor.place(buy(2, 100, bid))
    floor.quote(bid, floor.ask(), 200)
    assert trades(floor.trade(bid, 250)) == [(50, bid)]
    assert trades(floor.trade(bid, 200)) == [(100, bid)]


def test_an_older_order_is_filled_first(floor: Floor):
    """One trade's shares are shared out by age and never counted twice."""
    floor.place(buy(1, 100, floor.bid(-1)))
    floor.place(buy(2, 100, floor.bid(-1)))
    events = floor.trade(floor.bid(-5), 150)
    assert [(event.execution.order_id, event.execution.shares) for event in events if isinstance(event, Executed)] == [
        (1, 100),
        (2, 50),
    ]


def test_the_same_id_modifies_a_working_order(floor: Floor):
    """New price and size are echoed under the same permId; a price that crosses fills at once."""
    floor.place(buy(1, 10, floor.bid(-10)))
    [before] = floor.exchange.open_orders()
    assert messages(floor.place(buy(1, 20, floor.bid(-5)))) == ["Echo Submitted", "Status Submitted"]
    [after] = floor.exchange.open_orders()
    assert (after.perm_id, after.remaining, after.ticket.limit_price) == (before.perm_id, 20, floor.bid(-5))
    assert messages(floor.place(buy(1, 20))) == ["Echo Submitted", "Status Submitted", *FILLED]


def test_a_modify_after_the_fill_is_ignored_in_silence(floor: Floor):
    """The gateway says nothing, fills nothing, and the record shows that it was received."""
    floor.place(buy(1))
    assert floor.place(buy(1, 5)) == []
    assert floor.ledger.placements_by_ref(PlacementKind.IGNORED) == {"ref-1": 1}
    assert len(floor.ledger.executions) == 1


def test_a_modify_may_not_change_what_the_order_is(floor: Floor):
    """Another side or instrument under the same id is 105, and the order works on as it was."""
    floor.place(buy(1, 10, floor.bid(-10)))
    assert messages(floor.place(sell(1, 10, floor.ask(10)))) == ["Notice 105"]
    assert messages(floor.place(buy(1, 10, floor.bid(-10), con_id=TSLA, symbol="TSLA"))) == ["Notice 105"]
    [order] = floor.exchange.open_orders()
    assert (order.ticket.action, order.ticket.con_id) == ("BUY", SPY)


def test_a_modify_below_what_is_filled_ends_the_order(floor: Floor):
    """Nothing is left to do: cancelled, with the fills kept and nothing remaining."""
    floor.place(buy(1, 300, floor.bid(-1)))
    floor.trade(floor.bid(-2), 100)
    events = floor.place(buy(1, 50, floor.bid(-1)))
    assert messages(events) == CANCELLED
    assert isinstance(events[0], Status)
    assert (events[0].order.filled, events[0].order.remaining) == (100, 0)


def bracket(floor: Floor, parent: OrderTicket) -> list[OrderEvent]:
    events = floor.place(replace(parent, transmit=False))
    events += floor.place(sell(2, 10, floor.ask(100), parent_id=1, transmit=False))
    assert events == []
    return floor.place(sell(3, 10, floor.ask(200), parent_id=1))


def test_a_bracket_waits_for_its_last_leg(floor: Floor):
    """Nothing is told until the last leg; then the children wait as PreSubmitted, held by their parent."""
    events = bracket(floor, buy(1, 10, floor.bid(-10)))
    assert messages(events) == [*WORKING[:2] * 3, *WORKING[2:]]
    parent, first, second = floor.exchange.open_orders()
    assert parent.status is OrderStatus.SUBMITTED
    for child in (first, second):
        assert (child.status, child.why_held) == (OrderStatus.PRE_SUBMITTED, "child")
        assert child.parent_perm_id == parent.perm_id
        assert child.ticket.oca_group == str(parent.perm_id)


def test_a_filled_parent_starts_its_children_and_one_child_ends_the_other(floor: Floor):
    """The children work only after the fill; the first to fill cancels its sibling."""
    events = bracket(floor, buy(1, 10))
    assert messages(events) == [*WORKING[:2] * 3, *WORKING[2:], *FILLED, *WORKING[2:], *WORKING[2:]]
    events = floor.quote(floor.ask(120), floor.ask(121))
    assert messages(events) == [*FILLED, *CANCELLED]
    assert floor.exchange.open_orders() == []


def test_cancelling_a_parent_cancels_its_children(floor: Floor):
    """Parent first; who ended it is told apart afterwards."""
    bracket(floor, buy(1, 10, floor.bid(-10)))
    assert messages(floor.cancel(1)) == CANCELLED * 3
    assert [order.completed_status for order in floor.exchange.completed_orders()] == [
        "Cancelled by Trader",
        "Cancelled by System:\n",
        "Cancelled by System:\n",
    ]


def test_a_rejected_parent_takes_its_children_along(floor: Floor):
    """None of them is left waiting."""
    events = bracket(floor, buy(1, 20_000))
    assert messages(events)[-4:] == CANCELLED * 2
    assert floor.exchange.open_orders() == []


def test_a_what_if_order_is_one_answer_and_no_order(floor: Floor):
    """Margins before and after, nothing placed, and the id is used up."""
    [answer] = floor.place(buy(1, 100, what_if=True))
    assert isinstance(answer, WhatIf)
    mark = floor.tape.marks()[SPY]
    assert answer.order.status is OrderStatus.PRE_SUBMITTED
    assert answer.initial_margin_after_usd - answer.initial_margin_before_usd == 25 * mark
    assert answer.equity_after_usd == answer.equity_before_usd
    assert floor.exchange.open_orders() == []
    assert floor.exchange.next_order_id(7) == 2
    assert floor.ledger.placements_by_ref(PlacementKind.NEW) == {}


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
    assert ids(since_ns=floor.start_ns + 1) == [(8, 1), (7, 2)]
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
    events = floor.exchange.advance(floor.start_ns + DAY_NS, [])
    assert messages(events) == CANCELLED
    assert [order.ticket.order_id for order in floor.exchange.open_orders()] == [3]
    assert floor.exchange.completed_orders() == floor.exchange.executions() == []
    assert floor.exchange.next_order_id(7) == 4
    assert messages(floor.exchange.place(buy(1), floor.start_ns)) == ["Notice 103"]


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
