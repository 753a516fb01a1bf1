"""The gateway's own link to IB: lost, back with or without its streams, never back, and said in the wrong order."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import ExecutionReported, Gap, GapCause, GateChanged
from ibkr_adapter.requests import RequestExecutions, RequestPositions, SubscribeQuotes
from tests.faults.virtual_desk import VirtualDesk, new_york
from tws_simulator.faults.library import named
from tws_simulator.faults.reading import read_action, read_scenario
from tws_simulator.faults.scenario import Scenario
from tws_simulator.world.instruments.universe import everything

RECYCLE = {"environments": {"development": {"upstream_recycle_s": 120}}}
FAIL_OVER: dict[str, Any] = {
    "gateways": {"primary": {"port": 4002, "username": "one"}, "secondary": {"port": 4003, "username": "two"}},
    "environments": {"development": {"gateway": "primary", "standby": "secondary", "upstream_failover_s": 120}},
}

LOST_FOR_GOOD_A_HUNDRED_TIMES = read_scenario(
    {
        "name": "lost-for-good-a-hundred-times",
        "description": "1100 a hundred times in two seconds, and no end of it.",
        "step": [
            {"when": {"at_s": 5}, "do": "link_lost"},
            {
                "when": {"at_s": 5, "every_s": 0.25, "times": 8},
                "do": "tell",
                "code": 1100,
                "times": 12,
                "everyone": True,
            },
        ],
    }
)


def windowed(document: dict[str, Any], *, minutes: int) -> dict[str, Any]:
    """Each gateway restarts at 04:45, and at no other time."""
    window = {"name": "gateway_restart", "at": "04:45", "minutes": minutes}
    gateways = document.get("gateways", {"primary": {"port": 4002}})
    return {**document, "gateways": {name: {**table, "windows": [window]} for name, table in gateways.items()}}


def lost(desk: VirtualDesk) -> bool:
    return desk.engine.planes.upstream == "lost"


def gates(desk: VirtualDesk, since_ns: int) -> list[tuple[bool, list[str]]]:
    """Each change of the gate since then."""
    changes = [event for event in desk.journal if isinstance(event, GateChanged) and event.ts_recv_ns >= since_ns]
    return [(change.open, [reason.code for reason in change.reasons]) for change in changes]


def covered(gaps: list[Gap], stream: str, from_ns: int, to_ns: int) -> bool:
    """Whether one gap of this stream reaches over all of that time."""
    return any(gap.stream == stream and gap.from_ns <= from_ns and gap.to_ns >= to_ns for gap in gaps)


def overlap(gaps: list[Gap]) -> bool:
    """Whether any moment of a stream is told twice."""
    ordered = sorted(gaps, key=lambda gap: (gap.stream, gap.from_ns))
    return any(a.stream == b.stream and a.to_ns > b.from_ns for a, b in pairwise(ordered))


@pytest.mark.fault("B01")
def test_the_gate_closes_with_1100_and_opens_when_all_was_asked_again():
    """Closed in the turn of 1100 for that reason alone; open at most five seconds after 1102, in the same session."""
    desk = VirtualDesk("link-lost-data-kept").ready()
    ready_ns = desk.now_ns
    desk.run_until(lambda: lost(desk), within_s=10)
    assert desk.gate() == ["upstream"]
    desk.run_until(lambda: not lost(desk), within_s=15)
    back_ns = desk.now_ns
    desk.run(60)

    assert gates(desk, ready_ns) == [(False, ["upstream"]), (True, [])]
    opened_ns = [e.ts_recv_ns for e in desk.journal if isinstance(e, GateChanged) and e.open][-1]
    assert opened_ns - back_ns <= 5 * SECOND
    assert len(desk.opens) == 1
    assert len(desk.sent(SubscribeQuotes)) == 2


@pytest.mark.fault("B02")
def test_fifty_streams_are_live_within_ten_seconds_of_1101():
    """Each asked once again, none twice, and no second above the budget; what stood of the account stands again."""
    symbols = tuple(each.symbol for each in everything() if each.sec_type == "STK")[:50]
    desk = VirtualDesk(
        "link-lost-data-lost",
        document={"instruments": [{"symbol": symbol} for symbol in symbols]},
        options={"symbols": symbols},
    )
    desk.run_until(lambda: lost(desk), within_s=10)
    assert len(desk.sent(SubscribeQuotes)) == 50
    positions = len(desk.sent(RequestPositions))
    desk.run_until(lambda: not lost(desk), within_s=15)

    desk.run_until(lambda: len(desk.engine.market.proven) == 50, within_s=10)

    assert len(desk.sent(SubscribeQuotes)) == 100
    assert len(desk.sent(RequestPositions)) == positions + 1
    assert desk.most_in_a_second() <= desk.settings.pacing.messages_max
    assert len(desk.gaps) == 50


@pytest.mark.fault("B03")
def test_an_outage_without_end_pages_within_65_seconds_and_tears_nothing_down():
    """Where nothing is configured: the gateway heals itself, and a new session would only add an outage."""
    desk = VirtualDesk("link-never-back").ready()
    desk.run_until(lambda: lost(desk), within_s=10)
    lost_ns = desk.now_ns

    desk.run_until(lambda: desk.raised("upstream/lost"), within_s=65)
    assert desk.now_ns - lost_ns >= 60 * SECOND
    desk.run(300)

    assert len(desk.opens) == 1
    assert len(desk.raised("upstream/lost")) == 1
    assert desk.gate() == ["upstream"]


@pytest.mark.fault("B03", "B04")
@pytest.mark.parametrize("scenario", [named("link-never-back"), LOST_FOR_GOOD_A_HUNDRED_TIMES], ids=["once", "often"])
def test_where_configured_the_session_is_made_anew(scenario: Scenario):
    """Two minutes after the first 1100: what the new session hears of IB decides what follows."""
    desk = VirtualDesk(scenario, document=RECYCLE).ready()
    desk.run_until(lambda: lost(desk), within_s=10)

    took_s = desk.run_until(lambda: len(desk.opens) == 2, within_s=130)

    assert 120 <= took_s <= 121


@pytest.mark.fault("B03")
def test_where_configured_the_standby_is_used():
    """After its two minutes, and the desk trades there; nothing goes back by itself."""
    desk = VirtualDesk("link-never-back", document=FAIL_OVER).ready()
    desk.run_until(lambda: lost(desk), within_s=10)

    desk.run_until(lambda: desk.link.ready and desk.link.gateway.name == "secondary", within_s=122)

    desk.run(120)
    assert [gateway for _, gateway in desk.opens] == ["primary", "secondary"]
    assert not lost(desk)
    assert desk.raised("link/standby")


@pytest.mark.fault("B03")
@pytest.mark.parametrize("document", [RECYCLE, FAIL_OVER], ids=["recycle", "failover"])
def test_inside_an_excuse_nothing_is_torn_down_and_nobody_is_told(document: dict[str, Any]):
    """The two minutes end inside a restart window, which explains the outage: all waits until its end."""
    desk = VirtualDesk(
        "link-never-back", document=windowed(document, minutes=5), start="2026-03-03 04:44", tick_s=1
    ).ready()
    desk.run_until(lambda: lost(desk), within_s=10)
    desk.run((new_york("2026-03-03 04:49:59") - desk.now_ns) / SECOND)
    assert len(desk.opens) == 1
    assert desk.raised("upstream/lost") == []

    desk.run_until(lambda: len(desk.opens) == 2, within_s=5)
    [alert] = desk.raised("upstream/lost")
    assert alert.ts_recv_ns == new_york("2026-03-03 04:50")


@pytest.mark.fault("B04")
def test_a_hundred_times_1100_is_one_incident():
    """One change of the gate, one alert although it is said again and again, and its time counts from the first."""
    desk = VirtualDesk(LOST_FOR_GOOD_A_HUNDRED_TIMES).ready()
    ready_ns = desk.now_ns
    desk.run_until(lambda: lost(desk), within_s=10)
    lost_ns = desk.now_ns
    desk.run(300)

    assert desk.engine.snapshot(desk.now_ns).counters["notice.1100"] >= 90
    assert gates(desk, ready_ns) == [(False, ["upstream"])]
    [alert] = desk.raised("upstream/lost")
    assert 60 * SECOND <= alert.ts_recv_ns - lost_ns <= 65 * SECOND
    assert [change.state for change in desk.states][-1] == "ready"


@pytest.mark.fault("B05", "B09")
@pytest.mark.parametrize("scenario", ["link-back-without-loss", "broker-unreachable-2110"])
def test_while_ib_is_said_lost_no_order_is_taken_and_the_gateways_memory_opens_nothing(scenario: str):
    """Streams tick and lists would be answered, but from memory: only a new session, after a minute, is evidence."""
    desk = VirtualDesk(scenario).ready()
    desk.run_until(lambda: lost(desk), within_s=15)
    lost_ns = desk.now_ns
    desk.run(30)
    assert desk.gate() == ["upstream"]
    refused = desk.replies[desk.place()]
    assert [reason.code for reason in refused.reasons][:1] == ["upstream"]
    assert desk.gateways["primary"].placements == []

    desk.run_until(lambda: desk.gate() == [] and len(desk.engine.market.proven) == 2, within_s=60)

    assert 60 * SECOND <= desk.opens[1][0] - lost_ns <= 65 * SECOND
    assert desk.replies[desk.place()].accepted
    desk.run(120)
    assert len(desk.opens) == 2


@pytest.mark.fault("B09")
def test_a_pause_inside_an_outage_that_nobody_ends_is_a_gap():
    """The ten seconds of 2110 are told when data flows again, and what follows tells no moment twice."""
    desk = VirtualDesk("broker-unreachable-2110").ready()
    desk.run_until(lambda: lost(desk), within_s=10)
    lost_ns = desk.now_ns
    desk.run(12)

    for key in ("SPY", "QQQ"):
        assert covered(desk.gaps, f"quote:{key}", lost_ns, lost_ns + 9 * SECOND)

    desk.run(120)
    assert not overlap(desk.gaps)
    assert {gap.cause for gap in desk.gaps} == {GapCause.UPSTREAM_LOST}


@pytest.mark.fault("B05")
def test_1102_before_its_1100_covers_no_time_twice():
    """Data flows through all of it: what was missed is told, and each moment once."""
    desk = VirtualDesk("link-back-without-loss").ready()
    desk.run(180)

    assert not overlap(desk.gaps)
    assert sum(gap.to_ns - gap.from_ns for gap in desk.gaps if gap.stream == "quote:SPY") <= 10 * SECOND


@pytest.mark.fault("B06")
def test_fills_that_are_told_during_an_outage_are_booked_at_once():
    """The rest of the order is filled behind 1100 and before 1102, and counts when it is told."""
    desk, key = in_the_middle_of_a_fill("fills-told-during-outage")
    desk.run_until(lambda: desk.engine.ledger.orders.of(key).filled == 1000, within_s=5)
    assert lost(desk)
    assert booked(desk) == executed(desk)

    desk.run(60)

    assert booked(desk) == executed(desk)
    assert desk.gate() == []


@pytest.mark.fault("B06")
def test_fills_that_are_not_told_during_an_outage_are_found_behind_it():
    """What was executed meanwhile stands in the list that is asked for after 1102, and is counted once."""
    desk, key = in_the_middle_of_a_fill("fills-during-outage")
    asked = len(desk.sent(RequestExecutions))
    desk.run(10)
    assert len(executed(desk)) == 2
    assert desk.engine.ledger.orders.of(key).filled == 300

    desk.run_until(lambda: not lost(desk), within_s=15)
    desk.run_until(lambda: desk.engine.ledger.orders.of(key).filled == 1000, within_s=5)

    assert len(desk.sent(RequestExecutions)) == asked + 1
    desk.run(60)
    assert booked(desk) == executed(desk)
    assert desk.engine.ledger.orders.of(key).filled == 1000
    assert desk.gate() == []


def in_the_middle_of_a_fill(scenario: str) -> tuple[VirtualDesk, str]:
    """More is bought than is offered at the ask: 300 shares at once, and 1100 with them."""
    desk = VirtualDesk(scenario, document={"instruments": [{"symbol": "F"}]}, options={"symbols": ("F",)}).ready()
    ask = desk.engine.market.quotes()["F"].ask
    key = desk.place("F", quantity=1000, limit_price=Decimal(str(ask)))
    desk.run_until(lambda: lost(desk), within_s=1)
    assert desk.engine.ledger.orders.of(key).filled == 300
    return desk, key


def booked(desk: VirtualDesk) -> list[tuple[str, Decimal]]:
    """The executions that the journal counts."""
    return sorted((e.exec_id, e.quantity) for e in desk.journal if isinstance(e, ExecutionReported))


def executed(desk: VirtualDesk) -> list[tuple[str, Decimal]]:
    """By the gateway's own books."""
    ledger = desk.gateways["primary"].core.state.world.first_ledger
    return sorted((execution.exec_id, execution.shares) for execution in ledger.executions)


@pytest.mark.fault("B08")
@pytest.mark.parametrize("for_s", [12, 60])
def test_silence_behind_a_farm_that_is_called_well_is_a_gap_of_all_its_length(for_s: int):
    """Whether asking anew helped or the data came back by itself, each stream has the whole silence on record."""
    desk = VirtualDesk().ready()
    desk.run(20)
    desk.gateways["primary"].director.do(read_action({"do": "stop_data", "for_s": for_s}))
    stopped_ns = desk.now_ns
    desk.run(for_s + 30)

    for key in ("SPY", "QQQ"):
        assert covered(desk.gaps, f"quote:{key}", stopped_ns, stopped_ns + (for_s - 1) * SECOND)
    assert not overlap(desk.gaps)
    assert len(desk.raised("data/silent")) == (for_s > 30)


NEWCOMERS_HEAR_NOTHING = read_scenario(
    {
        "name": "newcomers-hear-nothing",
        "step": [
            {"when": {"at_s": 5}, "do": "link_lost", "newcomers_told": False},
            {"when": {"at_s": 20}, "do": "reset"},
            {"when": {"at_s": 600}, "do": "link_back", "data": "kept silently"},
        ],
    }
)


@pytest.mark.fault("B03")
@pytest.mark.parametrize("document", [{}, {"component": "emergency_console"}], ids=["market_data", "orders_alone"])
def test_no_order_is_sent_into_an_outage_by_a_session_that_heard_nothing_of_it(document: dict[str, Any]):
    """Greeted with farms that are well, while orders would be kept until IB is back: IB itself has to answer first."""
    desk = VirtualDesk(NEWCOMERS_HEAR_NOTHING, document=document).ready(quotes=False)
    desk.run_until(lambda: len(desk.opens) == 2 and desk.link.ready, within_s=60)
    while desk.now_ns < new_york("2026-03-03 10:08"):
        desk.run(60)
        assert desk.gate() == ["upstream"]
        assert "upstream" in [reason.code for reason in desk.replies[desk.place(limit_price=Decimal(700))].reasons]

    desk.run_until(lambda: desk.gate() == [], within_s=120)
    desk.run(60)
    assert desk.gateways["primary"].placements == []
