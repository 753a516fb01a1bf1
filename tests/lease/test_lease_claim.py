"""The rules of the lease between machines, without clock, network or disk."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibkr_adapter.clock import SECOND
from ibkr_adapter.lease.claim import Claim, Hold, Look, Plant, Record, Take
from tests.lease.lease_model import TTL_NS, Machine, Memory

TICK_NS = SECOND // 10


class Pair:
    """Machines a and b and one memory; ``run`` checks at every moment that at most one of them may place."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.now_ns = 0
        self.a = Machine("a", self.memory)
        self.b = Machine("b", self.memory)

    def run(self, seconds: float) -> None:
        until_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < until_ns:
            self.now_ns += TICK_NS
            for machine in (self.a, self.b):
                machine.act(self.now_ns)
                self.check()

    def check(self) -> None:
        assert not (self.a.may_place(self.now_ns) and self.b.may_place(self.now_ns))

    @property
    def states(self) -> tuple[Hold, Hold]:
        return self.a.claim.state, self.b.claim.state

    def moved_on(self, before: Record) -> bool:
        """Everybody who watches has seen something newer than this."""
        watching = (m.claim for m in (self.a, self.b) if m.claim.state not in (Hold.HELD, Hold.DOUBTED))
        return all(claim.seen is not None and claim.seen.identity != before.identity for claim in watching)

    def settled(self) -> Pair:
        """a has it."""
        self.b.paused_until_ns = 20 * SECOND
        self.run(20)
        assert self.a.claim.state is Hold.HELD
        self.run(5)
        return self


def test_nothing_is_taken_before_absence_has_been_watched() -> None:
    """A Redis without a record may have lost it: the first machine waits as long as a lost holder could rely on it."""
    pair = Pair()
    pair.run(8)
    assert pair.memory.record is not None
    assert pair.memory.record.vacant
    pair.run(2)
    assert (pair.a.claim.state, pair.b.claim.state) == (Hold.HELD, Hold.WATCHING)
    assert pair.a.claim.epoch == 1


def test_a_killed_holder_is_replaced_within_a_ttl() -> None:
    """From the last moment at which it lived, whenever that was."""
    for alive_s in (0.1, 1.7, 3.3):
        pair = Pair().settled()
        pair.run(alive_s)
        pair.a.paused_until_ns = 10**18
        killed_ns = pair.now_ns
        while pair.b.claim.state is not Hold.HELD:
            pair.run(0.1)
        assert pair.now_ns - killed_ns <= TTL_NS
        assert pair.b.claim.epoch == 2


def test_a_paused_holder_finds_its_deadline_passed() -> None:
    """It may not place from the moment it wakes up, and is told by the first exchange that it was replaced."""
    pair = Pair().settled()
    pair.a.paused_until_ns = pair.now_ns + 60 * SECOND
    pair.run(60)
    assert pair.b.claim.state is Hold.HELD
    assert pair.now_ns >= pair.a.claim.until_ns
    pair.run(1)
    assert pair.a.claim.state is Hold.LOST
    assert pair.a.claim.until_ns == 0


def test_a_released_lease_is_taken_at_once() -> None:
    """At the next look, a tenth of the ttl later at most."""
    pair = Pair().settled()
    pair.a.paused_until_ns = 10**18
    pair.memory.release("a")
    pair.run(1.1)
    assert pair.b.claim.state is Hold.HELD


def test_a_redis_that_forgot_is_told_again_under_a_higher_epoch() -> None:
    """The holder that still relies on its renewal puts its record back before anybody else may."""
    pair = Pair().settled()
    pair.memory.record = None
    pair.run(5)
    assert (pair.a.claim.state, pair.b.claim.state) == (Hold.HELD, Hold.WATCHING)
    assert pair.a.epochs == [1, 2]
    assert pair.a.claim.until_ns > pair.now_ns


def test_a_redis_that_went_back_does_not_undo_a_taking() -> None:
    """A record with a lower epoch is no proof of anything while a higher one is relied on."""
    pair = Pair().settled()
    old = pair.memory.record
    pair.a.paused_until_ns = pair.now_ns + 11 * SECOND
    pair.run(10)
    assert pair.b.claim.state is Hold.HELD
    pair.memory.record = old
    pair.run(5)
    assert (pair.a.claim.state, pair.b.claim.state) == (Hold.LOST, Hold.HELD)
    assert pair.b.claim.epoch == 3


def test_the_first_failure_is_doubt_and_the_deadline_is_the_end() -> None:
    """Doubt keeps the deadline it has; nothing but an answer moves it."""
    pair = Pair().settled()
    until_ns = pair.a.claim.until_ns
    pair.memory.broken = "OOM"
    pair.run(4)
    assert pair.states[0] is Hold.DOUBTED
    assert pair.a.claim.until_ns in (until_ns, until_ns + TTL_NS // 3)
    pair.run(5)
    assert pair.states[0] is Hold.LAPSED
    assert pair.a.claim.trouble == "OOM"


def test_after_a_long_outage_the_one_with_the_session_has_it_again() -> None:
    """Its session stands at the gateway, which would refuse another: a lapsed holder is a little less patient."""
    pair = Pair().settled()
    pair.memory.broken = "away"
    pair.run(100)
    pair.memory.broken = ""
    pair.run(9)
    assert (pair.a.claim.state, pair.b.claim.state) == (Hold.HELD, Hold.WATCHING)
    assert pair.a.claim.epoch == 2


def test_an_answer_that_comes_after_the_deadline_is_worth_nothing() -> None:
    """The deadline counts from before the question."""
    memory = Memory()
    machine = Machine("a", memory)
    machine.act(SECOND)
    while machine.claim.state is Hold.WATCHING:
        now_ns = machine.due_ns
        machine.act(now_ns, answered_ns=now_ns + (8 * SECOND if isinstance(machine.claim.step(now_ns), Take) else 0))
    assert memory.record is not None
    assert machine.claim.state is Hold.LAPSED


def test_an_epoch_lies_above_every_one_seen() -> None:
    """The mark on disk counts as seen, and so does what another wrote."""
    claim = Claim("a", ttl_ns=TTL_NS, mark=41)
    assert isinstance(claim.step(0), Look)
    claim.answered(Look(), False, None, asked_ns=0, now_ns=0)
    planted = claim.step(1)
    assert planted == Plant("vacant:a:0", 41)
    vacant = Memory().perform(planted, "a")[1]
    for now_ns in range(1, TTL_NS, TTL_NS // 10):
        step = claim.step(now_ns)
        if isinstance(step, Take):
            break
        claim.answered(step, False, vacant, asked_ns=now_ns, now_ns=now_ns)
    assert step == Take(vacant, 42)


EVENTS = st.sampled_from(["pause_a", "pause_b", "forget", "back", "break", "mend", "release", "nothing"])


@settings(max_examples=150, deadline=None)
@given(story=st.lists(st.tuples(EVENTS, st.integers(1, 150)), max_size=25))
def test_at_most_one_may_place_whatever_happens(story: list[tuple[str, int]]) -> None:
    """Pauses, a Redis that forgets, goes back before a taking, or is away: never two at a time, and epochs only rise.

    Going back means to what stood there before, once everybody who watches has seen what came after it: a failover that
    loses what nobody else has seen yet is beyond these rules.
    """
    pair = Pair()
    before: Any = None
    for event, tenths in story:
        match event:
            case "pause_a" | "pause_b":
                machine = pair.a if event.endswith("a") else pair.b
                machine.paused_until_ns = pair.now_ns + tenths * TICK_NS
            case "forget":
                pair.memory.record = None
            case "back" if before is not None and not before.released and pair.moved_on(before):
                pair.memory.record = before
            case "break" | "mend":
                pair.memory.broken = "away" if event == "break" else ""
            case "release":
                for machine in (pair.a, pair.b):
                    if machine.claim.state is Hold.HELD and machine.paused_until_ns <= pair.now_ns:
                        machine.claim.until_ns = 0  # who releases has stopped
                        machine.paused_until_ns = 10**18
                        pair.memory.release(machine.claim.token)
                        break
            case _:
                pass
        before = pair.memory.record
        pair.run(tenths / 10)
    for machine in (pair.a, pair.b):
        assert machine.epochs == sorted(set(machine.epochs))


def test_no_state_is_left_by_a_way_that_is_not_known() -> None:
    """A lost claim stays lost."""
    claim = Claim("a", ttl_ns=TTL_NS, mark=0)
    with pytest.raises(AssertionError, match="from WATCHING to LAPSED"):
        claim._to(Hold.LAPSED)
