"""The broker's lists begin at midnight: what happened before it they can neither confirm nor deny."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ibkr_adapter.calendar import new_york_day
from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.events import CompletedOrderReported, Event, OrderLapsed
from ibkr_adapter.requests import RequestCompletedOrders, SendOrder
from tests.core.world import World, echoed, execution

BEFORE_MIDNIGHT_NS = int(datetime(2026, 11, 24, 4, 59, tzinfo=UTC).timestamp()) * SECOND  # 23:59 in New York


def test_the_day_turns_at_midnight_in_new_york() -> None:
    """Not at midnight UTC, and one hour earlier by UTC in summer."""
    midnight_ns = BEFORE_MIDNIGHT_NS + MINUTE
    assert new_york_day(midnight_ns) == new_york_day(midnight_ns - 1) + 1
    summer_ns = int(datetime(2026, 7, 1, 4, tzinfo=UTC).timestamp()) * SECOND
    assert new_york_day(summer_ns) == new_york_day(summer_ns - 1) + 1


def over_midnight() -> World:
    """An order of 23:59 that was lost with its session; the next day's lists do not know it."""
    world = World(now_ns=BEFORE_MIDNIGHT_NS).ready()
    world.silent.add(SendOrder)
    world.place()
    world.lose()
    world.now_ns += 2 * MINUTE
    world.connect()
    world.wait(11 * SECOND)
    return world


def test_an_order_in_doubt_over_midnight_lapses():
    """It cannot trade again, so it holds no risk; what it did yesterday today's lists do not show, and it says so."""
    world = over_midnight()

    order = world.order()
    assert order.state == "lapsed"
    assert "compare positions" in order.detail
    assert world.engine.ledger.orders.at_risk == []
    assert [lapsed.order_key for lapsed in world.facts(OrderLapsed)] == ["k1"]


def test_nobody_asks_about_an_order_that_lapsed():
    """The question is answered as far as it can be: the gateway is left in peace, and the slot is free."""
    world = over_midnight()
    asked = len(world.requests(RequestCompletedOrders))

    world.wait(60 * MINUTE)

    assert len(world.requests(RequestCompletedOrders)) == asked


def test_one_list_alone_lets_no_order_lapse():
    """A gateway knows its orders late after its restart: two lists, ten seconds apart."""
    world = World(now_ns=BEFORE_MIDNIGHT_NS).ready()
    world.working()
    world.now_ns += 2 * MINUTE
    world.reconnect()
    world.wait(8 * SECOND)
    assert world.order().state == "in_doubt"

    world.wait(13 * SECOND)

    assert world.order().state == "lapsed"


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (execution(quantity=100), "filled"),
        (execution(quantity=40), "working"),
        (echoed("k1", 11), "working"),
        (echoed("k1", 11, kind=CompletedOrderReported, status="Cancelled"), "cancelled"),
    ],
)
def test_evidence_revives_or_completes_what_lapsed(evidence: Event, state: str):
    """Evidence beats the absence of evidence."""
    world = over_midnight()

    world.say(evidence)

    assert world.order().state == state


def test_what_lapsed_has_lapsed_after_a_restart():
    """State and words come from the record."""
    world = over_midnight()
    world.settle()

    later = world.restarted().order()

    assert (later.state, later.detail) == (world.order().state, world.order().detail)


def test_the_same_order_is_cleared_on_its_own_day() -> None:
    """Two complete lists of the same day do prove that it never arrived."""
    world = World(now_ns=BEFORE_MIDNIGHT_NS - 60 * MINUTE).ready()
    world.silent.add(SendOrder)
    world.place()
    world.lose()
    world.connect()
    world.wait(2 * MINUTE)

    assert world.order().state == "not_found"
