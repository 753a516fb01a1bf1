"""Nights as they come: planned restarts, IB's resets and the Sunday login, on days of every length."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.config.reading import parse
from ibkr_adapter.events import AlertChanged, LossCause
from tests.core.test_calendar import at
from tests.core.world import A, World

GATEWAY = replace(A, windows=parse("", "empty").gateway.windows)

NIGHTS = [
    *(date(2026, 3, 7) + timedelta(days=n) for n in range(3)),
    *(date(2026, 10, 31) + timedelta(days=n) for n in range(3)),
    *(date(2026, 11, 26) + timedelta(days=n) for n in range(2)),
    *(date(2026, 12, 31) + timedelta(days=n) for n in range(2)),
    date(2028, 2, 29),
]
"""Around both changes of the clock, Thanksgiving and its half day, New Year, and 29 February."""


def ready_at(now_ns: int) -> World:
    world = World(gateways=(GATEWAY,), instruments=(), now_ns=now_ns)
    world.connect()
    return world


def night(day: date, time: str) -> World:
    """A desk that is ready at this time in New York."""
    return ready_at(at(f"{day} {time}"))


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


CLOSED = {
    "a Tuesday in winter": ("2026-11-24", [("05:14", "06:45"), ("09:44", "10:30")]),
    "the last night of winter": ("2026-03-07", [("09:44", "10:30")]),
    "a Sunday": ("2026-11-22", [("05:14", "17:00")]),
    "the Sunday of 23 hours": ("2026-03-08", [("05:14", "16:00")]),
    "the first night of summer": ("2026-03-09", [("04:14", "05:45"), ("08:44", "09:30")]),
    "the Sunday of 25 hours": ("2026-11-01", [("04:14", "17:00")]),
}
"""In UTC, from a minute before a window to its end.

In New York: IB's reset 00:15 to 01:45, but not on Saturdays, whose own is over at 03:00; the gateway's restart 04:45 to
05:30 each night; the login from 01:00 on Sundays to noon.
"""


@pytest.mark.fault("B22")
@pytest.mark.parametrize("name", CLOSED)
def test_the_gate_is_closed_from_a_minute_before_each_window_to_its_end(name: str) -> None:
    """To the nanosecond, by hours that stand here as they are read off a clock in London."""
    day, hours = CLOSED[name]
    for begin, end in hours:
        begin_ns, end_ns = at(f"{day} {begin}", zone="UTC"), at(f"{day} {end}", zone="UTC")
        for edge_ns, before in ((begin_ns, False), (end_ns, True)):
            world = ready_at(edge_ns - 2 * MINUTE)
            assert closed(world) is before
            world.wait(2 * MINUTE - 1)
            assert closed(world) is before
            world.wait(1)
            assert closed(world) is not before
            world.wait(2 * MINUTE)
            assert closed(world) is not before
        assert closed(ready_at((begin_ns + end_ns) // 2))


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


@pytest.mark.parametrize("code", [1100, 2103])
def test_what_breaks_beyond_the_gateway_in_a_restart_is_told_ten_minutes_later(code: int) -> None:
    """04:46, with the session up: the window that lasts until 05:30 explains ten minutes of it."""
    day = date(2026, 11, 24)
    world = night(day, "04:43")
    world.wait(at(f"{day} 04:46") - world.now_ns)
    world.notice(code, text="Market data farm connection is broken:usfarm")
    world.wait(10 * MINUTE - 1)
    assert world.told(AlertChanged) == []
    world.wait(1)
    assert [event.key for event in world.told(AlertChanged)] == ["upstream/lost" if code == 1100 else "farm/usfarm"]


@pytest.mark.parametrize("day", NIGHTS[::2], ids=str)
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
