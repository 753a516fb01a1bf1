"""Streams that are dead although nobody said so: found within seconds, and never asked for in a loop."""

from __future__ import annotations

from typing import Any

import pytest

from ibkr_adapter.clock import MILLISECOND, MINUTE, SECOND
from ibkr_adapter.core.market.stream import QUOTE
from ibkr_adapter.events import AlertChanged, Gap, GapCause
from ibkr_adapter.requests import CancelQuotes, RequestContractDetails, RequestCurrentTime, SubscribeQuotes
from ibkr_adapter.snapshot import StreamView
from tests.core.world import QQQ, SPY, World

OPEN = ";".join(f"197001{day:02}:0000-197001{day:02}:2400" for day in range(12, 20))
SHUT = "19700112:0000-19700112:0800;19700113:0000-19700113:2400"
"""The world begins at 08:46:40 in New York on 1970-01-12."""

BROKEN = "Market data farm connection is broken:usfarm"
OK = "Market data farm connection is OK:usfarm"


def trading(*, hours: str = OPEN, **changes: Any) -> World:
    """SPY and QQQ, ticking for ten seconds so that their pace is known."""
    world = World(begin=False, instruments=(SPY, QQQ), **changes)
    world.hours = hours
    world.begin()
    world.connect()
    tick(world, 10 * SECOND)
    return world


def tick(world: World, ns: int, *keys: str) -> None:
    """Each of them ticks four times a second."""
    for _ in range(ns // (250 * MILLISECOND)):
        world.wait(250 * MILLISECOND)
        if world.engine.link.ready:
            for key in keys or ("SPY", "QQQ"):
                world.tell(world.price(1, 500.0, key))


def asked(world: World, key: str = "SPY") -> int:
    return sum(request.instrument.key == key for request in world.requests(SubscribeQuotes))


def view(world: World, key: str = "SPY") -> StreamView:
    return next(view for view in world.engine.snapshot(world.now_ns).streams if view.instrument == key)


def raised(world: World) -> list[str]:
    return [alert.key for alert in world.engine.alerts.views()]


# --- One stream ---------------------------------------------------------------------------------------------------


def test_a_stream_that_falls_silent_while_its_peer_ticks_is_asked_anew():
    """Within ten seconds; the old number is cancelled, and what it still says is nobody's."""
    world = trading()
    old_id, silent_ns = world.stream_id(), world.now_ns

    tick(world, 10 * SECOND, "QQQ")

    assert asked(world) == 2
    assert asked(world, "QQQ") == 1
    assert [request.req_id for request in world.requests(CancelQuotes)] == [old_id]
    assert view(world).resubscriptions == 1
    assert view(world).gap_since_ns == silent_ns
    world.tell(world.price(1, 501.0))
    assert [(gap.cause, gap.from_ns, gap.to_ns) for gap in world.told(Gap)] == [
        (GapCause.SILENT, silent_ns, world.now_ns)
    ]
    assert view(world).detail == ""


def test_a_dead_stream_is_not_asked_for_in_a_loop():
    """Each try waits twice as long as the one before, up to five minutes."""
    world = trading()

    tick(world, 30 * MINUTE, "QQQ")

    assert 6 <= asked(world) - 1 <= 10
    assert asked(world, "QQQ") == 1
    assert world.closes == []
    assert view(world).detail.startswith("silent in an open market: asked anew")


def test_a_stream_that_is_slow_by_itself_is_left_alone():
    """One tick in twenty seconds is its pace: three missing ones prove nothing, beside a peer that never rests."""
    world = trading()
    world.reconnect()
    for _ in range(30):
        tick(world, 20 * SECOND, "QQQ")
        world.tell(world.price(1, 500.0))
    before = asked(world)

    tick(world, 2 * MINUTE, "QQQ")

    assert asked(world) == before


@pytest.mark.parametrize("hours", ["", SHUT])
def test_silence_means_nothing_where_the_market_is_not_known_to_be_open(hours: str):
    """Neither closed nor unknown hours make silence suspicious."""
    world = trading(hours=hours)

    tick(world, 5 * MINUTE, "QQQ")
    world.wait(5 * MINUTE)

    assert asked(world) == 1
    assert world.closes == []


def test_when_the_market_opens_streams_have_time_to_speak():
    """The silence of the night is not held against them."""
    world = trading(hours="19700112:0900-19700112:1600")
    to_open_ns = (13 * 60 + 20 - 10) * SECOND
    world.wait(to_open_ns - SECOND)
    assert asked(world) == 1

    tick(world, 7 * SECOND, "QQQ")

    assert asked(world) == 1


# --- Requests without an answer -----------------------------------------------------------------------------------


def test_a_subscription_without_any_answer_is_asked_anew_and_says_so():
    """No tick, no kind of data, no code: after ten seconds, then ever more slowly, whatever the hour."""
    world = World()
    world.silent.add(SubscribeQuotes)
    world.connect()

    world.wait(11 * SECOND)
    assert asked(world) == 2
    assert view(world).detail == "no answer within 10 s: asked anew (1)"
    world.wait(20 * SECOND)
    assert asked(world) == 3
    world.wait(30 * MINUTE)

    assert 8 <= asked(world) <= 11
    assert len(world.requests(CancelQuotes)) == asked(world) - 1


def test_any_answer_is_an_answer():
    """The kind of data alone shows that the gateway knows of it; on a Sunday nothing else comes."""
    world = World()
    world.silent.add(SubscribeQuotes)
    world.connect()
    world.tell(world.data_type(3))

    world.wait(10 * MINUTE)

    assert asked(world) == 1


@pytest.mark.parametrize("code", [10182, 10225])
def test_a_refusal_for_now_is_asked_again_within_the_session(code: int):
    """The gateway dropped the updates of one stream: its line is gone, and nothing is cancelled."""
    world = trading()
    world.notice(code, req_id=world.stream_id(), text="Failed to request live updates (disconnected).")
    assert view(world).state == "refused"

    tick(world, 11 * SECOND, "QQQ")
    tick(world, SECOND)

    assert asked(world) == 2
    assert world.requests(CancelQuotes) == []
    assert view(world).state == "live"
    assert [gap.cause for gap in world.told(Gap)] == [GapCause.REFUSED]


@pytest.mark.parametrize("code", [354, 10089, 10168, 10186])
def test_data_that_nobody_bought_is_asked_for_every_five_minutes(code: int):
    """A person buys it, or logs in elsewhere; a farm that is back is a reason to ask at once."""
    world = trading()
    world.notice(code, req_id=world.stream_id(), text="no")
    tick(world, 299 * SECOND, "QQQ")
    assert asked(world) == 1
    tick(world, 2 * SECOND, "QQQ")
    assert asked(world) == 2

    world.notice(code, req_id=world.stream_id(), text="no")
    tick(world, 10 * SECOND, "QQQ")
    world.notice(2157, text="Sec-def data farm connection is broken:secdefnj")
    world.notice(2158, text="Sec-def data farm connection is OK:secdefnj")
    tick(world, SECOND, "QQQ")
    assert asked(world) == 3


@pytest.mark.parametrize("code", [200, 322, 162])
def test_any_other_refusal_is_asked_again_ever_more_seldom(code: int):
    """A farm of definitions that wakes up knows no instrument yet."""
    world = trading()
    world.notice(code, req_id=world.stream_id(), text="no")
    tick(world, 11 * SECOND, "QQQ")
    assert asked(world) == 2
    world.notice(code, req_id=world.stream_id(), text="no")
    tick(world, 18 * SECOND, "QQQ")
    assert asked(world) == 2
    tick(world, 4 * SECOND, "QQQ")
    assert asked(world) == 3


def test_a_stream_that_stays_refused_is_told_and_pages_where_it_is_traded():
    """After a minute; over once it ticks."""
    world = trading()
    world.notice(354, req_id=world.stream_id(), text="no")
    tick(world, 55 * SECOND, "QQQ")
    assert world.told(AlertChanged) == []
    tick(world, 10 * SECOND, "QQQ")
    [alert] = [alert for alert in world.told(AlertChanged) if alert.key == "data/dead"]
    assert (alert.severity, "quote:SPY (354: no)" in alert.text) == ("critical", True)

    tick(world, 6 * MINUTE)
    assert [alert.raised for alert in world.told(AlertChanged) if alert.key == "data/dead"][-1] is False


def test_a_stream_that_is_asked_for_again_and_never_answered_is_told():
    """Nobody refuses it, and nothing comes."""
    world = trading()
    world.silent.add(SubscribeQuotes)
    world.notice(200, req_id=world.stream_id(), text="no")
    tick(world, 90 * SECOND, "QQQ")
    assert raised(world) == ["data/dead"]


# --- Silence of the line ------------------------------------------------------------------------------------------


def test_a_line_that_dies_is_no_silence_of_data():
    """Ticks end first, then everything: no alert of data stands beside the link's, and the gap is the session's."""
    world = trading()
    tick(world, 10 * SECOND)
    world.fall_silent(but=(RequestCurrentTime,))
    world.wait(6 * SECOND)
    world.fall_silent()
    world.silent.add(RequestCurrentTime)
    while not world.closes:
        world.wait(SECOND)
    world.lose()
    world.wait(60 * SECOND)
    assert "data/silent" not in [alert.key for alert in world.told(AlertChanged)]

    world.silent.clear()
    world.connect()
    tick(world, SECOND)
    assert {gap.cause for gap in world.told(Gap)} == {GapCause.SESSION_LOST}


def test_a_burst_of_another_session_is_a_gap_and_no_alert():
    """One second of 10197: on record, and nobody is called."""
    world = trading()
    tick(world, SECOND)
    for key in ("SPY", "QQQ"):
        world.notice(10197, req_id=world.stream_id(key), text="competing")
    world.wait(SECOND)
    tick(world, 2 * MINUTE)

    assert {gap.cause for gap in world.told(Gap)} == {GapCause.COMPETING}
    assert world.told(AlertChanged) == []


# --- Farms and the gateway's own link -----------------------------------------------------------------------------


def test_a_stream_that_stays_silent_behind_a_farm_that_is_back_is_asked_anew():
    """Fresh within ten seconds of 2104, or asked anew: even if all of the farm's streams are silent alike."""
    world = trading()
    world.notice(2103, text=BROKEN)
    world.wait(5 * SECOND)
    world.notice(2104, text=OK)

    world.wait(10 * SECOND)

    assert asked(world) == asked(world, "QQQ") == 2
    assert world.closes == []


@pytest.mark.parametrize("outage_ns", [5 * SECOND, 5 * MINUTE])
def test_a_farm_that_is_back_with_its_streams_changes_nothing(outage_ns: int):
    """What ticks is left alone; each stream has one gap."""
    world = trading()
    before_ns = world.now_ns
    world.notice(2103, text=BROKEN)
    world.wait(outage_ns)
    world.notice(2104, text=OK)
    world.wait(2 * SECOND)
    tick(world, MINUTE)

    assert asked(world) == asked(world, "QQQ") == 1
    assert [(gap.stream, gap.cause, gap.from_ns) for gap in world.told(Gap)] == [
        ("quote:SPY", GapCause.FARM_BROKEN, before_ns),
        ("quote:QQQ", GapCause.FARM_BROKEN, before_ns),
    ]


def test_each_flap_of_a_farm_leaves_its_own_gaps():
    """The incident is one; what was missed is told to the tick."""
    world = trading()
    for _ in range(4):
        world.notice(2103, text=BROKEN)
        world.wait(3 * SECOND)
        world.notice(2104, text=OK)
        tick(world, SECOND)

    gaps = [gap for gap in world.told(Gap) if gap.stream == "quote:SPY"]
    assert len(gaps) == 4
    assert all(gap.to_ns - gap.from_ns >= 3 * SECOND for gap in gaps)
    assert world.engine.snapshot(world.now_ns).farms[0].breaks == 4


def test_data_that_comes_back_while_its_farm_is_still_called_broken_has_its_gap():
    """The notice that it is well may never come."""
    world = trading()
    before_ns = world.now_ns
    world.notice(2103, text=BROKEN)
    world.wait(MINUTE)

    tick(world, SECOND)

    assert [(gap.stream, gap.from_ns) for gap in world.told(Gap)] == [
        ("quote:SPY", before_ns),
        ("quote:QQQ", before_ns),
    ]
    assert world.engine.market.flows(QUOTE, "SPY")


def test_after_1102_only_what_stays_silent_is_asked_anew():
    """The gateway says that it kept the streams, and is mostly right."""
    world = trading()
    world.notice(1100)
    world.wait(10 * SECOND)
    world.notice(1102)

    tick(world, 10 * SECOND, "QQQ")

    assert (asked(world), asked(world, "QQQ")) == (2, 1)


def test_while_the_gateway_has_lost_ib_nothing_is_asked_anew():
    """Silence is explained, and the gateway could not answer."""
    world = trading()
    world.silent.add(RequestContractDetails)
    world.notice(1100)

    world.wait(5 * MINUTE)

    assert asked(world) == asked(world, "QQQ") == 1
    assert world.closes == []


def test_data_that_flows_for_a_minute_behind_a_2110_ends_it():
    """The gateway forgot to tell that it has IB back: a new session asks it."""
    world = trading()
    world.notice(2110)

    tick(world, 65 * SECOND)

    assert world.closes == [(1, "data flows although the gateway says that it has lost IB")]


def test_a_farm_of_definitions_that_is_back_is_asked_for_what_it_did_not_know():
    """An instrument that was unknown while the farm was down is no unknown instrument."""
    world = World()
    world.silent.add(RequestContractDetails)
    world.connect()
    world.notice(2157, text="Sec-def data farm connection is broken:secdefnj")
    world.notice(200, req_id=world.requests(RequestContractDetails)[0].req_id, text="No security definition")
    world.silent.clear()
    world.wait(20 * SECOND)
    assert len(world.requests(RequestContractDetails)) == 1

    world.notice(2158, text="Sec-def data farm connection is OK:secdefnj")
    world.settle()

    assert world.engine.market.contracts.of("SPY") is not None


# --- Everything ---------------------------------------------------------------------------------------------------


def test_when_all_is_silent_streams_are_asked_anew_and_then_the_session():
    """The farm is said to be well and delivers nothing: told within thirty seconds, and recycled once."""
    world = trading()
    world.notice(2104, text=OK)
    silent_ns = world.now_ns

    world.wait(9 * SECOND)
    assert asked(world) == asked(world, "QQQ") == 2
    world.wait(10 * SECOND)
    assert world.closes == [(1, "no market data came although markets are open")]
    assert raised(world) == ["data/silent"]
    assert world.now_ns - silent_ns <= 30 * SECOND


def test_a_silence_that_a_new_session_does_not_end_is_not_recycled_in_a_loop():
    """A minute, two, four: a gateway without data is not helped by a storm of sessions."""
    world = trading()
    world.wait(20 * SECOND)
    for _ in range(4 * 60):
        if len(world.closes) == world.epoch:
            world.lose()
            world.connect()
        world.wait(15 * SECOND)

    assert 4 <= len(world.closes) <= 9
    assert raised(world) == ["data/silent"]
    tick(world, MINUTE)
    assert raised(world) == []


def test_a_doubted_gateway_without_data_keeps_its_session():
    """It lost IB in the last one, and has not shown that it is back: the silence has a reason, and a new one no use."""
    world = trading()
    world.silent.add(RequestContractDetails)
    world.notice(1100)
    world.lose()
    world.connect()

    world.wait(20 * MINUTE)

    assert world.engine.planes.doubted
    assert world.closes == []
    assert "data/silent" not in raised(world)


def test_when_a_broken_farm_explains_the_silence_nothing_is_done_but_it_is_told():
    """IB heals its farms; a new session would not."""
    world = trading()
    world.notice(2103, text=BROKEN)

    world.wait(5 * MINUTE)

    assert world.closes == []
    assert set(raised(world)) == {"data/silent", "farm/usfarm"}


def test_a_foreign_farm_that_is_broken_explains_nothing():
    """It broke long before the silence, and data came meanwhile."""
    world = trading()
    world.notice(2103, text="Market data farm connection is broken:jfarm")
    tick(world, MINUTE)

    world.wait(20 * SECOND)

    assert len(world.closes) == 1


# --- A competing session ------------------------------------------------------------------------------------------


def test_a_competing_session_halts_the_login_and_is_told_at_once():
    """One stream is named; none is taken for current until it ticks."""
    world = trading()
    world.notice(10197, req_id=world.stream_id(), text="No market data during competing live session")

    assert [view(world, key).state for key in ("SPY", "QQQ")] == ["competing", "competing"]
    assert world.engine.market.proven == ()
    world.tell()
    assert raised(world) == ["data/competing"]


def test_a_competing_session_is_asked_politely_and_ends_with_the_first_tick():
    """Once a minute each; the gap goes from the last tick to the first one after."""
    world = trading()
    last_ns = world.now_ns
    for key in ("SPY", "QQQ"):
        world.notice(10197, req_id=world.stream_id(key), text="competing")
    for _ in range(5):
        world.wait(MINUTE)
        for key in ("SPY", "QQQ"):
            world.notice(10197, req_id=world.stream_id(key), text="competing")
    assert 4 <= asked(world) - 1 <= 5
    assert world.closes == []

    tick(world, SECOND)
    first_ns = world.now_ns - 750 * MILLISECOND

    assert [(gap.stream, gap.cause, gap.from_ns, gap.to_ns) for gap in world.told(Gap)] == [
        ("quote:SPY", GapCause.COMPETING, last_ns, first_ns),
        ("quote:QQQ", GapCause.COMPETING, last_ns, first_ns),
    ]
    tick(world, MINUTE)
    assert raised(world) == []


def test_a_stream_that_ticks_on_beside_a_competing_session_has_no_gap():
    """Nothing of it was missed."""
    world = trading()
    world.notice(10197, req_id=world.stream_id(), text="competing")

    tick(world, 30 * SECOND, "QQQ")

    assert world.told(Gap) == []
    assert view(world, "QQQ").state == "live"
    assert view(world).state == "competing"
