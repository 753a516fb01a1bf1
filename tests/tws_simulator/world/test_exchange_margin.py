"""What an account carries: working orders count with the positions, children too unless they only close."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.world.exchange_floor import SPY, TSLA, Floor, buy, messages, sell, story
from tws_simulator.world.accounts.margin import INITIAL_MARGIN


@pytest.fixture
def floor() -> Floor:
    return Floor(always_open=True)


def carried(floor: Floor) -> int:
    """SPY that the account could hold."""
    return int(floor.ledger.margins(floor.tape.prices).equity_usd / INITIAL_MARGIN / floor.tape.mark(SPY))


def is_refused(floor: Floor, ticket) -> bool:
    return "Notice 201" in messages(floor.place(ticket))


def test_orders_that_rest_use_up_the_margin(floor: Floor) -> None:
    """Each alone could be carried, all together not; once one is cancelled there is room again."""
    half, price = carried(floor) // 2, floor.bid(-100)
    floor.place(buy(1, half, price))
    assert is_refused(floor, buy(2, half, price))
    assert is_refused(floor, buy(3, half, floor.bid(-200), oca_group="another"))
    floor.cancel(1)
    assert not is_refused(floor, buy(4, half, price))


def test_only_the_worse_side_of_an_instrument_counts(floor: Floor) -> None:
    """Bids and offers of one stock cannot both be filled for the worse; those of two stocks can."""
    most = carried(floor) * 9 // 10
    floor.place(buy(1, most, floor.bid(-100)))
    assert not is_refused(floor, sell(2, most, floor.ask(100)))
    assert is_refused(floor, sell(3, most, "2000", con_id=TSLA, symbol="TSLA"))


def test_of_a_group_the_largest_counts(floor: Floor) -> None:
    """One cancels all: they are never filled together."""
    most = carried(floor) * 9 // 10
    floor.place(buy(1, most, floor.bid(-100), oca_group="either", oca_type=1))
    assert not is_refused(floor, buy(2, most, floor.bid(-200), oca_group="either", oca_type=1))


def test_what_is_held_may_always_be_sold(floor: Floor) -> None:
    """Also while resting orders use up all the margin."""
    floor.place(buy(1, carried(floor) - 101, floor.bid(-100)))
    assert not is_refused(floor, sell(2, 100))


def test_a_child_that_closes_its_parent_needs_no_margin(floor: Floor) -> None:
    """Neither a stop nor a target of the parent's size; both together with a parent that uses up the margin."""
    most = carried(floor) * 9 // 10
    floor.place(buy(1, most, floor.bid(-100), transmit=False))
    floor.place(sell(2, most, floor.ask(100), parent_id=1, transmit=False))
    told = floor.place(sell(3, most, order_type="STP", aux_price="600", parent_id=1))
    assert "3 PreSubmitted pair" in story(told)
    assert len(floor.exchange.open_orders()) == 3


@pytest.mark.parametrize("terms", [{"action": "BUY"}, {"con_id": TSLA, "symbol": "TSLA"}, {}])
def test_a_child_that_opens_more_is_tested_like_any_order(floor: Floor, terms) -> None:
    """On the parent's side, of another stock, or larger than the parent: 201, and the parent works on."""
    floor.place(buy(1, 1, floor.bid(-100), transmit=False))
    told = story(floor.place(buy(2, 100_000, parent_id=1, **{"action": "SELL", **terms})))
    assert "2 201" in told
    assert "1 Submitted pair" in told
    assert [view.ticket.quantity for view in floor.exchange.open_orders()] == [Decimal(1)]


def test_an_order_has_at_most_ten_million_shares(floor: Floor) -> None:
    """More is turned away before there is an order, 383; so no order sweeps a book for seconds."""
    assert messages(floor.place(sell(1, 10_000_001, "600"))) == ["Notice 383"]
    assert is_refused(floor, sell(1, 10_000_000, "600"))
