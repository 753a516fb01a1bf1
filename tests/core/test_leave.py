"""The last thing asked of a session: that nothing of ours stays at the gateway."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.link.link import LinkState
from ibkr_adapter.effects import Outbox
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import (
    CancelAccountSummary,
    CancelPositions,
    CancelQuotes,
    RequestAccountSummary,
    RequestContractDetails,
    RequestCurrentTime,
    RequestPositions,
    SubscribeQuotes,
)
from tests.core.world import World

HUNDRED = tuple(Instrument(symbol=f"S{number}", con_id=number + 1) for number in range(100))


def leave(world: World) -> None:
    out = Outbox()
    world.engine.leave(world.now_ns, out)
    world._perform(out)


def standing(world: World) -> set[object]:
    """What this session was asked for and not asked to end."""
    quotes = {request.req_id for request in world.requests(SubscribeQuotes)}
    summaries = {("summary", request.req_id) for request in world.requests(RequestAccountSummary)}
    positions = {"positions"} if world.requests(RequestPositions) else set()
    ended = {request.req_id for request in world.requests(CancelQuotes)}
    ended_summaries = {("summary", request.req_id) for request in world.requests(CancelAccountSummary)}
    kept = positions if not world.requests(CancelPositions) else set()
    return (quotes - ended) | (summaries - ended_summaries) | kept


def subscribed() -> World:
    world = World(instruments=HUNDRED, messages_burst=5)
    world.connect()
    world.wait(MINUTE)
    assert len(standing(world)) == 102
    return world


def suspect(world: World) -> None:
    world.fall_silent()
    while world.engine.link.state is not LinkState.SUSPECT:
        world.wait(SECOND)


@pytest.mark.parametrize(
    "trouble",
    [lambda world: None, suspect, lambda world: world.notice(1100), lambda world: world.notice(2103, text="x:usfarm")],
    ids=["ready", "suspect", "without-ib", "farm-broken"],
)
def test_a_hundred_lines_and_the_account_are_cancelled_within_three_seconds(trouble: Callable[[World], None]) -> None:
    """Whatever the state of gateway and link, as long as there is a socket; in no second more than the budget."""
    world = subscribed()
    trouble(world)
    leave(world)
    world.wait(3 * SECOND)
    assert standing(world) == set()
    assert world.engine.left


def test_what_still_waited_to_be_asked_does_not_hold_up_the_cancels() -> None:
    """In the middle of subscribing: details and lines that were not sent never are."""
    world = World(instruments=HUNDRED, messages_burst=5)
    world.connect()
    world.wait(2 * SECOND)
    asked = len(world.requests(RequestContractDetails)) + len(world.requests(SubscribeQuotes))
    assert 0 < asked < 200
    leave(world)
    world.wait(3 * SECOND)
    assert standing(world) == set()
    assert len(world.requests(RequestContractDetails)) + len(world.requests(SubscribeQuotes)) == asked


def test_a_session_that_is_not_ready_yet_leaves_nothing_of_the_account() -> None:
    """Summary and positions are asked for before the session is ready."""
    world = World(instruments=HUNDRED)
    world.silent.add(RequestPositions)
    world.connect()
    assert world.engine.link.state is LinkState.RECONCILING
    leave(world)
    world.wait(SECOND)
    assert standing(world) == set()


def test_nothing_is_asked_any_more_once_we_leave() -> None:
    """Not even the time: each message would be one that a cancel has to wait for."""
    world = subscribed()
    leave(world)
    asked = len(world.requests(RequestCurrentTime))
    world.wait(4 * SECOND)
    assert len(world.requests(RequestCurrentTime)) == asked


def test_what_did_not_fit_is_counted() -> None:
    """With half a budget a hundred lines take longer than a stop may: how many are left is known."""
    world = subscribed()
    world.notice(100)
    leave(world)
    world.wait(2 * SECOND)
    assert world.engine.uncancelled == len(standing(world)) > 0
    assert not world.engine.left


def test_without_a_session_there_is_nothing_to_wait_for() -> None:
    """The gateway has ended what stood there."""
    world = subscribed()
    world.lose()
    leave(world)
    assert world.engine.left
