"""What a gateway may put into a frame, played to a whole desk: read, counted, put aside, never believed twice."""

from __future__ import annotations

import pytest

from ibkr_adapter.events import (
    BrokerEvent,
    ExecutionReported,
    JournalEvent,
    LossCause,
    Quote,
    SessionLost,
    Tick,
)
from ibkr_adapter.requests import SendOrder, SubscribeQuotes
from tests.faults.virtual_desk import VirtualDesk


def ends(desk: VirtualDesk) -> list[SessionLost]:
    """The ends of sessions, as they come."""
    told: list[SessionLost] = []
    desk.heard.append(lambda events: told.extend(event for event in events if isinstance(event, SessionLost)))
    return told


def said(desk: VirtualDesk) -> list[BrokerEvent]:
    """Everything that sessions say, as it comes."""
    told: list[BrokerEvent] = []
    desk.heard.append(lambda events: told.extend(event for event in events if isinstance(event, BrokerEvent)))
    return told


def fills(journal: list[JournalEvent]) -> list[str]:
    return [event.exec_id for event in journal if isinstance(event, ExecutionReported)]


# --- In odd pieces ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param("handshake-byte-by-byte", marks=pytest.mark.fault("A06")),
        pytest.param("frames-with-handshake", marks=pytest.mark.fault("A07")),
        pytest.param("burst-of-4096", marks=pytest.mark.fault("A08")),
        pytest.param("one-byte-segments", marks=pytest.mark.fault("A09")),
        pytest.param("unknown-message", marks=pytest.mark.fault("A17")),
        pytest.param("all-protobuf", marks=pytest.mark.fault("A21")),
    ],
)
def test_what_is_odd_and_right_is_a_working_desk(scenario: str) -> None:
    """Ready, priced, an order filled, all in the first session."""
    desk = VirtualDesk(scenario).ready()
    desk.run(5)
    key = desk.place()
    desk.run(30)

    order = desk.engine.ledger.orders.of(key)
    assert order is not None
    assert order.filled == 10
    assert len(desk.opens) == 1
    assert desk.gaps == []
    assert [alert.key for alert in desk.raised() if not alert.key.startswith("gateway/")] == []


# --- That nobody can read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param("oversized-length", marks=pytest.mark.fault("A15")),
        pytest.param("empty-and-short-frames", marks=pytest.mark.fault("A16")),
        pytest.param("hostile-text", marks=pytest.mark.fault("A19")),
    ],
)
def test_one_frame_that_cannot_be_read_costs_one_session(scenario: str) -> None:
    """Over at the moment it came, and nobody is woken for it: the next session works, with one gap for each stream."""
    desk = VirtualDesk(scenario)
    over = ends(desk)
    read: list[int] = []
    desk.overheard.append(lambda _: read.append(desk.now_ns))
    desk.ready()
    desk.run_until(lambda: over, within_s=5)
    assert over[0].cause is LossCause.MALFORMED
    assert over[0].ts_recv_ns == read[-1] == desk.now_ns

    desk.run_until(lambda: desk.gate() == [], within_s=5)
    desk.run(120)
    assert len(desk.opens) == 2
    assert sorted(gap.stream for gap in desk.gaps) == ["quote:QQQ", "quote:SPY"]
    assert desk.raised("link/poison") == []


@pytest.mark.fault("A18")
@pytest.mark.parametrize("scenario", ["garbled-bytes", "numbers-that-are-none"])
def test_frames_that_cannot_be_read_again_and_again_are_told_once(scenario: str) -> None:
    """By the third in a row: each session ends at the first of them, ever later; no odd price comes of it."""
    desk = VirtualDesk(scenario)
    over = ends(desk)
    desk.run(180)

    assert {each.cause for each in over} == {LossCause.MALFORMED}
    assert len(over) <= 10
    assert desk.story("link/poison") == [True]
    assert desk.raised("link/poison")[0].ts_recv_ns <= over[2].ts_recv_ns
    assert not desk.link.ready
    assert desk.sent(SendOrder) == []
    quotes = [event for event in desk.published if isinstance(event, Quote)]
    assert all(0 < price < 100_000 for quote in quotes for price in (quote.bid, quote.ask) if price is not None)


@pytest.mark.fault("A20")
@pytest.mark.parametrize(("scenario", "version"), [("server-too-old", "100"), ("server-from-the-future", "999")])
def test_a_gateway_of_another_age_is_refused_in_words(scenario: str, version: str) -> None:
    """Both versions stand in the alert; once a minute it is tried again, and nothing is asked of it."""
    desk = VirtualDesk(scenario)
    desk.run(600)

    assert len(desk.opens) <= 11
    assert {alert.key for alert in desk.raised()} == {"link/unsupported"}
    assert version in desk.raised()[0].text
    assert desk.sends == []
    assert "link" in desk.gate()


# --- Late, or twice -----------------------------------------------------------------------------------------------


@pytest.mark.fault("A22")
def test_what_an_old_connection_still_says_gets_into_no_book() -> None:
    """Everything the first session said is said again while the second one runs: not a price moves, no fill counts."""
    desk = VirtualDesk("late-segments-after-close")
    told = said(desk)
    desk.run_until(lambda: len(desk.engine.market.quotes()) == 2, within_s=3)
    key = desk.place()
    desk.run_until(lambda: desk.link.epoch == 2, within_s=5)
    desk.ready().run(10)
    old = [event for event in told if event.epoch == 1]
    assert isinstance([event for event in old if not isinstance(event, Tick)][-1], SessionLost)
    before, journal = desk.engine.snapshot(desk.now_ns), list(desk.journal)

    desk.tell(*old)

    after = desk.engine.snapshot(desk.now_ns)
    assert (after.quotes, after.positions, after.executions) == (before.quotes, before.positions, before.executions)
    assert fills(desk.journal) == fills(journal)
    stale = after.counters["stale_events"] - before.counters.get("stale_events", 0)
    assert stale >= sum(isinstance(event, Tick) for event in old) > 10
    order = desk.engine.ledger.orders.of(key)
    assert order is not None
    assert order.filled == 10
    assert desk.link.ready
    assert desk.link.epoch == 2


@pytest.mark.fault("A23")
def test_frames_that_come_twice_count_once() -> None:
    """Every five frames come again: fills, positions and the way up are those of a good line; nothing is sent twice."""
    plain, twice = VirtualDesk(), VirtualDesk("replayed-frames")
    for desk in (plain, twice):
        told = said(desk.ready())
        keys = [desk.place(quantity=7), desk.place("QQQ", quantity=3)]
        desk.run(60)
        executions = [event.exec_id for event in told if isinstance(event, ExecutionReported)]
        assert len(executions) == len(set(executions)) * (2 if desk is twice else 1)
        assert fills(desk.journal) == list(dict.fromkeys(executions))
        assert [order.filled for order in map(desk.engine.ledger.orders.of, keys) if order is not None] == [7, 3]
        assert len(desk.sent(SendOrder)) == 2 == len(desk.gateways["primary"].placements)
    assert twice.held == plain.held
    assert [change.state for change in twice.states] == [change.state for change in plain.states]
    assert len(twice.sent(SubscribeQuotes)) == 2
