"""Ten faults in any order, at one gateway or two: what must hold at every moment, and what must be true in the end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ibkr_adapter.core.link.planes import Upstream
from tests.faults.gap_oracle import GapOracle
from tests.faults.pairs import do, pair
from tests.faults.virtual_desk import VirtualDesk, new_york

WINDOW = ("04:44", "05:30")
"""The gate is closed from a minute before the gateway's planned restart to the end of its window."""

Fault = tuple[str, dict[str, Any]]

ANNOUNCED: dict[str, tuple[Fault, ...]] = {
    "close": (("close", {}),),
    "reset": (("reset", {}),),
    "vanish": (("vanish", {}),),
    "refuse": (("port_down", {"for_s": 20}), ("reset", {})),
    "flap": (("port_down", {"for_s": 3}), ("close", {})),
    "restart": (("restart", {"for_s": 30, "ids_back": 4}),),
    "link lost": (("link_lost", {}),),
    "2110": (("link_lost", {"code": 2110}),),
    "link back": (("link_back", {}),),
    "streams lost": (("link_back", {"data": "lost"}),),
    "1100 and nothing": (("tell", {"code": 1100, "everyone": True}),),
    "farm broken": (("farm", {"state": "broken"}),),
    "farm back": (("farm", {"state": "ok"}),),
    "competing": (("competing_session", {"for_s": 15}),),
    "no ids": (("drop", {"names": ["nextValidId"], "for_s": 15}), ("close", {})),
    "no ends": (("drop", {"names": ["openOrderEnd", "positionEnd"], "for_s": 20}), ("close", {})),
    "326": (("refuse", {"names": ["startApi"], "code": 326, "closing": True, "for_s": 5}), ("close", {})),
    "complaint": (("tell", {"code": 100, "everyone": True}),),
}
SILENT: dict[str, tuple[Fault, ...]] = {
    "data stops": (("stop_data", {"for_s": 30}),),
    "streams end": (("end_data", {}),),
}


class Watch:
    """What may never be, looked at whenever both sides have come to rest."""

    def __init__(self, desk: VirtualDesk) -> None:
        self._desk = desk
        day = "2026-03-05 "
        self._window = new_york(day + WINDOW[0]), new_york(day + WINDOW[1])
        desk.stepped.append(self.look)

    def look(self) -> None:
        desk = self._desk
        assert len(desk.open_sessions) <= 1, "two sessions"
        if desk.engine.trading.gate.reasons(desk.now_ns):
            return
        assert desk.link.ready, "the gate is open and the link is not ready"
        assert not desk.link.suspect
        assert desk.engine.planes.upstream is not Upstream.LOST
        assert not self._said_lost, "the gate is open and the gateway has said that it is without IB"
        closed_ns, opened_ns = self._window
        assert not closed_ns <= desk.now_ns < opened_ns, "the gate is open inside a window"

    @property
    def _said_lost(self) -> bool:
        """To a session that hears it."""
        gateway = self._desk.gateways[self._desk.link.gateway.name]
        return gateway.director.rig.outage is not None and bool(gateway.core.state.running())


def play(seed: int, faults: dict[str, tuple[Fault, ...]], *, start: str) -> tuple[VirtualDesk, GapOracle, list[str]]:
    """The desk, ten faults later; what was done to it."""
    chance = random.Random(seed)
    given: dict[str, Any] = {"start": start, "tick_s": 0.5, "seed": seed}
    desk = pair(trading=True, **given) if seed % 2 else VirtualDesk(**given)
    oracle = GapOracle(desk)
    Watch(desk)
    desk.ready().run(20)
    story = []
    for _ in range(10):
        name, gateway = chance.choice(list(faults)), chance.choice(list(desk.gateways))
        if chance.random() < 0.7:
            gateway = desk.link.gateway.name
        story.append(f"{(desk.now_ns - desk.opens[0][0]) / 1e9:.0f} s: {name} at {gateway}")
        for action, values in faults[name]:
            do(desk, action, gateway=gateway, **values)
        desk.run(chance.choice((1.5, 3, 6, 12, 25)))
    return desk, oracle, story


def end_well(desk: VirtualDesk) -> None:
    """All faults are over, whatever was said of them: the desk finds that out by itself."""
    for gateway in desk.gateways.values():
        gateway.director.stop()
    desk.run_until(lambda: desk.link.ready and len(desk.engine.market.proven) == 2 and not shut(desk), within_s=240)
    desk.run(3)
    assert desk.most_in_a_second() <= desk.settings.pacing.messages_max


def shut(desk: VirtualDesk) -> set[str]:
    return set(desk.gate()) - {"restart_window"}


@pytest.mark.fault("B01", "B02", "B05", "B07", "B22", "B26", "B28", "B29")
@pytest.mark.parametrize("seed", [*range(18), 31, 57])
def test_after_any_ten_announced_faults_every_gap_is_told_and_all_is_well(seed: int):
    """Never two sessions, never too fast, the gate never open when it must not be; no silent gap and no false one."""
    start = "2026-03-05 04:41" if seed % 4 >= 2 else "2026-03-05 10:00"
    desk, oracle, story = play(seed, ANNOUNCED, start=start)
    try:
        end_well(desk)
        oracle.check()
    except AssertionError as error:
        raise AssertionError("\n".join((*story, str(error)))) from error


@pytest.mark.fault("B08")
@pytest.mark.parametrize("seed", [*range(8), 19, 24])
def test_after_any_ten_faults_of_which_some_are_silent_all_is_well(seed: int):
    """Data that stops without a word is found out, too; what is shorter than anybody can find may stay untold."""
    desk, oracle, story = play(seed, ANNOUNCED | SILENT, start="2026-03-05 10:00")
    try:
        end_well(desk)
        oracle.check(silent=True)
    except AssertionError as error:
        raise AssertionError("\n".join((*story, str(error)))) from error
