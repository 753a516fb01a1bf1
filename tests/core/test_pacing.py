"""The sliding window: how fast we speak, who goes first, and that nobody is forgotten."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.effects import Outbox
from ibkr_adapter.requests import Request, RequestAllOpenOrders, RequestCurrentTime, SendCancel, SendOrder
from tests.core.world import SPY


def order(order_id: int) -> SendOrder:
    return SendOrder(
        order_id=order_id,
        order_ref=f"k{order_id}",
        terms=OrderTerms(instrument=SPY, action="BUY", order_type="MKT", quantity=Decimal(1), account="DU1"),
    )


def pacing() -> Pacing:
    return Pacing(messages_max=45, messages_reserved=5)


def released(pacing: Pacing, now_ns: int, confirm: bool = True) -> list[Request]:
    out = Outbox()
    pacing.release(now_ns, out, lambda send: confirm)
    return [send.request for send in out.sends]


def test_cancels_go_before_orders_and_orders_before_the_rest():
    """What reduces risk goes first."""
    lanes = pacing()
    for request in (RequestCurrentTime(), order(1), SendCancel(order_id=9), order(2), SendCancel(order_id=8)):
        lanes.ask(request, epoch=1)

    sent = released(lanes, 0)

    assert sent == [SendCancel(order_id=9), SendCancel(order_id=8), order(1), order(2), RequestCurrentTime()]


def test_a_cancel_has_room_when_all_else_has_none():
    """Forty-five messages fill the second; five cancels still fit, a sixth waits."""
    lanes = pacing()
    for _ in range(60):
        lanes.ask(RequestCurrentTime(), epoch=1)
    assert len(released(lanes, 0)) == 45

    for order_id in range(6):
        lanes.ask(SendCancel(order_id=order_id), epoch=1)

    assert released(lanes, 1) == [SendCancel(order_id=order_id) for order_id in range(5)]
    assert lanes.waiting == 16


def test_the_window_slides_and_does_not_jump():
    """What was sent at 0.9 s still counts at 1.1 s, whatever calendar second it is."""
    lanes = pacing()
    for at_ns, count in ((0, 5), (900 * MILLISECOND, 40)):
        for _ in range(count):
            lanes.ask(RequestCurrentTime(), epoch=1)
        assert len(released(lanes, at_ns)) == count
    for _ in range(45):
        lanes.ask(RequestCurrentTime(), epoch=1)

    assert len(released(lanes, 1_100 * MILLISECOND)) == 5
    assert lanes.last_second(1_100 * MILLISECOND) == 45


def test_what_waits_asks_for_the_moment_it_fits():
    """The alarm is the moment at which the oldest message leaves the window."""
    lanes = pacing()
    for _ in range(46):
        lanes.ask(RequestCurrentTime(), epoch=1)
    out = Outbox()

    lanes.release(7, out, lambda send: True)

    assert out.wake_at_ns == 7 + SECOND
    assert len(released(lanes, 7 + SECOND)) == 1


def test_a_new_session_does_not_start_with_a_fresh_window():
    """The gateway counts messages, not our sessions."""
    lanes = pacing()
    for _ in range(45):
        lanes.ask(RequestCurrentTime(), epoch=1)
    released(lanes, 0)
    lanes.ask(order(1), epoch=1)

    lanes.forget_session(1)

    assert lanes.waiting == 0
    lanes.ask(order(2), epoch=2)
    assert released(lanes, SECOND - 1) == []
    assert released(lanes, SECOND) == [order(2)]


def test_what_waits_for_another_session_is_not_dropped_with_this_one():
    """Only the lost epoch's requests go."""
    lanes = pacing()
    lanes.ask(order(1), epoch=1)
    lanes.ask(order(2), epoch=2)

    lanes.forget_session(1)

    assert released(lanes, 0) == [order(2)]


def test_what_is_held_back_is_gone_and_takes_no_room():
    """``confirm`` that says no drops the message for good, and the window does not count it."""
    lanes = pacing()
    lanes.ask(order(1), epoch=1)

    assert released(lanes, 0, confirm=False) == []

    assert lanes.waiting == 0
    assert lanes.last_second(0) == 0


def test_a_waiting_placement_can_be_taken_back():
    """Withdrawn once, it is not there a second time."""
    lanes = pacing()
    lanes.ask(order(1), epoch=1)
    lanes.ask(order(2), epoch=1)

    assert lanes.withdraw(1)
    assert not lanes.withdraw(1)

    assert released(lanes, 0) == [order(2)]


def test_asking_in_a_loop_fails_loudly():
    """A queue without a bound would hide the defect and then the memory."""
    lanes = pacing()
    for _ in range(Pacing.WAITING_MAX):
        lanes.ask(RequestAllOpenOrders(), epoch=1)

    with pytest.raises(AssertionError, match="asks in a loop"):
        lanes.ask(RequestAllOpenOrders(), epoch=1)


def test_after_code_100_half_as_much_is_said_for_a_minute():
    """The gateway counted too many; cancels keep their reserve."""
    lanes = pacing()
    lanes.slow_down(0)
    for number in range(100):
        lanes.ask(order(number + 1), epoch=1)
        lanes.ask(SendCancel(order_id=1_000 + number), epoch=1)

    first = released(lanes, 0)
    assert len(first) == 22 + 5
    assert all(isinstance(request, SendCancel) for request in first)
    assert lanes.limit(60 * SECOND - 1) == 22
    assert lanes.limit(60 * SECOND) == 45
    assert len(released(lanes, 60 * SECOND)) == 50


class Speaking(RuleBasedStateMachine):
    """Any mix of asking, waiting, and losing sessions keeps the limits and the order, and loses nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = pacing()
        self.now_ns = 0
        self.epoch = 1
        self.asked: list[Request] = []
        self.sent: list[tuple[int, Request]] = []
        self.following = 0

    @rule(count=st.integers(1, 70), kind=st.sampled_from(["cancel", "order", "rest"]))
    def ask(self, count: int, kind: str) -> None:
        for _ in range(count):
            self.following += 1
            request: Request = {
                "cancel": SendCancel(order_id=self.following),
                "order": order(self.following),
                "rest": RequestAllOpenOrders(),
            }[kind]
            self.lanes.ask(request, epoch=self.epoch)
            self.asked.append(request)

    @rule(ns=st.integers(0, 3 * SECOND // 2))
    def release(self, ns: int) -> None:
        self.now_ns += ns
        self.sent += [(self.now_ns, request) for request in released(self.lanes, self.now_ns)]

    @rule()
    def lose_the_session(self) -> None:
        self.lanes.forget_session(self.epoch)
        self.asked = [request for _, request in self.sent]
        self.epoch += 1

    @rule()
    def be_told_to_slow_down(self) -> None:
        self.lanes.slow_down(self.now_ns)

    @invariant()
    def no_second_holds_more_than_it_may(self) -> None:
        for index, (start_ns, _) in enumerate(self.sent):
            second = [request for at_ns, request in self.sent[index:] if at_ns < start_ns + SECOND]
            assert len(second) <= 50
            last = second[-1]
            if not isinstance(last, SendCancel) and len(second) > 45:
                others = [request for request in second if not isinstance(request, SendCancel)]
                assert len(others) <= 45

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.asked) == len(self.sent) + self.lanes.waiting

    @invariant()
    def each_lane_keeps_its_order(self) -> None:
        for kind in (SendCancel, SendOrder):
            ids = [request.order_id for _, request in self.sent if isinstance(request, kind)]
            assert ids == sorted(ids)


Speaking.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSpeaking = Speaking.TestCase
