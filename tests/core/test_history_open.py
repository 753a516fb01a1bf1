"""Requests for history that nobody answers: what frees the place of one, so that the next can go."""

from __future__ import annotations

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.link.history_rules import HistoryRule
from ibkr_adapter.effects import SendFailed
from ibkr_adapter.requests import RequestHistory
from tests.core.world import SPY, World


def asked(count: int) -> World:
    """So many asked for, of which the gateway answers none."""
    world = World().ready()
    ask(world, count)
    world.wait(MINUTE)
    return world


def ask(world: World, count: int) -> None:
    for number in range(count):
        request = RequestHistory(req_id=number + 1, instrument=SPY, duration="1 D", bar_size="1 day")
        world.engine.pacing.ask(request, epoch=world.epoch)
    world.tell()


def test_fifty_unanswered_requests_hold_back_the_next():
    """Whoever takes in the bars says when the last has come; until then nothing follows."""
    world = asked(60)
    assert len(world.requests(RequestHistory)) == HistoryRule.OPEN_MAX

    world.engine.pacing.answered(1)
    world.tell()
    assert len(world.requests(RequestHistory)) == HistoryRule.OPEN_MAX + 1


def test_a_send_that_failed_keeps_no_place():
    """Nothing left, so nothing will answer it."""
    world = asked(60)
    for request in world.requests(RequestHistory)[:4]:
        world.tell(SendFailed(request=request, detail="cannot be encoded"))
    world.wait(SECOND)
    assert len(world.requests(RequestHistory)) == HistoryRule.OPEN_MAX + 4


def test_a_refusal_keeps_no_place():
    """162: no data, or too much asked for."""
    world = asked(60)
    world.notice(162, req_id=7)
    world.wait(SECOND)
    assert len(world.requests(RequestHistory)) == HistoryRule.OPEN_MAX + 1


def test_the_end_of_a_session_frees_every_place():
    """Its questions are nobody's; those that waited for it went with it."""
    world = asked(60)
    world.reconnect()
    ask(world, 60)
    world.wait(MINUTE)
    assert len(world.requests(RequestHistory)) == 2 * HistoryRule.OPEN_MAX
