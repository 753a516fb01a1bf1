"""What is noted for later: done in order, replaced under its key, forgotten without a trace."""

from __future__ import annotations

from tws_simulator.world.time.schedule import Schedule


def played(schedule: Schedule) -> list[int]:
    """The times at which something was done."""
    times = []
    while len(schedule):
        times.append(schedule.next_ns)
        schedule.take()()
    return times


def test_actions_are_done_by_time_and_then_in_the_order_they_were_noted() -> None:
    """Two at the same moment: the first noted comes first."""
    schedule, done = Schedule(), []
    for name, ts_ns in (("late", 9), ("first", 5), ("second", 5)):
        schedule.note(ts_ns, lambda name=name: done.append(name))  # type: ignore[misc]
    assert played(schedule) == [5, 5, 9]
    assert done == ["first", "second", "late"]


def test_a_key_has_one_action() -> None:
    """The latest; it may come sooner or later than the one that it replaces."""
    schedule, done = Schedule(), []
    schedule.note(5, lambda: done.append("old"), key="a")
    schedule.note(7, lambda: done.append("new"), key="a")
    assert (len(schedule), schedule.next_ns) == (1, 7)
    schedule.note(3, lambda: done.append("newest"), key="a")
    assert played(schedule) == [3]
    assert done == ["newest"]


def test_what_is_forgotten_is_not_done() -> None:
    """Nor does it count; forgetting what was done already, or never noted, does nothing."""
    schedule = Schedule()
    schedule.note(5, list, key="a")
    schedule.note(6, list, key="b")
    schedule.forget("a")
    schedule.forget("a")
    schedule.forget("nobody")
    assert played(schedule) == [6]
    schedule.forget("b")
    schedule.note(8, list, key="b")
    assert played(schedule) == [8]


def test_thousands_of_replacements_leave_the_order_of_the_others() -> None:
    """What was replaced is thrown away on the way, and nothing else is."""
    schedule = Schedule()
    for ts_ns in range(100, 200):
        schedule.note(ts_ns, list)
    for count in range(10_000):
        schedule.note(1_000 + count, list, key=count % 7)
    assert played(schedule) == [*range(100, 200), *range(10_993, 11_000)]
