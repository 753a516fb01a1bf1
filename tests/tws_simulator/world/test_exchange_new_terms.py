"""New terms for a working order: what they change at once, and what is refused and leaves it as it was."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.world.exchange_floor import CANCELLED, FILLED, Floor, buy, fills, messages, story, texts
from tws_simulator.world.orders.tickets import OrderStatus
from tws_simulator.world.time.units import SECOND_NS


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_an_order_that_becomes_one_for_at_once_rests_no_longer(tif: str) -> None:
    """At the same price it finds nothing to take, and is cancelled."""
    floor = Floor()
    price = floor.bid(-10)
    floor.place(buy(1, limit=price))
    assert messages(floor.place(buy(1, limit=price, tif=tif))) == ["Echo Submitted", "Status Submitted", *CANCELLED]
    assert floor.exchange.open_orders() == []
    assert fills(floor.quote(price - 1, price)) == []


def test_an_order_that_becomes_one_for_at_once_takes_what_there_is() -> None:
    """At a price that reaches the market it is filled instead."""
    floor = Floor()
    floor.place(buy(1, limit=floor.bid(-10)))
    assert messages(floor.place(buy(1, limit=floor.ask(), tif="IOC")))[2:] == FILLED


def test_an_order_that_becomes_one_for_at_once_at_night_ends_at_the_opening() -> None:
    """It waits for the market, looks at it once, and never rests."""
    floor = Floor(15)
    price = floor.bid(-10)
    floor.place(buy(1, limit=price, tif="GTC"))
    floor.until(21)
    floor.place(buy(1, limit=price, tif="IOC"))
    assert messages(floor.until(9, 30, day=23))[-2:] == CANCELLED
    assert floor.exchange.open_orders() == []


def test_an_order_that_becomes_one_for_the_opening_leaves_the_book() -> None:
    """The market reaches its price before the next opening and it is not filled."""
    floor = Floor()
    price = floor.bid(-10)
    floor.place(buy(1, limit=price))
    floor.place(buy(1, limit=price, tif="OPG"))
    assert fills(floor.quote(price - 1, price)) == []
    assert fills(floor.until(9, 30, day=23)) != []


def test_new_terms_beyond_the_margin_leave_the_order_as_it_was() -> None:
    """201 with its reason, then the order's own pair; it works on with the shares that it had."""
    floor = Floor()
    floor.place(buy(1, 1, floor.bid(-10)))
    told = floor.place(buy(1, 1_000_000, floor.bid(-10)))
    assert messages(told) == ["Notice 201", "Echo Submitted", "Status Submitted"]
    assert "must exceed the initial margin" in texts(told)[0]
    assert [view.ticket.quantity for view in floor.exchange.open_orders()] == [Decimal(1)]
    assert fills(floor.quote(floor.bid(-11), floor.bid(-10))) != []


def test_terms_that_need_no_more_than_before_are_always_taken() -> None:
    """An order that the account no longer carries may still be made smaller, or get another price."""
    floor = Floor()
    floor.place(buy(1, 5_000, floor.bid(-10)))
    floor.quote("1499.99", "1500.01")
    floor.trade("1500.00")
    assert messages(floor.place(buy(1, 4_000, "600")))[0] == "Echo Submitted"
    assert messages(floor.place(buy(1, 4_001, "600")))[0] == "Notice 201"


def test_a_date_in_the_past_is_refused() -> None:
    """201 for a new order, which is inactive; new terms with such a date leave the order as it was."""
    floor = Floor()
    before_ns = floor.now_ns - 3600 * SECOND_NS
    told = floor.place(buy(1, tif="GTD", good_till_ns=before_ns))
    assert story(told) == ["1 Inactive pair", "1 201", "1 Inactive pair"]
    assert texts(told) == ["Order rejected - reason:Order is already expired."]
    floor.place(buy(2, limit=floor.bid(-10)))
    assert story(floor.place(buy(2, limit=floor.bid(-10), tif="GTD", good_till_ns=before_ns)))[0] == "2 201"
    assert [view.status for view in floor.exchange.open_orders()] == [OrderStatus.SUBMITTED]
