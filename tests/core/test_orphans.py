from __future__ import annotations

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.market.orphans import CANCELS_MAX, GRACE_NS, QUIET_NS, Orphans
from ibkr_adapter.events import AlertChanged, PriceTick
from ibkr_adapter.requests import CancelQuotes, SubscribeQuotes
from tests.core.world import QQQ, SPY, START_NS, World

NOBODY = 1_000_000_777


def say(world: World, req_id: int = NOBODY) -> None:
    world.tell(world.named(PriceTick, req_id=req_id, field=1, price=1.0))


def alerts(world: World) -> list[AlertChanged]:
    return [event for event in world.told(AlertChanged) if event.key == "data/orphans"]


def cancels(world: World, req_id: int = NOBODY) -> int:
    return world.sent.count(CancelQuotes(req_id=req_id))


def test_what_straggles_in_behind_a_cancel_is_left_alone() -> None:
    """Within the grace nothing is sent and nothing is shown; it is counted as late, as ever."""
    world = World().ready()
    for _ in range(4):
        say(world)
        world.wait(SECOND)
    assert cancels(world) == 0
    assert world.engine.snapshot(world.now_ns).orphans == ()
    assert world.engine.market.late_ticks == 4


def test_what_goes_on_is_cancelled_again_with_more_patience_each_time() -> None:
    """After 5, 10, 20 and 40 seconds more; then it is an alert, which ends when it falls silent."""
    world = World().ready()
    at_s = []
    for second in range(240):
        before = cancels(world)
        say(world)
        if cancels(world) > before:
            at_s.append(second)
        world.wait(SECOND)
    assert at_s == [5, 15, 35, 75]
    assert len(at_s) == CANCELS_MAX
    (view,) = world.engine.snapshot(world.now_ns).orphans
    assert (view.req_id, view.cancels) == (NOBODY, CANCELS_MAX)
    assert world.engine.snapshot(world.now_ns).counters["orphans_cancelled"] == CANCELS_MAX
    (raised,) = alerts(world)
    assert raised.ts_recv_ns - START_NS >= 155 * SECOND
    world.wait(QUIET_NS + 60 * SECOND)
    assert [event.raised for event in alerts(world)] == [True, False]
    assert world.engine.snapshot(world.now_ns).orphans == ()


def test_a_stream_that_is_ours_is_never_an_orphan() -> None:
    """However much is said for nobody, what is wanted stands."""
    world = World(instruments=(SPY, QQQ)).ready()
    for _ in range(30):
        say(world)
        world.quote()
        world.wait(SECOND)
    ours = {request.req_id for request in world.requests(SubscribeQuotes)}
    assert not [request for request in world.requests(CancelQuotes) if request.req_id in ours]


def test_a_new_session_knows_no_orphans() -> None:
    """They ended with the old one; the count is of the process."""
    world = World().ready()
    for _ in range(8):
        say(world)
        world.wait(SECOND)
    world.reconnect()
    picture = world.engine.snapshot(world.now_ns)
    assert (picture.orphans, picture.counters["orphans_cancelled"]) == ((), 1)


@pytest.mark.parametrize("count", [Orphans.WATCHED_MAX, 3 * Orphans.WATCHED_MAX])
def test_no_more_than_a_bound_are_watched(count: int) -> None:
    """Beyond it the one that has been quiet longest is forgotten, and begins anew."""
    orphans = Orphans()
    for _ in range(3):
        for req_id in range(count):
            orphans.heard(req_id, START_NS)
    late_ns = START_NS + GRACE_NS
    due = [req_id for req_id in reversed(range(count)) if orphans.heard(req_id, late_ns)]
    assert len(due) == Orphans.WATCHED_MAX
    assert len(orphans.views(late_ns)) <= Orphans.WATCHED_MAX
