"""What the broker's four lists prove, and what their absence does not."""

from __future__ import annotations

from typing import Any

import pytest
from world import World, echoed, execution, status

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import (
    CompletedOrderReported,
    CompletedOrdersEnd,
    ExecutionsEnd,
    OpenOrdersEnd,
    OrderDoubted,
    OrderNotFound,
    PositionsEnd,
)
from ibkr_adapter.requests import (
    Request,
    RequestAllOpenOrders,
    RequestCompletedOrders,
    RequestExecutions,
    RequestPositions,
)

LISTS = (RequestAllOpenOrders, RequestCompletedOrders, RequestExecutions, RequestPositions)


def doubted(**changes: Any) -> World:
    """An order whose session was lost before the broker said anything of it."""
    world = World(**changes).ready()
    world.place()
    world.lose()
    assert world.order().state == "in_doubt"
    return world


def inquiries(world: World) -> int:
    return len(world.requests(RequestCompletedOrders))


@pytest.mark.parametrize("missing", LISTS)
def test_ready_needs_the_end_of_every_list(missing: type[Request]):
    """With one of the four still to come, nothing is known about what is at risk."""
    world = World()
    world.silent.add(missing)
    world.connect()

    assert not world.engine.link.ready
    assert "link" in world.gate()


def test_the_lists_may_end_in_any_order():
    """Each has its own marker."""
    world = World()
    world.silent.update(LISTS)
    world.connect()
    executions = world.requests(RequestExecutions)[0]

    for event in (
        world.named(PositionsEnd),
        world.named(ExecutionsEnd, req_id=executions.req_id),
        world.named(OpenOrdersEnd),
    ):
        world.tell(event)
        assert not world.engine.link.ready
    world.tell(world.named(CompletedOrdersEnd))

    assert world.engine.link.ready


def test_a_silent_empty_list_is_asked_again_and_then_unconfirmed():
    """Ready, so that prices flow, and the gate stays closed."""
    world = World()
    world.silent.add(RequestExecutions)
    world.connect()
    world.wait(10 * SECOND)
    assert len(world.requests(RequestExecutions)) == 2
    assert not world.engine.link.ready

    world.wait(10 * SECOND)

    assert world.engine.link.ready
    assert repr(world.engine.link) == "<Link 1@a READY ready, unconfirmed: executions>"
    assert world.gate() == ["unconfirmed"]


def test_an_order_in_doubt_that_the_broker_lists_is_working():
    """Evidence ends the doubt."""
    world = doubted()
    world.lists[RequestAllOpenOrders] = [echoed("k1", 11)]

    world.connect()

    assert world.order().state == "working"
    assert world.facts(OrderNotFound) == []


def test_an_order_in_doubt_that_was_filled_is_filled():
    """The executions of the day know it."""
    world = doubted()
    world.lists[RequestExecutions] = [execution(quantity=100)]

    world.connect()

    assert world.order().state == "filled"


def test_an_order_in_doubt_that_was_cancelled_is_cancelled():
    """Completed orders say why."""
    world = doubted()
    cancelled = echoed(
        "k1", 11, kind=CompletedOrderReported, status="Cancelled", completed_status="Cancelled by Trader"
    )
    world.lists[RequestCompletedOrders] = [cancelled]

    world.connect()

    assert (world.order().state, world.order().detail) == ("cancelled", "Cancelled by Trader")


def test_one_list_without_it_proves_nothing():
    """The gateway may not have caught up with its own restart."""
    world = doubted()

    world.connect()
    world.wait(9 * SECOND)

    assert world.order().state == "in_doubt"


def test_two_complete_lists_ten_seconds_apart_without_it_prove_that_it_is_not_there():
    """Then it is NOT_FOUND, its risk is released, and the evidence is on record."""
    world = doubted()

    world.connect()
    world.wait(11 * SECOND)

    assert world.order().state == "not_found"
    assert world.facts(OrderNotFound)[0].evidence.startswith("not in 2 complete lists")
    assert world.engine.ledger.orders.at_risk == []


def test_a_missing_end_marker_proves_nothing():
    """Days of lists without an end leave the doubt where it was."""
    world = doubted()
    world.silent.add(RequestCompletedOrders)

    world.connect()
    world.wait(600 * SECOND)

    assert world.order().state == "in_doubt"


def test_a_refused_id_that_a_list_lacks_is_rejected():
    """The code says that it was refused, the list that it is not there: together they are proof."""
    world = World().ready()
    world.wait(SECOND)
    world.place()
    world.wait(SECOND)
    world.notice(201, req_id=world.order().order_id, text="Order rejected - reason: margin")
    assert world.order().state == "sent"

    world.wait(2 * SECOND)

    assert world.order().state == "rejected"
    assert world.order().detail == "201: Order rejected - reason: margin"


def test_a_refused_id_that_is_still_listed_lives():
    """A code about a part of an order does not end it: the broker still works it."""
    world = World().ready()
    order = world.working()
    world.lists[RequestAllOpenOrders] = [echoed("k1", order.order_id, perm_id=7011)]
    world.notice(201, req_id=order.order_id)

    world.wait(20 * SECOND)

    assert order.state == "working"
    assert not order.suspect


def test_a_question_is_asked_soon_and_then_at_ease():
    """A second after it arises, then every ten seconds while it stands."""
    world = World().ready()
    before = inquiries(world)
    world.silent.add(RequestCompletedOrders)
    world.wait(SECOND)
    world.place()
    world.notice(201, req_id=world.order().order_id)

    world.wait(2 * SECOND)

    assert inquiries(world) == before + 1


def test_without_a_question_nothing_is_asked():
    """An inquiry costs the gateway and the window."""
    world = World().ready()
    world.working()
    before = inquiries(world)

    world.wait(3600 * SECOND)

    assert inquiries(world) == before


def test_an_order_without_any_answer_is_in_doubt_after_five_seconds():
    """Gateways have been seen to drop one silently."""
    world = World().ready()
    world.place()

    world.wait(5 * SECOND - 1)
    assert world.order().state == "sent"
    world.wait(1)

    assert world.order().state == "in_doubt"


def test_a_working_order_that_vanished_is_in_doubt_first():
    """A list that lacks an order we knew to work is a question, not an end."""
    world = World().ready()
    world.working()

    world.reconnect()

    assert world.order().state == "in_doubt"
    assert world.facts(OrderDoubted)[-1].cause == "vanished"


def test_an_order_sent_after_the_question_is_not_judged_by_its_answer():
    """The list was made before the broker knew of it."""
    world = World().ready()
    world.silent.add(RequestCompletedOrders)
    world.notice(1100)
    world.notice(1102)
    world.settle()
    world.quote()
    world.wait(SECOND)
    world.quote()
    assert world.place() is not None

    world.tell(world.named(CompletedOrdersEnd))

    assert world.order().misses == 0


def test_after_a_restored_upstream_the_broker_is_asked():
    """Fills during 1100 come with the list of executions only."""
    world = World().ready()
    world.working()
    world.notice(1100)
    world.lists[RequestExecutions] = [execution(quantity=100)]
    world.notice(1102)
    world.settle()

    assert world.order().state == "filled"


def test_what_the_process_left_open_is_in_doubt_at_the_next_start():
    """An intent on disk may have been sent in the moment of the crash."""
    world = World().ready()
    world.place()

    later = world.restarted()

    assert later.order().state == "in_doubt"
    assert later.facts(OrderDoubted)[-1].cause == "restart"


def test_a_late_word_of_the_broker_revives_what_was_not_found():
    """And holds its risk again."""
    world = doubted()
    world.connect()
    world.wait(11 * SECOND)
    assert world.order().state == "not_found"

    world.say(status(11, status="Submitted"))

    assert world.order().state == "working"
    assert world.engine.ledger.orders.at_risk == [world.order()]
