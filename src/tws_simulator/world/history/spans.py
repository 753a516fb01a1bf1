"""Stretches of a made-up past, and how one is parted into shorter ones that add up to it exactly.

A stretch is a bar: what traded between two moments. Parting goes from the coarse to the fine, which is why a year of
days can be told without drawing its seconds. The rule for one cut in two:

- The price at the cut is drawn like that of a Brownian bridge, inside the whole's range.
- One side holds the whole's high and one its low; the other side's extremes are drawn inside.
- Trades, shares and money are divided; the money so that neither side's average price leaves its range.
- A side without trades is flat: at the opening price before the first trade, at the closing price after the last.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tws_simulator.world.market.mixing import bell

COUNT_MIN: Final = 4
"""Of trades where there are any: opening, high, low and closing price need one each."""


@dataclass(frozen=True, slots=True)
class Span:
    """Prices in ticks, ``volume`` in shares, ``turnover`` in ticks times shares, ``count`` in trades.

    Without trades all four prices are the same, and count, volume and turnover are 0.
    """

    start_ns: int
    end_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    count: int


def flat(start_ns: int, end_ns: int, price: int) -> Span:
    return Span(start_ns, end_ns, price, price, price, price, 0, 0, 0)


def merged(spans: Iterable[Span]) -> Span | None:
    """One stretch of several in order of time; those without trades give no price unless all are without."""
    every = list(spans)
    if not every:
        return None
    traded = [span for span in every if span.count] or every[-1:]
    return Span(
        every[0].start_ns,
        every[-1].end_ns,
        traded[0].open,
        max(span.high for span in traded),
        min(span.low for span in traded),
        traded[-1].close,
        sum(span.volume for span in traded),
        sum(span.turnover for span in traded),
        sum(span.count for span in traded),
    )


def parted(span: Span, cuts_ns: Sequence[int], weights: Sequence[float], rng: random.Random) -> list[Span]:
    """``span`` cut at ``cuts_ns`` (inside it, rising); ``weights`` say how much happens in each of the pieces."""
    if not cuts_ns:
        return [span]
    half = (len(cuts_ns) + 1) // 2
    before, after = sum(weights[:half]), sum(weights[half:])
    left, right = _halves(span, cuts_ns[half - 1], before / (before + after), rng)
    return parted(left, cuts_ns[: half - 1], weights[:half], rng) + parted(right, cuts_ns[half:], weights[half:], rng)


def _halves(span: Span, cut_ns: int, share: float, rng: random.Random) -> tuple[Span, Span]:
    if not span.count:
        return flat(span.start_ns, cut_ns, span.open), flat(cut_ns, span.end_ns, span.open)
    noisy = share * (0.75 + 0.5 * rng.random())
    share_of_trades = noisy / (noisy + (1 - share) * (0.75 + 0.5 * rng.random()))
    count = _divided(span.count, share_of_trades, COUNT_MIN)
    if count in (0, span.count):
        return _alone(span, cut_ns, before=count > 0)
    volume = min(max(round(span.volume * share_of_trades), count), span.volume - (span.count - count))
    middle = _middle(span, share, rng)
    high, other_high = _extremes(span.open, middle, span.close, span.high, 1, rng)
    low, other_low = _extremes(span.open, middle, span.close, span.low, -1, rng)
    left = Span(span.start_ns, cut_ns, span.open, high, low, middle, volume, 0, count)
    rest = span.volume - volume
    right = Span(cut_ns, span.end_ns, middle, other_high, other_low, span.close, rest, 0, span.count - count)
    return _paid(span, left, right)


def _divided(count: int, share: float, least: int) -> int:
    """How many of ``count`` come first; too few for both sides go to one of them."""
    if count < 2 * least:
        return count if share >= 0.5 else 0
    return min(max(round(count * share), least), count - least)


def _alone(span: Span, cut_ns: int, *, before: bool) -> tuple[Span, Span]:
    """All of it on one side of the cut."""
    if before:
        return _at(span, span.start_ns, cut_ns), flat(cut_ns, span.end_ns, span.close)
    return flat(span.start_ns, cut_ns, span.open), _at(span, cut_ns, span.end_ns)


def _at(span: Span, start_ns: int, end_ns: int) -> Span:
    return Span(start_ns, end_ns, span.open, span.high, span.low, span.close, span.volume, span.turnover, span.count)


def _middle(span: Span, share: float, rng: random.Random) -> int:
    """A range of 1.6 standard deviations is what a random walk shows on average."""
    deviation = (span.high - span.low) / 1.6 * math.sqrt(share * (1 - share))
    expected = span.open + (span.close - span.open) * share
    return min(max(round(expected + deviation * bell(rng)), span.low), span.high)


def _extremes(start: int, middle: int, end: int, extreme: int, sign: int, rng: random.Random) -> tuple[int, int]:
    """The high (``sign`` 1) or low (-1) before and after the cut: one of them is the whole's."""
    before = max(sign * start, sign * middle)
    after = max(sign * middle, sign * end)
    most = sign * extreme
    is_before = rng.random() * (2 * most - before - after + 2) < most - after + 1
    other = after if is_before else before
    inner = other + int((most - other) * rng.random())
    return (sign * most, sign * inner) if is_before else (sign * inner, sign * most)


def _paid(span: Span, left: Span, right: Span) -> tuple[Span, Span]:
    """The money divided; a side's range is widened to the whole's when the average price asks for it."""
    most = left.volume * left.high + right.volume * right.high
    least = left.volume * left.low + right.volume * right.low
    if span.turnover > most:
        left, right = _ranged(left, high=span.high), _ranged(right, high=span.high)
    if span.turnover < least:
        left, right = _ranged(left, low=span.low), _ranged(right, low=span.low)
    floor = max(left.volume * left.low, span.turnover - right.volume * right.high)
    ceiling = min(left.volume * left.high, span.turnover - right.volume * right.low)
    missing = span.turnover - _typical(left) - _typical(right)
    paid = min(max(_typical(left) + missing * left.volume // span.volume, floor), ceiling)
    return _costing(left, paid), _costing(right, span.turnover - paid)


def _typical(span: Span) -> int:
    return span.volume * (span.open + span.high + span.low + span.close) // 4


def _ranged(span: Span, high: int | None = None, low: int | None = None) -> Span:
    high, low = span.high if high is None else high, span.low if low is None else low
    return Span(span.start_ns, span.end_ns, span.open, high, low, span.close, span.volume, span.turnover, span.count)


def _costing(span: Span, turnover: int) -> Span:
    return Span(
        span.start_ns, span.end_ns, span.open, span.high, span.low, span.close, span.volume, turnover, span.count
    )
