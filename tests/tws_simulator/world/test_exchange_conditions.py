"""Conditional orders: they work once what they wait for is true."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.world.exchange_floor import SPY, TSLA, Floor, buy, fills, story
from tws_simulator.world.orders.tickets import Condition, ConditionKind

HELD = ["1 PreSubmitted pair"]
ABOVE = Condition(kind=ConditionKind.PRICE, con_id=SPY, threshold=Decimal(641))


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.quote("639.99", "640.01", 500)
    floor.trade("640.00")
    return floor


def test_an_order_waits_for_a_price(floor: Floor) -> None:
    """PreSubmitted until a trade reaches it, then like any other; looked at once a second."""
    assert story(floor.place(buy(conditions=(ABOVE,)))) == HELD
    assert floor.trade("640.99") == []
    assert len(fills(floor.trade("641.00") + floor.wait(1))) == 1


def test_an_order_waits_for_a_time(floor: Floor) -> None:
    """To the second."""
    at_ns = floor.now_ns + 60 * 10**9
    floor.place(buy(conditions=(Condition(kind=ConditionKind.TIME, threshold=Decimal(at_ns)),)))
    assert floor.wait(59) == []
    assert len(fills(floor.wait(1))) == 1


def test_and_and_or(floor: Floor) -> None:
    """Each condition says how the next one is joined to it."""
    traded = Condition(kind=ConditionKind.EXECUTION, symbol="TSLA", joined_by_and=False)
    early = Condition(kind=ConditionKind.TIME, threshold=Decimal(floor.now_ns), is_more=True)
    floor.place(buy(1, conditions=(traded, ABOVE)))
    floor.place(buy(2, conditions=(early, ABOVE)))
    floor.place(buy(3, con_id=TSLA, symbol="TSLA"))
    assert [order_id for order_id, _, _ in fills(floor.wait(2))] == [1]
    assert [view.ticket.order_id for view in floor.exchange.open_orders()] == [2]


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        (Condition(kind=ConditionKind.VOLUME, con_id=SPY, threshold=Decimal(100)), True),
        (Condition(kind=ConditionKind.VOLUME, con_id=SPY, threshold=Decimal(101)), False),
        (Condition(kind=ConditionKind.CHANGE, con_id=SPY, threshold=Decimal(1)), False),
        (Condition(kind=ConditionKind.CHANGE, con_id=SPY, threshold=Decimal(1), is_more=False), True),
        (Condition(kind=ConditionKind.MARGIN, threshold=Decimal(50)), True),
        (Condition(kind=ConditionKind.MARGIN, threshold=Decimal(50), is_more=False), False),
    ],
)
def test_what_can_be_waited_for(floor: Floor, condition: Condition, is_met: bool) -> None:
    """Volume of the day, change since the close, the account's cushion, each from either side."""
    assert bool(fills(floor.place(buy(conditions=(condition,))))) is is_met


def test_conditions_may_end_an_order_instead(floor: Floor) -> None:
    """It works until then."""
    told = floor.place(buy(limit="600", conditions=(ABOVE,), conditions_cancel=True))
    assert story(told) == [*HELD, "1 Submitted pair"]
    assert story(floor.trade("641.00") + floor.wait(1)) == ["1 Cancelled alone", "1 202"]


def test_new_conditions_take_the_place_of_old_ones(floor: Floor) -> None:
    """And an order that loses them works at once; one that is cancelled never does."""
    floor.place(buy(1, conditions=(ABOVE,)))
    assert len(fills(floor.place(buy(1)))) == 1
    floor.place(buy(2, conditions=(ABOVE,)))
    floor.cancel(2)
    assert fills(floor.trade("641.00") + floor.wait(5)) == []


def test_a_condition_of_an_unknown_instrument_is_refused(floor: Floor) -> None:
    """321, and no order."""
    unknown = Condition(kind=ConditionKind.PRICE, con_id=1, threshold=Decimal(1))
    assert story(floor.place(buy(conditions=(unknown,)))) == ["1 321"]


def test_a_waiting_order_is_looked_at_once_a_second_however_many_days_it_waits() -> None:
    """Each opening and close finds the look already noted and puts its own in the place of it."""
    floor = Floor()
    idle = floor.exchange.scheduled_count
    floor.place(buy(tif="GTC", outside_rth=True, conditions=(ABOVE,)))
    for day in (23, 24, 25):
        floor.until(11, day=day)
        assert floor.exchange.scheduled_count == idle + 1
    floor.cancel(1)
    assert floor.exchange.scheduled_count == idle


def test_conditions_that_cancel_are_kept_when_a_working_order_changes(floor: Floor) -> None:
    """New terms with the same conditions: it works on, and is still cancelled when they are true."""
    terms = {"conditions": (ABOVE,), "conditions_cancel": True}
    assert story(floor.place(buy(limit="630", **terms)))[-1] == "1 Submitted pair"
    assert story(floor.place(buy(limit="631", **terms))) == ["1 Submitted pair"]
    assert story(floor.trade("641.00") + floor.wait(1)) == ["1 Cancelled alone", "1 202"]


def test_conditions_that_cancel_are_kept_when_an_order_changes_in_the_evening() -> None:
    """It waits for the next opening, and is cancelled before, at the first look at which they are true."""
    floor = Floor(15)
    late = Condition(kind=ConditionKind.TIME, threshold=Decimal(floor.now_ns + 4 * 3600 * 10**9))
    terms = {"conditions": (late,), "conditions_cancel": True, "tif": "GTC"}
    floor.place(buy(limit="630", **terms))
    floor.until(18)
    floor.place(buy(limit="631", **terms))
    assert "1 Cancelled alone" not in story(floor.until(18, 59))
    assert story(floor.until(19, 1)) == ["1 Cancelled alone", "1 202"]
