"""Orders that are filled by nobody in the book, held back, or doubled stay orders of the exchange."""

from __future__ import annotations

from decimal import Decimal

from tests.tws_simulator.world.exchange_floor import SPY, Floor, buy, fills, sell, story
from tws_simulator.world.orders.interventions import HOLDS_MAX
from tws_simulator.world.orders.order_events import OrderEvent
from tws_simulator.world.orders.tickets import OrderStatus

INACTIVE, PENDING_SUBMIT = OrderStatus.INACTIVE, OrderStatus.PENDING_SUBMIT


def perm_id(floor: Floor, order_id: int = 1) -> int:
    return next(view.perm_id for view in floor.exchange.open_orders() if view.ticket.order_id == order_id)


def fill(floor: Floor, shares: int, order_id: int = 1, *, force: bool = False) -> list[OrderEvent]:
    return floor.exchange.fill(perm_id(floor, order_id), Decimal(shares), None, floor.now_ns, force=force)


def hold(floor: Floor, order_id: int = 1, told_as: OrderStatus = INACTIVE) -> list[OrderEvent]:
    return floor.exchange.hold(7, order_id, told_as, floor.now_ns)


def release(floor: Floor, order_id: int = 1) -> list[OrderEvent]:
    return floor.exchange.release(7, order_id, floor.now_ns)


def test_a_fill_from_outside_is_at_the_limit_and_unseen() -> None:
    """The tape knows of no trade; the order's size in the book shrinks."""
    floor = Floor()
    floor.quote(floor.bid(), floor.bid(9))
    floor.place(buy(quantity=10, limit=floor.bid(1)))
    before = floor.tape.trades(SPY)
    assert fills(fill(floor, 4)) == [(1, 4, floor.bid())]
    assert floor.tape.trades(SPY) == before
    assert floor.spy.bid_size == 6


def test_an_order_without_a_limit_is_filled_at_the_last_trade() -> None:
    """A stop that was not set off too; it goes on waiting for its price with the rest."""
    floor = Floor()
    floor.place(buy(quantity=10, order_type="STP", aux_price=floor.ask(100)))
    last = floor.tape.mark(SPY)
    told = fill(floor, 4)
    assert fills(told) == [(1, 4, last)]
    assert story(told)[1:] == ["1 PreSubmitted pair", "1 PreSubmitted pair"]
    assert fills(floor.trade(floor.ask(200)))[0][0] == 1


def test_a_parent_that_is_filled_from_outside_starts_its_children() -> None:
    """As by any fill."""
    floor = Floor()
    floor.place(buy(1, limit=floor.bid(-100), transmit=False))
    floor.place(sell(2, limit=floor.ask(100), parent_id=1))
    assert "2 Submitted pair" in story(fill(floor, 10))


def test_a_held_order_is_filled_by_force_only() -> None:
    """Else it gets nothing."""
    floor = Floor()
    floor.place(buy(limit=floor.bid(-100)))
    hold(floor)
    assert fill(floor, 10) == []
    assert story(fill(floor, 10, force=True))[-1] == "1 Filled pair"
    assert floor.exchange.open_orders() == []


def test_a_held_stop_is_not_set_off() -> None:
    """Let go, it waits for its price again."""
    floor = Floor()
    stop = floor.ask(100)
    floor.place(buy(order_type="STP", aux_price=stop))
    assert story(hold(floor)) == ["1 Inactive pair"]
    assert floor.trade(stop) == []
    assert story(release(floor)) == ["1 PreSubmitted pair"]
    assert fills(floor.trade(stop))


def test_an_order_is_held_through_the_opening() -> None:
    """Told once while the market is closed; let go before it opens, it waits as any order does."""
    floor = Floor(8)
    assert hold(floor, 1) == hold(floor, 2) == []
    assert story(floor.place(buy(1, limit=floor.ask(500)))) == ["1 Inactive pair"]
    floor.place(buy(2, limit=floor.ask(500)))
    assert floor.wait(5) == []
    assert "1 PreSubmitted pair" in story(release(floor, 1))
    told = floor.until(9, 31)
    assert {order_id for order_id, _, _ in fills(told)} == {1}
    assert [view.status for view in floor.exchange.open_orders()] == [INACTIVE]


def test_a_held_day_order_ends_with_the_day() -> None:
    """Like every other."""
    floor = Floor()
    hold(floor, told_as=PENDING_SUBMIT)
    floor.place(buy(limit=floor.bid(-100)))
    assert "1 Cancelled alone" in story(floor.until(16, 1))


def test_orders_that_never_come_are_not_awaited_for_ever() -> None:
    """The oldest hold is forgotten when there are too many; one whose order was refused is over."""
    floor = Floor()
    for order_id in range(1, HOLDS_MAX + 2):
        hold(floor, order_id)
    assert "1 Submitted pair" in story(floor.place(buy(1, limit=floor.bid(-100))))
    assert story(floor.place(buy(2, limit=floor.bid(-100)))) == ["2 Inactive pair"]


def test_releasing_all_lets_go_of_everything() -> None:
    """What is held, and what was to be held."""
    floor = Floor()
    hold(floor, 1)
    hold(floor, 2)
    floor.place(buy(1, limit=floor.bid(-100)))
    assert "1 Submitted pair" in story(floor.exchange.release_all(floor.now_ns))
    assert "2 Submitted pair" in story(floor.place(buy(2, limit=floor.bid(-100))))


def test_a_twin_outlives_the_day_in_which_the_first_was_filled() -> None:
    """And is found by the id that both had."""
    floor = Floor()
    floor.place(buy(limit=floor.bid(-1000), tif="GTC"))
    elder = perm_id(floor)
    assert story(floor.exchange.double(elder, floor.now_ns)) == ["1 PreSubmitted pair", "1 Submitted pair"]
    assert story(fill(floor, 10))[-1] == "1 Filled pair"
    floor.until(11, day=23)
    [twin] = floor.exchange.open_orders(7)
    assert (twin.ticket.order_id, twin.perm_id != elder) == (1, True)
    assert story(floor.cancel(1)) == ["1 Cancelled alone", "1 202"]


def test_only_a_working_order_is_doubled() -> None:
    """Nothing happens to one that has ended, or that nobody knows."""
    floor = Floor()
    floor.place(buy(limit=floor.bid(-100)))
    elder = perm_id(floor)
    floor.cancel(1)
    assert floor.exchange.double(elder, floor.now_ns) == floor.exchange.double(1, floor.now_ns) == []
