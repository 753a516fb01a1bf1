"""Control is never lost and comes first; bulk is bounded and what it loses is counted."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.events import BrokerEvent, NextValidId, Tick, ValueTick
from ibkr_adapter.tws.mailbox import Mailbox


class Wakes:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def tick(req_id: int, field: int, value: float) -> ValueTick:
    return ValueTick(epoch=1, ts_recv_ns=0, req_id=req_id, field=field, value=value)


def control(order_id: int) -> NextValidId:
    return NextValidId(epoch=1, ts_recv_ns=0, order_id=order_id)


def test_control_is_drained_before_bulk() -> None:
    """An execution never waits behind ticks."""
    mailbox = Mailbox(Wakes())
    mailbox.put([], [tick(1, 1, 1.0)])
    mailbox.put([control(1)], [])
    assert mailbox.drain(10) == [control(1), tick(1, 1, 1.0)]


def test_bulk_comes_in_slices_and_the_rest_wakes_the_loop_again() -> None:
    """A drain takes no more ticks than asked for, and who drains once a wake still gets all."""
    wakes = Wakes()
    mailbox = Mailbox(wakes)
    ticks = [tick(1, field, 0.0) for field in range(10)]
    mailbox.put([], ticks)
    drained: list[BrokerEvent] = []
    while wakes.count:
        wakes.count -= 1
        drained += mailbox.drain(3)
    assert drained == ticks


def test_one_wake_for_all_batches_until_the_loop_drains() -> None:
    """A loop that is late is not woken again and again."""
    wakes = Wakes()
    mailbox = Mailbox(wakes)
    for _ in range(5):
        mailbox.put([control(1)], [tick(1, 1, 1.0)])
    assert wakes.count == 1
    mailbox.drain(100)
    mailbox.put([], [tick(1, 1, 1.0)])
    assert wakes.count == 2


def test_an_empty_batch_wakes_nobody() -> None:
    """Nothing put, nothing to do."""
    wakes = Wakes()
    assert Mailbox(wakes).put([], [])
    assert wakes.count == 0


def test_full_bulk_keeps_the_last_value_of_each_field_in_order() -> None:
    """Compaction forgets what newer values replaced, and says how many of which request."""
    mailbox = Mailbox(Wakes(), bulk_max=6)
    mailbox.put([], [tick(1, 1, 1.0), tick(2, 1, 2.0), tick(1, 1, 3.0), tick(1, 2, 4.0), tick(1, 1, 5.0)])
    mailbox.put([], [tick(2, 1, 6.0), tick(1, 1, 7.0)])
    assert mailbox.drain(100) == [tick(1, 2, 4.0), tick(2, 1, 6.0), tick(1, 1, 7.0)]
    assert mailbox.take_dropped() == {1: 3, 2: 1}
    assert mailbox.take_dropped() == {}


def test_more_fields_than_room_lose_the_oldest() -> None:
    """Even when nothing repeats, the bound holds."""
    mailbox = Mailbox(Wakes(), bulk_max=10)
    mailbox.put([], [tick(req_id, 1, 0.0) for req_id in range(11)])
    assert [event.req_id for event in mailbox.drain(100) if isinstance(event, Tick)] == [6, 7, 8, 9, 10]
    assert mailbox.take_dropped() == dict.fromkeys(range(6), 1)


def test_full_control_refuses_the_batch_and_keeps_what_it_has() -> None:
    """Events that must not be lost are refused as a whole, so the session can fail loudly."""
    mailbox = Mailbox(Wakes(), control_max=2)
    assert mailbox.put([control(1)], [])
    assert not mailbox.put([control(2), control(3)], [tick(1, 1, 1.0)])
    mailbox.put_last(control(4))
    assert mailbox.drain(100) == [control(1), control(4), tick(1, 1, 1.0)]


def test_a_closed_loop_does_not_disturb_the_network_thread() -> None:
    """At shutdown the loop may be gone before the last session is."""

    def closed() -> None:
        raise RuntimeError("Event loop is closed")

    Mailbox(closed).put_last(control(1))


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), max_size=20), max_size=20), st.integers(1, 30)
)
def test_every_tick_is_drained_or_counted(batches: list[list[tuple[int, int]]], bulk_max: int) -> None:
    """Nothing is lost without a trace, whatever the load."""
    mailbox = Mailbox(Wakes(), bulk_max=bulk_max)
    put: Counter[int] = Counter()
    for batch in batches:
        mailbox.put([], [tick(req_id, field, 0.0) for req_id, field in batch])
        put.update(req_id for req_id, _ in batch)
        assert len(mailbox) <= bulk_max
    got = Counter(event.req_id for event in mailbox.drain(10_000) if isinstance(event, Tick))
    assert got + Counter(mailbox.take_dropped()) == put
