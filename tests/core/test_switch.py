"""All market data off, and on again, by a person."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.commands import StartStreams, StopStreams
from ibkr_adapter.config import Capability
from ibkr_adapter.events import AlertChanged, Gap, GapCause, StreamsSwitched
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import CancelQuotes, SubscribeQuotes
from tests.core.world import QQQ, SPY, World

HUNDRED = tuple(Instrument(symbol=f"S{number}", con_id=number + 1) for number in range(100))


def stop(world: World, command_id: str = "s1") -> None:
    world.tell(StopStreams(command_id=command_id, actor="cli:ann", ts_recv_ns=world.now_ns))


def start(world: World, command_id: str = "s2") -> None:
    world.tell(StartStreams(command_id=command_id, actor="cli:bob", ts_recv_ns=world.now_ns))


def standing(world: World) -> set[int]:
    """Request ids asked for and not cancelled, in all sessions."""
    asked = {request.req_id for request in world.requests(SubscribeQuotes)}
    return asked - {request.req_id for request in world.requests(CancelQuotes)}


def test_stopping_cancels_everything_at_once_and_nothing_comes_back() -> None:
    """No subscription is left; hours later, after another session, there is still none, and lines are free."""
    world = World(instruments=(SPY, QQQ)).ready()
    stop(world)
    assert standing(world) == set()
    world.wait(60 * MINUTE)
    world.reconnect()
    world.wait(MINUTE)
    assert standing(world) == set()
    picture = world.engine.snapshot(world.now_ns)
    assert {(stream.state, stream.detail) for stream in picture.streams} == {("stopped", "stopped by cli:ann")}
    assert [quota.used for quota in picture.quotas if quota.name == "lines"] == [0]
    assert picture.proven == ()


def test_starting_asks_for_all_of_it_again_and_tells_the_gap() -> None:
    """The gap goes from the last tick before to the first one after, and its cause is the stop."""
    world = World().ready()
    before_ns = world.now_ns
    stop(world)
    world.wait(MINUTE)
    start(world)
    assert len(standing(world)) == 1
    world.wait(SECOND)
    world.quote()
    (gap,) = world.told(Gap)
    assert (gap.cause, gap.from_ns, gap.to_ns) == (GapCause.STOPPED, before_ns, world.now_ns)
    assert world.engine.snapshot(world.now_ns).stopped is None


def test_a_hundred_lines_are_gone_within_the_budget() -> None:
    """At most 45 messages in any second, so the last cancel leaves within three."""
    world = World(instruments=HUNDRED, messages_burst=5)
    world.connect()
    world.wait(MINUTE)
    assert len(standing(world)) == 100
    stop(world)
    world.wait(3 * SECOND)
    assert standing(world) == set()


def test_what_waits_to_be_asked_for_is_taken_back_unsent() -> None:
    """A stop in the middle of subscribing leaves nothing that was never needed to be cancelled."""
    world = World(instruments=HUNDRED, messages_burst=5)
    world.connect()
    stop(world)
    world.wait(5 * SECOND)
    assert standing(world) == set()
    assert len(world.requests(SubscribeQuotes)) < 50


def test_who_did_it_is_journaled_and_answered() -> None:
    """Doing it twice changes nothing, and is told as such."""
    world = World().ready()
    for number in (1, 2):
        stop(world, f"s{number}")
    for number in (3, 4):
        start(world, f"s{number}")
    facts = world.facts(StreamsSwitched)
    assert [(fact.stopped, fact.actor) for fact in facts] == [(True, "cli:ann"), (False, "cli:bob")]
    answers = [world.replies[f"s{number}"] for number in (1, 2, 3, 4)]
    assert [(a.accepted, a.state, a.repeated) for a in answers] == [
        (True, "stopped", False),
        (True, "stopped", True),
        (True, "started", False),
        (True, "started", True),
    ]


@pytest.mark.parametrize("again", [False, True])
def test_it_holds_over_a_restart(again: bool) -> None:
    """The next life finds in the journal how this one left it."""
    world = World().ready()
    stop(world)
    if again:
        start(world)
    world.settle()
    next_life = world.restarted()
    next_life.connect()
    next_life.wait(SECOND)
    assert len(standing(next_life)) == int(again)
    stopped = next_life.engine.snapshot(next_life.now_ns).stopped
    assert (stopped is None) == again
    if stopped is not None:
        assert stopped.actor == "cli:ann"


def test_an_alert_stands_while_it_is_off() -> None:
    """A warning, with the command that takes it on again."""
    world = World().ready()
    stop(world)
    (raised,) = world.told(AlertChanged)
    assert (raised.key, raised.raised) == ("data/stopped", True)
    assert "streams start" in raised.remedy
    start(world)
    world.wait(MINUTE)
    assert [event.raised for event in world.told(AlertChanged)] == [True, False]


def test_orders_are_not_cancelled_with_the_data() -> None:
    """What works goes on working and can be cancelled; a new order finds no fresh price."""
    world = World().ready()
    world.working("k1")
    stop(world)
    outcomes = [world.cancel("k1"), world.place("k2")]
    assert [outcome.accepted for outcome in outcomes if outcome is not None] == [True, False]


def test_a_component_without_market_data_has_nothing_to_stop() -> None:
    """It says so, and journals nothing."""
    world = World(capabilities=frozenset({Capability.ACCOUNT}))
    world.connect()
    stop(world)
    answer = world.replies["s1"]
    assert (answer.accepted, [reason.code for reason in answer.reasons]) == (False, ["capability"])
    assert not world.facts(StreamsSwitched)
