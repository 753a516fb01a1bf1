"""What the gateway says of IB and of its farms, what competes for data, and what is silent: from wire to alert."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import GapCause, OrderNotFound
from ibkr_adapter.requests import (
    RequestAllOpenOrders,
    RequestExecutions,
    RequestPositions,
    SendCancel,
    SendOrder,
    SubscribeQuotes,
)
from tests.faults.virtual_desk import VirtualDesk

BOTH = ["QQQ", "SPY"]


def streams_of(desk: VirtualDesk, cause: GapCause) -> list[str]:
    return sorted(gap.stream.removeprefix("quote:") for gap in desk.gaps if gap.cause is cause)


def flowing(desk: VirtualDesk) -> bool:
    return sorted(desk.engine.market.proven) == BOTH


@pytest.mark.fault("B01")
def test_a_link_that_comes_back_with_its_data_is_not_asked_for_data():
    """The gate opens within five seconds of 1102, orders and executions are asked again, each stream has one gap."""
    desk = VirtualDesk("link-lost-data-kept").ready()
    desk.run_until(lambda: "upstream" in desk.gate(), within_s=10)
    orders, executions = len(desk.sent(RequestAllOpenOrders)), len(desk.sent(RequestExecutions))
    desk.run_until(lambda: desk.engine.planes.upstream == "connected", within_s=15)

    assert desk.run_until(lambda: desk.gate() == [], within_s=5) <= 5
    desk.run(60)

    assert len(desk.sent(SubscribeQuotes)) == 2
    assert len(desk.sent(RequestAllOpenOrders)) > orders
    assert len(desk.sent(RequestExecutions)) > executions
    assert streams_of(desk, GapCause.UPSTREAM_LOST) == BOTH
    assert len(desk.gaps) == 2


@pytest.mark.fault("B02")
def test_a_link_that_comes_back_without_its_data_is_asked_for_all_of_it():
    """All streams are live within ten seconds of 1101, and the account's standing subscriptions stand again."""
    desk = VirtualDesk("link-lost-data-lost").ready()
    positions = len(desk.sent(RequestPositions))
    desk.run_until(lambda: desk.engine.planes.upstream == "lost", within_s=10)
    desk.run_until(lambda: desk.engine.planes.upstream == "connected", within_s=15)

    desk.run_until(lambda: flowing(desk), within_s=10)

    assert len(desk.sent(SubscribeQuotes)) == 4
    assert len(desk.sent(RequestPositions)) == positions + 1
    assert streams_of(desk, GapCause.UPSTREAM_LOST) == BOTH
    assert desk.most_in_a_second() <= desk.settings.pacing.messages_max


@pytest.mark.fault("B03", "B04")
@pytest.mark.parametrize("scenario", ["link-never-back", "link-lost-a-hundred-times"])
def test_1100_is_one_incident_however_often_it_is_said(scenario: str):
    """Told within 65 seconds if it lasts, and once; not at all if it is over before."""
    desk = VirtualDesk(scenario).ready()
    desk.run_until(lambda: desk.engine.planes.upstream == "lost", within_s=10)
    lost_ns = desk.now_ns
    desk.run(300)

    raised = desk.raised("upstream/lost")
    if scenario == "link-never-back":
        assert [(alert.ts_recv_ns - lost_ns) // SECOND <= 65 for alert in raised] == [True]
        assert desk.opens[1:] == []
    else:
        assert raised == []
        assert desk.gate() == []
    assert len(desk.sent(SubscribeQuotes)) == 2


@pytest.mark.fault("B05", "B09")
@pytest.mark.parametrize("scenario", ["link-back-without-loss", "broker-unreachable-2110"])
def test_words_in_the_wrong_order_or_missing_end_in_a_working_desk(scenario: str):
    """1101 without 1100, 1100 behind its own 1102, 2110 without an end: data flows and the gate opens."""
    desk = VirtualDesk(scenario).ready()
    desk.run(30)
    assert "upstream" in desk.gate()

    desk.run_until(lambda: flowing(desk) and desk.gate() == [], within_s=120)

    desk.run(60)
    assert flowing(desk)
    assert desk.gate() == []


@pytest.mark.fault("B07")
def test_after_farms_broke_and_came_back_data_is_fresh():
    """Market, history and definitions in turn: ten seconds after each is back all streams flow, with one gap each."""
    desk = VirtualDesk("farms-break").ready()
    for name in ("2103", "2105", "2157"):
        counter = f"notice.{int(name) + 1}"
        desk.run_until(
            lambda counter=counter: desk.engine.snapshot(desk.now_ns).counters.get(counter, 0) > 1, within_s=60
        )
        desk.run(10)
        assert flowing(desk)

    assert streams_of(desk, GapCause.FARM_BROKEN) == BOTH
    assert len(desk.gaps) == 2
    assert [alert.key for alert in desk.raised() if alert.key.startswith(("farm/", "data/"))] == []


@pytest.mark.fault("B07")
def test_farms_that_sleep_are_well():
    """Dormant is a state of a farm, not a fault."""
    desk = VirtualDesk("farms-inactive").ready()
    desk.run(120)

    assert flowing(desk)
    assert desk.gaps == []
    assert {farm.state for farm in desk.engine.snapshot(desk.now_ns).farms} & {"dormant"}


@pytest.mark.fault("B08")
def test_a_farm_that_is_called_well_and_delivers_nothing_is_found_out():
    """Streams are asked anew, then the session; somebody is told within thirty seconds; it ends by itself."""
    desk = VirtualDesk("farm-fine-but-no-data").ready()
    desk.run_until(lambda: desk.raised("data/silent"), within_s=60)
    silent_ns = max(stream.last_recv_ns or 0 for stream in desk.engine.snapshot(desk.now_ns).streams)
    assert desk.now_ns - silent_ns <= 30 * SECOND
    assert len(desk.sent(SubscribeQuotes)) == 4

    desk.run(120)

    assert len(desk.opens) == 2
    assert flowing(desk)
    assert desk.resolved("data/silent")
    assert streams_of(desk, GapCause.SILENT) == BOTH


@pytest.mark.fault("B08")
def test_at_night_silence_is_no_fault():
    """The same gateway on a Sunday: nothing is asked anew, nobody is told."""
    desk = VirtualDesk("farm-fine-but-no-data", start="2026-03-01 12:00", options={"always_open": False})
    desk.run_until(lambda: desk.link.ready, within_s=60)
    desk.run(600)

    assert len(desk.sent(SubscribeQuotes)) == 2
    assert len(desk.opens) == 1
    assert desk.raised("data/silent") == []


@pytest.mark.fault("B30")
def test_a_competing_session_halts_the_use_of_data_and_is_told():
    """No order finds a reference price while it lasts; the streams come back by themselves."""
    desk = VirtualDesk("competing-session").ready()
    desk.run_until(lambda: desk.raised("data/competing"), within_s=40)
    assert desk.engine.market.proven == ()
    refused = desk.replies[desk.place()]
    assert "reference" in [reason.code for reason in refused.reasons]

    desk.run_until(lambda: flowing(desk), within_s=60)

    assert streams_of(desk, GapCause.COMPETING) == BOTH
    desk.run(40)
    assert desk.resolved("data/competing")


@pytest.mark.fault("B32")
def test_lists_without_ends_prove_nothing():
    """Asked again and again, never ready, nothing sent, nobody's order given up."""
    desk = VirtualDesk("end-markers-missing")
    desk.run(300)

    assert not desk.link.ready
    assert "link" in desk.gate()
    assert len(desk.sent(RequestExecutions)) > 5
    assert desk.sent(SendOrder) == [] == desk.sent(SendCancel)
    assert [event for event in desk.journal if isinstance(event, OrderNotFound)] == []


@pytest.mark.fault("B33")
def test_a_snapshot_among_live_updates_ends_in_the_books_of_the_gateway():
    """Orders are placed and cancelled while lists come late and out of turn: both sides agree in the end."""
    desk = VirtualDesk("snapshot-among-live-updates").ready()
    before = desk.held
    placed = [desk.place(), desk.place(symbol="QQQ")]
    desk.run(30)

    orders = desk.engine.ledger.orders
    assert [desk.engine.ledger.orders.of(key).state for key in placed] == ["filled", "filled"]
    assert orders.at_risk == []
    assert {key: shares - before.get(key, 0) for key, shares in desk.held.items() if shares != before.get(key, 0)} == {
        "SPY": 10,
        "QQQ": 10,
    }
