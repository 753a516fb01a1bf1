"""The core's side of the journal: numbers, and what waits for the disk."""

from __future__ import annotations

from ibkr_adapter.core.records import Records
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import Recorded
from tests.records import intended


def test_numbers_go_on_where_the_last_life_ended():
    """Consecutive over restarts."""
    records = Records(41)
    out = Outbox()

    assert [records.append(intended(), out), records.append(intended(), out)] == [42, 43]
    assert [append.seq for append in out.appends] == [42, 43]


def test_a_record_is_published_once_and_when_it_is_safe():
    """The disk answers with the last safe number; an answer may repeat and may come late."""
    records = Records(0)
    out = Outbox()
    for _ in range(5):
        records.append(intended(), out)
    for seq in (3, 3, 1, 5):
        records.durable(seq, out)

    assert [event.seq for event in out.publishes if isinstance(event, Recorded)] == [1, 2, 3, 4, 5]
    assert records.durable_seq == 5


def test_a_disk_that_falls_behind_is_noticed():
    """At the bound, and not before; catching up lifts it."""
    records = Records(0)
    for _ in range(Records.UNSAFE_MAX):
        assert not records.behind
        records.append(intended(), Outbox())
    assert records.behind

    records.durable(1, Outbox())
    assert not records.behind


def test_after_a_failure_nothing_waits_for_the_disk():
    """The service runs on to cancel and to show prices, perhaps for days: records it cannot write must not pile up."""
    records = Records(0)
    records.append(intended(), Outbox())
    records.failed("no space left")
    records.failed("a later one")
    for _ in range(100):
        records.append(intended(), Outbox())

    assert records.failure == "no space left"
    assert len(records._unsafe) == 0
