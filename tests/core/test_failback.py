"""Back from the standby when a person asks for it: in order, at once, and by the normal rule from there."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.commands import CommandOutcome, FailBack
from ibkr_adapter.core.trading.order import OrderState
from ibkr_adapter.events import LinkChanged, LossCause
from ibkr_adapter.requests import SendCancel, SendOrder
from tests.core.test_gateways import fail, raised, steady, tried, until_attempt
from tests.core.world import A, B, World, echoed


def ask(world: World) -> CommandOutcome:
    command_id = f"back {len(world.replies)}"
    world.tell(FailBack(command_id=command_id, actor="cli:ann", ts_recv_ns=world.now_ns))
    return world.replies[command_id]


def codes(outcome: CommandOutcome) -> list[str]:
    return [reason.code for reason in outcome.reasons]


def at_the_standby(**changes: object) -> World:
    """Ready there for a minute, with trading allowed."""
    world = steady(World(gateways=(A, replace(B, trading=True)), **changes))
    world.lose(LossCause.CLOSED)
    fail(world, 3)
    until_attempt(world)
    world.connect()
    world.wait(MINUTE)
    assert world.engine.link.gateway.name == "b"
    return world


def test_the_session_with_the_standby_is_ended_in_order_and_the_primary_tried_at_once():
    """One close, its end awaited, then the first gateway; who asked stands in what is told and closed."""
    world = at_the_standby()
    before = len(tried(world))
    assert ask(world).accepted
    assert world.closes[-1] == (world.engine.link.epoch, "back from the standby: cli:ann asked for it")
    assert world.told(LinkChanged)[-1].detail == "back from the standby: cli:ann asked for it"
    assert "silent" in world.gate(), "nothing is placed on a session that ends"
    world.wait(5 * SECOND)
    assert len(tried(world)) == before, "never two sessions"
    world.lose(LossCause.ASKED)
    world.wait(0)
    assert tried(world)[before:] == ["a"]
    world.connect()
    world.wait(MINUTE)
    assert world.engine.link.ready
    assert not world.engine.snapshot(world.now_ns).link.standby
    assert raised(world, "link/standby") == [True, False]


def test_a_primary_that_refuses_three_times_is_left_for_the_standby_again():
    """By the normal rule: within 22 s, and what stood before counts for nothing."""
    world = at_the_standby()
    before = len(tried(world))
    ask(world)
    world.lose(LossCause.ASKED)
    began_ns = world.now_ns
    fail(world, 3)
    until_attempt(world)
    assert tried(world)[before:] == ["a", "a", "a", "b"]
    assert world.now_ns - began_ns <= 22 * SECOND
    world.connect()
    assert world.engine.link.gateway.name == "b"
    world.wait(10 * MINUTE)
    assert world.engine.link.gateway.name == "b", "it was asked for once"


def test_on_the_environments_own_gateway_it_is_refused():
    """Nothing is closed, and the reason says which gateway is in use."""
    world = steady(World(gateways=(A, B)))
    outcome = ask(world)
    assert (outcome.accepted, codes(outcome)) == (False, ["not_on_standby"])
    assert "a is ready" in outcome.reasons[0].text
    assert world.closes == []
    assert world.engine.link.ready


def test_without_a_session_there_is_nothing_to_go_back_from():
    """Both are tried in turn as it is."""
    world = at_the_standby()
    world.lose(LossCause.CLOSED)
    assert codes(ask(world)) == ["not_on_standby"]


def test_an_order_that_the_broker_has_not_answered_keeps_the_session():
    """From another login nobody could ask about it; as soon as it has been answered the way is free."""
    world = at_the_standby()
    world.quote()
    world.working("answered")
    world.wait(2 * SECOND)
    world.quote()
    world.silent.add(SendOrder)
    world.place("open")
    outcome = ask(world)
    assert (outcome.accepted, codes(outcome)) == (False, ["orders_in_flight"])
    assert "waiting for the broker's word: open" in outcome.reasons[0].text
    assert world.engine.link.ready
    world.say(echoed("open", world.order("open").order_id, perm_id=77))
    assert ask(world).accepted


def test_a_cancel_that_the_broker_has_not_answered_keeps_the_session_too():
    """Whether the order still works would not be known."""
    world = at_the_standby()
    world.quote()
    world.working("k1")
    world.silent.add(SendCancel)
    world.cancel("k1")
    world.settle()
    assert codes(ask(world)) == ["orders_in_flight"]


def test_an_order_of_the_primary_does_not_keep_us_at_the_standby():
    """It is in doubt because of the way here, and the way back is how to ask about it."""
    world = steady(World(gateways=(A, replace(B, trading=True))))
    world.silent.add(SendOrder)
    world.quote()
    world.place("left behind")
    world.lose(LossCause.CLOSED)
    fail(world, 3)
    until_attempt(world)
    world.connect()
    assert world.order("left behind").state is OrderState.IN_DOUBT
    assert ask(world).accepted


@pytest.mark.parametrize("times", [2, 5])
def test_asking_twice_is_asking_once(times: int):
    """One close, one change."""
    world = at_the_standby()
    before = len(world.closes)
    assert all(ask(world).accepted for _ in range(times))
    assert len(world.closes) == before + 1
    world.lose(LossCause.ASKED)
    until_attempt(world)
    assert tried(world)[-1] == "a"
