"""Stops: what sets them off, how trailing ones follow, and what is told of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.world.exchange_floor import Floor, buy, fills, sell, story
from tws_simulator.world.orders.tickets import OrderStatus

HELD = ["1 PreSubmitted pair"]


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.quote("639.99", "640.01", 500)
    floor.trade("640.00")
    return floor


def test_a_stop_waits_for_a_trade_at_its_price_and_then_is_a_market_order(floor: Floor) -> None:
    """Held by its trigger as PreSubmitted; Submitted when it is set off; filled at the market."""
    assert story(floor.place(sell(order_type="STP", aux_price="639.50"))) == HELD
    [view] = floor.exchange.open_orders()
    assert (view.why_held, view.stop_price, view.limit_price) == ("trigger", Decimal("639.50"), None)
    assert floor.quote("639.40", "639.42") == []
    assert floor.trade("639.51") == []
    told = floor.trade("639.50")
    assert story(told)[:2] == ["1 Submitted pair", "1 SLD 10"]
    assert fills(told) == [(1, Decimal(10), Decimal("639.40"))]


def test_a_stop_limit_rests_at_its_limit_after_its_trigger(floor: Floor) -> None:
    """Set off where the market is beyond its limit it waits there, like any limit order."""
    floor.place(buy(order_type="STP LMT", aux_price="640.50", limit="640.40"))
    floor.quote("640.49", "640.51")
    assert story(floor.trade("640.50")) == ["1 Submitted pair"]
    [view] = floor.exchange.open_orders()
    assert (view.status, view.why_held, view.limit_price) == (OrderStatus.SUBMITTED, "", Decimal("640.40"))
    assert fills(floor.quote("640.30", "640.40")) == [(1, Decimal(10), Decimal("640.40"))]


def test_a_trailing_stop_follows_and_never_retreats(floor: Floor) -> None:
    """A selling one rises with the price and stands while it falls, until it is met."""
    floor.place(sell(order_type="TRAIL", aux_price="0.50"))
    assert [view.stop_price for view in floor.exchange.open_orders()] == [Decimal("639.50")]
    floor.trade("641.00")
    floor.trade("640.60")
    assert [view.stop_price for view in floor.exchange.open_orders()] == [Decimal("640.50")]
    assert len(fills(floor.trade("640.45"))) == 1


def test_a_buying_trail_by_percent(floor: Floor) -> None:
    """It falls with the price; its stop is on the tick."""
    floor.place(buy(order_type="TRAIL", trailing_percent="0.1"))
    assert [view.stop_price for view in floor.exchange.open_orders()] == [Decimal("640.64")]
    floor.trade("639.00")
    assert [view.stop_price for view in floor.exchange.open_orders()] == [Decimal("639.64")]
    assert len(fills(floor.trade("639.70"))) == 1


def test_a_trailing_limit_moves_with_its_stop(floor: Floor) -> None:
    """A seller's limit is below the stop by the offset; once set off it stays."""
    floor.place(sell(order_type="TRAIL LIMIT", aux_price="1", trail_stop_price="639", limit_offset="0.05"))
    [view] = floor.exchange.open_orders()
    assert (view.stop_price, view.limit_price, view.why_held) == (Decimal(639), Decimal("638.95"), "trigger")
    floor.trade("641.00")
    [view] = floor.exchange.open_orders()
    assert (view.stop_price, view.limit_price) == (Decimal("640.00"), Decimal("639.95"))
    floor.quote("639.50", "639.52")
    assert fills(floor.trade("639.90")) == []
    [view] = floor.exchange.open_orders()
    assert (view.status, view.limit_price) == (OrderStatus.SUBMITTED, Decimal("639.95"))


@pytest.mark.parametrize(
    ("method", "quotes", "trades", "is_set_off"),
    [
        (0, [], ["639.50"], True),
        (1, [], ["639.50"], False),
        (1, [], ["639.50", "639.40"], True),
        (2, [("639.40", "639.42")], [], False),
        (4, [("639.40", "639.42")], [], True),
        (4, [], ["639.50"], False),
        (3, [("639.40", "639.42")], [], False),
        (3, [("639.40", "639.42"), ("639.40", "639.43")], [], True),
        (7, [("639.40", "639.42")], [], True),
        (7, [], ["639.50"], True),
        (8, [("639.40", "639.70")], [], False),
        (8, [("639.40", "639.60")], [], True),
    ],
)
def test_trigger_methods(
    floor: Floor, method: int, quotes: list[tuple[str, str]], trades: list[str], is_set_off: bool
) -> None:
    """Last, two lasts, bid or ask, two of them, either, the middle."""
    floor.place(sell(order_type="STP", aux_price="639.50", trigger_method=method))
    told = [event for bid, ask in quotes for event in floor.quote(bid, ask)]
    told += [event for price in trades for event in floor.trade(price)]
    assert bool(told) is is_set_off


def test_a_stop_is_set_off_by_what_our_own_orders_traded(floor: Floor) -> None:
    """Their fills are printed like any other."""
    floor.place(sell(1, order_type="STP", aux_price="639.99", client_id=8))
    told = floor.place(sell(2, 100))
    assert [order_id for order_id, _, _ in fills(told)] == [2, 1]


def test_a_changed_stop_waits_at_its_new_price(floor: Floor) -> None:
    """The old one means nothing any more; a limit order may become a stop."""
    floor.place(sell(order_type="STP", aux_price="639.50"))
    assert story(floor.place(sell(order_type="STP", aux_price="639.00"))) == HELD
    assert floor.trade("639.40") == []
    assert len(fills(floor.trade("639.00"))) == 1
    floor.place(buy(2, limit="600"))
    assert story(floor.place(buy(2, order_type="STP", aux_price="650"))) == ["2 PreSubmitted pair"]
    assert floor.exchange.open_orders()[0].why_held == "trigger"


def test_a_cancelled_stop_is_never_set_off(floor: Floor) -> None:
    """Cancelled and 202; whyHeld is gone."""
    floor.place(sell(order_type="STP", aux_price="639.50"))
    told = floor.cancel(1)
    assert story(told) == ["1 Cancelled alone", "1 202"]
    assert floor.exchange.completed_orders()[0].why_held == ""
    assert floor.trade("639.00") == []


def test_stops_sleep_outside_the_session() -> None:
    """A stop that may only trade in the regular session is not set off in the evening."""
    floor = Floor(15)
    floor.quote("639.99", "640.01")
    floor.place(sell(1, order_type="STP", aux_price="639.50", tif="GTC"))
    floor.place(sell(2, limit="638", order_type="STP LMT", aux_price="639.50", tif="GTC", outside_rth=True))
    floor.until(16)
    assert [order_id for order_id, _, _ in fills(floor.trade("639.00"))] == [2]
    floor.until(9, 30, day=23)
    assert [order_id for order_id, _, _ in fills(floor.trade("639.00"))] == [1]


def test_orders_if_touched_are_set_off_from_the_better_side(floor: Floor) -> None:
    """A buyer's when the price has fallen to it; at the market, or at a limit."""
    floor.place(buy(1, order_type="MIT", aux_price="639.50"))
    floor.place(buy(2, order_type="LIT", aux_price="639.50", limit="639.45"))
    floor.quote("639.58", "639.60")
    assert floor.trade("639.60") == []
    told = floor.trade("639.50")
    assert fills(told) == [(1, Decimal(10), Decimal("639.60"))]
    assert [(view.ticket.order_id, view.status) for view in floor.exchange.open_orders()] == [
        (2, OrderStatus.SUBMITTED)
    ]
