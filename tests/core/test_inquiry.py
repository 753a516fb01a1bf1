"""What the broker's four lists prove, and what their absence does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.effects import Durable
from ibkr_adapter.events import (
    AlertChanged,
    CompletedOrderReported,
    CompletedOrdersEnd,
    ExecutionsEnd,
    OpenOrdersEnd,
    OrderDoubted,
    OrderNotFound,
    PositionReported,
    PositionsEnd,
)
from ibkr_adapter.requests import (
    Request,
    RequestAllOpenOrders,
    RequestCompletedOrders,
    RequestContractDetails,
    RequestExecutions,
    RequestPositions,
    SendCancel,
    SendOrder,
)
from tests.core.world import SPY, World, echoed, execution, status

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
    world.silent.add(RequestCompletedOrders)
    world.connect()
    world.wait(15 * SECOND)
    assert len(world.requests(RequestCompletedOrders)) == 2
    assert not world.engine.link.ready

    world.wait(15 * SECOND)

    assert world.engine.link.ready
    assert repr(world.engine.link) == "<Link 1@a READY ready, unconfirmed: completed_orders>"
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

    assert world.facts(OrderDoubted) == []


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


def test_a_broker_that_speaks_of_an_order_again_begins_the_count_anew():
    """One list without it, then its echo, then one list without it: that is not twice in a row."""
    world = doubted()
    world.connect()
    world.say(echoed("k1", 11))
    world.reconnect()
    world.wait(9 * SECOND)
    assert world.order().state == "in_doubt"

    world.wait(13 * SECOND)

    assert world.order().state == "not_found"


# --- What is no evidence ------------------------------------------------------------------------------------------


def test_two_lists_in_quick_succession_are_one_proof():
    """A vanished order makes the next question come soon; ten seconds must pass all the same."""
    world = World().ready()
    world.working()
    world.reconnect()
    assert world.order().state == "in_doubt"

    world.wait(9 * SECOND)
    assert inquiries(world) >= 3
    assert world.order().state == "in_doubt"
    world.wait(12 * SECOND)

    assert world.order().state == "not_found"


def test_what_a_gateway_without_ib_answers_proves_no_absence():
    """It answers from what it remembers; the orders are still at the exchange."""
    world = doubted()
    world.connect()
    world.silent.add(RequestContractDetails)
    world.notice(1100)
    world.wait(600 * SECOND)
    assert world.order().state == "in_doubt"

    world.lists[RequestAllOpenOrders] = [echoed("k1", 11)]
    world.notice(1102)
    world.settle()

    assert world.order().state == "working"


def test_lists_asked_before_the_upstream_came_back_are_asked_again():
    """During the way up, too: ready comes with the second answer."""
    world = doubted()
    world.silent.update(LISTS)
    world.connect()
    world.notice(1100)
    world.notice(1102)
    world.silent.clear()
    for event in (OpenOrdersEnd, CompletedOrdersEnd, PositionsEnd):
        world.tell(world.named(event))
    world.tell(world.named(ExecutionsEnd, req_id=world.requests(RequestExecutions)[-1].req_id))
    assert len(world.requests(RequestAllOpenOrders)) == 3
    assert not world.engine.link.ready

    world.settle()

    assert world.engine.link.ready
    world.wait(11 * SECOND)
    assert world.facts(OrderNotFound)[0].evidence.startswith("not in 2 complete lists")


def test_two_inquiries_never_overlap():
    """The end of open orders names no request: the first one's must not pass for the second's."""
    world = World().ready()
    world.silent.add(RequestAllOpenOrders)
    world.notice(1102)
    world.notice(1102)
    world.notice(1102)
    world.settle()
    before = inquiries(world)

    world.tell(world.named(OpenOrdersEnd))

    assert inquiries(world) == before + 1


def test_a_question_that_arises_during_an_inquiry_is_answered_by_the_next():
    """The order was listed, then refused: what was listed before is no answer to it."""
    world = World().ready()
    order = world.working()
    world.silent.add(RequestCompletedOrders)
    world.wait(SECOND)
    world.notice(1102)
    world.say(echoed("k1", order.order_id, perm_id=7011))
    world.notice(201, req_id=order.order_id, text="rejected")
    world.silent.clear()
    world.tell(world.named(CompletedOrdersEnd))
    assert order.suspect

    world.wait(3 * SECOND)

    assert order.state == "rejected"


def test_asking_again_does_not_open_the_gate():
    """A list without its end stays unconfirmed until its end has come, whatever else is asked meanwhile."""
    world = World()
    world.silent.add(RequestCompletedOrders)
    world.connect()
    world.wait(30 * SECOND)
    assert world.gate() == ["unconfirmed"]

    for _ in range(600):
        world.wait(SECOND // 10)
        assert world.gate() == ["unconfirmed"]


def test_an_unconfirmed_list_is_asked_until_it_ends():
    """A desk must not be shut for the day by one marker that got lost."""
    world = World()
    world.silent.add(RequestExecutions)
    world.connect()
    world.wait(35 * SECOND)
    world.silent.clear()

    world.wait(30 * SECOND)

    assert world.gate() == []


def test_rows_before_a_repeat_are_half_a_list_too():
    """Something is there, so silence after the repeat does not mean that nothing is."""
    world = World()
    world.lists[RequestExecutions] = [execution(req_id=1_000_000_001)]
    world.silent.add(RequestExecutions)
    world.connect()
    asked = world.requests(RequestExecutions)[0].req_id
    world.tell(world.present(execution(req_id=asked)))
    world.lists.clear()

    world.wait(120 * SECOND)

    assert not world.engine.link.ready


def test_a_slow_answer_to_the_first_question_counts_after_the_repeat():
    """A gateway that needs twelve seconds is slow, not silent."""
    world = World()
    world.silent.add(RequestExecutions)
    world.connect()
    world.wait(12 * SECOND)
    first = world.requests(RequestExecutions)[0].req_id

    world.tell(world.named(ExecutionsEnd, req_id=first))

    assert world.engine.link.ready
    assert world.gate() == []


def test_an_order_handed_over_whose_frame_never_left_is_in_doubt():
    """The session took it and said no more: five seconds, as for an order without an answer."""
    world = World().ready()
    world.disk_works = False
    world.place()
    world.tell(Durable(seq=len(world.journal)))
    world._coming.clear()
    assert world.order().state == "intended"

    world.wait(5 * SECOND)

    assert world.order().state == "in_doubt"


# --- A list that the gateway forgot to end --------------------------------------------------------------------------


def held(world: World, quantity: int) -> None:
    position = {"account": "DU1", "instrument": SPY, "quantity": Decimal(quantity), "average_cost": 1.0}
    world.lists[RequestPositions] = [world.named(PositionReported, **position)]


def forgetful(world: World) -> World:
    """The next session of this world forgets the end of its empty list of executions."""
    world.silent.add(RequestExecutions)
    world.reconnect()
    world.wait(31 * SECOND)
    assert world.engine.link.ready
    return world


def test_a_forgotten_end_closes_nothing_where_everything_else_agrees():
    """No order may still trade, and what is held is what was held when all was known."""
    world = World()
    held(world, 5)
    world.connect()

    assert forgetful(world).gate() == []
    assert world.engine.link.detail == "ready"


def test_a_forgotten_end_agrees_with_what_was_executed_since():
    """Five were held, a hundred bought under our eyes: a hundred and five."""
    world = World()
    held(world, 5)
    world.connect()
    world.quote()
    world.working()
    world.say(execution(quantity=100))
    held(world, 105)

    assert forgetful(world).gate() == []


def test_a_position_that_nothing_explains_keeps_the_gate_closed():
    """Something was executed that we have not seen."""
    world = World()
    held(world, 5)
    world.connect()
    held(world, 4)

    assert forgetful(world).gate() == ["unconfirmed"]


def test_an_order_at_risk_keeps_the_gate_closed():
    """Its fills may be what the list does not say."""
    world = World().ready()
    order = world.working()
    world.lists[RequestAllOpenOrders] = [echoed("k1", order.order_id, perm_id=7011)]

    assert forgetful(world).gate() == ["unconfirmed"]


def test_two_forgotten_ends_are_one_too_many():
    """Then nothing is left that could agree."""
    world = World()
    world.connect()
    world.silent.add(RequestCompletedOrders)

    assert forgetful(world).gate() == ["unconfirmed"]


def test_the_first_session_of_a_process_has_nothing_to_agree_with():
    """What was held when all was known is not on disk: with an order of today it stays closed, and that is told."""
    before = World().ready()
    before.working()
    before.say(execution(quantity=100))
    before.say(echoed("k1", 11, perm_id=7011, status="Filled"))
    world = before.restarted()
    world.silent.add(RequestExecutions)
    world.connect()
    world.wait(31 * SECOND)

    assert world.gate() == ["unconfirmed"]
    assert [alert for alert in world.told(AlertChanged) if alert.key == "orders/unconfirmed"] == []
    world.wait(120 * SECOND)
    assert [alert.raised for alert in world.told(AlertChanged) if alert.key == "orders/unconfirmed"] == [True]
    assert world.gate() == ["unconfirmed"]


def test_on_a_quiet_morning_the_first_session_needs_no_end_of_executions():
    """The list begins at midnight, and no order was sent since: it has nothing of ours to show."""
    before = World().ready()
    before.working()
    before.say(execution(quantity=100))
    before.say(echoed("k1", 11, perm_id=7011, status="Filled"))
    before.wait(24 * 3600 * SECOND)
    world = before.restarted()
    world.silent.add(RequestExecutions)
    world.connect()
    world.wait(31 * SECOND)

    assert world.gate() == []
    assert world.engine.link.detail == "ready"


@pytest.mark.parametrize("forgotten", [RequestCompletedOrders, RequestAllOpenOrders])
def test_on_a_quiet_morning_no_other_list_may_be_without_its_end(forgotten: type[Request]):
    """It might show an order of an earlier day."""
    world = World()
    world.silent.add(forgotten)
    world.connect()
    world.wait(31 * SECOND)

    assert world.gate() == ["unconfirmed"]


def test_a_gateway_that_answers_nothing_has_not_forgotten_an_end():
    """No list was answered behind the silent ones: nothing is known, and nothing is ready."""
    world = World()
    world.silent.update(LISTS)
    world.connect()
    world.wait(5 * 60 * SECOND)

    assert not world.engine.link.ready


def test_rows_without_an_end_never_prove_an_absence():
    """An order that such a list lacks is neither cancelled nor given up, nor is a position closed."""
    world = World()
    held(world, 5)
    world.connect()
    world.quote()
    world.working()
    world.lists[RequestExecutions] = [execution("0001.1.01", 2)]
    world.lists[RequestPositions] = []
    world.silent.update(LISTS)
    sent = len(world.sent)
    world.reconnect()
    world.wait(120 * SECOND)

    assert "link" in world.gate()
    assert world.order().state in ("working", "in_doubt")
    assert world.facts(OrderNotFound) == []
    assert [p.quantity for p in world.engine.snapshot(world.now_ns).positions] == [5]
    assert not [request for request in world.sent[sent:] if isinstance(request, SendCancel | SendOrder)]


@pytest.mark.parametrize("first", ["live", "listed"])
def test_live_words_and_lists_that_cross_are_merged_by_what_they_say(first: str):
    """The list was made before the fill and comes after it: filled it is, and stays."""
    world = World().ready()
    order = world.working()
    world.silent.update(LISTS)
    world.reconnect()
    live = [execution(quantity=100), status(order.order_id, status="Filled", filled=100)]
    listed = [echoed("k1", order.order_id, perm_id=7011)]
    for event in (*live, *listed) if first == "live" else (*listed, *live):
        world.say(event)
    for end in (OpenOrdersEnd, CompletedOrdersEnd, PositionsEnd):
        world.tell(world.named(end))
    world.tell(world.named(ExecutionsEnd, req_id=world.requests(RequestExecutions)[-1].req_id))

    assert world.engine.link.ready
    assert (order.state, order.filled) == ("filled", 100)
    assert world.engine.ledger.orders.at_risk == []
