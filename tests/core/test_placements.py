"""From a command to the wire: what is on disk before what leaves, and who is told what."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.commands import TimeInForce
from ibkr_adapter.effects import Durable, JournalFailed, Outbox, SendFailed
from ibkr_adapter.events import (
    AlertChanged,
    CancelIntended,
    FrameSent,
    FrameWithheld,
    NextValidId,
    OrderIntended,
    OrderRefused,
    Recorded,
)
from ibkr_adapter.requests import RequestAllOpenOrders, RequestCurrentTime, SendCancel, SendOrder
from tests.core.world import FIRST_ID, START_NS, A, B, World, codes, echoed, place


@pytest.fixture
def world() -> World:
    return World().ready()


@pytest.fixture
def slow_disk(world: World) -> World:
    """Ready, and from now on the disk does not answer."""
    world.disk_works = False
    return world


def test_nothing_is_sent_and_nobody_answered_before_the_disk_answers(slow_disk: World):
    """The intent is on its way to the disk; the order is not on its way to anybody."""
    assert slow_disk.place() is None

    assert len(slow_disk.facts(OrderIntended)) == 1
    assert slow_disk.requests(SendOrder) == []
    assert slow_disk.order().state == "intended"


def test_once_the_intent_is_safe_the_order_goes_out(slow_disk: World):
    """The order on the wire is the one on the disk, and carries our key."""
    slow_disk.place()
    slow_disk.disk_works = True
    slow_disk.settle()

    sent = slow_disk.requests(SendOrder)
    assert [(order.order_id, order.order_ref, order.terms.quantity) for order in sent] == [(FIRST_ID, "k1", 100)]
    assert slow_disk.replies["c-k1"].accepted
    assert slow_disk.order().state == "sent"


def test_every_order_on_the_wire_has_its_intent_on_disk(world: World):
    """The record is durable, hence published, before the frame exists."""
    world.place()

    recorded = [event.record for event in world.told(Recorded)]
    kinds = [type(record) for record in recorded]
    assert kinds.index(OrderIntended) < kinds.index(FrameSent)


def test_a_durable_record_before_the_intent_releases_nothing(slow_disk: World):
    """Each intent waits for its own number."""
    slow_disk.place()
    slow_disk.tell(Durable(seq=len(slow_disk.journal) - 2))  # behind the intent stands what it made
    assert slow_disk.requests(SendOrder) == []
    slow_disk.tell(Durable(seq=len(slow_disk.journal)))
    assert len(slow_disk.requests(SendOrder)) == 1


def test_what_waits_for_the_disk_too_long_is_refused(slow_disk: World):
    """The command said until when; the answer comes at that moment."""
    slow_disk.place(expires_in_ns=2 * SECOND)

    slow_disk.wait(2 * SECOND - 1)
    assert slow_disk.replies == {}
    slow_disk.wait(1)

    assert codes(slow_disk.replies["c-k1"].reasons) == ["expired"]
    slow_disk.disk_works = True
    slow_disk.settle()
    assert slow_disk.requests(SendOrder) == []
    assert slow_disk.order().state == "refused"


def test_what_waits_for_its_turn_too_long_is_refused(world: World):
    """The second look is at the moment of release, not of the disk's answer."""
    for _ in range(45 * 4):
        world.engine.pacing.ask(RequestCurrentTime(), epoch=1)
    world.tell()
    assert world.place(expires_in_ns=100 * MILLISECOND) is None

    world.wait(5 * SECOND)

    assert codes(world.replies["c-k1"].reasons) == ["expired"]
    assert world.requests(SendOrder) == []


def test_a_session_lost_while_the_disk_works_refuses(slow_disk: World):
    """It never left, so it is refused and not in doubt; the next session does not send it either."""
    slow_disk.place(expires_in_ns=600 * SECOND)
    slow_disk.lose()

    assert codes(slow_disk.replies["c-k1"].reasons) == ["session"]
    slow_disk.disk_works = True
    slow_disk.connect()
    assert slow_disk.requests(SendOrder) == []
    assert slow_disk.order().state == "refused"


def test_a_session_lost_after_the_handing_over_leaves_doubt(world: World):
    """It may be at the broker: the answer was yes, and the risk is held."""
    world.tell(place(now_ns=world.now_ns))
    world.settle()
    world.lose(unsent=1)

    assert world.replies["c-k1"].accepted
    assert world.order().state == "in_doubt"
    assert world.order() in world.engine.ledger.orders.at_risk


def test_an_order_is_never_sent_again(world: World):
    """Not by the next session, not by the one after."""
    world.place()
    for _ in range(3):
        world.reconnect()
        world.quote()
        world.wait(30 * SECOND)

    assert len(world.requests(SendOrder)) == 1


def test_a_gate_that_closes_meanwhile_holds_the_order_back(slow_disk: World):
    """1100 while the disk works: the second look sees it."""
    slow_disk.place()
    slow_disk.notice(1100)
    slow_disk.disk_works = True
    slow_disk.settle()

    assert codes(slow_disk.replies["c-k1"].reasons) == ["upstream"]
    assert slow_disk.requests(SendOrder) == []


def test_a_cancel_before_the_sending_keeps_the_order_here(slow_disk: World):
    """Both are answered: the order refused, the cancel accepted; nothing reaches the wire."""
    slow_disk.place()

    outcome = slow_disk.cancel()

    assert outcome is not None
    assert outcome.accepted
    assert codes(slow_disk.replies["c-k1"].reasons) == ["cancelled"]
    slow_disk.disk_works = True
    slow_disk.settle()
    assert slow_disk.requests(SendOrder) == []
    assert slow_disk.requests(SendCancel) == []


def test_a_cancel_before_its_turn_keeps_the_order_here(world: World):
    """The disk has answered, the window is full: the cancel takes the placement out of the queue."""
    for _ in range(45):
        world.engine.pacing.ask(RequestCurrentTime(), epoch=1)
    world.tell()
    world.place()

    world.cancel()
    world.wait(3 * SECOND)

    assert codes(world.replies["c-k1"].reasons) == ["cancelled"]
    assert world.requests(SendOrder) == []


def test_a_cancel_does_not_wait_for_the_disk(world: World):
    """It leaves in the batch that brought it; its record follows."""
    world.working()
    world.disk_works = False

    outcome = world.cancel()

    assert outcome is not None
    assert outcome.accepted
    assert world.requests(SendCancel) == [SendCancel(order_id=FIRST_ID)]
    assert len(world.facts(CancelIntended)) == 1


def test_a_cancel_does_not_wait_for_the_window(world: World):
    """Forty-five messages of other kinds leave five for cancels."""
    world.working()
    for _ in range(60):
        world.engine.pacing.ask(RequestCurrentTime(), epoch=1)
    world.tell()

    world.cancel()

    assert len(world.requests(SendCancel)) == 1


def test_a_cancel_is_not_asked_the_permit(world: World):
    """It reduces risk: trading off, upstream lost, journal failed, it goes."""
    world.working()
    world.notice(1100)
    world.tell(JournalFailed(detail="no space left"))

    world.cancel()

    assert len(world.requests(SendCancel)) == 1


def test_a_cancel_without_a_link_says_so(world: World):
    """Nobody must believe that it is under way."""
    world.working()
    world.lose()

    outcome = world.cancel()

    assert outcome is not None
    assert codes(outcome.reasons) == ["link"]


@pytest.mark.parametrize(("key", "reason"), [("k9", "order"), ("k1", "terminal")])
def test_a_cancel_of_what_is_not_there_is_answered(world: World, key: str, reason: str):
    """An unknown order, and one that has ended."""
    order = world.working()
    world.say(echoed("k1", order.order_id, status="Filled"))

    outcome = world.cancel(key)

    assert outcome is not None
    assert codes(outcome.reasons) == [reason]


def test_an_order_in_doubt_can_be_cancelled(world: World):
    """If it works, the cancel ends it; if not, nothing is lost."""
    world.place()
    world.reconnect()
    assert world.order().state == "in_doubt"

    world.cancel()

    assert len(world.requests(SendCancel)) == 1


def test_a_cancel_that_the_lost_session_did_not_send_is_sent_by_the_next(world: World):
    """It was accepted; nobody would ask again."""
    order = world.working()
    for number in range(50):
        world.engine.pacing.ask(SendCancel(order_id=900 + number), epoch=1)
    world.tell()
    assert world.cancel().accepted  # type: ignore[union-attr]
    assert SendCancel(order_id=order.order_id) not in world.sent
    world.lose()
    world.lists[RequestAllOpenOrders] = [echoed("k1", order.order_id, perm_id=7011)]
    world.connect()

    assert world.requests(SendCancel)[-1] == SendCancel(order_id=order.order_id)


def test_a_cancel_to_a_peer_that_may_be_dead_says_so_and_goes_to_the_next_session(world: World):
    """Accepted, not delivered: it is told after ten seconds, and over when the order is."""
    world.working()
    world.fall_silent()
    world.wait(9 * SECOND)
    outcome = world.cancel()
    assert outcome is not None
    assert (outcome.accepted, codes(outcome.reasons)) == (True, ["not_delivered"])
    world.wait(6 * SECOND)
    assert world.closes
    world.lose()
    world.wait(5 * SECOND)
    assert unreachable(world) == [True]

    world.silent.clear()
    world.connect()
    assert len(world.requests(SendCancel)) == 2
    world.wait(60 * SECOND)
    assert unreachable(world) == [True, False]


def test_a_cancel_that_was_accepted_and_never_left_stays_told_at_another_gateway():
    """It belongs to the first gateway, and nobody there heard of it."""
    world = World(gateways=(A, B)).ready()
    world.wait(60 * SECOND)
    world.working()
    world.fall_silent()
    world.wait(9 * SECOND)
    world.cancel()
    world.wait(6 * SECOND)
    world.silent.clear()
    while world.engine.link.gateway.name == "a":
        world.lose()
        world.wait(60 * SECOND)
    world.open()
    world.identify()
    world.settle()
    world.wait(60 * SECOND)

    assert unreachable(world) == [True]
    [alert] = [alert for alert in world.told(AlertChanged) if alert.key == "orders/unreachable"][-1:]
    assert "k1 at gateway a, its cancel was asked for" in alert.text


def unreachable(world: World) -> list[bool]:
    """The story of the alert: when it was raised, and over; new words are no news."""
    story = [alert.raised for alert in world.told(AlertChanged) if alert.key == "orders/unreachable"]
    return [now for before, now in pairwise([False, *story]) if now is not before]


def test_a_cancel_is_sent_after_a_restart_too(world: World):
    """The journal knows that it was asked for; whether it left, nobody knows."""
    order = world.working()
    world.cancel()
    world.settle()
    later = world.restarted()
    later.lists[RequestAllOpenOrders] = [echoed("k1", order.order_id, perm_id=7011)]
    later.ready()

    assert later.requests(SendCancel) == [SendCancel(order_id=order.order_id)]


def test_a_cancel_with_its_effect_is_not_sent_again(world: World):
    """What has ended needs no cancel."""
    order = world.working()
    world.cancel()
    world.say(echoed("k1", order.order_id, status="Cancelled"))
    world.reconnect()

    assert len(world.requests(SendCancel)) == 1


def test_a_cancel_in_a_loop_waits_once(world: World):
    """A program that hammers the cancel must not fill the queue, which would stop the service."""
    world.working()
    for number in range(2_000):
        world.cancel(command_id=f"x{number}")

    assert world.engine.pacing.waiting <= 1


# --- The same key -------------------------------------------------------------------------------------------------


def test_the_same_key_and_terms_return_the_recorded_outcome(world: World):
    """However often it is asked: one order on the wire."""
    world.place()
    for number in range(3):
        again = place(now_ns=world.now_ns, command_id=f"again-{number}", order_key=f"other-{number}")
        world.tell(again)
        outcome = world.replies[again.command_id]
        assert outcome.accepted
        assert outcome.repeated
        assert (outcome.order_key, outcome.order_id) == ("k1", FIRST_ID)
        world.settle()

    assert len(world.requests(SendOrder)) == 1


def test_the_same_key_with_other_terms_is_refused(world: World):
    """Somebody believes it is another order."""
    world.place()
    again = place(now_ns=world.now_ns, command_id="again", quantity=Decimal(101))
    world.tell(again)

    assert codes(world.replies["again"].reasons) == ["idempotency"]
    assert world.replies["again"].order_key == "k1"


def test_a_refusal_is_an_outcome_too(world: World):
    """The same key does not try again until it fits."""
    world.place(expires_in_ns=0)

    again = place(now_ns=world.now_ns, command_id="again")
    world.tell(again)
    world.settle()

    assert codes(world.replies["again"].reasons) == ["expired"]
    assert world.requests(SendOrder) == []


def test_the_same_key_is_known_after_a_restart(world: World):
    """The outcome comes from the journal."""
    world.place()
    later = world.restarted().ready()

    later.tell(place(now_ns=later.now_ns, command_id="again"))
    later.settle()

    assert later.replies["again"].repeated
    assert later.replies["again"].order_id == FIRST_ID
    assert later.requests(SendOrder) == []


def test_a_repeat_that_leaves_the_account_out_is_a_repeat(world: World):
    """After a restart, before the session has told its accounts, the same command must find its outcome."""
    world.place(account="")
    later = world.restarted()

    later.tell(place(now_ns=later.now_ns, command_id="again", account=""))

    assert later.replies["again"].accepted
    assert later.replies["again"].order_id == FIRST_ID


@pytest.mark.parametrize(
    "changes",
    [
        {"outside_rth": True},
        {"account": "DU2"},
        {"quantity": Decimal(99)},
        {"limit_price": Decimal("500.11")},
        {"market": True},
        {"sell": True},
        {"tif": TimeInForce.IOC},
        {"outside_rth": True, "account": ""},
    ],
)
def test_each_term_makes_another_order(world: World, changes: dict[str, Any]):
    """Whatever differs, it is not the order that the key stands for."""
    world.place()
    world.tell(place(now_ns=world.now_ns, command_id="again", **changes))

    assert codes(world.replies["again"].reasons) == ["idempotency"]


def test_two_keys_in_one_batch_are_two_orders(world: World):
    """Ids and frames follow the order of the commands."""
    world.tell(place("k1", now_ns=world.now_ns), place("k2", now_ns=world.now_ns, sell=True))
    world.settle()

    assert [(order.order_id, order.order_ref) for order in world.requests(SendOrder)] == [(11, "k1"), (12, "k2")]


def test_two_commands_of_one_key_in_one_batch_are_one_order(world: World):
    """The second finds the first one's intent."""
    world.tell(place(now_ns=world.now_ns), place(now_ns=world.now_ns, command_id="again"))
    world.settle()

    assert len(world.requests(SendOrder)) == 1
    assert world.replies["again"].repeated


# --- The disk fails -----------------------------------------------------------------------------------------------


def test_a_failed_journal_refuses_what_waits_for_it(slow_disk: World):
    """Nothing is sent whose intent may not be on disk."""
    slow_disk.place()
    slow_disk.tell(JournalFailed(detail="no space left"))
    slow_disk.wait(10 * SECOND)

    assert codes(slow_disk.replies["c-k1"].reasons) == ["journal"]
    assert slow_disk.requests(SendOrder) == []


def test_a_failed_journal_holds_back_what_waits_for_its_turn(world: World):
    """The disk had this one; the gate is closed all the same."""
    for _ in range(45):
        world.engine.pacing.ask(RequestCurrentTime(), epoch=1)
    world.tell()
    world.place()
    world.tell(JournalFailed(detail="no space left"))
    world.wait(3 * SECOND)

    assert codes(world.replies["c-k1"].reasons) == ["journal"]
    assert world.requests(SendOrder) == []


def test_an_order_that_cannot_be_encoded_is_refused(world: World):
    """Nothing of it reached the socket, so there is no doubt."""
    order = world.requests(SendOrder)
    world.disk_works = False
    world.place()
    intent = world.facts(OrderIntended)[0]
    out = Outbox()
    world.engine.receive([Durable(seq=len(world.journal))], world.now_ns, out)
    request = out.sends[0].request
    world.tell(SendFailed(request=request, detail="account: not ASCII"))

    assert order == []
    assert world.order().state == "refused"
    assert world.facts(OrderRefused)[-1].order_id == intent.order_id


def test_every_command_is_answered_once(world: World):
    """Accepted, refused, lost, cancelled: whoever asked hears of it, one time."""
    world.tell(*(place(f"k{n}", now_ns=START_NS, quantity=Decimal(n + 1)) for n in range(15)))
    world.settle()
    world.tell(world.named(NextValidId, order_id=5))
    world.lose()
    world.wait(10 * SECOND)

    assert len(world.replies) == 15


@pytest.fixture
def handed_over(world: World) -> OrderIntended:
    """An order that the session has, and of whose bytes it has said nothing yet."""
    world.disk_works = False
    world.place()
    world.engine.receive([Durable(seq=len(world.journal))], world.now_ns, Outbox())
    return world.facts(OrderIntended)[0]


def withheld(world: World, order_id: int, epoch: int) -> FrameWithheld:
    return FrameWithheld(epoch=epoch, ts_recv_ns=world.now_ns, order_id=order_id, detail="the lease is lost")


def test_an_order_whose_frame_was_withheld_is_refused(world: World, handed_over: OrderIntended):
    """The fence closed between the permit and the socket: never sent, so no doubt, and no risk."""
    world.tell(withheld(world, handed_over.order_id, handed_over.epoch))

    refusal = world.facts(OrderRefused)[-1]
    assert world.order().state == "refused"
    assert (refusal.order_id, refusal.reasons[0].text) == (handed_over.order_id, "the lease is lost")


def test_a_frame_withheld_on_another_connection_says_nothing_of_this_order(world: World, handed_over: OrderIntended):
    """Order ids may repeat at another gateway: only the connection that the order was meant for can withhold it."""
    world.tell(withheld(world, handed_over.order_id, handed_over.epoch - 1))

    assert world.facts(OrderRefused) == []
