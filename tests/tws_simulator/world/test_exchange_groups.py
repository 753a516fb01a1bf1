"""Orders that depend on each other: one-cancels-all groups, brackets, and what was never transmitted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.world.exchange_floor import Floor, buy, fills, sell, story, texts
from tws_simulator.world.orders.disorder import disordered
from tws_simulator.world.orders.tickets import OrderStatus


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.quote("639.99", "640.01", 500)
    return floor


def quantities(floor: Floor) -> dict[int, Decimal]:
    return {view.ticket.order_id: view.ticket.quantity for view in floor.exchange.open_orders()}


def grouped(floor: Floor, oca_type: int) -> None:
    floor.place(buy(1, 100, "639.50", oca_group="g", oca_type=oca_type))
    floor.place(buy(2, 200, "639.00", oca_group="g", oca_type=oca_type))
    floor.place(buy(3, 100, "638.00", oca_group="other", oca_type=oca_type))


def test_a_group_of_type_1_ends_with_the_first_fill(floor: Floor) -> None:
    """Even a partial one; other groups live on."""
    grouped(floor, 1)
    told = floor.trade("639.40", 40)
    assert fills(told) == [(1, Decimal(40), Decimal("639.50"))]
    assert story(told)[-2:] == ["2 Cancelled alone", "2 202"]
    assert quantities(floor) == {1: 100, 3: 100}


@pytest.mark.parametrize("oca_type", [2, 3])
def test_groups_of_types_2_and_3_shrink_in_proportion(floor: Floor, oca_type: int) -> None:
    """What was filled of one is taken off the others, and echoed; the last fill ends them."""
    grouped(floor, oca_type)
    told = floor.trade("639.40", 40)
    assert story(told)[-1] == "2 Submitted pair"
    assert quantities(floor) == {1: 100, 2: 120, 3: 100}
    told = floor.trade("639.40", 60)
    assert story(told)[-2:] == ["2 Cancelled alone", "2 202"]
    assert quantities(floor) == {3: 100}


def test_two_of_a_group_are_never_filled_by_the_same_trade(floor: Floor) -> None:
    """The first ends the second before its turn comes."""
    floor.place(buy(1, 100, "639.50", oca_group="g", oca_type=1))
    floor.place(buy(2, 100, "639.50", oca_group="g", oca_type=1))
    assert fills(floor.quote("639.00", "639.10", 1000)) == [(1, Decimal(100), Decimal("639.50"))]
    assert quantities(floor) == {}


def test_a_group_belongs_to_one_client(floor: Floor) -> None:
    """The same name used by another is another group."""
    floor.place(buy(1, 100, "639.50", oca_group="g"))
    floor.place(buy(1, 100, "639.00", oca_group="g", client_id=8))
    floor.trade("639.40", 100)
    assert [view.ticket.client_id for view in floor.exchange.open_orders()] == [8]


def test_a_bracket_lives_as_its_parent_tells(floor: Floor) -> None:
    """Children wait; the parent's fill starts them; a child's partial fill shrinks its sibling, a full one ends it."""
    floor.place(buy(1, 100, "639.00", transmit=False))
    floor.place(sell(2, 100, "642.00", parent_id=1, transmit=False))
    floor.place(sell(3, 100, order_type="STP", aux_price="638.00", parent_id=1))
    assert [view.why_held for view in floor.exchange.open_orders()] == ["", "child", "child,trigger"]
    assert fills(floor.trade("643.00", 100)) == []
    told = floor.quote("638.90", "638.95", 500)
    assert [order_id for order_id, _, _ in fills(told)] == [1]
    assert [(view.status, view.why_held) for view in floor.exchange.open_orders()] == [
        (OrderStatus.SUBMITTED, ""),
        (OrderStatus.PRE_SUBMITTED, "trigger"),
    ]
    floor.trade("642.50", 30)
    assert quantities(floor) == {2: 100, 3: 70}
    assert story(floor.trade("642.50", 70))[-2:] == ["3 Cancelled alone", "3 202"]
    assert quantities(floor) == {}


def test_a_trailing_child_of_a_market_order_is_refused_and_its_family_is_never_sent(floor: Floor) -> None:
    """328 for the child alone; a global cancel discards the parent (Cancelled, 202, 161), the other in silence."""
    floor.place(buy(1, transmit=False))
    floor.place(sell(2, limit="700", parent_id=1, transmit=False))
    told = floor.place(sell(3, order_type="TRAIL", aux_price="1", parent_id=1))
    assert story(told) == ["3 328"]
    assert texts(told) == ["Trailing stop orders can be attached to limit or stop-limit orders only."]
    assert floor.exchange.open_orders() == []
    told = floor.exchange.global_cancel(7, floor.now_ns)
    assert story(told) == ["1 Cancelled alone", "1 202", "1 161"]
    assert texts(told)[0] == "Order Canceled - reason:Order was discarded."


def test_a_refused_minimum_quantity_can_still_be_cancelled(floor: Floor) -> None:
    """10256 and no order; yet its cancel finds something to discard."""
    assert story(floor.place(buy(min_qty=5))) == ["1 10256"]
    assert floor.exchange.open_orders() == []
    assert story(floor.cancel(1)) == ["1 Cancelled alone", "1 202", "1 161"]


def test_orders_of_the_gateways_own_screen_are_nobodys_until_they_are_bound(floor: Floor) -> None:
    """Order id 0 among all open orders, of no client; bound they are client 0's under a negative id."""
    told = floor.exchange.place_manually(buy(limit="639.00"), floor.now_ns)
    assert {event.client_id for event in told} == {-1}
    [view] = floor.exchange.open_orders()
    assert (view.ticket.client_id, view.ticket.order_id) == (0, 0)
    assert floor.exchange.open_orders(0) == []
    assert story(floor.cancel(-1, client_id=0)) == ["-1 10147"]
    bound, *pair = floor.exchange.bind(floor.now_ns)
    assert (bound.client_id, type(bound).__name__) == (0, "Bound")
    assert story(pair) == ["-1 Submitted pair"]
    assert len(floor.exchange.open_orders(0)) == 1
    assert story(floor.cancel(-1, client_id=0)) == ["-1 Cancelled alone", "-1 202"]


def test_later_orders_of_the_screen_are_bound_at_once_when_that_was_asked_for(floor: Floor) -> None:
    """Until it is asked to stop."""
    assert floor.exchange.bind(floor.now_ns, from_now_on=True) == []
    told = floor.exchange.place_manually(buy(limit="639.00"), floor.now_ns)
    assert {event.client_id for event in told} == {0}
    assert type(told[0]).__name__ == "Bound"
    floor.exchange.stop_binding()
    told = floor.exchange.place_manually(buy(limit="639.00"), floor.now_ns)
    assert {event.client_id for event in told} == {-1}
    with pytest.raises(ValueError, match="321"):
        floor.exchange.place_manually(buy(order_type="FEELING"), floor.now_ns)


def test_each_account_has_books_of_its_own(floor: Floor) -> None:
    """An order names one; without a name it is the first's."""
    first, second = floor.ledgers.values()
    floor.place(buy(1, 10))
    floor.place(buy(2, 20, account=second.account))
    assert [each.shares for each in first.executions] == [10]
    assert [each.shares for each in second.executions] == [20]
    assert [each.account for each in floor.exchange.executions()] == [first.account, second.account]
    assert story(floor.place(buy(3, account="DU0000000"))) == ["3 321"]


def test_orders_of_two_clients_meet(floor: Floor) -> None:
    """A seller within the spread is the market's best, and a buyer takes from it first, at its price."""
    floor.place(sell(1, 50, "640.00"))
    assert (floor.spy.ask, floor.spy.ask_size) == (640.0, 50)
    told = floor.place(buy(1, 60, client_id=8))
    assert fills(told) == [
        (1, Decimal(50), Decimal("640.00")),
        (1, Decimal(50), Decimal("640.00")),
        (1, Decimal(10), Decimal("640.01")),
    ]
    assert [event.execution.liquidity for event in told if hasattr(event, "execution")] == [2, 1, 2]
    assert [trade.size for trade in floor.tape.trades(floor.spy.con_id)] == [50, 10]


def test_a_parent_that_ends_half_filled_takes_its_children_along() -> None:
    """They never started, and the shares that it got stay as they are."""
    floor = Floor()
    parent = buy(1, 200, floor.bid(), transmit=False)
    floor.place(parent)
    floor.place(sell(2, 200, floor.ask(100), parent_id=1, transmit=False))
    floor.place(sell(3, 200, order_type="STP", aux_price=floor.bid(-100), parent_id=1))
    floor.quote(floor.bid(), floor.ask(), 0)
    assert fills(floor.trade(floor.bid(), 100)) != []
    assert {view.why_held for view in floor.exchange.open_orders()} == {"", "child", "child,trigger"}
    assert story(floor.cancel(1))[::2] == ["1 Cancelled alone", "2 Cancelled alone", "3 Cancelled alone"]
    assert floor.exchange.open_orders() == []


def test_lists_of_orders_are_told_in_no_order() -> None:
    """Neither by id nor by time, the same every time; a parent before its children."""
    floor = Floor()
    for order_id in range(1, 11):
        floor.place(buy(order_id, 1, floor.bid(-10), transmit=order_id < 10))
    floor.place(sell(11, 1, floor.ask(100), parent_id=10))
    views = floor.exchange.open_orders()
    told = [view.ticket.order_id for view in disordered(views)]
    assert sorted(told) == list(range(1, 12)) != told
    assert told.index(10) < told.index(11)
    assert disordered(views[::-1]) == disordered(views)
