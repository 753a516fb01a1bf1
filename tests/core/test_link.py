"""The life of a connection: its states, its patience, and what makes it stop for good."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from ibkr_adapter.accounts import account_kind
from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.link.states import TRANSITIONS, LinkState
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import AlertChanged, FrameSent, LinkChanged, LossCause, ManagedAccounts, NextValidId
from ibkr_adapter.requests import (
    RequestAllOpenOrders,
    RequestCurrentTime,
    RequestIds,
    RequestManagedAccounts,
    SubscribeQuotes,
)
from tests.core.world import START_NS, World, execution


def states(world: World) -> list[str]:
    return [change.state for change in world.told(LinkChanged)]


def test_the_way_up_passes_every_state_once():
    """Connecting, identifying, reconciling, ready: each is published."""
    world = World()

    world.connect()

    assert states(world) == ["connecting", "identifying", "reconciling", "ready"]


@pytest.mark.parametrize("first", ["id", "accounts"])
def test_ids_and_accounts_come_in_either_order(first: str):
    """Gateways send the next id before the accounts, or after: the downloads begin when both are there."""
    world = World()
    world.open()
    both = [world.named(NextValidId, order_id=11), world.named(ManagedAccounts, accounts=("DU1",))]
    if first == "accounts":
        both.reverse()

    world.tell(both[0])
    assert world.engine.link.state is LinkState.IDENTIFYING
    world.tell(both[1])

    assert world.engine.link.state is LinkState.RECONCILING
    assert len(world.requests(RequestAllOpenOrders)) == 1


def test_every_state_has_a_row_and_leads_only_to_states():
    """The table is complete: a state without a row would be a way out of it."""
    assert set(TRANSITIONS) == set(LinkState)
    assert TRANSITIONS[LinkState.HALTED] == frozenset()
    assert all(LinkState.DOWN in TRANSITIONS[state] for state in LinkState if state.name not in ("DOWN", "HALTED"))


def test_a_step_outside_the_table_is_our_defect_and_raises():
    """A second opening of an open session cannot happen, so it must not pass."""
    world = World().ready()

    with pytest.raises(AssertionError, match="cannot go from READY to IDENTIFYING"):
        world.open()


def test_a_live_account_behind_a_paper_configuration_stops_us_for_good():
    """The session is closed, nothing is asked of it, and no attempt follows until a person restarts the service."""
    world = World()
    world.accounts = ("U1234567",)

    world.connect()

    assert world.engine.link.state is LinkState.HALTED
    assert world.closes == [(1, "account U1234567 is not a paper account")]
    world.lose(LossCause.ASKED)
    world.wait(3600 * SECOND)
    assert world.opens == [1]
    assert world.sent == []


def test_an_empty_account_list_in_mid_session_shuts_the_gate_and_is_asked_about():
    """It says nothing of whose login this is: no order goes, the session stays, and the next list decides."""
    world = World().ready()
    world.silent.add(RequestManagedAccounts)
    world.tell(world.named(ManagedAccounts, accounts=()))
    assert world.gate() == ["accounts"]
    assert not world.place().accepted  # type: ignore[union-attr]
    world.wait(50 * SECOND)
    assert len(world.requests(RequestManagedAccounts)) == 6
    assert [alert.key for alert in world.told(AlertChanged)] == ["link/accounts"]
    world.silent.clear()
    world.wait(10 * SECOND)
    world.quote()

    assert world.gate() == []
    assert world.closes == []
    world.wait(60 * SECOND)
    assert len(world.requests(RequestManagedAccounts)) == 7


def test_a_wrong_account_behind_an_empty_list_stops_us_for_good():
    """What was asked for is answered with another login."""
    world = World().ready()
    world.accounts = ("U1234567",)
    world.tell(world.named(ManagedAccounts, accounts=()))
    world.settle()

    assert world.engine.link.state is LinkState.HALTED


def test_an_account_that_is_not_the_expected_one_stops_us():
    """Where the configuration names the account, another of the same kind is a stranger."""
    world = World(accounts_expected=("DU1",))
    world.accounts = ("DU2",)

    world.connect()

    assert world.engine.link.state is LinkState.HALTED


@pytest.mark.parametrize(
    ("account", "kind"),
    [
        ("DU1", "paper"),
        ("DF1", "paper"),
        ("U1", "live"),
        ("F1", "live"),
        ("I1", "live"),
        ("X", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_prefix_tells_paper_from_live(account: str, kind: str):
    """IB's account numbers carry their kind in front."""
    assert account_kind(account) == kind


def test_an_id_in_use_is_waited_out():
    """326 means that another program has our id: the next attempt comes a minute later, with the same id."""
    world = World()
    world.open()
    world.notice(326, text="client id in use")
    world.lose(LossCause.CLOSED)

    world.wait(59 * SECOND)
    assert world.opens == [1]
    assert "client id 1 is in use" in repr(world.engine.link)
    world.wait(1 * SECOND)

    assert world.opens == [1, 2]


def test_patience_with_an_id_in_use_does_not_outlast_its_cause():
    """The session after the refused one is tried again with the usual delay."""
    world = World()
    world.open()
    world.notice(326)
    world.lose()
    world.wait(60 * SECOND)
    world.lose(LossCause.REFUSED)

    world.wait(3 * SECOND)

    assert world.opens == [1, 2, 3]


def test_attempts_come_after_each_delay_and_each_has_an_epoch_of_its_own():
    """Refused at 0 s, again at 1 s, 3 s, 7 s: the epoch grows with every attempt."""
    world = World()
    tried_ns = []
    for _ in range(4):
        tried_ns.append((world.now_ns - START_NS) // SECOND)
        world.lose(LossCause.REFUSED)
        while world.engine.link.state is LinkState.DOWN:
            world.wait(SECOND // 10)

    assert tried_ns == [0, 1, 3, 7]
    assert world.opens == [1, 2, 3, 4, 5]


def test_a_silent_gateway_is_asked_and_then_dropped():
    """A question every five seconds; after fifteen without a byte the session is closed."""
    world = World().ready()
    world.fall_silent()

    world.wait(14 * SECOND)
    assert world.closes == []
    assert len(world.requests(RequestCurrentTime)) == 2
    world.wait(1 * SECOND)

    assert world.closes == [(1, "nothing came for 15 s")]


def test_any_event_is_a_proof_of_life():
    """Ticks are as good as the answer to the heartbeat, for as long as one may be late."""
    world = World().ready()
    world.fall_silent()

    for _ in range(25):
        world.wait(2 * SECOND)
        world.tell(world.price(1, 500.0))

    assert world.closes == []


def test_the_heartbeat_is_never_asked_more_often_than_every_five_seconds():
    """A gateway may leave a repeat within four seconds unanswered."""
    world = World().ready()
    asked_ns = []
    for _ in range(600):
        before = len(world.requests(RequestCurrentTime))
        world.wait(SECOND // 10)
        world.tell(world.price(1, 500.0))
        if len(world.requests(RequestCurrentTime)) > before:
            asked_ns.append(world.now_ns)

    assert len(asked_ns) >= 10
    assert all(later - earlier >= 5 * SECOND for earlier, later in pairwise(asked_ns))


def test_a_gateway_that_names_no_id_is_asked_three_times_and_then_dropped():
    """B17: ten seconds to identify, a question each quarter of them, then a new session; no order meanwhile."""
    world = World()
    world.silent.add(RequestIds)
    world.open()
    asked = []
    for _ in range(20):
        world.tell(world.named(ManagedAccounts, accounts=("DU1",)))
        asked.append(len(world.requests(RequestIds)))
        assert "link" in world.gate()
        assert world.closes == []
        world.wait(SECOND // 2)

    assert asked[4:6] == [0, 1]
    assert asked[-1] == 3
    assert world.closes == [(1, "the gateway sent no order id")]


def test_the_answer_to_the_question_for_ids_identifies():
    """A next id that was lost on the way is asked for, and the way up goes on."""
    world = World()
    world.open()
    world.tell(world.named(ManagedAccounts, accounts=("DU1",)))

    world.wait(9 * SECOND)
    world.tell(world.named(ManagedAccounts, accounts=("DU1",)))
    world.wait(1 * SECOND)

    assert world.engine.link.ready


def test_nothing_but_the_reconciliation_is_asked_before_ready():
    """Market data waits until it is known what is at risk."""
    world = World()
    world.silent.add(RequestAllOpenOrders)
    world.connect()

    assert world.engine.link.state is LinkState.RECONCILING
    assert world.requests(SubscribeQuotes) == []


def test_an_operator_can_read_it_at_night():
    """Epoch, gateway, state and why."""
    world = World(begin=False)
    assert repr(world.engine.link) == "<Link 0@a DOWN not started>"

    world.begin()
    world.connect()
    assert repr(world.engine.link) == "<Link 1@a READY ready>"

    world.lose(LossCause.RESET, detail="connection reset by peer")
    assert repr(world.engine.link) == "<Link 1@a DOWN connection reset by peer>"
    assert world.engine.snapshot(world.now_ns).link.next_attempt_ns == world.now_ns + SECOND


def test_being_down_always_has_a_next_attempt():
    """Whatever ended the session, an alarm is set for the next one."""
    for cause in LossCause:
        world = World().ready()
        world.lose(cause)
        out = Outbox()
        world.engine.receive((), world.now_ns, out)
        assert out.wake_at_ns is not None
        assert out.wake_at_ns > world.now_ns


def test_our_own_frames_prove_nothing_about_the_other_side():
    """A half-open socket takes what we send for a while: only what comes in is a sign of life."""
    world = World().ready()
    world.fall_silent()
    for _ in range(15):
        world.wait(SECOND)
        world.tell(world.named(FrameSent, order_id=11, cancel=True, frame=b""))

    assert world.closes == [(1, "nothing came for 15 s")]


def test_a_fill_of_a_dead_session_is_no_sign_of_life_of_this_one():
    """It is true, and it is old."""
    world = World().ready()
    fill = world.present(execution())
    world.reconnect()
    world.fall_silent()
    world.wait(10 * SECOND)
    world.tell(msgspec.structs.replace(fill, ts_recv_ns=world.now_ns))
    world.wait(5 * SECOND)

    assert len(world.closes) == 1


def test_silence_is_noticed_on_time():
    """Fifteen seconds after the last byte, not at the next heartbeat that happens to come."""
    world = World().ready()
    world.fall_silent()
    world.wait(4 * SECOND)
    world.tell(world.price(1, 500.0))

    world.wait(15 * SECOND - 1)
    assert world.closes == []
    world.wait(1)

    assert len(world.closes) == 1


@pytest.mark.parametrize("reconciled", [True, False])
def test_accounts_that_change_under_way_stop_us(reconciled: bool):
    """Somebody logged the gateway into the live account: no order may go there."""
    world = World()
    if not reconciled:
        world.silent.add(RequestAllOpenOrders)
    world.connect()

    world.tell(world.named(ManagedAccounts, accounts=("U1234567",)))

    assert world.engine.link.state is LinkState.HALTED
    assert world.closes == [(1, "account U1234567 is not a paper account")]
    assert "link" in world.gate()
    world.lose(LossCause.ASKED)
    world.wait(600 * SECOND)
    assert world.opens == [1]


def test_the_same_accounts_again_change_nothing():
    """The list is repeated when it is asked for."""
    world = World().ready()

    world.tell(world.named(ManagedAccounts, accounts=("DU1",)))

    assert world.engine.link.ready
