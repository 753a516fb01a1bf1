"""The broker's lists begin at midnight: what happened before it they can neither confirm nor deny."""

from __future__ import annotations

from datetime import UTC, datetime

from world import World

from ibkr_adapter.clock import MINUTE, SECOND, new_york_day
from ibkr_adapter.requests import SendOrder

BEFORE_MIDNIGHT_NS = int(datetime(2026, 11, 24, 4, 59, tzinfo=UTC).timestamp()) * SECOND  # 23:59 in New York


def test_the_day_turns_at_midnight_in_new_york() -> None:
    """Not at midnight UTC, and one hour earlier by UTC in summer."""
    midnight_ns = BEFORE_MIDNIGHT_NS + MINUTE
    assert new_york_day(midnight_ns) == new_york_day(midnight_ns - 1) + 1
    summer_ns = int(datetime(2026, 7, 1, 4, tzinfo=UTC).timestamp()) * SECOND
    assert new_york_day(summer_ns) == new_york_day(summer_ns - 1) + 1


def test_an_order_in_doubt_over_midnight_is_not_cleared_by_todays_lists() -> None:
    """It may have filled yesterday; it keeps its risk, and says why."""
    world = World(now_ns=BEFORE_MIDNIGHT_NS).ready()
    world.silent.add(SendOrder)
    world.place()
    world.lose()
    world.now_ns += 2 * MINUTE
    world.connect()
    world.wait(2 * MINUTE)

    order = world.order()
    assert order.state == "in_doubt"
    assert order.at_risk
    assert "earlier day" in order.detail


def test_the_same_order_is_cleared_on_its_own_day() -> None:
    """Two complete lists of the same day do prove that it never arrived."""
    world = World(now_ns=BEFORE_MIDNIGHT_NS - 60 * MINUTE).ready()
    world.silent.add(SendOrder)
    world.place()
    world.lose()
    world.connect()
    world.wait(2 * MINUTE)

    assert world.order().state == "not_found"
