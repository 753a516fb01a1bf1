"""Which gateway is tried next and when: backoff, failover, restart windows, and that no order of events breaks them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.link.gateways import EXCUSED_EVERY_NS, FAILOVER_AFTER, Backoff, Gateways
from ibkr_adapter.core.link.link import LinkState
from ibkr_adapter.events import AlertChanged, LinkChanged, LossCause
from ibkr_adapter.requests import RequestAllOpenOrders, RequestContractDetails, SendCancel
from ibkr_adapter.windows import Window
from tests.core.world import START_NS, A, B, World, echoed

HANDSHAKE_NS = 5 * SECOND
"""How long an attempt takes that is accepted and not answered."""

DAY_NS = 86_400 * SECOND
MIDNIGHT_NS = (START_NS // DAY_NS + 1) * DAY_NS
RESTART = Window(name="gateway restart", start_minute=60, minutes=15, patience_minutes=10)
RESTART_NS = MIDNIGHT_NS + 60 * MINUTE


def raised(world: World, key: str) -> list[bool]:
    """The story of one alert: True when it was raised, False when it was over."""
    story = [alert.raised for alert in world.told(AlertChanged) if alert.key == key]
    return [now for before, now in pairwise([False, *story]) if now is not before]


def tried(world: World) -> list[str]:
    """The gateways of all attempts, in order."""
    return [change.gateway for change in world.told(LinkChanged) if change.state == "connecting"]


def until_attempt(world: World) -> None:
    while world.engine.link.state is LinkState.DOWN:
        world.wait(SECOND // 10)


def fail(world: World, attempts: int, *, taking_ns: int = 0, cause: LossCause = LossCause.REFUSED) -> None:
    for _ in range(attempts):
        until_attempt(world)
        world.wait(taking_ns)
        world.lose(cause)


def steady(world: World) -> World:
    world.ready()
    world.wait(MINUTE)
    return world


@pytest.mark.parametrize("rand", [0.0, 0.5, 0.999])
def test_delays_double_up_to_the_cap_and_spread_by_a_fifth(rand: float):
    """No delay is further than 20 % from 1, 2, 4 … 60 s."""
    backoff = Backoff(first_ns=SECOND, max_ns=60 * SECOND, rand=lambda: rand)

    for failure in range(100):
        plain_ns = min(60, 2**failure) * SECOND
        assert 0.8 * plain_ns <= backoff.failed() <= 1.2 * plain_ns
    assert backoff.failures == 100

    backoff.succeeded()
    assert backoff.failed() <= 1.2 * SECOND


def test_an_early_delay_is_never_longer_than_the_plain_one():
    """Where the sum of delays is promised, chance only shortens them."""
    for rand in (0.0, 0.5, 0.999):
        backoff = Backoff(first_ns=SECOND, max_ns=60 * SECOND, rand=lambda rand=rand: rand)
        for failure in range(8):
            plain_ns = min(60, 2**failure) * SECOND
            assert 0.8 * plain_ns <= backoff.failed(early=True) <= plain_ns


@pytest.mark.parametrize("rand", [0.0, 0.5, 0.999])
def test_the_standby_is_tried_within_22_seconds_of_a_loss(rand: float):
    """A01, B26: three attempts of five seconds each, one, two and four seconds apart, whatever chance says."""
    world = steady(World(gateways=(A, replace(B, trading=False)), rand=rand))
    lost_ns = world.now_ns
    world.lose()
    fail(world, 3, taking_ns=HANDSHAKE_NS, cause=LossCause.SILENT)
    until_attempt(world)

    assert tried(world) == ["a", "a", "a", "a", "b"]
    assert world.now_ns - lost_ns <= 22 * SECOND
    world.connect()
    assert world.engine.link.ready
    assert "standby" in world.gate()
    assert world.engine.snapshot(world.now_ns).link.standby
    assert raised(world, "link/standby") == [True]


def test_an_environment_without_standby_keeps_to_its_gateway():
    """Nothing is made up: the same gateway, ever more slowly."""
    world = World()
    fail(world, 10)

    assert set(tried(world)) == {"a"}
    assert raised(world, "link/standby") == []


def test_the_old_session_is_over_before_the_standby_is_tried():
    """B29: a gateway that is silent and alive is closed first; only its end starts the attempts."""
    world = steady(World(gateways=(A, B)))
    before = len(world.opens)
    world.silent.update(type(request) for request in world.sent)
    world.wait(16 * SECOND)
    assert world.closes == [(1, "nothing came for 15 s")]

    world.wait(10 * MINUTE)
    assert len(world.opens) == before
    world.lose(LossCause.ASKED)
    world.wait(2 * SECOND)
    assert len(world.opens) == before + 1


def test_orders_go_to_a_standby_only_where_it_says_so():
    """``trading`` of the gateway decides, and an intent carries the gateway that it was meant for."""
    world = World(gateways=(A, replace(B, trading=True)))
    fail(world, 3)
    world.ready()
    assert world.engine.link.gateway.name == "b"
    assert world.place().accepted  # type: ignore[union-attr]
    assert world.order().gateway == "b"

    world = World(gateways=(A, replace(B, trading=False)))
    fail(world, 3)
    world.ready()
    assert world.gate() == ["standby"]
    assert not world.place().accepted  # type: ignore[union-attr]


def test_an_order_of_the_first_gateway_is_neither_judged_nor_cancelled_at_the_standby():
    """Its lists cannot know it: it keeps its risk."""
    world = steady(World(gateways=(A, B)))
    world.working()
    world.lose()
    fail(world, 3)
    world.connect()
    world.wait(MINUTE)

    assert world.order().state == "working"
    assert not world.cancel().accepted  # type: ignore[union-attr]
    assert world.requests(SendCancel) == []
    assert raised(world, "orders/unreachable") == [True]


def test_nothing_goes_back_by_itself():
    """B28: the standby stays in use for hours, and one loss of it is retried where it was."""
    world = World(gateways=(A, B))
    fail(world, 3)
    world.connect()
    world.wait(60 * MINUTE)
    world.reconnect()

    assert tried(world) == ["a", "a", "a", "b", "b"]


def test_a_standby_that_fails_in_the_same_way_is_left_for_the_first_gateway():
    """Three failed attempts in a row, whichever gateway it is."""
    world = World(gateways=(A, B))
    fail(world, 3)
    world.connect()
    world.wait(2 * MINUTE)
    world.lose()
    fail(world, 3)
    until_attempt(world)

    assert tried(world) == ["a", "a", "a", "b", "b", "b", "b", "a"]


def test_while_both_are_down_they_are_tried_in_turn_and_it_is_one_incident():
    """B27: alternately, at most a minute apart, and the incident is over when one of them is ready."""
    world = World(gateways=(A, B))
    opened_ns = []
    for _ in range(30):
        until_attempt(world)
        opened_ns.append(world.now_ns)
        world.lose(LossCause.REFUSED)

    assert tried(world)[:3] == ["a", "a", "a"]
    assert all(one != other for one, other in pairwise(tried(world)[2:]))
    assert max(later - earlier for earlier, later in pairwise(opened_ns)) <= 60 * SECOND
    assert opened_ns[-1] - opened_ns[-2] >= 48 * SECOND
    world.connect()
    world.wait(MINUTE)
    assert raised(world, "link/down") == [True, False]


def test_a_greeting_proves_nothing():
    """Only a ready session ends the count: a gateway that greets and goes three times in a row is given up."""
    world = World(gateways=(A, B))
    for _ in range(3):
        until_attempt(world)
        world.open()
        world.lose(LossCause.CLOSED)
    until_attempt(world)

    assert tried(world) == ["a", "a", "a", "b"]


def test_a_port_that_flaps_is_tried_ever_more_slowly_and_is_one_incident():
    """A24: sessions that become ready and end a second later do not make the delays short again."""
    world = World()
    end_ns = world.now_ns + 10 * MINUTE
    opened_ns = []
    while world.now_ns < end_ns:
        until_attempt(world)
        opened_ns.append(world.now_ns)
        world.connect()
        world.wait(SECOND)
        world.lose()

    delays = [later - earlier - SECOND for earlier, later in pairwise(opened_ns)]
    assert delays[:7] == [n * SECOND for n in (1, 2, 4, 8, 16, 32, 60)]
    assert set(delays[7:]) == {60 * SECOND}
    assert raised(world, "link/down") == [True]


def test_a_minute_of_ready_makes_the_delays_short_again():
    """And not a second less."""
    world = World()
    fail(world, 6)
    world.connect()
    world.wait(59 * SECOND)
    world.lose()
    assert world.engine.snapshot(world.now_ns).link.next_attempt_ns == world.now_ns + 60 * SECOND
    world.connect()
    world.wait(60 * SECOND)
    world.lose()
    assert world.engine.snapshot(world.now_ns).link.next_attempt_ns == world.now_ns + SECOND


def test_a_message_that_ends_every_session_is_named_and_not_hammered():
    """F15: the same message at each start; the delays grow though each session was ready, and the alert says why."""
    world = World()
    opened_ns = []
    for _ in range(8):
        until_attempt(world)
        opened_ns.append(world.now_ns)
        world.connect()
        world.lose(LossCause.MALFORMED, detail="ValueError: no number")

    assert opened_ns[-1] - opened_ns[-2] >= 48 * SECOND
    [alert] = [alert for alert in world.told(AlertChanged) if alert.key == "link/poison"]
    assert "ValueError: no number" in alert.text


def test_a_session_that_does_not_become_ready_is_told():
    """B32: half a list proves nothing, so the gate stays closed; after a minute somebody is told why."""
    world = World()
    world.lists[RequestAllOpenOrders] = [echoed("x", 5)]
    world.silent.add(RequestAllOpenOrders)
    world.connect()
    world.wait(59 * SECOND)
    assert raised(world, "link/unready") == []
    world.wait(2 * SECOND)

    assert raised(world, "link/unready") == [True]
    assert world.told(AlertChanged)[-1].text.endswith("; no end of open_orders")
    assert world.gate() == ["link"]
    world.silent.clear()
    world.wait(60 * SECOND)
    assert raised(world, "link/unready") == [True, False]


def test_lists_that_never_end_cost_the_session_and_then_the_gateway():
    """B32: after two minutes it counts as a failed attempt; nothing is cancelled, and the gate was never open."""
    world = World(gateways=(A, replace(B, trading=True)))
    world.lists[RequestAllOpenOrders] = [echoed("x", 5)]
    world.silent.add(RequestAllOpenOrders)
    for attempt in range(1, 4):
        world.connect()
        world.wait(119 * SECOND)
        assert len(world.closes) == attempt - 1
        world.wait(SECOND)
        assert world.closes[-1] == (attempt, "not ready 120 s after the login: no end of open_orders")
        assert world.gate() == ["link"]
        world.lose(LossCause.ASKED)
    until_attempt(world)

    assert tried(world) == ["a", "a", "a", "b"]
    assert world.requests(SendCancel) == []
    world.silent.clear()
    world.connect()
    assert world.engine.link.ready


def test_lists_that_are_late_in_a_restart_window_are_waited_for():
    """A gateway that has just started is slow; it is left after the window."""
    world = in_window()
    world.wait(RESTART_NS + SECOND - world.now_ns)
    world.lose(LossCause.CLOSED)
    world.lists[RequestAllOpenOrders] = [echoed("x", 5)]
    world.silent.add(RequestAllOpenOrders)
    world.connect()
    world.wait(RESTART_NS + 15 * MINUTE - 1 - world.now_ns)
    assert world.closes == []
    world.wait(1)

    assert len(world.closes) == 1


def test_a_gateway_without_ib_has_no_lists_to_give():
    """1100 explains what is missing; two minutes of a link that is said to stand do not."""
    world = World()
    world.lists[RequestAllOpenOrders] = [echoed("x", 5)]
    world.silent.add(RequestAllOpenOrders)
    world.connect()
    world.notice(1100)
    world.wait(200 * SECOND)

    assert world.closes == []


def test_a_gateway_of_an_unknown_version_is_tried_once_a_minute():
    """A20: no storm, and an alert that says which versions do not fit."""
    world = World()
    opened_ns = []
    for _ in range(4):
        until_attempt(world)
        opened_ns.append(world.now_ns)
        world.lose(LossCause.UNSUPPORTED, detail="the gateway speaks server version 100, we speak 151 to 222")

    assert min(later - earlier for earlier, later in pairwise(opened_ns)) >= MINUTE
    [alert] = [alert for alert in world.told(AlertChanged) if alert.key == "link/unsupported"]
    assert "server version 100" in alert.text


def test_three_complaints_about_our_pace_cost_a_minute():
    """B21: the gateway ended the session for it; coming back at once would meet the same count."""
    world = steady(World())
    for _ in range(3):
        world.notice(100)
    world.lose(LossCause.CLOSED)

    assert world.engine.snapshot(world.now_ns).link.next_attempt_ns == world.now_ns + MINUTE


def test_a_port_that_changed_is_told_and_not_followed():
    """B10: the text is shown; the next attempt goes to the configured address."""
    world = steady(World())
    world.notice(1300, text="Socket port has been reset to 9999")
    world.lose(LossCause.CLOSED)
    until_attempt(world)

    assert raised(world, "link/port_changed") == [True]
    assert world.engine.link.detail == f"connecting to {A.address}"


def test_an_id_taken_in_the_middle_of_a_session_says_so():
    """B12: out of a ready session by the other side, and then 326: perhaps a program nobody knows. We stay out."""
    world = steady(World(gateways=(A, B)))
    world.lose(LossCause.CLOSED)
    opened_ns = []
    for _ in range(5):
        until_attempt(world)
        opened_ns.append(world.now_ns)
        world.open()
        world.notice(326)
        world.lose(LossCause.CLOSED)

    assert min(later - earlier for earlier, later in pairwise(opened_ns)) >= MINUTE
    assert set(tried(world)) == {"a"}, "another gateway would not mend it"
    first, second = [alert for alert in world.told(AlertChanged) if alert.key == "client_id/326"]
    assert (first.severity, first.ts_recv_ns) == ("warning", opened_ns[0])
    assert "perhaps by our own last session" in first.text
    assert (second.severity, second.ts_recv_ns) == ("critical", opened_ns[1])
    assert "since our session was ended: by a program unknown to us" in second.text
    assert raised(world, "link/down") == [], "one cause, one incident"


def refused(world: World) -> None:
    until_attempt(world)
    world.open()
    world.notice(326)
    world.lose(LossCause.CLOSED)


def told_326(world: World) -> list[tuple[str, str]]:
    return [(a.severity, a.text) for a in world.told(AlertChanged) if a.key == "client_id/326" and a.raised]


def test_a_reset_and_one_326_is_our_own_dead_session():
    """A gateway that has not heard of our end refuses once: a warning, no accusation, and it is over."""
    world = steady(World())
    world.lose(LossCause.RESET)
    refused(world)
    world.connect()
    world.wait(MINUTE)

    [(severity, text)] = told_326(world)
    assert severity == "warning"
    assert "unknown" not in text
    assert raised(world, "client_id/326") == [True, False]


def test_an_id_in_use_before_we_ever_had_a_session_is_critical_at_once():
    """B11: it cannot be ours, as far as this life knows."""
    world = World()
    refused(world)

    assert told_326(world) == [("critical", "client id 1 is in use at the gateway")]


def test_an_id_that_the_standby_refuses_was_not_taken_from_us():
    """We were put out at the one gateway, and the other has a client of its own with our number."""
    world = steady(World(gateways=(A, B)))
    world.lose(LossCause.RESET)
    fail(world, 3)
    refused(world)

    assert told_326(world) == [("critical", "client id 1 is in use at the gateway")]


# --- Restart windows -------------------------------------------------------------------------------------------------


def in_window(**changes: object) -> World:
    """Ready a minute and a half before the restart of the gateway."""
    windowed = (replace(A, windows=(RESTART,), time_zone="UTC"), replace(B, windows=(RESTART,), time_zone="UTC"))
    return steady(World(gateways=windowed, now_ns=RESTART_NS - 150 * SECOND, **changes))


def test_the_gate_closes_a_minute_before_a_restart_and_opens_after_it():
    """B22: the window by name; the session itself stays as long as it lasts."""
    world = in_window()
    assert world.gate() == []
    world.wait(RESTART_NS - MINUTE - world.now_ns)
    assert world.gate() == ["restart_window"]
    [reason] = world.engine.trading.gate.reasons(world.now_ns)
    assert reason.text == "planned window gateway restart, Tue 01:00 to Tue 01:15 UTC"
    world.wait(15 * MINUTE + MINUTE)
    world.quote()
    assert world.gate() == []


def test_inside_a_restart_attempts_come_every_five_seconds_and_nobody_is_told():
    """B22, B23: no alert, no failover, ready within five seconds of the port; also when it happens twice."""
    world = in_window()
    world.wait(RESTART_NS + SECOND - world.now_ns)
    for _ in range(2):
        world.lose(LossCause.CLOSED)
        lost_ns = world.now_ns
        fail(world, 60)
        assert world.now_ns - lost_ns == pytest.approx(60 * EXCUSED_EVERY_NS, abs=SECOND)
        assert world.engine.snapshot(world.now_ns).link.excuse == "gateway restart"
        until_attempt(world)
        world.connect()
        world.wait(MINUTE)

    assert set(tried(world)) == {"a"}
    assert world.told(AlertChanged) == []


def test_a_restart_that_never_returns_is_told_after_ten_minutes_and_given_up_after_the_window():
    """B24: patience counts from the loss and governs the page; only attempts behind the window count."""
    world = in_window()
    world.wait(RESTART_NS + SECOND - world.now_ns)
    world.lose(LossCause.CLOSED)
    patient_until_ns = world.now_ns + 10 * MINUTE
    window_until_ns = RESTART_NS + 15 * MINUTE
    while world.now_ns < window_until_ns:
        assert raised(world, "link/down") == [True] * (world.now_ns >= patient_until_ns)
        fail(world, 1)
    fail(world, 2)  # and the one at which the window was over
    until_attempt(world)

    alert = next(alert for alert in world.told(AlertChanged) if alert.key == "link/down")
    assert patient_until_ns <= alert.ts_recv_ns <= patient_until_ns + SECOND
    assert set(tried(world)[:-1]) == {"a"}
    assert tried(world)[-1] == "b"
    assert world.now_ns - window_until_ns <= 22 * SECOND


def test_a_slow_restart_comes_back_to_its_own_gateway():
    """B24: twelve minutes away in a window of fifteen: somebody was told, and the standby was not tried once."""
    world = in_window()
    world.wait(RESTART_NS + SECOND - world.now_ns)
    world.lose(LossCause.CLOSED)
    while world.now_ns < RESTART_NS + 12 * MINUTE:
        fail(world, 1)
    world.connect()

    assert set(tried(world)) == {"a"}
    assert raised(world, "link/down") == [True]


def test_attempts_that_failed_before_a_window_do_not_count_behind_it():
    """Three in a row, all outside: two before it and one after it are no reason to leave."""
    world = in_window()
    world.wait(RESTART_NS - 65 * SECOND - world.now_ns)
    world.lose(LossCause.CLOSED)
    fail(world, 2)
    while world.now_ns < RESTART_NS + 15 * MINUTE:
        fail(world, 1)
    fail(world, 1)
    until_attempt(world)

    assert set(tried(world)) == {"a"}


@pytest.mark.parametrize(
    ("orders", "trading", "severity"), [(False, True, "critical"), (True, True, "warning"), (False, False, "warning")]
)
def test_a_standby_that_takes_no_orders_is_critical_where_they_are_wanted(orders: bool, trading: bool, severity: str):
    """The desk cannot trade although everything looks well: that stays told until it can."""
    world = World(gateways=(A, replace(B, trading=orders)), trading=trading)
    fail(world, 3)
    world.connect()

    alert = next(alert for alert in world.told(AlertChanged) if alert.key == "link/standby")
    assert alert.severity == severity
    assert alert.text.endswith(", and no order is sent there") is (severity == "critical")
    world.wait(60 * MINUTE)
    assert raised(world, "link/standby") == [True]


def test_down_before_the_window_is_told_before_the_window():
    """A restart that is expected later explains nothing now."""
    world = in_window()
    world.lose(LossCause.CLOSED)
    fail(world, 3)

    assert raised(world, "link/down") == [True]


# --- A gateway without IB --------------------------------------------------------------------------------------------


def test_a_gateway_without_ib_is_told_after_a_minute_and_left_alone():
    """B03: it heals itself; nothing is torn down unless the configuration says so."""
    world = steady(World(gateways=(A, B)))
    world.silent.add(RequestContractDetails)
    world.notice(1100)
    world.wait(59 * SECOND)
    assert raised(world, "upstream/lost") == []
    world.wait(2 * SECOND)
    assert raised(world, "upstream/lost") == [True]
    world.wait(60 * MINUTE)
    assert world.closes == []


def test_a_gateway_without_ib_is_connected_to_anew_where_configured():
    """After the time that the configuration names; what follows is in test_upstream."""
    world = steady(World(upstream_recycle_ns=5 * MINUTE))
    world.notice(1100)
    world.wait(5 * MINUTE - 1)
    assert world.closes == []
    world.wait(1)
    assert world.closes == [(1, "the gateway has been without IB for too long")]
    world.lose(LossCause.ASKED)
    until_attempt(world)
    assert tried(world) == ["a", "a"]


def test_a_gateway_without_ib_is_left_for_the_standby_where_configured():
    """The session is closed first, and the standby follows at once."""
    world = steady(World(gateways=(A, B), upstream_failover_ns=5 * MINUTE))
    world.notice(1100)
    world.wait(5 * MINUTE)
    world.lose(LossCause.ASKED)
    world.wait(0)

    assert tried(world) == ["a", "b"]


def test_inside_a_planned_window_a_gateway_without_ib_is_left_alone():
    """Neither torn down nor left; somebody is told when the restart's patience with it has ended, and not sooner."""
    world = in_window(upstream_recycle_ns=2 * MINUTE, upstream_failover_ns=3 * MINUTE)
    world.wait(RESTART_NS + SECOND - world.now_ns)
    world.notice(1100)
    world.wait(10 * MINUTE - 1)
    assert world.told(AlertChanged) == []
    world.wait(3 * MINUTE)

    assert world.closes == []
    [alert] = world.told(AlertChanged)
    assert (alert.key, alert.ts_recv_ns) == ("upstream/lost", RESTART_NS + SECOND + 10 * MINUTE)


# --- Any order of events ---------------------------------------------------------------------------------------------


class Supervised(RuleBasedStateMachine):
    """A desk with a standby and a restart every hour; anything happens to its sessions, at any time."""

    def __init__(self) -> None:
        super().__init__()
        hourly = tuple(
            Window(name="restart", start_minute=60 * hour, minutes=10, patience_minutes=10) for hour in range(24)
        )
        gateways = tuple(replace(each, windows=hourly, time_zone="UTC") for each in (A, B))
        self.world = World(gateways=gateways, now_ns=MIDNIGHT_NS)
        self.ended = 0
        self.lost_ns = MIDNIGHT_NS - 10 * SECOND
        self.seen = 1

    @property
    def link(self) -> object:
        return self.world.engine.link.state

    @precondition(lambda self: self.link is LinkState.DOWN)
    @rule(ms=st.integers(1, 90_000))
    def wait_while_down(self, ms: int) -> None:
        self.world.wait(ms * SECOND // 1000)

    @precondition(lambda self: self.link is not LinkState.DOWN)
    @rule(seconds=st.integers(0, 400))
    def time_passes(self, seconds: int) -> None:
        self.world.wait(seconds * SECOND)

    @precondition(lambda self: self.link is LinkState.CONNECTING)
    @rule()
    def accept(self) -> None:
        self.world.open()

    @precondition(lambda self: self.link is LinkState.IDENTIFYING)
    @rule()
    def identify(self) -> None:
        self.world.identify()
        self.world.settle()

    @precondition(lambda self: self.link is not LinkState.DOWN)
    @rule(cause=st.sampled_from(list(LossCause)), refused_id=st.booleans())
    def lose(self, cause: LossCause, refused_id: bool) -> None:
        if refused_id and self.link is LinkState.IDENTIFYING:
            self.world.notice(326)
        self.ended += 1
        self.lost_ns = self.world.now_ns
        self.world.lose(cause)

    @precondition(lambda self: self.link is LinkState.DOWN)
    @rule()
    def a_good_port_leads_to_ready(self) -> None:
        """Whatever happened before, two minutes and a gateway that answers are enough."""
        self.world.wait(2 * MINUTE)
        assert self.link is LinkState.CONNECTING
        self.world.connect()
        assert self.link is LinkState.READY

    @invariant()
    def never_two_sessions(self) -> None:
        assert len(self.world.opens) - self.ended in (0, 1)
        assert (self.link is LinkState.DOWN) == (len(self.world.opens) == self.ended)

    @invariant()
    def never_earlier_than_allowed(self) -> None:
        """Nothing follows a loss sooner than 0.8 s, but the standby when its turn has come."""
        attempts = [change for change in self.world.told(LinkChanged) if change.state == "connecting"]
        for change in attempts[self.seen :]:
            changed = change.gateway != attempts[attempts.index(change) - 1].gateway
            assert changed or change.ts_recv_ns - self.lost_ns >= 800 * SECOND // 1000
        self.seen = len(attempts)

    @invariant()
    def never_a_failover_inside_an_excuse(self) -> None:
        """A change of gateway is decided at a loss: no window may have explained that loss."""
        changes = [c for c in self.world.told(LinkChanged) if c.state in ("connecting", "down")]
        for lost, attempt in pairwise(changes):
            if lost.gateway != attempt.gateway:
                minute = (lost.ts_recv_ns - MIDNIGHT_NS) // MINUTE % 60
                assert minute >= 10, f"left {lost.gateway} {minute} minutes into a restart"


TestSupervised = Supervised.TestCase


def test_a_refusal_that_no_other_gateway_mends_does_not_count():
    """An id in use is waited out where it is, however often."""
    gateways = Gateways((A, B), Backoff(first_ns=SECOND, max_ns=60 * SECOND, rand=lambda: 0.5), now_ns=0)
    for attempt in range(2 * FAILOVER_AFTER):
        gateways.attempted()
        gateways.ended(attempt * MINUTE, excused=False, wait_ns=MINUTE, gateway_answered=True)

    assert gateways.present is A
    assert repr(gateways) == "<Gateways a 6 failed>"
