"""What a component may do at all: without a capability nothing of its kind is asked of the gateway."""

from __future__ import annotations

import pytest

from ibkr_adapter.config import Capability
from ibkr_adapter.requests import (
    Request,
    RequestAccountSummary,
    RequestContractDetails,
    RequestPositions,
    SetDataType,
    SubscribeQuotes,
)
from tests.core.world import World

ASKED_FOR: dict[Capability, set[type[Request]]] = {
    Capability.MARKET_DATA: {SetDataType, RequestContractDetails, SubscribeQuotes},
    Capability.ACCOUNT: {RequestAccountSummary, RequestPositions},
    Capability.ORDERS: set(),
}


def connected(*capabilities: Capability) -> World:
    world = World(capabilities=frozenset(capabilities))
    world.connect()
    return world


@pytest.mark.parametrize("missing", list(Capability))
def test_what_a_component_may_not_do_is_never_asked(missing: Capability) -> None:
    """Each capability has requests of its own, and the session is ready without the others."""
    world = connected(*(set(Capability) - {missing}))

    asked = {type(request) for request in world.sent}
    wanted = set().union(*(kinds for capability, kinds in ASKED_FOR.items() if capability is not missing))
    assert wanted <= asked
    assert not asked & ASKED_FOR[missing]
    assert world.engine.link.ready


def test_an_account_watcher_is_ready_and_its_gate_says_why_it_stays_shut() -> None:
    """A risk manager sees account and positions; streams it has none, and orders it cannot send."""
    world = connected(Capability.ACCOUNT)

    picture = world.engine.snapshot(world.now_ns)
    assert picture.streams == ()
    assert "capability" in world.gate()


def test_the_gateway_restoring_its_streams_makes_nobody_subscribe() -> None:
    """1101 asks for every stream again, and there is none."""
    world = connected(Capability.ACCOUNT)

    world.notice(1101)
    world.reconnect()

    assert world.requests(SubscribeQuotes) == []
