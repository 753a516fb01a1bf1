"""What sockets do to a desk: refuse, reset, end, die in silence, say nothing at all. In virtual time, to the figure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.alerts import FLAPPING_NS
from ibkr_adapter.core.link.gateways import Backoff
from ibkr_adapter.events import GateChanged, SessionLost
from ibkr_adapter.requests import RequestCurrentTime, SendOrder, SubscribeQuotes
from tests.faults.virtual_desk import VirtualDesk
from tws_simulator.faults.actions import Action
from tws_simulator.faults.actions.sockets import Close, PortDown, PortUp, Reset, Vanish
from tws_simulator.faults.library import named

BACKOFF_S = (1, 2, 4, 8, 16, 32, 60)

QUIET: Mapping[str, Any] = {"start": "2026-02-28 12:00", "options": {"always_open": False}}
"""A Saturday: no window is planned, and nothing comes from the gateway but what was asked for."""

TWO_GATEWAYS: Mapping[str, Any] = {
    "gateways": {"primary": {"port": 4002, "username": "one"}, "secondary": {"port": 4003, "username": "two"}},
    "environments": {"development": {"gateway": "primary", "standby": "secondary"}},
}


def steady(**given: Any) -> VirtualDesk:
    """Ready for longer than a minute, so that its gateway has proved itself."""
    desk = VirtualDesk(**given).ready(quotes="start" not in given)
    desk.run(61)
    return desk


def befall(desk: VirtualDesk, *actions: Action) -> int:
    """They happen to the first gateway, now; when that is."""
    for action in actions:
        desk.gateways["primary"].director.do(action)
    desk.settle()
    return desk.now_ns


def fall_silent(desk: VirtualDesk) -> int:
    """The session is closed, and whoever answers at that port from now on says nothing."""
    desk.gateways["primary"].director.play(named("accepts-and-stays-silent"))
    return befall(desk, Close())


def went(desk: VirtualDesk, state: str, since_ns: int) -> int:
    """When the link first came to this state after that."""
    return next(change.ts_recv_ns for change in desk.states if change.state == state and change.ts_recv_ns >= since_ns)


def gate_closed(desk: VirtualDesk, since_ns: int) -> int:
    """When the gate closed after that."""
    changes = [event for event in desk.journal if isinstance(event, GateChanged) and event.ts_recv_ns >= since_ns]
    return next(change.ts_recv_ns for change in changes if not change.open)


def attempts(desk: VirtualDesk, since_ns: int) -> list[tuple[float, str]]:
    """Seconds since then, and the gateway."""
    return [((at_ns - since_ns) / SECOND, gateway) for at_ns, gateway in desk.opens if at_ns >= since_ns]


# --- Nobody there -------------------------------------------------------------------------------------------------


@pytest.mark.fault("A01")
@pytest.mark.parametrize("seed", range(3))
def test_a_port_that_refuses_is_tried_after_one_two_four_seconds_and_for_ever(seed: int) -> None:
    """Each delay is within a fifth of 1, 2, 4 … 60 s; without a standby it goes on, and the port's return ends it."""
    desk = steady(**QUIET, seed=seed, tick_s=1)
    lost_ns = befall(desk, PortDown(), Close())
    desk.run(600)

    tried = attempts(desk, lost_ns)
    delays_s = [later - earlier for earlier, later in pairwise([0.0, *(at_s for at_s, _ in tried)])]
    slots_s = [*BACKOFF_S, *[60] * (len(delays_s) - len(BACKOFF_S))]
    assert len(delays_s) > len(BACKOFF_S) + 3
    assert all(0.8 * slot_s <= delay_s <= 1.2 * slot_s for delay_s, slot_s in zip(delays_s, slots_s, strict=True))
    assert {gateway for _, gateway in tried} == {"primary"}
    befall(desk, PortUp())
    desk.run(72 + 40)
    assert desk.link.ready
    assert desk.story("link/down") == [True, False]


@pytest.mark.fault("A01", "A05")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_the_standby_is_tried_within_22_seconds(silent: bool, seed: int) -> None:
    """Three failed attempts: refused at once, or five seconds each where nobody answers."""
    desk = steady(**QUIET, document=TWO_GATEWAYS, seed=seed)
    lost_ns = fall_silent(desk) if silent else befall(desk, PortDown(), Close())
    desk.run(60)

    tried = attempts(desk, lost_ns)
    assert [gateway for _, gateway in tried] == ["primary"] * 3 + ["secondary"]
    assert tried[3][0] <= (22 if silent else 7)
    assert desk.link.ready
    assert desk.link.gateway.name == "secondary"


@pytest.mark.fault("A05")
def test_whoever_accepts_and_says_nothing_has_five_seconds() -> None:
    """Each attempt ends five seconds after it began, and counts as failed."""
    desk = VirtualDesk("accepts-and-stays-silent")
    desk.run(120)

    downs = [change.ts_recv_ns for change in desk.states if change.state == "down"]
    assert [down_ns - at_ns for down_ns, (at_ns, _) in zip(downs, desk.opens, strict=False)] == [5 * SECOND] * len(
        downs
    )
    assert desk.link.gateways.failed_attempts == len(downs) > 5
    assert len(desk.open_sessions) <= 1
    assert len(desk.raised("link/down")) == 1


@pytest.mark.fault("A24")
@pytest.mark.parametrize("open_s", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("seed", range(2))
def test_a_port_that_flaps_for_ten_minutes_is_one_incident(open_s: float, seed: int) -> None:
    """Once a second it opens, closes, and ends what is open: one attempt for each slot of the backoff, one alert."""
    desk = steady(**QUIET, seed=seed)
    ended: list[int] = []
    desk.heard.append(lambda told: ended.extend(event.epoch for event in told if isinstance(event, SessionLost)))
    began_ns = desk.now_ns
    for _ in range(600):
        befall(desk, PortDown(), Close())
        desk.run(1 - open_s)
        befall(desk, PortUp())
        desk.run(open_s)

    tried = [at_s for at_s, _ in attempts(desk, began_ns)]
    slots_s = [*BACKOFF_S, *[60] * len(tried)]
    shortest = 1 - Backoff.SPREAD
    assert all(
        later - earlier >= shortest * slot_s
        for (earlier, later), slot_s in zip(pairwise([0.0, *tried]), slots_s, strict=False)
    )
    assert len(tried) >= len(BACKOFF_S) + 6
    assert desk.story("link/down") == [True]

    desk.run_until(lambda: desk.link.ready, within_s=72)
    assert ended == list(range(1, desk.link.epoch)), "each session ended once"
    desk.run(FLAPPING_NS / SECOND + 60)
    assert desk.story("link/down") == [True, False]
    assert {alert.key for alert in desk.raised() if alert.key.startswith("link/")} == {"link/down"}


# --- Gone in the middle -------------------------------------------------------------------------------------------


@pytest.mark.fault("A02", "A03")
@pytest.mark.parametrize("end", [Reset(), Close()], ids=["reset", "close"])
def test_the_gate_closes_with_the_connection(end: Action) -> None:
    """At the same moment: no order leaves from then on; every stream has one gap and is asked for once."""
    desk = steady()
    died_ns = befall(desk, end)

    assert gate_closed(desk, died_ns) == died_ns
    refused = desk.replies[desk.place()]
    assert not refused.accepted
    assert "link" in [reason.code for reason in refused.reasons]
    assert desk.sent(SendOrder) == []
    desk.run(30)
    assert desk.gate() == []
    assert len(attempts(desk, died_ns)) == 1
    assert len(desk.sent(SubscribeQuotes)) == 4
    assert sorted(gap.stream for gap in desk.gaps) == ["quote:QQQ", "quote:SPY"]


@pytest.mark.fault("A02")
def test_an_order_whose_acknowledgement_is_lost_is_in_doubt_until_the_gateway_is_asked() -> None:
    """The reset comes behind the order: it is unknown at once, asked for, found, and never sent again."""
    desk = VirtualDesk("reset-mid-session").ready()
    key = desk.place()

    assert desk.engine.ledger.orders.of(key).state == "in_doubt"
    assert desk.gate()
    desk.run(30)
    assert desk.engine.ledger.orders.of(key).state == "filled"
    assert len(desk.sent(SendOrder)) == 1 == len(desk.gateways["primary"].placements)


@pytest.mark.fault("A03")
def test_a_session_that_ends_in_order_is_over_at_once() -> None:
    """The scenario as it is played to anybody: closed two seconds after the greeting, back a second later."""
    desk = VirtualDesk("close-mid-session").ready()
    desk.run_until(lambda: not desk.link.ready, within_s=3)
    died_ns = desk.now_ns

    assert gate_closed(desk, died_ns) == died_ns
    assert desk.run_until(lambda: desk.gate() == [], within_s=5) <= 1.2


@pytest.mark.fault("A04")
@pytest.mark.parametrize(
    ("day", "phase_ms"), [({}, 0), ({}, 1_750), ({}, 3_250), *((QUIET, at_ms) for at_ms in range(0, 5_000, 500))]
)
def test_a_peer_that_is_gone_without_a_word_is_found_out(day: Mapping[str, Any], phase_ms: int) -> None:
    """Counted from its last byte, whenever between two probes it dies: gate in ten seconds, dropped in fifteen."""
    desk = VirtualDesk("half-open" if not phase_ms else None, **day).ready(quotes=not day)
    if phase_ms:
        desk.run(12 + phase_ms / 1_000)
        befall(desk, Vanish())
    else:
        desk.run(2.25)
    last_ns = desk.link.heartbeat.last_inbound_ns or 0
    desk.run(40)

    assert gate_closed(desk, last_ns) - last_ns <= 10 * SECOND
    assert went(desk, "down", last_ns) - last_ns <= 15 * SECOND
    assert desk.link.ready
    assert desk.link.epoch == 2


# --- Slow, or deaf ------------------------------------------------------------------------------------------------


@pytest.mark.fault("A12")
@pytest.mark.parametrize("day", [{"tick_s": 1}, QUIET], ids=["busy", "quiet"])
def test_a_line_that_is_two_seconds_slow_is_a_line(day: Mapping[str, Any]) -> None:
    """Ten minutes of two seconds give or take one: no reconnect, no suspicion, no failover, nobody told."""
    desk = VirtualDesk("slow-line", document=TWO_GATEWAYS, **day).ready(quotes="start" not in day)
    before = len(desk.states)
    probes = len(desk.sent(RequestCurrentTime))
    desk.run(600)

    assert len(desk.opens) == 1
    assert desk.states[before:] == []
    assert len(desk.sent(RequestCurrentTime)) - probes >= 119
    assert [alert.key for alert in desk.raised() if alert.key.startswith(("link/", "data/", "clock/"))] == []
    assert desk.gaps == []


@pytest.mark.fault("A12")
def test_an_order_on_a_slow_line_is_sent_once_and_filled() -> None:
    """Its acknowledgement takes seconds; that is no reason for a second one."""
    desk = VirtualDesk("slow-line").ready()
    desk.run(30)
    key = desk.place()
    desk.run(MINUTE / SECOND)

    assert desk.replies[key].accepted, desk.replies[key].reasons
    assert desk.engine.ledger.orders.of(key).state == "filled"
    assert len(desk.sent(SendOrder)) == 1 == len(desk.gateways["primary"].placements)


@pytest.mark.fault("A10")
def test_a_gateway_that_stops_reading_is_left_two_seconds_after_a_frame_got_stuck() -> None:
    """Ticks go on all the while; the order behind the blockade is unknown, and the gateway never had it."""
    desk = VirtualDesk("gateway-stops-reading", kernel_bytes=0).ready()
    over: list[SessionLost] = []
    desk.heard.append(lambda told: over.extend(event for event in told if isinstance(event, SessionLost)))
    desk.run(3)
    stuck_ns = desk.now_ns
    key = desk.place()
    assert desk.replies[key].accepted
    desk.run_until(lambda: over, within_s=3)

    assert over[0].ts_recv_ns - stuck_ns == 2 * SECOND
    assert gate_closed(desk, stuck_ns) - stuck_ns <= 2.5 * SECOND
    assert over[0].unsent >= 1
    assert desk.engine.ledger.orders.of(key).state == "in_doubt"
    desk.run(60)
    assert desk.engine.ledger.orders.of(key).state == "not_found"
    assert desk.gateways["primary"].placements == []
    assert len(desk.sent(SendOrder)) == 1


@pytest.mark.fault("A10")
def test_a_gateway_that_stops_reading_behind_large_buffers_is_gated_and_left() -> None:
    """The system takes whatever is sent; only answers stay away. After 25 s no order goes, after 65 s it is left."""
    desk = VirtualDesk("gateway-stops-reading").ready()
    desk.run(3)
    stuck_ns = desk.now_ns
    desk.run_until(lambda: "deaf" in desk.gate(), within_s=25)
    assert not desk.replies[desk.place()].accepted
    desk.run_until(lambda: desk.link.epoch == 2 and desk.link.ready, within_s=70 - (desk.now_ns - stuck_ns) / SECOND)

    assert desk.gate() == []
    assert desk.sent(SendOrder) == []


@pytest.mark.fault("A11")
def test_a_narrow_line_is_borne() -> None:
    """Answers come late and come: no session is dropped in ten minutes, whatever the gate says meanwhile."""
    desk = VirtualDesk("narrow-line", tick_s=0.05).ready()
    desk.run(600)

    assert len(desk.opens) == 1
