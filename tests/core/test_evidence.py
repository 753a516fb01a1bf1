"""What the broker says brings an order back, and what one gateway says is nothing about another's orders."""

from __future__ import annotations

from decimal import Decimal

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import ManagedAccounts
from ibkr_adapter.requests import RequestAllOpenOrders, RequestExecutions, SendCancel
from tests.core.world import B, World, codes, echoed, execution, status


def vanished(world: World) -> World:
    """A working order that the gateway's lists do not know after its restart, until it is given up."""
    world.ready()
    world.working()
    world.say(status(order_id=11))
    world.reconnect()
    world.wait(30 * SECOND)
    assert world.order().state == "not_found"
    return world


def test_the_same_words_revive_an_order_that_was_given_up():
    """A gateway that knows its orders late repeats the very echo that we have: it is news all the same."""
    world = vanished(World())
    world.say(echoed("k1", 11, perm_id=7011))
    assert world.order().state == "working"
    assert world.order().at_risk


def test_a_fill_that_was_counted_revives_its_order_and_counts_once():
    """The list of executions names it again; its quantity stays what it was."""
    world = World().ready()
    world.working()
    world.say(execution(quantity=40, perm_id=7011))
    world.reconnect()
    world.wait(30 * SECOND)
    assert world.order().state == "not_found"

    world.say(execution(quantity=40, perm_id=7011))

    assert (world.order().state, world.order().filled) == ("working", 40)


def test_an_order_that_was_given_up_can_be_cancelled():
    """It may live after all, so its cancel is never refused."""
    world = vanished(World())
    assert world.cancel().accepted  # type: ignore[union-attr]
    assert world.requests(SendCancel)[-1].order_id == 11


def test_orders_of_another_gateway_are_not_judged_by_this_one():
    """Its lists cannot know them: they keep their risk, and no cancel is sent to the wrong place."""
    world = World().ready()
    world.working()
    world.settle()
    elsewhere = world.restarted(gateways=(B,)).ready()
    elsewhere.wait(60 * SECOND)

    assert elsewhere.order().state == "working"
    assert codes(elsewhere.cancel().reasons) == ["elsewhere"]  # type: ignore[union-attr]
    assert elsewhere.requests(SendCancel) == []


def test_a_status_that_says_filled_without_fills_is_asked_about_and_told():
    """A lost execution is not silent: the lists are asked, a few times, and then the order says what is missing."""
    world = World().ready()
    world.working()
    asked = len(world.requests(RequestExecutions))
    world.say(status(order_id=11, status="Filled", filled=Decimal(100), remaining=Decimal(0)))
    world.wait(120 * SECOND)

    assert 1 < len(world.requests(RequestExecutions)) - asked <= 4
    view = world.engine.snapshot(world.now_ns).orders[0]
    assert "executions show 0" in view.detail

    world.say(execution(quantity=100, perm_id=7011))
    assert "executions show" not in world.engine.snapshot(world.now_ns).orders[0].detail


def test_an_order_rejected_by_absence_lives_again_when_it_is_listed():
    """A code and one list said no; a later list says yes, and what the broker lists is live."""
    world = World().ready()
    world.place()
    world.notice(201, req_id=11, text="Order rejected")
    world.wait(5 * SECOND)
    assert world.order().state == "rejected"

    world.say(echoed("k1", 11))

    assert world.order().state == "working"


def test_an_account_list_that_empties_under_way_stops_orders():
    """Without accounts nobody knows whose money it is; and nobody says that it is another's."""
    world = World().ready()
    world.tell(world.named(ManagedAccounts, accounts=()))
    assert world.gate() == ["accounts"]
    assert world.engine.link.ready


def test_a_repeat_of_a_pending_key_waits_for_the_same_answer():
    """The first command expires while the disk is slow: the second is not told that it was accepted."""
    world = World().ready()
    world.disk_works = False
    world.place("k1")
    world.place("k1", command_id="again")
    assert "again" not in world.replies

    world.wait(5 * SECOND)

    assert codes(world.replies["again"].reasons) == ["expired"]
    assert world.replies["again"].repeated


def test_a_session_of_another_client_id_does_not_judge_either():
    """Client ids have order ids of their own."""
    world = World().ready()
    world.working()
    world.settle()
    other = world.restarted(client_id=5).ready()
    other.wait(60 * SECOND)

    assert other.requests(RequestAllOpenOrders)
    assert other.order().state == "working"
