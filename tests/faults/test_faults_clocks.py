"""Our own clock is moved: an hour ahead, an hour back, to 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.effects import WallClockStepped
from tests.faults.gap_oracle import GapOracle
from tests.faults.pairs import incidents
from tests.faults.virtual_desk import VirtualDesk

HOUR_NS = 3600 * SECOND
TO_1970_NS = -int(datetime(2026, 3, 3, 15, tzinfo=UTC).timestamp()) * SECOND
WELL = {"maintain_orders": False}


def quiet_turns(desk: VirtualDesk, seconds: float) -> int:
    before = desk.turns
    desk.run(seconds)
    return desk.turns - before


@pytest.mark.fault("F09")
@pytest.mark.parametrize("step_ns", [HOUR_NS, -HOUR_NS, TO_1970_NS], ids=["+1 h", "-1 h", "1970"])
def test_a_clock_that_is_moved_closes_the_gate_and_moves_no_timer(step_ns: int):
    """Told at once and critical; no session ends, nothing is asked more often, no gap; open again when it is right."""
    desk = VirtualDesk(options=WELL)
    oracle = GapOracle(desk)
    desk.ready().run(10)
    usual, asked = quiet_turns(desk, 60), len(desk.sends)
    usual_asked = asked - len([sent for sent in desk.sends if sent.at_ns <= desk.now_ns - 60 * SECOND])
    desk.tell(WallClockStepped(step_ns=step_ns))
    assert desk.gate() == ["clock"]
    assert not desk.replies[desk.place()].accepted
    [alert] = incidents(desk)
    assert (alert.key, alert.severity, alert.ts_recv_ns) == ("clock/step", "critical", desk.now_ns)

    assert quiet_turns(desk, 60) <= 1.5 * usual
    assert len(desk.sends) - asked <= usual_asked + 2
    assert len(desk.opens) == 1
    desk.tell(WallClockStepped(step_ns=0))
    assert desk.gate() == []
    desk.run(40)
    assert len(desk.resolved("clock/step")) == 1
    assert desk.gaps == []
    oracle.check()


@pytest.mark.fault("F09")
@pytest.mark.parametrize(("step_s", "told", "shut"), [(0.5, False, False), (2, True, False), (-6, True, True)])
def test_a_second_is_told_and_five_close_the_gate(step_s: float, told: bool, shut: bool):
    """What a clock does that NTP holds is nothing."""
    desk = VirtualDesk(options=WELL).ready()
    desk.tell(WallClockStepped(step_ns=int(step_s * SECOND)))
    desk.run(1)

    assert bool(desk.raised("clock/step")) is told
    assert ("clock" in desk.gate()) is shut
    assert desk.replies[desk.place()].accepted is not shut
