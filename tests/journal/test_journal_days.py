"""The journal knows no days: neither a midnight, nor a year's end, nor a clock that went back makes a gap in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.journal.reader import read
from ibkr_adapter.journal.verify import verify
from tests.journals import write_journal
from tests.records import status


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.fault("F11", "F13")
@pytest.mark.parametrize(
    "midnight",
    [
        "2026-11-24 00:00",
        "2026-11-24 05:00",
        "2027-01-01 00:00",
        "2027-01-01 05:00",
        "2028-02-29 05:00",
        "2028-03-01 05:00",
    ],
)
def test_a_midnight_is_no_border(tmp_path: Path, midnight: str) -> None:
    """UTC's and New York's, New Year, around 29 February: no gap, no overlap, also over several files and lives."""
    times = [ns(midnight) + second * SECOND for second in range(-6, 6)]
    write_journal(tmp_path, [status(ts_recv_ns=time) for time in times[:5]], segment_bytes=800)
    write_journal(tmp_path, [status(ts_recv_ns=time) for time in times[5:]], segment_bytes=800)

    records = list(read(tmp_path))

    assert [seq for seq, _ in records] == list(range(1, 13))
    assert [event.ts_recv_ns for _, event in records] == times
    assert verify(tmp_path).last_seq == 12
    assert len(list(tmp_path.glob("*.jsonl"))) > 1


@pytest.mark.fault("F09", "F12")
def test_records_stand_in_the_order_in_which_they_came_whatever_their_times(tmp_path: Path) -> None:
    """A clock set back by an hour, to 1970, and a second that came twice: the number orders, the time does not."""
    leap_ns = ns("2017-01-01 00:00")
    times = [leap_ns, leap_ns - SECOND, leap_ns - SECOND, leap_ns, leap_ns - 3600 * SECOND, 0, leap_ns + 5]
    write_journal(tmp_path, [status(ts_recv_ns=time) for time in times])

    assert [event.ts_recv_ns for _, event in read(tmp_path)] == times
    assert verify(tmp_path).last_seq == len(times)
