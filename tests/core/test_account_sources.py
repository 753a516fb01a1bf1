"""Positions as a subscription: asked for once while it stands, and never twice while an end is awaited."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.trading.account_sources import PositionsSource, PositionsState
from ibkr_adapter.events import PositionReported, PositionsEnd
from ibkr_adapter.requests import CancelPositions, RequestPositions
from tests.core.world import SPY, World, settings

HELD = PositionReported(ts_recv_ns=0, epoch=0, account="DU1", instrument=SPY, quantity=Decimal(100), average_cost=500.0)


def source() -> tuple[PositionsSource, list[int]]:
    """With the moments at which a list began."""
    began: list[int] = []
    return PositionsSource(settings(), lambda now_ns, *, begins: began.extend([now_ns] * begins)), began


def test_it_is_asked_for_once_and_again_where_it_was_lost() -> None:
    """By a new session, and by a 1101."""
    positions, began = source()
    assert [*positions.missing(1), *positions.missing(2)] == [RequestPositions()]
    positions.ended()
    assert list(positions.missing(3)) == []
    positions.streams_lost()
    assert list(positions.missing(4)) == [RequestPositions()]
    positions.wire_lost()
    assert list(positions.missing(5)) == [RequestPositions()]
    assert began == [1, 4, 5]


def test_what_a_1101_overtook_is_asked_for_behind_the_end_of_its_list() -> None:
    """An end names no request: of two that are awaited nobody could tell which list is whole."""
    positions, began = source()
    list(positions.missing(1))
    positions.streams_lost()
    assert list(positions.missing(2)) == []
    assert not positions.stands
    positions.ended()
    assert list(positions.missing(3)) == [RequestPositions()]
    assert began == [1, 3]


def test_an_end_that_does_not_come_is_not_waited_for_for_ever() -> None:
    """The question is put once more; that one counts, and no third is asked."""
    positions, began = source()
    list(positions.missing(1))
    positions.streams_lost()
    assert positions.again(2) == RequestPositions()
    assert positions.state is PositionsState.ASKED
    positions.ended()
    assert list(positions.missing(3)) == []
    assert began == [1, 2]


def test_it_is_cancelled_if_it_was_asked_for_and_only_then() -> None:
    """With or without the end of its list."""
    positions, _ = source()
    positions.wanted = False
    assert list(positions.surplus()) == []
    positions.wanted = True
    list(positions.missing(1))
    positions.wanted = False
    assert [*positions.surplus(), *positions.surplus()] == [CancelPositions()]
    assert list(positions.missing(2)) == []


def asked_of(world: World) -> int:
    return len(world.requests(RequestPositions))


@pytest.mark.parametrize("ends", [True, False], ids=["its-end-comes", "its-end-is-lost"])
def test_a_list_asked_without_ib_says_nothing_of_what_was_closed(ends: bool) -> None:
    """Asked while IB was lost, overtaken by a 1101: what was sold elsewhere is found by the list behind it."""
    world = World()
    world.lists[RequestPositions] = [HELD]
    world.connect()
    world.lists[RequestPositions] = []
    world.silent.add(RequestPositions)
    world.lose()
    world.wait(2 * world.settings.backoff_max_ns)
    world.open()
    world.notice(1100)
    world.identify()
    world.settle()
    before = asked_of(world)
    assert before == 2

    world.notice(1101)
    assert asked_of(world) == before
    world.silent.clear()
    if ends:
        world.say(PositionsEnd(ts_recv_ns=0, epoch=0))
    world.wait(30 * SECOND)

    assert asked_of(world) == before + 1
    assert world.engine.link.ready
    assert world.engine.trading.positions.state is PositionsState.STANDING
    assert [position.quantity for position in world.engine.snapshot(world.now_ns).positions] == [0]
