"""Streams that die are asked again, and every interruption is told with its beginning and its end."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.market.stream import QUOTE
from ibkr_adapter.effects import Outbox, SendFailed, TicksDropped
from ibkr_adapter.events import Gap, GapCause, QuotesProven
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import (
    CancelAccountSummary,
    CancelPositions,
    CancelQuotes,
    RequestAllOpenOrders,
    RequestContractDetails,
    RequestCurrentTime,
    SubscribeQuotes,
)
from tests.core.world import QQQ, SPY, START_NS, World


def gaps(world: World) -> list[tuple[str, GapCause, int, int]]:
    """Stream, cause, and from and to in seconds since the start."""
    return [
        (gap.stream, gap.cause, (gap.from_ns - START_NS) // SECOND, (gap.to_ns - START_NS) // SECOND)
        for gap in world.told(Gap)
    ]


def subscribed(world: World) -> int:
    return len(world.requests(SubscribeQuotes))


def test_each_instrument_is_asked_once_a_session():
    """What is wanted and what this session was asked are two things."""
    world = World(instruments=(SPY, QQQ))

    world.connect()
    assert subscribed(world) == 2
    world.reconnect()

    assert subscribed(world) == 4
    assert len({request.req_id for request in world.requests(SubscribeQuotes)}) == 4


def test_a_lost_session_is_a_gap_from_the_last_tick_to_the_next():
    """It begins where data was last received, and ends at the first tick of the new session."""
    world = World().ready()
    world.wait(3 * SECOND)
    world.reconnect()
    resumed_s = (world.now_ns - START_NS) // SECOND
    assert gaps(world) == []

    world.tell(world.price(1, 500.0))
    world.tell(world.price(1, 500.0))

    assert gaps(world) == [("quote:SPY", GapCause.SESSION_LOST, 0, resumed_s)]
    assert world.engine.snapshot(world.now_ns).gaps == tuple(world.told(Gap))


def test_a_first_start_has_no_gap():
    """Nothing was ever received, so nothing is missing."""
    world = World().ready()

    assert world.told(Gap) == []


def test_a_stream_that_never_flowed_has_no_gap():
    """A session that is lost before the first tick interrupts nothing."""
    world = World()
    world.connect()
    world.reconnect()
    world.quote()

    assert world.told(Gap) == []


def test_the_time_the_service_was_down_is_a_gap():
    """It begins at the last quote in the store, whatever else interrupts before the first tick."""
    world = World(last_recv_ns={"SPY": START_NS - 60 * SECOND, "GONE": 1})
    world.connect()
    world.reconnect()

    world.quote()

    assert [(gap.from_ns, gap.cause) for gap in world.told(Gap)] == [(START_NS - 60 * SECOND, GapCause.ADAPTER_DOWN)]


def test_1100_then_1102_keeps_the_subscription_and_tells_the_gap():
    """The gateway heals itself and its streams: nothing is asked twice."""
    world = World().ready()
    world.wait(1 * SECOND)
    world.notice(1100)
    world.wait(10 * SECOND)
    world.notice(1102)
    world.tell(world.price(1, 500.0))

    assert subscribed(world) == 1
    assert gaps(world) == [("quote:SPY", GapCause.UPSTREAM_LOST, 0, 11)]


def test_1100_then_1101_asks_for_every_stream_again():
    """Its streams are lost: the old request ids are nobody's any more."""
    world = World(instruments=(SPY, QQQ)).ready()
    world.quote(key="QQQ")
    late = world.price(1, 499.0)
    world.notice(1100)
    world.wait(10 * SECOND)

    world.notice(1101)
    world.tell(late)
    world.quote()
    world.quote(key="QQQ")

    assert subscribed(world) == 4
    assert world.engine.market.late_ticks == 1
    assert gaps(world) == [
        ("quote:SPY", GapCause.UPSTREAM_LOST, 0, 10),
        ("quote:QQQ", GapCause.UPSTREAM_LOST, 0, 10),
    ]


def test_a_refused_stream_says_why_and_is_asked_again_by_the_next_session():
    """Refused is not forgotten."""
    world = World()
    world.connect()

    world.notice(354, req_id=world.stream_id(), text="not subscribed")

    view = world.engine.snapshot(world.now_ns).streams[0]
    assert (view.state, view.detail) == ("refused", "354: not subscribed")
    world.reconnect()
    assert subscribed(world) == 2


def test_a_refusal_of_a_flowing_stream_opens_a_gap():
    """Whoever reads it must know that nothing comes any more, and since when."""
    world = World().ready()
    world.notice(354, req_id=world.stream_id())
    world.wait(5 * SECOND)
    world.reconnect()
    world.quote()

    assert [cause for _, cause, _, _ in gaps(world)] == [GapCause.REFUSED]


def test_a_subscription_that_cannot_be_encoded_is_refused():
    """A setting of ours is wrong, and the stream says so."""
    world = World()
    world.connect()

    world.tell(SendFailed(request=world.requests(SubscribeQuotes)[0], detail="generic_ticks: not ASCII"))

    assert world.engine.snapshot(world.now_ns).streams[0].detail == "generic_ticks: not ASCII"


@pytest.mark.parametrize("code", [10167, 2152, 399, 317, 10090, 10091])
def test_an_advisory_does_not_end_a_stream(code: int):
    """These codes come with a request's id and the data goes on."""
    world = World().ready()

    world.notice(code, req_id=world.stream_id())

    assert world.engine.market.flows(QUOTE, "SPY")


def test_an_unchanged_quote_is_proven_while_its_line_lives():
    """Nothing ticks for a minute, the heartbeat answers: downstream hears every two seconds that it is current."""
    world = World().ready()
    world.wait(60 * SECOND)

    proofs = world.told(QuotesProven)
    assert len(proofs) >= 30
    assert {proof.instruments for proof in proofs} == {("SPY",)}


@pytest.mark.parametrize("code", [1100, 2110])
def test_nothing_is_proven_while_the_upstream_is_lost(code: int):
    """Our socket lives, and proves nothing of what is behind the gateway."""
    world = World().ready()
    world.notice(code)
    before = len(world.told(QuotesProven))

    world.wait(10 * SECOND)

    assert len(world.told(QuotesProven)) == before


def test_nothing_is_proven_while_a_market_farm_is_broken():
    """Which instruments a farm serves IB does not say."""
    world = World().ready()
    world.notice(2103, text="Market data farm connection is broken:usfarm")
    before = len(world.told(QuotesProven))

    world.wait(10 * SECOND)

    assert len(world.told(QuotesProven)) == before


def test_overload_leaves_a_counted_gap():
    """What the mailbox threw away is told, by stream and number."""
    world = World().ready()
    world.wait(SECOND)

    world.tell(TicksDropped(req_id=world.stream_id(), count=7))

    gap = world.told(Gap)[0]
    assert (gap.stream, gap.cause, gap.count) == ("quote:SPY", GapCause.OVERLOAD, 7)
    assert world.engine.snapshot(world.now_ns).counters["dropped.tick"] == 7


def test_the_gaps_shown_are_bounded():
    """The store has them all; the picture keeps the last."""
    world = World().ready()
    for _ in range(300):
        world.tell(TicksDropped(req_id=world.stream_id(), count=1))

    assert len(world.engine.snapshot(world.now_ns).gaps) == 200


def test_a_straggler_after_1100_does_not_close_the_gap():
    """What was under way still arrives; the silence after it is the gap, and it must not go untold."""
    world = World().ready()
    world.notice(1100)
    world.wait(1 * SECOND)
    world.tell(world.price(1, 500.0))
    world.wait(299 * SECOND)
    assert not world.engine.market.flows(QUOTE, "SPY")

    world.notice(1102)
    world.tell(world.price(1, 501.0))

    assert gaps(world) == [("quote:SPY", GapCause.UPSTREAM_LOST, 1, 300)]


def test_a_stream_whose_first_tick_is_a_straggler_has_a_gap_too():
    """Asked just before 1100, answered just after: what follows is silence like any other."""
    world = World()
    world.connect()
    world.notice(1100)
    world.tell(world.price(1, 500.0))
    world.wait(60 * SECOND)
    world.notice(1102)
    world.tell(world.price(1, 501.0))

    assert gaps(world) == [("quote:SPY", GapCause.UPSTREAM_LOST, 0, 60)]


def test_a_pause_inside_an_outage_is_told_when_it_ends_and_not_again():
    """2110 has no end of its own: what flows again has its gap at once, and what is told later begins there."""
    world = World().ready()
    world.notice(2110)
    world.wait(10 * SECOND)
    for _ in range(8):
        world.tell(world.price(1, 500.0))
        world.wait(SECOND // 2)
    assert gaps(world) == [("quote:SPY", GapCause.UPSTREAM_LOST, 0, 10)]

    world.notice(1102)
    world.tell(world.price(1, 501.0))

    first, second = world.told(Gap)
    assert second.from_ns == first.to_ns + 7 * SECOND // 2
    assert second.to_ns == world.now_ns


def test_a_stream_that_goes_on_at_its_own_pace_in_an_outage_has_no_gap():
    """Some gateways say that they have lost IB and go on delivering: nothing was missed."""
    world = World().ready()
    for _ in range(40):
        world.wait(2 * SECOND)
        world.tell(world.price(1, 500.0))
    world.notice(1100)
    for _ in range(10):
        world.wait(3 * SECOND)
        world.tell(world.price(1, 500.0))

    assert gaps(world) == []


def test_a_short_pause_that_begins_with_1100_is_a_gap():
    """Two seconds of a stream that speaks twice a second, and no word that IB is back."""
    world = World().ready()
    for _ in range(40):
        world.wait(SECOND // 2)
        world.tell(world.price(1, 500.0))
    world.notice(1100)
    world.wait(2 * SECOND)
    world.tell(world.price(1, 500.0))

    assert gaps(world) == [("quote:SPY", GapCause.UPSTREAM_LOST, 20, 22)]


def test_a_session_that_begins_behind_an_outage_and_flows_has_one_gap_that_ends():
    """Lost without IB; the next session is told of 1100 and flows all the same: what came is not counted as missed."""
    world = World().ready()
    world.wait(3 * SECOND)
    world.reconnect()
    world.notice(1100)
    resumed_s = (world.now_ns - START_NS) // SECOND
    for _ in range(20):
        world.tell(world.price(1, 500.0))
        world.wait(SECOND // 2)

    assert gaps(world) == [("quote:SPY", GapCause.SESSION_LOST, 0, resumed_s)]


def test_1101_before_ready_asks_for_no_stream():
    """The kind of data is not chosen yet, and what is at risk not known; ready asks for all of them."""
    world = World()
    world.silent.add(RequestAllOpenOrders)
    world.connect()

    world.notice(1101)
    assert subscribed(world) == 0
    world.silent.clear()
    world.wait(30 * SECOND)

    assert world.engine.link.ready
    assert subscribed(world) == 1


def test_1101_without_1100_is_a_gap_of_the_upstream():
    """The first notice may have been lost with its frame."""
    world = World().ready()
    world.wait(SECOND)
    world.notice(1101)
    world.quote()

    assert gaps(world) == [("quote:SPY", GapCause.UPSTREAM_LOST, 0, 1)]


def test_a_competing_session_silences_a_stream_until_it_ticks():
    """10197: nothing comes while somebody else looks at the same data, so the quote is proven by nobody."""
    world = World().ready()
    world.notice(10197, req_id=world.stream_id(), text="competing session")
    before = len(world.told(QuotesProven))
    world.wait(20 * SECOND)
    assert not world.engine.market.flows(QUOTE, "SPY")
    assert len(world.told(QuotesProven)) == before

    world.tell(world.price(1, 500.0))

    assert world.engine.market.flows(QUOTE, "SPY")
    assert [gap.to_ns - gap.from_ns for gap in world.told(Gap)] == [20 * SECOND]


def test_a_refused_stream_that_ticks_is_alive():
    """10089 has been seen as advice: delayed data followed. Ticks are better evidence than a code."""
    world = World()
    world.connect()
    world.notice(10089, req_id=world.stream_id(), text="delayed data is available")
    assert world.engine.snapshot(world.now_ns).streams[0].state == "refused"

    world.wait(1)
    world.tell(world.price(66, 500.0))

    view = world.engine.snapshot(world.now_ns).streams[0]
    assert (view.state, view.detail) == ("live", "")
    assert world.engine.snapshot(world.now_ns).quotes["SPY"].bid == 500.0


def test_a_farm_that_was_broken_leaves_a_gap_where_nothing_ticked():
    """From the last tick before to the first one after; until then the quote is not proven."""
    world = World(instruments=(SPY, QQQ)).ready()
    world.quote(key="QQQ")
    world.wait(10 * SECOND)
    world.notice(2103, text="Market data farm connection is broken:usfarm")
    world.wait(SECOND)
    world.tell(world.price(1, 400.0, "QQQ"))
    world.wait(49 * SECOND)
    world.notice(2119, text="Market data farm is connecting:usfarm")
    world.notice(2104, text="Market data farm connection is OK:usfarm")
    assert not world.engine.market.flows(QUOTE, "SPY")
    assert world.engine.market.flows(QUOTE, "QQQ")
    world.tell(world.price(1, 500.0), world.price(1, 400.0, "QQQ"))

    assert gaps(world) == [("quote:SPY", GapCause.FARM_BROKEN, 0, 60)]


def test_a_farm_that_nobody_uses_does_not_silence_the_others():
    """Gateways report a broken farm of another continent at every connect."""
    world = World()
    world.connect()
    world.notice(2103, text="Market data farm connection is broken:jfarm")
    world.wait(2 * SECOND)
    world.quote()
    world.wait(10 * SECOND)

    assert world.told(QuotesProven)[-1].instruments == ("SPY",)


def test_what_is_not_wanted_any_more_is_cancelled_by_its_number():
    """Its line is free for another, its quote is gone, and the others flow on."""
    world = World(instruments=(SPY, QQQ)).ready()
    world.quote(key="QQQ")
    unwanted = world.stream_id("QQQ")

    world.engine.market.unwant(QQQ)
    world.tell()

    assert [request.req_id for request in world.requests(CancelQuotes)] == [unwanted]
    assert [view.instrument for view in world.engine.snapshot(world.now_ns).streams] == ["SPY"]
    assert set(world.engine.snapshot(world.now_ns).quotes) == {"SPY"}


def test_ticks_after_a_cancel_are_late_and_make_no_gap():
    """The gateway goes on for a moment: counted, not folded; and wanted again it is a new subscription, not a gap."""
    world = World(instruments=(SPY, QQQ)).ready()
    world.quote(key="QQQ")
    late = world.price(1, 400.0, "QQQ")
    world.engine.market.unwant(QQQ)
    world.tell(late)
    world.tell()
    world.tell(late)

    world.engine.market.want(QQQ)
    world.tell()
    world.quote(key="QQQ")

    assert world.engine.snapshot(world.now_ns).counters["late_ticks"] == 2
    assert world.told(Gap) == []
    assert subscribed(world) == 3
    assert world.stream_id("QQQ") != late.req_id


def test_unwanted_and_wanted_again_before_anything_was_sent_changes_nothing():
    """Only the difference between wanted and asked goes to the wire."""
    world = World(instruments=(SPY, QQQ)).ready()

    world.engine.market.unwant(QQQ)
    world.engine.market.want(QQQ)
    world.tell()

    assert world.requests(CancelQuotes) == []
    assert subscribed(world) == 2


def test_a_session_that_ends_takes_what_was_to_be_cancelled_with_it():
    """The wire side dies with its session: the next one is asked for what is wanted, and told of nothing else."""
    world = World(instruments=(SPY, QQQ)).ready()
    world.engine.market.unwant(QQQ)
    world.reconnect()

    assert world.requests(CancelQuotes) == []
    assert [request.instrument.key for request in world.requests(SubscribeQuotes)] == ["SPY", "QQQ", "SPY"]


def test_leaving_cancels_every_subscription_within_the_message_budget():
    """Quotes, account summary and positions; what the second does not hold follows in the next."""
    instruments = tuple(Instrument(symbol=f"S{number}") for number in range(60))
    world = World(instruments=instruments)
    world.connect()
    world.wait(13 * SECOND)

    out = Outbox()
    world.engine.leave(world.now_ns, out)
    world._perform(out)
    messages_max = world.settings.pacing.messages_max
    assert len(out.sends) in (messages_max - 1, messages_max)  # less a heartbeat
    assert not world.engine.left
    world.wait(SECOND)

    assert world.engine.left
    assert {request.req_id for request in world.requests(CancelQuotes)} == {
        request.req_id for request in world.requests(SubscribeQuotes)
    }
    assert len(world.requests(CancelAccountSummary)) == len(world.requests(CancelPositions)) == 1


def test_leaving_without_a_session_asks_for_nothing():
    """There is nobody to tell."""
    world = World().ready()
    world.lose()
    out = Outbox()

    world.engine.leave(world.now_ns, out)

    assert (out.sends, world.engine.left) == ([], True)


def test_a_tick_older_than_the_refusal_does_not_revive_its_stream():
    """Codes are delivered before ticks: what was read with or before the code says nothing of the time behind it."""
    world = World().ready()
    tick = world.price(1, 499.0)
    world.wait(SECOND)
    world.notice(354, req_id=world.stream_id(), text="not subscribed")
    world.tell(tick)
    world.wait(10 * SECOND)

    assert world.engine.snapshot(world.now_ns).streams[0].state == "refused"
    assert not world.engine.market.flows(QUOTE, "SPY")
    assert world.told(Gap) == []


def test_each_farm_has_an_outage_of_its_own():
    """Two broke; the first to come back leaves a gap from its own break, although the other broke later."""
    world = World().ready()
    world.wait(SECOND)
    world.notice(2103, text="Market data farm connection is broken:usfarm")
    world.wait(SECOND)
    world.notice(2103, text="Market data farm connection is broken:usfarm.nj")
    world.wait(60 * SECOND)
    world.notice(2104, text="Market data farm connection is OK:usfarm")
    world.wait(SECOND)
    world.quote()

    assert [(stream, cause, from_s) for stream, cause, from_s, _ in gaps(world)] == [
        ("quote:SPY", GapCause.FARM_BROKEN, 0)
    ]


def test_a_straggler_of_a_broken_farm_proves_nothing():
    """A tick that was under way when its farm broke is no sign of life of the farm."""
    world = World().ready()
    world.wait(SECOND)
    world.notice(2103, text="Market data farm connection is broken:usfarm")
    world.wait(SECOND // 1000)
    world.quote()
    world.wait(10 * SECOND)

    assert not world.engine.market.flows(QUOTE, "SPY")


def test_the_snapshot_says_which_quotes_are_proven():
    """Prices stay to be looked at when the link is gone; what they are worth is said beside them."""
    world = World().ready()
    assert world.engine.snapshot(world.now_ns).proven == ("SPY",)

    world.lose()
    snapshot = world.engine.snapshot(world.now_ns)

    assert snapshot.quotes["SPY"].bid == 500.0
    assert snapshot.proven == ()


def test_contract_details_that_do_not_come_are_asked_for_again():
    """A request that the gateway forgot must not keep an instrument untradable for the whole session."""
    world = World()
    world.silent.add(RequestContractDetails)
    world.connect()
    world.quote()
    asked = len(world.requests(RequestContractDetails))
    assert world.engine.market.contracts.of("SPY") is None

    world.silent.clear()
    world.wait(world.settings.download_timeout_ns + SECOND)

    assert len(world.requests(RequestContractDetails)) == asked + 1
    assert world.engine.market.contracts.of("SPY") is not None
    world.wait(60 * SECOND)
    assert len(world.requests(RequestContractDetails)) == asked + 1


def test_an_instrument_that_ib_does_not_know_is_asked_once_a_minute():
    """200 is an answer, but a farm that wakes up gives it too; more often would only use up the message budget."""
    world = World()
    world.silent.add(RequestContractDetails)
    world.connect()
    request = world.requests(RequestContractDetails)[-1]
    world.notice(200, req_id=request.req_id, text="No security definition has been found")
    world.wait(59 * SECOND)
    assert len(world.requests(RequestContractDetails)) == 1
    world.wait(2 * SECOND)
    assert len(world.requests(RequestContractDetails)) == 2

    world.reconnect()
    assert len(world.requests(RequestContractDetails)) == 3


def test_a_suspect_session_that_comes_back_leaves_no_gap():
    """The gateway missed a heartbeat and then spoke: bytes were late, and none was lost."""
    world = World().ready()
    world.silent.update({RequestCurrentTime, RequestAllOpenOrders, SubscribeQuotes})
    world.wait(9 * SECOND)
    assert world.engine.link.state.value == "suspect"

    world.quote()

    assert world.engine.link.ready
    assert world.told(Gap) == []
    assert world.engine.market.flows(QUOTE, "SPY")


def test_each_interruption_is_one_gap_whatever_else_befalls_the_stream_meanwhile():
    """A farm breaks, IB is lost, the session goes, the stream is refused: it was silent once, from one tick to one."""
    world = World().ready()
    world.notice(2103, text="Market data farm connection is broken:usfarm")
    world.wait(2 * SECOND)
    world.notice(1100)
    world.wait(2 * SECOND)
    world.lose()
    world.connect()
    world.notice(10182, req_id=world.stream_id())
    world.wait(20 * SECOND)
    world.quote()

    (gap,) = world.told(Gap)
    assert (gap.from_ns, gap.to_ns) == (START_NS, world.now_ns)


def test_overload_during_a_gap_is_not_told_twice():
    """What the mailbox threw away lies within what was missed anyway."""
    world = World().ready()
    world.notice(1100)
    world.wait(SECOND)
    world.tell(TicksDropped(req_id=world.stream_id(), count=7))
    world.notice(1102)
    world.quote()

    assert [gap.cause for gap in world.told(Gap)] == [GapCause.UPSTREAM_LOST]
    assert world.engine.snapshot(world.now_ns).counters["dropped.tick"] == 7


def test_the_picture_of_a_stream_says_since_when_it_is_interrupted_and_how_often_it_was_asked():
    """What a person at four in the morning wants to know of it."""
    world = World()
    world.silent.add(SubscribeQuotes)
    world.connect()
    world.wait(11 * SECOND)
    world.quote()
    world.lose()

    view = world.engine.snapshot(world.now_ns).streams[0]
    assert (view.state, view.resubscriptions, view.gap_since_ns) == ("waiting", 1, world.now_ns)
