"""Nights as they come: planned restarts, IB's resets and the Sunday login, on days of every length."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.config.reading import parse
from ibkr_adapter.core.link.calendar import CLOSE_BEFORE_NS, RestartCalendar
from ibkr_adapter.events import AlertChanged, LossCause
from tests.core.test_calendar import at
from tests.core.world import A, World

GATEWAY = replace(A, windows=parse("", "empty").gateway.windows)
CALENDAR = RestartCalendar(GATEWAY.windows)

NIGHTS = [
    first + timedelta(days=n)
    for first in (date(2026, 3, 5), date(2026, 10, 29), date(2026, 11, 24), date(2026, 12, 29), date(2028, 2, 27))
    for n in range(6)
]
"""Around both changes of the clock, Thanksgiving and its half day, New Year, and 29 February."""


def night(day: date, time: str) -> World:
    """A desk that is ready at this time in New York."""
    world = World(gateways=(GATEWAY,), instruments=(), now_ns=at(f"{day} {time}"))
    world.connect()
    return world


def away(world: World, ns: int) -> None:
    """The gateway is gone for so long: every attempt is refused; then it is back."""
    world.lose(LossCause.CLOSED)
    back_ns = world.now_ns + ns
    while world.now_ns < back_ns:
        if world.engine.link.state.value == "connecting":
            world.lose(LossCause.REFUSED)
        world.wait(SECOND)
    if world.engine.link.state.value == "connecting":
        world.lose(LossCause.REFUSED)
    while world.engine.link.state.value != "connecting":
        world.wait(SECOND)
    world.connect()


def closed(world: World) -> bool:
    return "restart_window" in world.gate()


@pytest.mark.fault("B22", "B23", "F10", "F13")
@pytest.mark.parametrize("day", NIGHTS, ids=str)
def test_a_restart_is_never_told(day: date) -> None:
    """It comes early or late in its window, takes up to nine minutes, and may come twice."""
    chance = random.Random(day.toordinal())
    world = night(day, "04:43")
    world.wait(chance.randrange(2 * 60, 20 * 60) * SECOND)
    for _ in range(chance.choice((1, 1, 2))):
        away(world, chance.randrange(20, 9 * 60) * SECOND)
        world.wait(chance.randrange(1, 90) * SECOND)
    assert world.engine.link.ready
    world.wait(at(f"{day} 05:45") - world.now_ns)
    assert world.told(AlertChanged) == []


@pytest.mark.fault("B22")
@pytest.mark.parametrize("day", NIGHTS, ids=str)
def test_the_gate_is_closed_from_a_minute_before_each_window_to_its_end(day: date) -> None:
    """Minute by minute through the night, from what the calendar says and from the gate alone."""
    world = night(day, "04:40")
    while world.now_ns < at(f"{day} 05:35"):
        ahead = CALENDAR.at(world.now_ns + CLOSE_BEFORE_NS) or CALENDAR.at(world.now_ns)
        assert closed(world) is (ahead is not None), world.now_ns
        world.wait(MINUTE)
    assert closed(world) is (day.weekday() == 6), "on a Sunday the login's window goes on"


@pytest.mark.fault("B24")
def test_a_restart_that_does_not_end_is_told_ten_minutes_after_the_loss() -> None:
    """Beyond the window's patience somebody is told, with the true beginning; and told again when it is over."""
    day = date(2026, 3, 7)
    world = night(day, "04:43")
    world.wait(at(f"{day} 04:46") - world.now_ns)
    lost_ns = world.now_ns
    away(world, 14 * MINUTE)
    world.wait(5 * MINUTE)
    raised, over = [event for event in world.told(AlertChanged) if event.key == "link/down"]
    assert raised.raised
    assert 10 * MINUTE <= raised.ts_recv_ns - lost_ns <= 10 * MINUTE + 30 * SECOND
    assert not over.raised


@pytest.mark.fault("B24", "F10")
@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1), date(2026, 11, 22)], ids=str)
def test_a_gateway_that_waits_for_its_login_is_told_in_time_for_the_evening(day: date) -> None:
    """Down since the restart of a Sunday: quiet until noon by the wall, also on Sundays of 23 and 25 hours."""
    world = night(day, "04:44")
    world.wait(2 * MINUTE)
    world.lose(LossCause.CLOSED)
    while world.now_ns < at(f"{day} 12:05"):
        if world.engine.link.state.value == "connecting":
            world.lose(LossCause.REFUSED)
        world.wait(SECOND if world.now_ns > at(f"{day} 11:58") else 20 * SECOND)
    (alert,) = [event for event in world.told(AlertChanged) if event.key == "link/down"]
    assert 0 <= alert.ts_recv_ns - at(f"{day} 12:00") <= 30 * SECOND


@pytest.mark.parametrize(("time", "told"), [("10:00", True), ("04:50", False)])
def test_a_login_that_waits_explains_no_refused_client_id(time: str, told: bool) -> None:
    """A gateway that says 326 is logged in: it is told at once on a Sunday, and held back by a restart alone."""
    world = night(date(2026, 11, 22), time)
    world.lose(LossCause.CLOSED)
    while world.engine.link.state.value != "connecting":
        world.wait(SECOND)
    world.notice(326, text="Unable to connect as the client id is already in use.")
    world.lose(LossCause.CLOSED)
    world.wait(5 * SECOND)
    assert [event.key for event in world.told(AlertChanged)] == (["client_id/326"] if told else [])


@pytest.mark.parametrize("day", NIGHTS[::3], ids=str)
def test_ibs_own_reset_is_never_told(day: date) -> None:
    """1100 at 00:20, farms broken, 1102 at 01:30: an hour without IB, which is planned."""
    world = night(day, "00:10")
    world.wait(10 * MINUTE)
    world.notice(1100)
    world.notice(2103, text="Market data farm connection is broken:usfarm")
    world.wait(70 * MINUTE)
    assert closed(world)
    world.notice(1102)
    world.notice(2104, text="Market data farm connection is OK:usfarm")
    world.wait(30 * MINUTE)
    assert world.told(AlertChanged) == []


def test_a_gateway_that_has_not_found_ib_again_after_the_reset_is_told() -> None:
    """01:45 is the end of it: from then on it is an outage like any other."""
    day = date(2026, 11, 24)
    world = night(day, "00:10")
    world.wait(10 * MINUTE)
    world.notice(1100)
    world.wait(at(f"{day} 02:00") - world.now_ns)
    (alert,) = [event for event in world.told(AlertChanged) if event.key == "upstream/lost"]
    assert 0 <= alert.ts_recv_ns - at(f"{day} 01:45") <= MINUTE
