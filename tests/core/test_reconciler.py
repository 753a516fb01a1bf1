"""What is wanted and not asked is asked, in one order and within the budget; so often as it is lost, and no more."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.market.reconciler import Precedence
from ibkr_adapter.core.market.stream import QUOTE
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import (
    CancelQuotes,
    Request,
    RequestAccountSummary,
    RequestAllOpenOrders,
    RequestCompletedOrders,
    RequestContractDetails,
    RequestExecutions,
    RequestPositions,
    SetDataType,
    SubscribeQuotes,
)
from tests.core.world import QQQ, SPY, World

IN_ORDER: tuple[type[Request], ...] = (
    RequestAllOpenOrders,
    RequestCompletedOrders,
    RequestExecutions,
    RequestPositions,
    RequestAccountSummary,
    RequestContractDetails,
    SetDataType,
    SubscribeQuotes,
)


def kinds(requests: list[Request]) -> list[type[Request]]:
    """The kinds of requests, each at its first place."""
    return list(dict.fromkeys(type(request) for request in requests if type(request) in IN_ORDER))


def test_a_session_is_asked_in_one_order():
    """What is at risk, then the account, then details, then quotes."""
    world = World(instruments=(SPY, QQQ))
    world.connect()

    assert kinds(world.sent) == list(IN_ORDER)


def test_the_order_has_room_for_what_is_not_asked_yet():
    """Depth of the pinned instrument goes before quotes; the rotating ones go last."""
    assert Precedence.DETAILS < Precedence.PINNED_DEPTH < Precedence.QUOTES < Precedence.TICK_BY_TICK
    assert Precedence.TICK_BY_TICK < Precedence.BARS < Precedence.PROFIT < Precedence.DEPTH


def test_a_thousand_streams_leave_room_for_a_question_about_orders():
    """What waits is at most a second's worth, so that what comes later and matters more need not wait behind it."""
    world = World(lines=1_000, instruments=tuple(Instrument(symbol=f"S{number}") for number in range(1_000)))
    world.connect()
    for _ in range(20):
        assert world.engine.pacing.waiting <= world.settings.pacing.messages_max
        world.wait(SECOND)

    world.wait(40 * SECOND)

    assert len(world.requests(SubscribeQuotes)) == 1_000


def test_after_1101_everything_that_stands_is_asked_again():
    """Market and account subscriptions are lost alike; orders are asked too, for fills came unheard."""
    world = World(instruments=(SPY, QQQ)).ready()
    world.quote(key="QQQ")
    world.notice(1100)
    world.wait(10 * SECOND)
    before = len(world.sent)

    world.notice(1101)
    world.settle()

    again = [request for request in world.sent[before:] if type(request) in IN_ORDER]
    assert kinds(again) == [kind for kind in IN_ORDER if kind not in (RequestContractDetails, SetDataType)]
    assert sum(isinstance(request, SubscribeQuotes) for request in again) == 2
    assert world.requests(CancelQuotes) == []


def test_after_1102_only_orders_are_asked():
    """The subscriptions were kept."""
    world = World(instruments=(SPY, QQQ)).ready()
    world.notice(1100)
    world.wait(10 * SECOND)
    before = len(world.sent)

    world.notice(1102)
    world.settle()

    assert kinds(world.sent[before:]) == [RequestAllOpenOrders, RequestCompletedOrders, RequestExecutions]


@pytest.mark.parametrize(
    "codes", [(1101,), (1102,), (1102, 1100, 1102), (1101, 1101), (1100, 1101, 1102), (1101, 1100, 1102)]
)
def test_whatever_order_the_words_come_in_it_converges(codes: tuple[int, ...]):
    """Ready, the gate open, each stream asked once for each time it was lost, and live at the next tick."""
    world = World().ready()
    for code in codes:
        world.notice(code)
        world.wait(SECOND)
    world.quote()
    world.wait(SECOND)

    assert world.engine.link.ready
    assert world.gate() == []
    assert world.engine.market.flows(QUOTE, "SPY")
    assert len(world.requests(SubscribeQuotes)) == 1 + codes.count(1101)


def test_a_storm_of_1101_stays_within_the_budget():
    """What still waited to be sent is taken back, and nothing stands twice."""
    world = World(instruments=tuple(Instrument(symbol=f"S{number}") for number in range(30)))
    world.connect()
    before = len(world.sent)
    for _ in range(100):
        world.notice(1101)
    world.wait(2 * SECOND)

    pacing = world.settings.pacing
    assert len(world.sent) - before <= 3 * (pacing.messages_max + pacing.messages_reserved)
    live = {request.req_id for request in world.requests(SubscribeQuotes)} - {
        request.req_id for request in world.requests(CancelQuotes)
    }
    views = world.engine.snapshot(world.now_ns).streams
    assert {view.req_id for view in views} <= live
    assert len(views) == 30


def test_details_older_than_a_day_are_asked_for_again():
    """They list the hours of a few days only; the old ones stay in use until the new ones come."""
    world = World().ready()
    asked = len(world.requests(RequestContractDetails))
    world.lose()
    world.wait((24 * 60 - 10) * MINUTE)  # without a session a day is over in a moment
    world.connect()
    world.wait(5 * MINUTE)
    assert len(world.requests(RequestContractDetails)) == asked

    world.wait(10 * MINUTE)

    assert len(world.requests(RequestContractDetails)) == asked + 1
    assert world.engine.market.contracts.of("SPY") is not None
