"""Proof of life and true clocks: when a peer is suspect, when it is gone, and whose time is wrong."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.clock_offset import Offset
from ibkr_adapter.config import Capability
from ibkr_adapter.core.link.link import LinkState
from ibkr_adapter.effects import Outbox, WallClockStepped
from ibkr_adapter.events import AlertChanged, BrokerTime, LinkChanged, NextValidId, OrderRefused
from ibkr_adapter.requests import RequestAllOpenOrders, RequestCurrentTime, RequestIds
from tests.core.world import START_NS, World


def raised(world: World, key: str) -> list[bool]:
    return [alert.raised for alert in world.told(AlertChanged) if alert.key == key]


def states(world: World) -> list[str]:
    return [change.state for change in world.told(LinkChanged)]


@pytest.mark.parametrize("alive_ms", range(0, 11_000, 500))
def test_a_dead_peer_is_suspect_within_ten_seconds_and_dropped_within_fifteen(alive_ms: int):
    """A04: whenever it dies between two probes. While it is suspect no order is sent."""
    world = World().ready()
    for _ in range(alive_ms // 500):
        world.wait(500 * MILLISECOND)
        world.quote()
    world.fall_silent()
    died_ns = world.engine.link.heartbeat.last_inbound_ns or 0

    world.wait(died_ns + 7 * SECOND - 1 - world.now_ns)
    assert world.engine.link.ready
    world.wait(died_ns + 10 * SECOND - world.now_ns)
    assert world.engine.link.state is LinkState.SUSPECT
    assert world.gate() == ["silent"]
    assert world.closes == []
    world.wait(died_ns + 15 * SECOND - world.now_ns)
    assert world.closes == [(1, "nothing came for 15 s")]


def test_any_byte_makes_a_suspect_ready_again():
    """It was slow, not dead: no reconnect, no new download."""
    world = World().ready()
    world.fall_silent()
    world.wait(9 * SECOND)
    assert repr(world.engine.link) == "<Link 1@a SUSPECT the gateway missed a heartbeat>"

    world.quote()
    assert world.engine.link.ready
    assert states(world)[-2:] == ["suspect", "ready"]
    assert len(world.requests(RequestAllOpenOrders)) == 1
    assert world.gate() == []


def test_a_session_that_is_to_be_dropped_does_not_come_back():
    """What still arrives behind our close changes nothing: its end is on the way."""
    world = World().ready()
    world.fall_silent()
    world.wait(15 * SECOND)
    world.quote()

    assert world.gate() == ["silent"]
    assert not world.place().accepted  # type: ignore[union-attr]
    assert world.facts(OrderRefused)
    assert len(world.closes) == 1


@given(st.lists(st.integers(1_000, 3_000), min_size=2, max_size=8))
@example([1_000, 3_000])
def test_a_line_that_is_two_seconds_slow_is_never_suspected(delays_ms: list[int]):
    """A12: answers that take one to three seconds, and nothing else comes: no suspicion, no reconnect."""
    world = World(capabilities=frozenset({Capability.ORDERS}))
    world.connect()
    world.fall_silent()
    probe_ns = world.now_ns + 5 * SECOND
    for turn in range(40):
        world.wait(probe_ns + delays_ms[turn % len(delays_ms)] * MILLISECOND - world.now_ns)
        world.tell(world.named(BrokerTime, time_ns=world.now_ns), world.named(NextValidId, order_id=world.next_id))
        probe_ns += 5 * SECOND

    assert len(world.requests(RequestCurrentTime)) == 40
    assert states(world) == ["connecting", "identifying", "reconciling", "ready"]
    assert world.closes == []


@pytest.mark.parametrize("identified", [False, True])
def test_a_session_that_is_not_ready_yet_is_simply_dropped(identified: bool):
    """There is no gate to close before ready."""
    world = World(identify_timeout_ns=60 * SECOND)
    world.fall_silent()
    world.open()
    if identified:
        world.identify()
        world.settle()
    world.wait(15 * SECOND)

    assert "suspect" not in states(world)
    assert world.closes == [(1, "nothing came for 15 s")]


# --- A pause of our own ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stopped_s", [10, 20, 40, 3_600])
@pytest.mark.parametrize("after_ms", [0, 1_000, 4_900, 5_000])
def test_a_process_that_stood_still_does_not_blame_its_peer(stopped_s: int, after_ms: int):
    """It asks first; no order goes until something was heard, and then the session is as it was."""
    world = World().ready()
    world.wait(20 * SECOND + after_ms * MILLISECOND)
    world.now_ns += stopped_s * SECOND
    world.tell()
    assert world.gate()[0] == "silent"
    assert world.closes == []
    world.settle()
    world.quote()

    assert world.gate() == []
    world.wait(60 * SECOND)
    assert world.closes == []


def test_a_peer_that_is_gone_when_we_wake_is_left_after_one_question():
    """A probe period, and not a fresh fifteen seconds."""
    world = World().ready()
    world.fall_silent()
    world.now_ns += 20 * SECOND
    world.tell()
    asked = len(world.requests(RequestCurrentTime))
    world.wait(5 * SECOND - 1)
    assert world.closes == []
    assert world.gate() == ["silent"]
    world.wait(1)

    assert asked == 1
    assert world.closes == [(1, "nothing came for 15 s")]


def test_what_was_read_before_the_pause_proves_nothing_after_it():
    """It lay in the mailbox while we stood still."""
    world = World().ready()
    old = world.price(1, 500.0)
    world.fall_silent()
    world.now_ns += 20 * SECOND
    world.tell(old)
    assert world.gate() == ["silent"]
    world.tell(world.price(1, 500.0))

    assert world.gate() == []


# --- A gateway that no longer reads us -------------------------------------------------------------------------------


def ticking(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.wait(SECOND)
        world.quote()


def test_a_gateway_that_ticks_and_answers_nothing_is_gated_and_then_left():
    """A10: ticks prove that it speaks, not that it hears: an order would end in its buffers."""
    world = World().ready()
    world.wait(5 * SECOND)
    world.fall_silent()
    ticking(world, 24)
    assert world.gate() == []
    ticking(world, 1)
    assert world.gate() == ["deaf"]
    assert not world.place().accepted  # type: ignore[union-attr]
    assert world.engine.link.ready, "its ticks are as good as ever"
    ticking(world, 34)
    assert world.closes == []
    ticking(world, 1)

    assert world.closes == [(1, "the gateway speaks, but has answered nothing for a minute")]
    assert raised(world, "link/late") == []


def test_answers_that_come_late_close_the_gate_and_keep_the_session():
    """A11: a narrow line that is thirty seconds behind is told after a minute, and never dropped."""
    world = World().ready()
    world.fall_silent()
    asked = len(world.requests(RequestCurrentTime))
    for second in range(600):
        ticking(world, 1)
        if second >= 35 and second % 5 == 0:
            world.tell(world.named(BrokerTime, time_ns=world.now_ns - 15 * SECOND))
    assert world.gate() == ["deaf"]
    assert world.closes == []
    assert raised(world, "link/late") == [True]

    for _ in range(len(world.requests(RequestCurrentTime)) - asked):
        world.tell(world.named(BrokerTime, time_ns=world.now_ns))
    world.silent.clear()
    ticking(world, 40)
    assert world.gate() == []
    assert raised(world, "link/late") == [True, False]


def test_a_question_that_is_left_unanswered_is_forgotten_with_the_next_answer():
    """A gateway may leave a repeat: what it tells later shows that the old question is over."""
    world = World().ready()
    world.wait(6 * SECOND)
    for _ in range(10):
        world.silent.add(RequestCurrentTime)
        ticking(world, 5)
        world.silent.clear()
        ticking(world, 5)

    assert world.gate() == []


# --- Clocks ----------------------------------------------------------------------------------------------------------


@given(
    ahead_ns=st.integers(-600 * SECOND, 600 * SECOND),
    there_ns=st.integers(0, 3 * SECOND),
    back_ns=st.integers(0, 3 * SECOND),
    start_ns=st.integers(0, 10 * SECOND),
)
def test_the_measured_offset_is_right_to_its_own_uncertainty(ahead_ns: int, there_ns: int, back_ns: int, start_ns: int):
    """Whole seconds and a slow line make it unsure, and it says how much."""
    asked_ns = START_NS + start_ns
    told_ns = (asked_ns + there_ns + ahead_ns) // SECOND * SECOND
    offset = Offset.measured(told_ns, asked_ns=asked_ns, answered_ns=asked_ns + there_ns + back_ns)

    assert abs(offset.ahead_ns - ahead_ns) <= offset.unsure_ns + 1


def clocked(world: World, ahead_ns: int) -> None:
    """The gateway answers the next probe with a clock that is ahead of ours."""
    world.silent.add(RequestCurrentTime)
    asked = len(world.requests(RequestCurrentTime))
    while len(world.requests(RequestCurrentTime)) == asked:
        world.wait(SECOND)
        world.quote()
    world.tell(world.named(BrokerTime, time_ns=(world.now_ns + ahead_ns) // SECOND * SECOND))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gateway_with_another_time_closes_the_gate(sign: int):
    """F09, D17: five seconds apart no order is sent; it opens again when the clocks agree."""
    world = World().ready()
    clocked(world, sign * 300 * SECOND)
    assert world.gate() == ["clock"]
    assert raised(world, "clock/offset") == [True]

    clocked(world, 0)
    world.quote()
    assert world.gate() == []
    assert abs(world.engine.snapshot(world.now_ns).link.clock_ahead_ns or 0) <= SECOND


def test_three_seconds_apart_is_told_and_trades():
    """A warning, and no more."""
    world = World().ready()
    clocked(world, 3 * SECOND)

    assert world.gate() == []
    assert raised(world, "clock/offset") == [True]


def test_a_second_apart_is_within_what_whole_seconds_can_show():
    """Nobody is told of what may be no difference at all."""
    world = World().ready()
    for ahead_ns in (-SECOND, 0, SECOND):
        clocked(world, ahead_ns)

    assert raised(world, "clock/offset") == []


def test_a_pause_between_question_and_answer_is_no_wrong_clock():
    """A process that was stopped for fourteen seconds knows only that it does not know."""
    world = World().ready()
    world.silent.add(RequestCurrentTime)
    world.wait(5 * SECOND)
    told_ns = world.now_ns
    world.now_ns += 14 * SECOND
    world.tell(world.named(BrokerTime, time_ns=told_ns))

    assert world.engine.link.heartbeat.offset is not None
    assert world.engine.link.heartbeat.offset.surely_ns == 0
    assert world.gate() == []


def test_an_answer_that_may_belong_to_two_questions_measures_nothing():
    """A gateway may leave a repeat unanswered: then nobody knows which one this answers."""
    world = World().ready()
    world.silent.add(RequestCurrentTime)
    for _ in range(6):
        world.wait(2 * SECOND)
        world.quote()
    world.tell(world.named(BrokerTime, time_ns=START_NS))

    assert world.engine.link.heartbeat.offset is None


@pytest.mark.fault("F09")
def test_a_step_of_our_own_clock_closes_the_gate_until_it_is_back():
    """F09: a second is told, five close the gate: expiries and windows would be judged by a wrong time."""
    world = World().ready()
    world.tell(WallClockStepped(step_ns=-2 * SECOND))
    assert world.gate() == []
    assert raised(world, "clock/step") == [True]

    world.tell(WallClockStepped(step_ns=3_600 * SECOND))
    assert world.gate() == ["clock"]
    world.tell(WallClockStepped(step_ns=0))
    assert world.gate() == []
    world.wait(31 * SECOND)
    assert raised(world, "clock/step")[-1] is False


# --- A gateway that tells the time and nothing else -----------------------------------------------------------------


def test_a_zombie_is_left_within_thirty_seconds():
    """B31: its heart beats, and a question and its repeat stay unanswered."""
    world = World().ready()
    world.fall_silent(but=[RequestCurrentTime])
    world.wait(27 * SECOND)
    assert world.closes == []
    assert len(world.requests(RequestIds)) == 2
    world.wait(SECOND)

    assert world.closes == [(1, "the gateway tells the time, but no answer to anything else came")]
    assert world.gate() == ["silent"]


def test_a_zombie_is_never_ready():
    """B31: lists that all stay silent are no empty lists if nothing else was said meanwhile."""
    world = World()
    world.fall_silent(but=[RequestCurrentTime])
    world.connect()
    world.wait(28 * SECOND)

    assert "ready" not in states(world)
    assert len(world.closes) == 1


def test_a_quiet_night_is_no_zombie():
    """One question in ten seconds, and its answer is enough."""
    world = World(capabilities=frozenset({Capability.ORDERS}))
    world.connect()
    world.wait(600 * SECOND)

    assert 55 <= len(world.requests(RequestIds)) <= 60
    assert world.closes == []


def test_a_gateway_without_ib_may_be_silent():
    """1100 explains it; the clock starts when IB is back."""
    world = World().ready()
    world.notice(1100)
    world.fall_silent(but=[RequestCurrentTime])
    world.wait(60 * SECOND)
    assert world.closes == []

    world.notice(1102)
    world.wait(28 * SECOND)
    assert len(world.closes) == 1


def test_what_is_left_unanswered_ends_the_session_once():
    """Whoever notices it says what did not come."""
    world = World().ready()
    out = Outbox()
    world.engine.link.recycle("no bars came", world.now_ns, out)
    world.engine.link.recycle("no depth came", world.now_ns, out)

    assert [close.reason for close in out.closes] == ["no bars came"]
