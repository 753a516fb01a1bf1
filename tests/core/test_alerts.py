"""One incident for each cause, told by time alone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.alerts import (
    FLAPPING_NS,
    FLAPS_MAX,
    HEALTHY_NS,
    INHERITED_NS,
    KEYS_MAX,
    UPDATE_EVERY_NS,
    Alerts,
    AlertSeverity,
    Condition,
)
from ibkr_adapter.core.link.calendar import Excuse
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import AlertChanged, NoticeReceived
from ibkr_adapter.notices import Effect, shipped
from ibkr_adapter.snapshot import AlertView
from ibkr_adapter.windows import ANY, WindowKind

START_NS = 1_000_000 * SECOND


def down(text: str = "the link is down", **fields: object) -> Condition:
    given = {"key": "link/down", "severity": AlertSeverity.CRITICAL, "text": text, "after_ns": MINUTE, **fields}
    return Condition(**given)  # type: ignore[arg-type]


def window(kinds: frozenset[WindowKind], until_ns: int) -> Excuse:
    kind = next(iter(kinds))
    return Excuse(name="w", kind=kind, from_ns=START_NS, until_ns=until_ns, kinds=kinds, changes_ns=until_ns)


class Watch:
    """Alerts under virtual time that moves by the alarms they themselves ask for."""

    def __init__(self, inherited: Iterable[AlertView] = ()) -> None:
        self.now_ns = START_NS
        self.alerts = Alerts(tuple(inherited), now_ns=START_NS)
        self.conditions: tuple[Condition, ...] = ()
        self.excused = False
        self.ready = True
        self.told: list[AlertChanged] = []
        self.turns = 0
        self._alarm_ns: int | None = None

    def turn(self) -> None:
        out = Outbox()
        self.alerts.watch(self.conditions, self.now_ns, self._excuse, out, ready=self.ready)
        assert all(isinstance(event, AlertChanged) for event in out.publishes)
        self.told += out.publishes  # type: ignore[arg-type]
        self._alarm_ns = out.wake_at_ns
        self.turns += 1
        assert out.wake_at_ns is None or out.wake_at_ns > self.now_ns, "it would wake itself in a loop"

    def _excuse(self, since_ns: int) -> Excuse | None:
        if not self.excused:
            return None
        return window(ANY, self.now_ns + 10**6 * SECOND)

    def be(self, *conditions: Condition, excused: bool | None = None, ready: bool | None = None) -> Watch:
        """From now on this is wrong, and nothing else."""
        self.conditions = conditions
        self.ready = self.ready if ready is None else ready
        self.excused = self.excused if excused is None else excused
        self.turn()
        return self

    def wait(self, ns: int) -> Watch:
        end_ns = self.now_ns + ns
        while self._alarm_ns is not None and self._alarm_ns <= end_ns:
            self.now_ns = self._alarm_ns
            self.turn()
        self.now_ns = end_ns
        return self

    @property
    def story(self) -> list[tuple[str, bool, int]]:
        """Key, raised or over, seconds after the start."""
        return [(event.key, event.raised, (event.ts_recv_ns - START_NS) // SECOND) for event in self.told]


class TestWithoutASession:
    @pytest.mark.parametrize("key", ["link/down", "client_id/326", "upstream/lost", "farm/usfarm", "data/silent"])
    def test_what_nobody_can_see_is_not_over(self, key: str) -> None:
        """The cause is not named any more, because no session is there to name it: it ends 30 s after the next."""
        watch = Watch().be(down(key=key), ready=False).wait(2 * MINUTE).be().wait(60 * MINUTE)
        assert watch.story == [(key, True, 60)]
        watch.be(ready=True).wait(29 * SECOND)
        assert watch.story == [(key, True, 60)]
        assert watch.wait(SECOND).story == [(key, True, 60), (key, False, 62 * 60 + 30)]

    def test_causes_that_take_turns_are_told_once_each(self) -> None:
        """Two gateways, down in two ways, tried in turn: two pages, and no all-clear before the end."""
        watch = Watch().be(ready=False)
        for _ in range(20):
            watch.be(down(after_ns=0)).wait(MINUTE).be(down(key="client_id/326", after_ns=0)).wait(MINUTE)
        assert watch.story == [("link/down", True, 0), ("client_id/326", True, 60)]
        watch.be(ready=True).wait(30 * SECOND)
        assert watch.story[2:] == [("link/down", False, 2430), ("client_id/326", False, 2430)]

    def test_what_is_ours_alone_is_over_without_one(self) -> None:
        """The lease, the clock, the disk are seen whatever the gateway does."""
        watch = Watch().be(down(key="lease/lost"), ready=False).wait(2 * MINUTE).be().wait(MINUTE)
        assert watch.story == [("lease/lost", True, 60), ("lease/lost", False, 150)]

    def test_what_an_earlier_life_left_waits_for_a_session_too(self) -> None:
        """A restart of the service heals no farm: its two minutes begin when a session is ready."""
        left = AlertView(
            key="farm/usfarm", severity="warning", text="broken", remedy="", since_ns=START_NS - MINUTE, raised=True
        )
        watch = Watch([left]).be(ready=False).wait(60 * MINUTE)
        assert watch.story == []
        watch.be(ready=True).wait(INHERITED_NS)
        assert watch.story == [("farm/usfarm", False, 62 * 60)]


class TestBeginAndEnd:
    def test_a_cause_is_told_when_it_has_held_for_its_time(self) -> None:
        """At the second, woken by itself, with since when it is so; and once."""
        watch = Watch().be(down()).wait(10 * MINUTE)
        assert watch.story == [("link/down", True, 60)]
        (event,) = watch.told
        assert (event.since_ns, event.severity, event.text) == (START_NS, AlertSeverity.CRITICAL, "the link is down")

    def test_what_is_urgent_is_told_at_once(self) -> None:
        """after_ns 0: in the turn in which it is seen."""
        assert Watch().be(down(after_ns=0)).story == [("link/down", True, 0)]

    def test_what_heals_in_time_is_never_told(self) -> None:
        """59 s are not a minute; and the next time counts from its own start."""
        watch = Watch().be(down()).wait(59 * SECOND).be().wait(SECOND).be(down()).wait(59 * SECOND).be()
        assert watch.wait(60 * MINUTE).story == []

    def test_it_is_over_when_it_was_well_for_half_a_minute(self) -> None:
        """Told with the same key and since, raised no more."""
        watch = Watch().be(down()).wait(2 * MINUTE).be().wait(10 * MINUTE)
        assert watch.story == [("link/down", True, 60), ("link/down", False, 150)]
        assert HEALTHY_NS == 30 * SECOND

    def test_well_for_a_moment_is_not_over(self) -> None:
        """29 s of health in between are part of the same incident."""
        watch = Watch().be(down()).wait(2 * MINUTE).be().wait(29 * SECOND).be(down()).wait(5 * MINUTE)
        assert watch.story == [("link/down", True, 60)]
        assert watch.told[0].since_ns == START_NS

    def test_nothing_wrong_means_no_work(self) -> None:
        """No wake-up is asked for, nothing is remembered."""
        watch = Watch().be()
        assert watch.wait(24 * 60 * MINUTE).turns == 1
        assert watch.alerts.views() == ()

    def test_time_is_asked_for_only_where_it_would_change_something(self) -> None:
        """A lasting incident of a day costs a handful of turns."""
        assert Watch().be(down()).wait(24 * 60 * MINUTE).turns == 2

    def test_each_cause_has_an_incident_of_its_own(self) -> None:
        """Keys do not mix."""
        farm = down(key="farm/usfarm", severity=AlertSeverity.WARNING)
        watch = Watch().be(down(), farm).wait(2 * MINUTE).be(farm).wait(2 * MINUTE)
        assert watch.story == [("link/down", True, 60), ("farm/usfarm", True, 60), ("link/down", False, 150)]


class TestWords:
    def test_new_words_are_told_every_five_minutes_at_most(self) -> None:
        """The last words, not each of them."""
        watch = Watch().be(down(after_ns=0))
        for second in range(1, 400):
            watch.be(down(f"down, attempt {second}", after_ns=0)).wait(SECOND)
        assert watch.story == [("link/down", True, 0), ("link/down", True, 300)]
        assert watch.told[1].text == "down, attempt 300"
        assert UPDATE_EVERY_NS == 5 * MINUTE

    def test_words_that_changed_while_nobody_looked_are_told_when_it_is_time(self) -> None:
        """The alarm for it is asked for."""
        watch = Watch().be(down(after_ns=0)).wait(SECOND).be(down("worse", after_ns=0)).wait(10 * MINUTE)
        assert [(event.text, event.ts_recv_ns - START_NS) for event in watch.told] == [
            ("the link is down", 0),
            ("worse", 5 * MINUTE),
        ]

    def test_the_same_words_are_not_told_again(self) -> None:
        """Nor words that changed and changed back."""
        watch = Watch().be(down(after_ns=0)).wait(SECOND).be(down("x", after_ns=0)).wait(SECOND)
        assert len(watch.be(down(after_ns=0)).wait(60 * MINUTE).told) == 1

    def test_a_warning_that_becomes_critical_is_told_at_once(self) -> None:
        """And not again when it becomes less."""
        watch = Watch().be(down(after_ns=0, severity=AlertSeverity.WARNING)).wait(SECOND)
        watch.be(down(after_ns=0)).wait(SECOND).be(down(after_ns=0, severity=AlertSeverity.WARNING)).wait(60 * MINUTE)
        assert [event.severity for event in watch.told] == [AlertSeverity.WARNING, AlertSeverity.CRITICAL]


class TestExcuses:
    def test_what_is_excused_is_held_back(self) -> None:
        """B22: a restart that ends in time is never told."""
        watch = Watch().be(down(excused_by=ANY), excused=True).wait(9 * MINUTE).be(excused=True).wait(MINUTE)
        assert watch.be(excused=False).wait(60 * MINUTE).story == []

    def test_it_is_told_when_the_excuse_ends_and_it_is_still_so(self) -> None:
        """B24: in the turn in which the excuse ended, with the true beginning."""
        watch = Watch().be(down(excused_by=ANY), excused=True).wait(10 * MINUTE)
        watch.be(down(excused_by=ANY), excused=False)
        assert watch.story == [("link/down", True, 600)]
        assert watch.told[0].since_ns == START_NS

    def test_an_excuse_that_ends_early_leaves_the_cause_its_time(self) -> None:
        """It must still have held for after_ns."""
        watch = Watch().be(down(excused_by=ANY), excused=True).wait(20 * SECOND)
        assert watch.be(down(excused_by=ANY), excused=False).wait(MINUTE).story == [("link/down", True, 60)]

    @pytest.mark.parametrize("kind", WindowKind)
    def test_a_window_excuses_what_its_kind_explains(self, kind: WindowKind) -> None:
        """A restart is no excuse for what only a login explains, nor the other way round."""
        for other in WindowKind:
            out = Outbox()
            excuse = window(frozenset({other}), START_NS + MINUTE)
            wrong = down(after_ns=0, excused_by=frozenset({kind}))
            Alerts().watch([wrong], START_NS, lambda since_ns, excuse=excuse: excuse, out)
            assert bool(out.publishes) is (other is not kind)

    def test_what_is_not_excusable_is_told_all_the_same(self) -> None:
        """A wrong account is no restart."""
        assert Watch().be(down(), excused=True).wait(2 * MINUTE).story == [("link/down", True, 60)]

    def test_what_was_told_before_stays_told(self) -> None:
        """An excuse that begins later takes nothing back; its end is told as ever."""
        watch = Watch().be(down(excused_by=ANY)).wait(2 * MINUTE).be(down(excused_by=ANY), excused=True).wait(MINUTE)
        assert watch.story == [("link/down", True, 60)]
        assert watch.be().wait(MINUTE).story[-1] == ("link/down", False, 210)

    def test_comings_and_goings_within_an_excuse_do_not_count_as_flapping(self) -> None:
        """B23: a gateway that restarts again and again within its window."""
        watch = Watch()
        for _ in range(20):
            watch.be(down(excused_by=ANY), excused=True).wait(20 * SECOND).be(excused=True).wait(5 * SECOND)
        assert watch.be(down(excused_by=ANY), excused=False).wait(59 * SECOND).be().wait(60 * MINUTE).story == []


class TestFlapping:
    def test_what_comes_and_goes_is_one_lasting_incident(self) -> None:
        """A24, B04: a hundred times in a row. The first three each seem over; from the fourth on it is one."""
        watch = Watch()
        for _ in range(100):
            watch.be(down(after_ns=0)).wait(10 * SECOND).be().wait(35 * SECOND)
        watch.wait(60 * MINUTE)
        raised = [event for event in watch.told if event.raised]
        assert len(raised) == FLAPS_MAX + 1
        assert watch.story[-1][1] is False

    def test_it_is_over_when_it_has_calmed_down(self) -> None:
        """The fourth time within ten minutes keeps it open until ten minutes after the first of the last four."""
        watch = Watch()
        for _ in range(4):
            watch.be(down(after_ns=0)).wait(10 * SECOND).be().wait(40 * SECOND)
        assert watch.story[-1] == ("link/down", True, 150)
        watch.wait(60 * MINUTE)
        assert watch.story[-1] == ("link/down", False, FLAPPING_NS // SECOND)

    def test_short_troubles_are_told_when_there_are_many(self) -> None:
        """Each shorter than after_ns; the fourth within ten minutes is told although none lasted."""
        watch = Watch()
        for _ in range(3):
            watch.be(down()).wait(20 * SECOND).be().wait(40 * SECOND)
        assert watch.story == []
        assert watch.be(down()).story == [("link/down", True, 180)]

    def test_what_is_no_fault_while_it_is_short_does_not_add_up(self) -> None:
        """Each session is unready for a moment: many of them are no session that does not become ready."""
        watch = Watch()
        for _ in range(20):
            watch.be(down(adds_up=False)).wait(SECOND).be().wait(9 * SECOND)
        assert watch.story == []
        assert watch.be(down(adds_up=False)).wait(60 * SECOND).story == [("link/down", True, 260)]

    def test_rare_troubles_stay_quiet(self) -> None:
        """Every four minutes for twenty seconds, all day long."""
        watch = Watch()
        for _ in range(300):
            watch.be(down()).wait(20 * SECOND).be().wait(220 * SECOND)
        assert watch.story == []


class TestMoments:
    def strike(self, watch: Watch, text: str = "pacing") -> None:
        watch.alerts.struck("pacing/100", AlertSeverity.WARNING, text, hold_ns=5 * MINUTE)
        watch.turn()

    def test_a_moment_counts_for_a_while(self) -> None:
        """Told at once; over when it did not come again, and that has lasted."""
        watch = Watch()
        self.strike(watch)
        assert watch.wait(60 * MINUTE).story == [("pacing/100", True, 0), ("pacing/100", False, 330)]

    def test_moments_that_follow_each_other_are_one_incident(self) -> None:
        """Each begins the while anew."""
        watch = Watch()
        for _ in range(10):
            self.strike(watch)
            watch.wait(4 * MINUTE)
        assert [raised for _, raised, _ in watch.wait(60 * MINUTE).story] == [True, False]

    def test_a_condition_may_count_for_a_while_itself(self) -> None:
        """once_for_ns: said in one turn, true for so long."""
        watch = Watch().be(down(after_ns=0, once_for_ns=MINUTE)).be()
        assert watch.wait(60 * MINUTE).story == [("link/down", True, 0), ("link/down", False, 90)]


class TestNotices:
    def told(self, code: int, **changes: object) -> list[tuple[str, str]]:
        watch = Watch()
        notice = replace(shipped().of(code), **changes)
        watch.alerts.noticed(NoticeReceived(ts_recv_ns=START_NS, epoch=1, req_id=-1, code=code, text="words"), notice)
        watch.turn()
        return [(event.key, event.severity.value) for event in watch.told]

    def test_a_code_that_alerts_and_changes_nothing_is_told(self) -> None:
        """Also one that a desk marked itself."""
        assert self.told(504) == [("notice/504", "warning")]
        assert self.told(2148, alert=True, effect=Effect.INFORM, severity="critical") == [("notice/2148", "critical")]


class TestBounds:
    def test_causes_beyond_the_bound_are_counted_and_not_told(self) -> None:
        """Memory has an end whatever a gateway calls its farms; those known go on."""
        watch = Watch().be(*(down(key=f"farm/{n}", after_ns=0) for n in range(KEYS_MAX + 50)))
        assert len(watch.told) == len(watch.alerts.views()) == KEYS_MAX
        assert watch.alerts.dropped == 50

    def test_what_is_over_makes_room(self) -> None:
        """A flood of yesterday keeps no alert of today from being told."""
        watch = Watch().be(*(down(key=f"farm/{n}") for n in range(KEYS_MAX))).wait(SECOND).be()
        watch.be(down(key="link/down", after_ns=0))
        assert watch.story == [("link/down", True, 1)]
        assert watch.alerts.dropped == 0

    def test_nothing_is_remembered_for_ever(self) -> None:
        """Ten minutes after its last coming a cause is forgotten."""
        watch = Watch().be(down()).wait(SECOND).be().wait(FLAPPING_NS).be()
        assert repr(watch.alerts) == "<Alerts none>"
        assert watch.alerts._incidents == {}


class TestViews:
    def test_what_is_raised_comes_first_and_the_critical_before_the_rest(self) -> None:
        """Then the oldest; what only waits to be raised comes last, and says so."""
        warning = down(key="farm/usfarm", severity=AlertSeverity.WARNING, after_ns=0, remedy="wait")
        watch = Watch().be(warning).wait(SECOND).be(warning, down(after_ns=0), down(key="clock/offset"))
        views = watch.alerts.views()
        assert [(view.key, view.raised) for view in views] == [
            ("link/down", True),
            ("farm/usfarm", True),
            ("clock/offset", False),
        ]
        assert views[1] == AlertView(
            key="farm/usfarm",
            severity="warning",
            text="the link is down",
            remedy="wait",
            since_ns=START_NS,
            raised=True,
        )
        assert repr(watch.alerts) == "<Alerts farm/usfarm, link/down>"

    def test_what_is_well_but_not_yet_over_still_stands_there(self) -> None:
        """The page says what the pager says."""
        watch = Watch().be(down(after_ns=0)).be()
        assert [view.key for view in watch.alerts.views()] == ["link/down"]
        assert watch.wait(HEALTHY_NS).alerts.views() == ()


class TestAnotherLife:
    OPEN = AlertView(
        key="link/down", severity="critical", text="the link is down", remedy="", since_ns=START_NS - 60, raised=True
    )

    def test_what_is_still_wrong_after_a_restart_is_not_told_twice(self) -> None:
        """It was told by the life before; its end is told by this one, with the old beginning."""
        watch = Watch([self.OPEN]).be(down()).wait(10 * MINUTE)
        assert watch.story == []
        (end,) = watch.be().wait(10 * MINUTE).told
        assert (end.raised, end.since_ns) == (False, START_NS - 60)

    def test_what_is_over_after_a_restart_is_told_to_be_over(self) -> None:
        """After two minutes without it: a session must be made first."""
        watch = Watch([self.OPEN]).be().wait(10 * MINUTE)
        assert watch.story == [("link/down", False, INHERITED_NS // SECOND)]

    def test_an_early_life_has_the_same_bound(self) -> None:
        """No file fills the memory."""
        many = [
            AlertView(key=f"k{n}", severity="warning", text="", remedy="", since_ns=0, raised=True) for n in range(999)
        ]
        assert len(Watch(many).alerts.views()) == KEYS_MAX


STEPS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(["a", "b", "c"])),
        st.booleans(),
        st.integers(1, 400),
    ),
    max_size=40,
)


@pytest.mark.parametrize("after_s", [0, 60])
@given(steps=STEPS)
def test_raised_and_over_take_turns(after_s: int, steps: list[tuple[set[str], bool, int]]) -> None:
    """Whatever happens: no cause is raised twice without an end in between, and in the end all is over."""
    watch = Watch()
    for keys, excused, seconds in steps:
        wrong = (
            down(key=key, after_ns=after_s * SECOND, excused_by=frozenset() if key == "c" else ANY)
            for key in sorted(keys)
        )
        watch.be(*wrong, excused=excused).wait(seconds * SECOND)
    watch.be(excused=False).wait(60 * MINUTE)
    for key in "abc":
        raised = [event.raised for event in watch.told if event.key == key]
        assert raised == [index % 2 == 0 for index in range(len(raised))]
        assert not raised or raised[-1] is False
    assert watch.alerts.views() == ()
