"""Clocks for gateways whose time is not that of the wall."""

from tws_simulator.clocks import RunningClock, VirtualClock

SECOND = 1_000_000_000


def test_a_running_clock_begins_where_it_is_told_and_runs_as_fast() -> None:
    """Whatever the steady clock said at that moment."""
    steady = VirtualClock(5 * SECOND)
    clock = RunningClock(100 * SECOND, 60, steady)
    assert clock() == 100 * SECOND
    steady.advance(0.5)
    assert clock() == 130 * SECOND
