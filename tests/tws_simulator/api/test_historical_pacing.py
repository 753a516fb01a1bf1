"""IB's limits on requests for small historical bars, in a time that the test tells."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tws_simulator.api.limits.historical_pacing import HistoricalPacing

SECOND = 1_000_000_000


def test_an_identical_request_waits_fifteen_seconds() -> None:
    """Not a moment longer."""
    pacing = HistoricalPacing()
    assert pacing.admits(0, "same", "AAPL")
    assert not pacing.admits(15 * SECOND - 1, "same", "AAPL")
    assert pacing.admits(15 * SECOND, "same", "AAPL")


def test_the_sixth_of_a_subject_within_two_seconds_is_one_too_many() -> None:
    """Others are not concerned, and it passes when the first is two seconds old."""
    pacing = HistoricalPacing()
    assert all(pacing.admits(number, number, "AAPL") for number in range(5))
    assert not pacing.admits(5, 5, "AAPL")
    assert pacing.admits(5, 5, "MSFT")
    assert pacing.admits(2 * SECOND, 6, "AAPL")


def test_bars_of_bid_and_ask_count_twice() -> None:
    """Two of them and one other are five; another one is too many."""
    pacing = HistoricalPacing()
    assert pacing.admits(0, 1, "AAPL", weight=2)
    assert pacing.admits(1, 2, "AAPL", weight=2)
    assert not pacing.admits(2, 3, "AAPL", weight=2)
    assert pacing.admits(3, 4, "AAPL")
    assert not pacing.admits(4, 5, "AAPL")


@settings(max_examples=60, deadline=None)
@given(gaps_s=st.lists(st.integers(0, 30), min_size=60, max_size=200))
def test_sixty_pass_in_any_ten_minutes(gaps_s: list[int]) -> None:
    """And no request that fits is refused."""
    pacing, now_ns, admitted = HistoricalPacing(), 0, [-(10**15)]
    for number, gap_s in enumerate(gaps_s):
        now_ns += gap_s * SECOND
        recent = sum(then_ns > now_ns - 600 * SECOND for then_ns in admitted)
        passes = pacing.admits(now_ns, number, number)
        assert passes is (recent < 60)
        if passes:
            admitted.append(now_ns)
