from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import SlowConsumer
from ibkr_adapter.events import (
    AccountValue,
    Event,
    FeedEvent,
    Gap,
    GapCause,
    LinkChanged,
    PositionReported,
    Quote,
    QuotesProven,
    Recorded,
    Trade,
)
from ibkr_adapter.fanout import Fanout, Loss, Overflow, Subscription, stream_of
from tests.records import SPY, quote, status


def trade(instrument: str, ts_recv_ns: int) -> Trade:
    return Trade(
        instrument=instrument,
        ts_recv_ns=ts_recv_ns,
        price=1.0,
        size=Decimal(1),
        total_volume=None,
        vwap=None,
        single=True,
        ts_event_ns=ts_recv_ns,
    )


async def test_a_subscriber_gets_the_kinds_it_asked_for_in_order() -> None:
    """Other kinds pass it by."""
    fanout = Fanout()
    async with fanout.subscribe("page", (Quote, Trade), overflow=Overflow.DROP_OLDEST, bound=10) as subscription:
        events = [quote("SPY", 1), trade("SPY", 2), quote("QQQ", 3)]
        fanout.publish([*events[:2], LinkChanged(ts_recv_ns=2, state="ready", gateway="a", epoch=1), events[2]])
        assert subscription.depth == 3
        assert await subscription.batch(2) == events[:2]
        assert await subscription.batch() == events[2:]


async def test_a_batch_waits_for_the_first_event() -> None:
    """An empty queue waits; one event is enough to be given."""
    fanout = Fanout()
    subscription = fanout.subscribe("page", (Quote,), overflow=Overflow.CONFLATE, bound=10)
    waiting = asyncio.ensure_future(subscription.batch())
    await asyncio.sleep(0)
    fanout.publish([trade("SPY", 1)])
    await asyncio.sleep(0)
    assert not waiting.done()
    fanout.publish([quote("SPY", 1)])
    assert await waiting == [quote("SPY", 1)]


async def test_conflation_keeps_the_last_value_of_each_key_in_its_place() -> None:
    """A busy instrument neither fills the queue nor delays a quiet one; nothing counts as lost."""
    fanout = Fanout()
    subscription = fanout.subscribe("page", (Quote, Trade), overflow=Overflow.CONFLATE, bound=3)
    fanout.publish([quote("SPY", 1), quote("QQQ", 2), trade("SPY", 3), quote("SPY", 4), quote("SPY", 5)])
    assert await subscription.batch() == [quote("SPY", 5), quote("QQQ", 2), trade("SPY", 3)]
    assert (subscription.dropped, subscription.losses()) == (0, [])


async def test_what_may_not_replace_each_other_does_not() -> None:
    """Accounts, tags, positions and gaps are told apart; of records the last number is enough."""
    fanout = Fanout()
    kinds: tuple[type[Event], ...] = (AccountValue, PositionReported, Gap, QuotesProven, Recorded, LinkChanged)
    subscription = fanout.subscribe("page", kinds, overflow=Overflow.CONFLATE, bound=100)

    def value(account: str, tag: str) -> AccountValue:
        return AccountValue(ts_recv_ns=1, epoch=1, req_id=1, account=account, tag=tag, value="1", currency="USD")

    distinct: list[FeedEvent] = [
        value("DU1", "Cash"),
        value("DU1", "Margin"),
        value("DU2", "Cash"),
        PositionReported(ts_recv_ns=1, epoch=1, account="DU1", instrument=SPY, quantity=Decimal(1), average_cost=1.0),
        Gap(ts_recv_ns=1, stream="quote:SPY", from_ns=1, to_ns=2, cause=GapCause.OVERLOAD),
        Gap(ts_recv_ns=1, stream="quote:SPY", from_ns=3, to_ns=4, cause=GapCause.OVERLOAD),
        QuotesProven(ts_recv_ns=1, instruments=("SPY",)),
        QuotesProven(ts_recv_ns=1, instruments=("QQQ",)),
        LinkChanged(ts_recv_ns=1, state="ready", gateway="a", epoch=1),
        Recorded(ts_recv_ns=1, seq=1, record=status()),
    ]
    last = Recorded(ts_recv_ns=2, seq=2, record=status())
    fanout.publish([*distinct, last])
    assert await subscription.batch() == [*distinct[:-1], last]
    assert [stream_of(event) for event in distinct[2:]] == [
        "account:DU2",
        "positions:DU1",
        "gaps",
        "gaps",
        "quotes_proven",
        "quotes_proven",
        "link",
        "journal",
    ]


async def test_dropped_events_are_counted_by_stream_with_their_times() -> None:
    """A slow subscriber learns what it did not get: first and last moment and number, for each stream."""
    fanout = Fanout()
    subscription = fanout.subscribe("sink", (Quote, Trade), overflow=Overflow.DROP_OLDEST, bound=2)
    fanout.publish([quote("SPY", 1), trade("SPY", 2), quote("SPY", 3), quote("SPY", 4), quote("SPY", 5)])
    assert await subscription.batch() == [quote("SPY", 4), quote("SPY", 5)]
    assert subscription.losses() == [
        Loss(stream="quote:SPY", from_ns=1, to_ns=3, count=2),
        Loss(stream="trade:SPY", from_ns=2, to_ns=2, count=1),
    ]
    assert subscription.losses() == []
    assert subscription.dropped == 3
    assert repr(subscription) == "<Subscription sink 0/2 drop_oldest dropped 3>"


async def test_more_keys_than_the_bound_are_lost_oldest_first() -> None:
    """Conflation is bounded too: an instrument too many is a counted loss."""
    fanout = Fanout()
    subscription = fanout.subscribe("page", (Quote,), overflow=Overflow.CONFLATE, bound=2)
    fanout.publish([quote("A", 1), quote("B", 2), quote("B", 3), quote("C", 4)])
    assert await subscription.batch() == [quote("B", 3), quote("C", 4)]
    assert subscription.losses() == [Loss(stream="quote:A", from_ns=1, to_ns=1, count=1)]


async def test_a_slow_consumer_is_reported_once_per_episode() -> None:
    """One report when it begins to lose, the next only after it had caught up."""
    slow: list[Subscription] = []
    fanout = Fanout(on_slow=slow.append)
    subscription = fanout.subscribe("sink", (Quote,), overflow=Overflow.DROP_OLDEST, bound=2)
    fanout.publish([quote("SPY", n) for n in range(5)])
    await subscription.batch(1)
    fanout.publish([quote("SPY", n) for n in range(5)])
    assert slow == [subscription]
    await subscription.batch()
    fanout.publish([quote("SPY", n) for n in range(5)])
    assert slow == [subscription, subscription]


async def test_records_that_may_not_be_lost_end_the_subscription() -> None:
    """What waited is given, then the error, and then the fan-out has forgotten it."""
    slow: list[Subscription] = []
    fanout = Fanout(on_slow=slow.append)
    subscription = fanout.subscribe("orders", (Recorded,), overflow=Overflow.FAIL, bound=2)
    records = [Recorded(ts_recv_ns=seq, seq=seq, record=status()) for seq in range(4)]
    fanout.publish(records)
    assert fanout.subscriptions == ()
    assert await subscription.batch() == records[:2]
    with pytest.raises(SlowConsumer, match="orders fell more than 2 events behind"):
        await subscription.batch()
    assert (slow, subscription.dropped) == ([subscription], 1)


async def test_closing_gives_what_waits_and_then_nothing() -> None:
    """An empty batch means the end; a waiting consumer is woken by it."""
    fanout = Fanout()
    subscription = fanout.subscribe("page", (Quote,), overflow=Overflow.CONFLATE, bound=2)
    fanout.publish([quote("A", 1)])
    subscription.close()
    subscription.close()
    fanout.publish([quote("A", 2)])
    assert await subscription.batch() == [quote("A", 1)]
    assert await subscription.batch() == []
    other = fanout.subscribe("page", (Quote,), overflow=Overflow.CONFLATE, bound=2)
    waiting = asyncio.ensure_future(other.batch())
    await asyncio.sleep(0)
    other.close()
    assert await waiting == []
    assert repr(other) == "<Subscription page closed 0/2 conflate dropped 0>"


async def test_one_slow_consumer_costs_the_others_nothing() -> None:
    """Each has its own queue and its own bound."""
    fanout = Fanout()
    slow = fanout.subscribe("slow", (Quote,), overflow=Overflow.DROP_OLDEST, bound=1)
    quick = fanout.subscribe("quick", (Quote,), overflow=Overflow.DROP_OLDEST, bound=100)
    events = [quote("SPY", n) for n in range(50)]
    fanout.publish(events)
    assert await quick.batch() == events
    assert (slow.depth, slow.dropped, quick.dropped) == (1, 49, 0)


@given(steps=st.lists(st.one_of(st.integers(1, 9), st.just("take")), max_size=40), bound=st.integers(1, 8))
def test_every_event_is_given_or_counted_as_lost(steps: list[int | str], bound: int) -> None:
    """Given plus lost is published; losses lie, in their stream, exactly where events are missing."""

    async def run() -> None:
        fanout = Fanout()
        subscription = fanout.subscribe("sink", (Quote,), overflow=Overflow.DROP_OLDEST, bound=bound)
        at, accounted = 0, 0
        for step in [*steps, "take"]:
            if isinstance(step, int):
                fanout.publish([quote("SPY", at + n) for n in range(step)])
                at += step
            elif subscription.depth:
                given = [event.ts_recv_ns for event in await subscription.batch(3)]
                for loss in subscription.losses():
                    assert loss.from_ns == accounted
                    assert loss.to_ns - loss.from_ns + 1 == loss.count
                    accounted += loss.count
                assert given == list(range(accounted, accounted + len(given)))
                accounted += len(given)
            assert subscription.depth <= bound
        assert accounted + subscription.depth == at

    asyncio.run(run())
