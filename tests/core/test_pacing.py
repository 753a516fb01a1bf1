"""How fast we speak: no second holds too much, whoever goes first, and nobody waits for good."""

from __future__ import annotations

from decimal import Decimal
from itertools import count, pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ibkr_adapter.clock import MILLISECOND, MINUTE, SECOND
from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.core.link.lanes import Lane, lane_of
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.effects import FramesTaken, Outbox
from ibkr_adapter.events import AlertChanged, AlertSeverity, LossCause, SessionLost
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import (
    CancelHistory,
    CancelQuotes,
    Request,
    RequestAllOpenOrders,
    RequestContractDetails,
    RequestCurrentTime,
    RequestHistory,
    RequestMatchingSymbols,
    SendCancel,
    SendOrder,
    SetDataType,
    SubscribeBars,
    SubscribeQuotes,
    SubscribeTickByTick,
)
from ibkr_adapter.snapshot import HeldView
from tests.core.world import QQQ, SPY, World


def lost(epoch: int) -> SessionLost:
    return SessionLost(ts_recv_ns=0, epoch=epoch, gateway="a", client_id=1, cause=LossCause.RESET)


def order(order_id: int) -> SendOrder:
    return SendOrder(
        order_id=order_id,
        order_ref=f"k{order_id}",
        terms=OrderTerms(instrument=SPY, action="BUY", order_type="MKT", quantity=Decimal(1), account="DU1"),
    )


def quotes(req_id: int) -> SubscribeQuotes:
    return SubscribeQuotes(req_id=req_id, instrument=SPY)


def history(req_id: int, **terms: object) -> RequestHistory:
    """Each of other bars of SPY than the next: a different end."""
    fields: dict[str, object] = {
        "instrument": SPY,
        "duration": "1800 S",
        "bar_size": "5 secs",
        "end_ns": req_id * SECOND,
    }
    return RequestHistory(req_id=req_id, **(fields | terms))  # type: ignore[arg-type]  # a test's own terms


def pacing(burst_max: int = 45) -> Pacing:
    """With a burst of a whole second, unless the shape is what the test is about."""
    return Pacing(messages_max=45, messages_reserved=5, burst_max=burst_max)


def asking(lanes: Pacing, *requests: Request) -> Pacing:
    for request in requests:
        lanes.ask(request, epoch=1)
    return lanes


def released(pacing: Pacing, now_ns: int, confirm: bool = True) -> list[Request]:
    return release(pacing, now_ns, confirm)[0]


def release(pacing: Pacing, now_ns: int, confirm: bool = True) -> tuple[list[Request], int | None]:
    """What went, and when more may."""
    out = Outbox()
    pacing.release(now_ns, out, lambda send: confirm)
    return [send.request for send in out.sends], out.wake_at_ns


def drained(lanes: Pacing, now_ns: int = 0, wakes_max: int = 10_000) -> list[tuple[int, Request]]:
    """Everything, each with its moment; time passes from one wake-up to the next, and each brings something."""
    sent: list[tuple[int, Request]] = []
    for _ in range(wakes_max):
        requests, wake_ns = release(lanes, now_ns)
        assert requests or not sent, f"woken at {now_ns} for nothing"
        sent += [(now_ns, request) for request in requests]
        if wake_ns is None:
            return sent
        assert wake_ns > now_ns
        now_ns = wake_ns
    raise AssertionError("it does not come to an end")


# --- Lanes --------------------------------------------------------------------------------------------------------


def test_each_lane_goes_before_the_next():
    """What reduces risk goes first, then orders, what is at risk, details, streams, and the rest."""
    wanted = [
        SendCancel(order_id=9),
        SendCancel(order_id=8),
        order(1),
        order(2),
        RequestCurrentTime(),
        RequestContractDetails(req_id=1, instrument=SPY),
        quotes(2),
        history(3),
    ]
    assert [lane_of(request) for request in wanted] == [0, 0, 1, 1, 2, 3, 4, 5]
    lanes = asking(pacing(), *(wanted[index] for index in (7, 6, 5, 4, 2, 0, 3, 1)))

    assert released(lanes, 0) == wanted


def test_within_the_lane_of_streams_room_is_made_before_it_is_taken():
    """The kind of data first, which holds for later streams; then what frees a line; then streams by priority."""
    lanes = pacing()
    for request, priority in (
        (quotes(1), 3),
        (quotes(2), 1),
        (CancelQuotes(req_id=9), 0),
        (SetDataType(data_type=3), 0),
    ):
        lanes.ask(request, epoch=1, priority=priority)

    assert released(lanes, 0) == [SetDataType(data_type=3), CancelQuotes(req_id=9), quotes(2), quotes(1)]


def test_a_sign_of_life_does_not_wait_behind_lists():
    """A peer that answers in time is not suspected because our own queue is long."""
    lanes = asking(pacing(), RequestAllOpenOrders(), RequestAllOpenOrders(), RequestCurrentTime())

    assert released(lanes, 0) == [RequestCurrentTime(), RequestAllOpenOrders(), RequestAllOpenOrders()]


def test_a_stream_that_was_never_asked_for_is_not_cancelled():
    """A cancel takes its waiting request away, and goes with it; one of another number goes out."""
    lanes = asking(pacing(), quotes(1), quotes(2), history(3), CancelQuotes(req_id=1), CancelHistory(req_id=3))

    assert released(lanes, 0) == [quotes(2)]

    asking(lanes, CancelQuotes(req_id=2))
    assert released(lanes, 1) == [CancelQuotes(req_id=2)]


def test_orders_that_use_up_every_second_leave_each_lane_one_message_of_it():
    """A lane that has had no turn for a second has the next one, so none waits for good."""
    lanes = pacing(burst_max=5)
    for number in range(20):
        asking(lanes, RequestCurrentTime(), RequestContractDetails(req_id=number, instrument=SPY))
        asking(lanes, quotes(100 + number), history(200 + number, bar_size="1 day"))
    order_ids = count(1)
    asking(lanes, *(order(next(order_ids)) for _ in range(60)))
    sent: list[tuple[int, Request]] = []
    now_ns = 0
    while now_ns < 10 * SECOND:
        requests, wake_ns = release(lanes, now_ns)
        sent += [(now_ns, request) for request in requests]
        asking(lanes, *(order(next(order_ids)) for request in requests))
        assert wake_ns is not None
        now_ns = wake_ns

    for lane in (Lane.TRUTH, Lane.DETAILS, Lane.SUBSCRIPTIONS, Lane.OTHER):
        turns = [at_ns for at_ns, request in sent if lane_of(request) is lane]
        assert turns[0] <= 2 * SECOND
        assert all(later - earlier <= 2 * SECOND for earlier, later in pairwise(turns))
    assert sum(isinstance(request, SendOrder) for _, request in sent) > 35 * 10


# --- The window ---------------------------------------------------------------------------------------------------


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
    for at_ns, number in ((0, 5), (900 * MILLISECOND, 40)):
        for _ in range(number):
            lanes.ask(RequestCurrentTime(), epoch=1)
        assert len(released(lanes, at_ns)) == number
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

    lanes.session_lost(lost(1), 0, Outbox())

    assert lanes.waiting == 0
    lanes.ask(order(2), epoch=2)
    assert released(lanes, SECOND - 1) == []
    assert released(lanes, SECOND) == [order(2)]


def test_what_waits_for_another_session_is_not_dropped_with_this_one():
    """Only the lost epoch's requests go."""
    lanes = pacing()
    lanes.ask(order(1), epoch=1)
    lanes.ask(order(2), epoch=2)

    lanes.session_lost(lost(1), 0, Outbox())

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


def test_a_second_complaint_within_an_hour_is_told():
    """One may be a stall of the gateway; at the third of one session it hangs up."""
    lanes = pacing()
    lanes.slow_down(0)
    assert lanes.slowed(MINUTE - 1)
    assert not lanes.slowed(MINUTE)
    assert list(lanes.conditions(0)) == []

    lanes.slow_down(59 * MINUTE)

    (condition,) = lanes.conditions(59 * MINUTE)
    assert (condition.key, condition.severity) == ("pacing/violated", AlertSeverity.CRITICAL)
    assert list(lanes.conditions(60 * MINUTE)) == []


def test_the_full_budget_is_waited_for_where_it_comes_before_room_in_half_of_it():
    """The wake-up is the earlier of both moments, so that patience lasts no longer than it has to."""
    lanes = asking(pacing(), *(order(number) for number in range(1, 61)))
    lanes.slow_down(-MINUTE + SECOND // 2)
    assert release(lanes, 0) == ([order(number) for number in range(1, 23)], SECOND // 2)

    assert release(lanes, SECOND // 2) == ([order(number) for number in range(23, 46)], SECOND)


# --- The shape ----------------------------------------------------------------------------------------------------


def test_a_budget_does_not_leave_in_one_burst():
    """Five in a tenth of a second, as much as the window allows, and not one wake-up for nothing."""
    lanes = asking(pacing(burst_max=5), *(quotes(number) for number in range(100)))

    sent = drained(lanes)

    moments_ns = [at_ns for at_ns, _ in sent]
    assert [request for _, request in sent] == [quotes(number) for number in range(100)]
    assert all(later - earlier >= 100 * MILLISECOND for earlier, later in zip(moments_ns, moments_ns[5:], strict=False))
    assert moments_ns[44] == 800 * MILLISECOND
    assert moments_ns[45] == SECOND
    assert moments_ns[-1] == 2 * SECOND + 100 * MILLISECOND


def test_orders_and_cancels_do_not_wait_for_the_shape():
    """They leave at once, however much else waits."""
    lanes = asking(pacing(burst_max=5), *(quotes(number) for number in range(20)))
    assert len(released(lanes, 0)) == 5

    asking(lanes, *(order(number) for number in range(1, 11)), SendCancel(order_id=99))

    assert released(lanes, 1) == [SendCancel(order_id=99), *(order(number) for number in range(1, 11))]


def test_what_a_new_session_asks_for_fits_into_two_seconds():
    """Four lists, ids, the time, the account, ten details, fifty streams."""
    lanes = asking(pacing(burst_max=5), *(RequestAllOpenOrders() for _ in range(7)), SetDataType(data_type=3))
    asking(lanes, *(RequestContractDetails(req_id=number, instrument=SPY) for number in range(10)))
    asking(lanes, *(quotes(number) for number in range(50)))

    sent = drained(lanes)

    assert len(sent) == 68
    assert sent[-1][0] < 2 * SECOND
    assert all(at_ns <= 100 * MILLISECOND for at_ns, request in sent if request == RequestAllOpenOrders())


# --- Deadlines ----------------------------------------------------------------------------------------------------


def test_what_waited_past_its_deadline_is_told_and_never_sent():
    """Whoever asked hears of it at the moment, once, and may ask anew."""
    lanes = asking(pacing(), *(order(number) for number in range(1, 46)))
    released(lanes, 0)
    late: list[Request] = []

    def again(request: Request) -> None:
        late.append(request)
        lanes.ask(quotes(7), epoch=1)

    lanes.ask(quotes(1), epoch=1, deadline_ns=SECOND // 2, expired=again)
    lanes.ask(quotes(2), epoch=1, deadline_ns=2 * SECOND, expired=again)
    assert release(lanes, 1) == ([], SECOND // 2)
    assert late == []

    assert release(lanes, SECOND // 2) == ([], SECOND)
    assert late == [quotes(1)]
    assert lanes.view(SECOND // 2).expired == 1

    assert release(lanes, SECOND) == ([quotes(2), quotes(7)], None)
    assert late == [quotes(1)]


def test_what_is_gone_before_its_deadline_is_not_told():
    """Sent, taken back or lost with its session: a deadline concerns what waits."""
    lanes = pacing()
    late: list[Request] = []
    for number, epoch in ((1, 1), (2, 2), (3, 2)):
        lanes.ask(quotes(number), epoch=epoch, deadline_ns=SECOND, expired=late.append)
    lanes.session_lost(lost(1), 0, Outbox())
    lanes.ask(CancelQuotes(req_id=2), epoch=2)

    assert release(lanes, 0) == ([quotes(3)], None)
    assert release(lanes, 2 * SECOND) == ([], None)
    assert late == []


# --- What has limits of its own -----------------------------------------------------------------------------------


def test_small_bars_come_sixty_in_ten_minutes():
    """The rest waits in order, until when and why can be seen, and nothing else waits for it."""
    lanes = pacing()
    for number in range(60):
        lanes.ask(history(number, instrument=(SPY, QQQ)[number % 2]), epoch=1)
    sent = drained(lanes)
    assert len(sent) == 50
    assert lanes.view(sent[-1][0]).held == (
        HeldView(kind="history", waiting=10, since_ns=0, reason="50 requests are unanswered"),
    )
    for _, request in sent:
        assert isinstance(request, RequestHistory)
        lanes.answered(request.req_id)
    sent += drained(lanes, sent[-1][0])
    now_ns = sent[-1][0]
    assert len(sent) == 60

    asking(lanes, history(99), history(98, bar_size="1 day"), quotes(100))

    requests, wake_ns = release(lanes, now_ns)
    assert requests == [quotes(100)]
    assert wake_ns == sent[0][0] + 10 * MINUTE + SECOND // 4
    (held,) = lanes.view(now_ns).held
    assert (held.waiting, held.next_ns, held.reason) == (2, wake_ns, "60 in ten minutes")
    assert released(lanes, wake_ns) == [history(99), history(98, bar_size="1 day")]


def test_large_bars_are_not_limited_but_by_fifty_open():
    """Ten minutes of patience are for bars of half a minute and less."""
    lanes = asking(pacing(), *(history(number, bar_size="1 min", end_ns=None) for number in range(51)))
    assert len(drained(lanes)) == 50

    asking(lanes, CancelHistory(req_id=7))

    sent = released(lanes, 10 * SECOND)
    assert sent == [CancelHistory(req_id=7), history(50, bar_size="1 min", end_ns=None)]


def test_a_session_that_ends_has_no_request_open_any_more():
    """But the sixty of ten minutes are the login's, and stay counted."""
    lanes = asking(pacing(), *(history(number, what_to_show=f"KIND {number % 11}") for number in range(55)))
    assert len(drained(lanes)) == 50

    lanes.session_lost(lost(1), 10 * SECOND, Outbox())

    for number in range(55, 66):
        lanes.ask(history(number, what_to_show=f"KIND {number % 11}"), epoch=2)
    assert len(released(lanes, 10 * SECOND)) == 10


def test_the_same_bars_are_not_asked_for_twice_within_fifteen_seconds():
    """The same of another number and of another client of ours is the same; what is behind it passes."""
    lanes = asking(pacing(), history(1), history(2, end_ns=SECOND + 1), history(3))

    assert drained(lanes) == [
        (0, history(1)),
        (0, history(3)),
        (15 * SECOND + SECOND // 4, history(2, end_ns=SECOND + 1)),
    ]


def test_bars_of_bid_and_ask_count_twice():
    """Two at a time instead of five; of another contract others go meanwhile."""
    spy = [history(number, what_to_show="BID_ASK") for number in range(4)]
    qqq = [history(number, instrument=QQQ) for number in range(10, 16)]
    lanes = asking(pacing(), *spy, *qqq)

    later_ns = 2 * SECOND + SECOND // 4
    assert drained(lanes) == [
        *((0, request) for request in (*spy[:2], *qqq[:5])),
        *((later_ns, request) for request in (*spy[2:], qqq[5])),
    ]


def test_an_instrument_s_ticks_are_asked_for_every_fifteen_seconds():
    """Those of another instrument do not wait for it."""
    ticks = [
        SubscribeTickByTick(req_id=number, instrument=instrument, tick_type="Last")
        for number, instrument in enumerate((SPY, SPY, QQQ))
    ]

    sent = drained(asking(pacing(), *ticks))

    assert sent == [(0, ticks[0]), (0, ticks[2]), (15 * SECOND + SECOND // 4, ticks[1])]


def test_five_second_bars_come_sixty_in_ten_minutes_and_symbols_one_in_a_second():
    """Each class waits for itself alone."""
    bars = [SubscribeBars(req_id=number, instrument=SPY) for number in range(61)]
    symbols = [RequestMatchingSymbols(req_id=100 + number, pattern="S") for number in range(3)]

    sent = drained(asking(pacing(), *bars, *symbols))

    step_ns = SECOND + SECOND // 4
    assert [at_ns for at_ns, request in sent if request in symbols] == [0, step_ns, 2 * step_ns]
    assert [request for _, request in sent if request in bars] == bars
    assert sent[-1] == (10 * MINUTE + SECOND // 4, bars[-1])


# --- What reaches the socket --------------------------------------------------------------------------------------


def test_a_blocked_socket_does_not_let_two_seconds_go_in_one():
    """Forty-five wait in the socket for a second and leave at once: as of then no more fit."""
    lanes = asking(pacing(), *(order(number) for number in range(1, 91)))
    assert len(released(lanes, 0)) == 45

    lanes.reported(SECOND, unsent=45, written_ns=0)
    assert release(lanes, SECOND) == ([], 2 * SECOND)

    lanes.reported(2 * SECOND, unsent=0, written_ns=2 * SECOND - 1)  # they left just before we looked
    assert release(lanes, 2 * SECOND) == ([], 3 * SECOND - 1)
    assert len(released(lanes, 3 * SECOND - 1)) == 45


def test_what_was_written_at_once_counts_from_then():
    """The report of a quick socket costs nothing: the window is as long as without it."""
    lanes = asking(pacing(), *(order(number) for number in range(1, 91)))
    assert len(released(lanes, 0)) == 45

    lanes.reported(SECOND // 2, unsent=0, written_ns=1_000)

    assert release(lanes, SECOND // 2) == ([], SECOND + 1_000)


def test_the_session_s_own_message_counts():
    """The one with which a session begins."""
    lanes = asking(pacing(), *(order(number) for number in range(1, 91)))
    lanes.spoke(0)
    assert len(released(lanes, 0)) == 44


def test_who_waits_can_be_seen():
    """By lane, with the time since when."""
    lanes = asking(pacing(burst_max=5), *(quotes(number) for number in range(7)))
    released(lanes, 3)
    asking(lanes, *(order(number) for number in range(1, 51)))
    released(lanes, 4)

    view = lanes.view(4)

    assert (view.last_second, view.limit, view.reserved, view.waiting, view.halved_until_ns) == (45, 45, 5, 12, None)
    assert [(lane.lane, lane.waiting, lane.since_ns) for lane in view.lanes if lane.waiting] == [
        ("orders", 10, 4),
        ("subscriptions", 2, 3),
    ]
    lanes.slow_down(5)
    assert lanes.view(5).halved_until_ns == MINUTE + 5


# --- In the engine ------------------------------------------------------------------------------------------------


def test_after_a_complaint_the_service_halves_its_pace_and_after_two_it_calls():
    """B20: seen at once by who looks, told when it happens again within the hour."""
    world = World().ready()
    world.notice(100)
    rate = world.engine.snapshot(world.now_ns).rate
    assert (rate.limit, rate.halved_until_ns) == (22, world.now_ns + MINUTE)
    assert "pacing/violated" not in told(world)

    world.wait(59 * MINUTE)
    assert world.engine.snapshot(world.now_ns).rate.limit == 45
    world.notice(100)

    assert "pacing/violated" in told(world)


def told(world: World) -> list[str]:
    return [event.key for event in world.published if isinstance(event, AlertChanged) and event.raised]


def test_a_session_with_fifty_streams_is_complete_within_three_seconds():
    """Lists at once, then details and streams, five in a tenth of a second, within the budget of every second."""
    instruments = tuple(Instrument(symbol=f"S{number}", con_id=number) for number in range(1, 51))
    world = World(messages_burst=5, instruments=instruments)
    world.connect()
    begun_ns = world.now_ns

    for _ in range(60):
        world.wait(50 * MILLISECOND)
        if world.engine.link.ready and not world.engine.pacing.waiting:
            break

    asked = [request.instrument for request in world.sent if isinstance(request, SubscribeQuotes)]
    assert sorted(asked, key=lambda each: each.con_id or 0) == list(instruments)
    assert world.now_ns - begun_ns <= 3 * SECOND


def test_the_engine_counts_what_the_socket_has_taken():
    """What waits in the socket of the present session stays in the window; another session's report says nothing."""
    world = World().ready()
    world.wait(10 * SECOND)
    for number in range(45):
        world.engine.pacing.ask(RequestContractDetails(req_id=number, instrument=SPY), epoch=world.epoch)
    world.tell()
    world.now_ns += SECOND

    world.tell(
        FramesTaken(epoch=world.epoch, unsent=40, written_ns=world.now_ns - SECOND // 2),
        FramesTaken(epoch=world.epoch - 1, unsent=0, written_ns=world.now_ns),
    )

    assert world.engine.pacing.last_second(world.now_ns) >= 45
    assert 40 <= world.engine.pacing.last_second(world.now_ns + SECOND // 2) < 45
    assert world.engine.pacing.last_second(world.now_ns + SECOND) == 0


class Speaking(RuleBasedStateMachine):
    """Whatever is asked, however time passes and the socket blocks: limits and order are kept, and nothing is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = pacing(burst_max=5)
        self.now_ns = 0
        self.epoch = 1
        self.asked = 0
        self.sent: list[tuple[int, Request]] = []
        self.following = 0
        self.blocked = False
        self.unsent: list[Request] = []
        self.written: list[tuple[int, Request]] = []
        self.written_ns = 0

    @rule(
        count=st.integers(1, 70),
        kind=st.sampled_from(["cancel", "order", "truth", "details", "stream", "ticks", "history"]),
    )
    def ask(self, count: int, kind: str) -> None:
        for _ in range(count):
            self.following += 1
            number = self.following
            request: Request = {
                "cancel": SendCancel(order_id=number),
                "order": order(number),
                "truth": RequestAllOpenOrders(),
                "details": RequestContractDetails(req_id=number, instrument=SPY),
                "stream": quotes(number),
                "ticks": SubscribeTickByTick(req_id=number, instrument=(SPY, QQQ)[number % 2], tick_type="Last"),
                "history": history(number % 7, what_to_show=("TRADES", "BID_ASK")[number % 2]),
            }[kind]
            self.lanes.ask(request, epoch=self.epoch)
        self.asked += count

    @rule(ns=st.one_of(st.integers(0, 3), st.integers(0, 3 * SECOND // 2), st.just(SECOND), st.just(20 * SECOND)))
    def release(self, ns: int) -> None:
        self.now_ns += ns
        self.lanes.reported(self.now_ns, unsent=len(self.unsent), written_ns=self.written_ns)
        requests, wake_ns = release(self.lanes, self.now_ns)
        assert wake_ns is None or wake_ns > self.now_ns
        self.sent += [(self.now_ns, request) for request in requests]
        self.unsent += requests
        if not self.blocked:
            self._write()

    @rule()
    def block_the_socket(self) -> None:
        self.blocked = True

    @rule(ns=st.integers(0, 2 * SECOND))
    def unblock_the_socket(self, ns: int) -> None:
        self.now_ns += ns
        self.blocked = False
        self._write()

    def _write(self) -> None:
        if self.unsent:
            self.written_ns = self.now_ns
        self.written += [(self.now_ns, request) for request in self.unsent]
        self.unsent.clear()

    @rule()
    def lose_the_session(self) -> None:
        self.asked -= self.lanes.waiting
        self.lanes.session_lost(lost(self.epoch), self.now_ns, Outbox())
        self.unsent.clear()
        self.epoch += 1

    @rule()
    def be_told_to_slow_down(self) -> None:
        self.lanes.slow_down(self.now_ns)

    @invariant()
    def no_second_holds_more_than_it_may(self) -> None:
        """Neither as we release nor as the socket takes: 50 of all, 45 of what is no cancel, 5 shaped in a tenth."""
        for moments in (self.sent, self.written):
            every = [at_ns for at_ns, _ in moments]
            normal = [at_ns for at_ns, request in moments if not isinstance(request, SendCancel)]
            assert all(later - earlier >= SECOND for earlier, later in zip(every, every[50:], strict=False))
            assert all(later - earlier >= SECOND for earlier, later in zip(normal, normal[45:], strict=False))
        shaped = [at_ns for at_ns, request in self.sent if lane_of(request) > Lane.ORDERS]
        assert all(later - earlier >= SECOND // 10 for earlier, later in zip(shaped, shaped[5:], strict=False))

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.asked == len(self.sent) + self.lanes.waiting

    @invariant()
    def each_lane_keeps_its_order(self) -> None:
        for kind in (SendCancel, SendOrder):
            ids = [request.order_id for _, request in self.sent if isinstance(request, kind)]
            assert ids == sorted(ids)

    @invariant()
    def the_limits_of_each_class_are_kept(self) -> None:
        for instrument in (SPY, QQQ):
            ticks = [
                at_ns
                for at_ns, request in self.sent
                if isinstance(request, SubscribeTickByTick) and request.instrument is instrument
            ]
            assert all(later - earlier > 15 * SECOND for earlier, later in pairwise(ticks))
        for req_id in range(7):
            for kind in ("TRADES", "BID_ASK"):
                same = [at_ns for at_ns, request in self.sent if request == history(req_id, what_to_show=kind)]
                assert all(later - earlier > 15 * SECOND for earlier, later in pairwise(same))


Speaking.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSpeaking = Speaking.TestCase
