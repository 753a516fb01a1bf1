"""How much happened within a stretch of time, wherever that begins."""

from __future__ import annotations

from collections.abc import Sequence

from ibkr_adapter.clock import SECOND


def most_in_a_second(times_ns: Sequence[int]) -> int:
    """The most of these moments, which rise, that fell into any sliding second."""
    most = first = 0
    for last, at_ns in enumerate(times_ns):
        while times_ns[first] <= at_ns - SECOND:
            first += 1
        most = max(most, last - first + 1)
    return most
