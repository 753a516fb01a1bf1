"""The broker's lists begin at midnight: what happened before it they can neither confirm nor deny."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

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


@pytest.mark.fault("F11")
@pytest.mark.parametrize("days", [1, 8, 30])
def test_a_fill_of_an_earlier_day_is_counted_once(days: int) -> None:
    """Whenever a list brings it again, in this life or a later one: what is in the journal is known."""
    world = World(now_ns=BEFORE_MIDNIGHT_NS).ready()
    world.working()
    world.say(execution(quantity=40))
    world.settle()
    world.now_ns += days * 24 * 60 * MINUTE

    later = world.restarted()
    later.connect()
    later.say(execution(quantity=40, req_id=1_000_000_007))

    assert later.order().filled == 40
    assert later.engine.snapshot(later.now_ns).counters["executions_duplicate"] == 1


@pytest.mark.fault("F11", "F13")
@pytest.mark.parametrize("day", ["2026-12-31", "2027-12-31", "2028-02-28", "2028-02-29", "2026-03-08", "2026-11-01"])
def test_each_local_day_is_one_day(day: str) -> None:
    """Year end, 29 February, days of 23 and 25 hours: each begins at its own midnight in New York."""
    new_york = ZoneInfo("America/New_York")
    begins = datetime.fromisoformat(day).replace(tzinfo=new_york)
    ends = datetime.combine(begins.date() + timedelta(days=1), time(), new_york)
    first_ns, last_ns = int(begins.timestamp()) * SECOND, int(ends.timestamp()) * SECOND - 1
    today = new_york_day(first_ns)
    assert new_york_day(last_ns) == today
    assert (new_york_day(first_ns - 1), new_york_day(last_ns + 1)) == (today - 1, today + 1)
