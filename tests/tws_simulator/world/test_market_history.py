"""A past that says the same at every resolution, and joins the live market without a seam."""

from __future__ import annotations

import random
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tws_simulator.world.history.bars import Kind
from tws_simulator.world.history.history import Step
from tws_simulator.world.history.spans import Span, merged, parted
from tws_simulator.world.instruments.universe import LISTINGS, find
from tws_simulator.world.market.tape import Bar
from tws_simulator.world.time.calendar import new_york_time
from tws_simulator.world.time.units import SECOND_NS
from tws_simulator.world.world import World

AAPL = next(listing for listing in LISTINGS if listing.symbol == "AAPL")
TSLA = next(listing for listing in LISTINGS if listing.symbol == "TSLA")
MONDAY_NOON_NS = 1_795_444_200_000_000_000 + 2 * 3600 * SECOND_NS + 17 * SECOND_NS  # 2026-11-23 11:30:17 in New York
SUNDAY_NS = 1_795_365_000_000_000_000  # 2026-11-22 11:30 in New York
FRIDAY = date(2026, 11, 20)
SIZES = (1, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 28_800)


@pytest.fixture(scope="module")
def world() -> World:
    """Two minutes into its life, at noon of a Monday."""
    made = World(seed=7, start_ns=MONDAY_NOON_NS)
    made.advance(MONDAY_NOON_NS + 120 * SECOND_NS)
    return made


@pytest.fixture(scope="module")
def friday(world: World) -> tuple[int, int]:
    hours = world.history.hours(AAPL.con_id, FRIDAY, regular_only=True)
    assert hours is not None
    return hours.start_ns, hours.end_ns


def _sum(bars: list[Bar]) -> tuple[float, float, float, float, int, int]:
    traded = [bar for bar in bars if bar.count] or bars
    return (
        traded[0].open,
        max(bar.high for bar in traded),
        min(bar.low for bar in traded),
        traded[-1].close,
        sum(bar.volume for bar in traded),
        sum(bar.count for bar in traded),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    opens=st.integers(200, 300),
    closes=st.integers(200, 300),
    above=st.integers(0, 30),
    below=st.integers(0, 30),
    count=st.integers(4, 500),
    lots=st.integers(1, 90),
    part=st.floats(0, 1),
    pieces=st.integers(2, 40),
)
def test_parts_add_up_to_the_whole(
    seed: int, opens: int, closes: int, above: int, below: int, count: int, lots: int, part: float, pieces: int
) -> None:
    """Prices, shares, trades and money; and each part is a bar in itself, inside the whole's range."""
    high, low, volume = max(opens, closes) + above, min(opens, closes) - below, count * lots
    turnover = volume * low + round(volume * (high - low) * part)
    whole = Span(0, pieces * SECOND_NS, opens, high, low, closes, volume, turnover, count)
    cuts = [second * SECOND_NS for second in range(1, pieces)]
    parts = parted(whole, cuts, [1.0] * pieces, random.Random(seed))
    assert merged(parts) == whole
    assert [(span.start_ns, span.end_ns) for span in parts] == list(pairwise([0, *cuts, pieces * SECOND_NS]))
    for span in parts:
        assert low <= span.low <= min(span.open, span.close) <= max(span.open, span.close) <= span.high <= high
        assert span.volume * span.low <= span.turnover <= span.volume * span.high
        assert span.volume >= span.count
        assert span.count == 0 or span.count >= 4


@pytest.mark.parametrize("size", SIZES)
def test_bars_of_every_size_add_up_to_the_day(world: World, friday: tuple[int, int], size: int) -> None:
    """The whole day, to the share; seconds of its last half hour only, to keep this quick."""
    since_ns, until_ns = friday
    if size < 60:
        since_ns = until_ns - 1800 * SECOND_NS
    (whole,) = world.history.bars(AAPL, Kind.TRADES, Step.DAY, since_ns, until_ns, regular_only=True)
    parts = world.history.bars(AAPL, Kind.TRADES, size, since_ns, until_ns, regular_only=True)
    assert _sum(parts) == _sum([whole])
    turnover = sum(bar.wap * bar.volume for bar in parts)
    assert turnover == pytest.approx(whole.wap * whole.volume, rel=1e-12)
    for bar in parts:
        assert whole.low <= bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high <= whole.high
        assert bar.low - 1e-9 <= bar.wap <= bar.high + 1e-9


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 23_399), min_size=1, max_size=4, unique=True).map(sorted))
def test_any_cut_of_the_time_tells_the_same(world: World, friday: tuple[int, int], cuts: list[int]) -> None:
    """What is asked for in pieces adds up to what is asked for at once, wherever the cuts are."""
    since_ns, until_ns = friday
    edges = [since_ns, *(since_ns + cut * SECOND_NS for cut in cuts), until_ns]
    pieces: list[Bar] = []
    for start_ns, end_ns in pairwise(edges):
        pieces += world.history.bars(AAPL, Kind.TRADES, 300, start_ns, end_ns, regular_only=True)
    whole = world.history.bars(AAPL, Kind.TRADES, 300, since_ns, until_ns, regular_only=True)
    assert _sum(pieces) == _sum(whole)


def test_the_order_of_questions_does_not_matter() -> None:
    """Seconds first or months first, this market or its twin."""
    one, other = (World(seed=7, start_ns=MONDAY_NOON_NS).history for _ in range(2))
    end_ns = MONDAY_NOON_NS - 3600 * SECOND_NS
    start_ns = end_ns - 40 * 86_400 * SECOND_NS
    months = one.bars(TSLA, Kind.TRADES, Step.MONTH, start_ns, end_ns, regular_only=False)
    seconds = one.bars(TSLA, Kind.TRADES, 1, end_ns - 60 * SECOND_NS, end_ns, regular_only=False)
    assert other.bars(TSLA, Kind.TRADES, 1, end_ns - 60 * SECOND_NS, end_ns, regular_only=False) == seconds
    assert other.bars(TSLA, Kind.TRADES, Step.MONTH, start_ns, end_ns, regular_only=False) == months


def test_another_seed_has_another_past() -> None:
    """And begins at the same closing price."""
    pasts = [World(seed=seed, start_ns=SUNDAY_NS).history for seed in (1, 2)]
    since_ns = SUNDAY_NS - 30 * 86_400 * SECOND_NS
    days = [past.bars(AAPL, Kind.TRADES, Step.DAY, since_ns, SUNDAY_NS, regular_only=True) for past in pasts]
    assert days[0] != days[1]
    assert [bars[-1].close for bars in days] == [AAPL.reference_price] * 2


def test_the_past_ends_where_the_market_begins(world: World) -> None:
    """Friday's close is the close of the first quote; Monday's last past price is the market's first."""
    quote = world.quote(AAPL.con_id)
    since_ns = MONDAY_NOON_NS - 4 * 86_400 * SECOND_NS
    days = world.history.bars(AAPL, Kind.TRADES, Step.DAY, since_ns, MONDAY_NOON_NS, regular_only=True)
    assert days[-2].close == quote.close == AAPL.reference_price
    opening = next(first for first in world.market.opening if first.con_id == AAPL.con_id)
    assert days[-1].close == opening.bid


@pytest.mark.parametrize("size", [1, 5, 30, 60, 300])
def test_since_the_start_history_is_what_was_printed(world: World, size: int) -> None:
    """The bars after the start hold every share of the tape, and the last one ends at the last price."""
    now_ns = MONDAY_NOON_NS + 120 * SECOND_NS
    bars = world.history.bars(AAPL, Kind.TRADES, size, MONDAY_NOON_NS, now_ns, regular_only=False)
    trades = world.tape.trades(AAPL.con_id, MONDAY_NOON_NS, now_ns)
    assert sum(bar.volume for bar in bars) == sum(trade.size for trade in trades) > 0
    assert sum(bar.count for bar in bars) == len(trades)
    assert bars[-1].close == world.quote(AAPL.con_id).last
    assert max(bar.high for bar in bars) == max(trade.price for trade in trades)


def test_the_day_of_the_start_joins_both(world: World) -> None:
    """One bar for Monday: the morning made up, then the tape."""
    now_ns = MONDAY_NOON_NS + 120 * SECOND_NS
    (monday,) = world.history.bars(
        AAPL, Kind.TRADES, Step.DAY, MONDAY_NOON_NS - 8 * 3600 * SECOND_NS, now_ns, regular_only=True
    )
    minutes = world.history.bars(
        AAPL, Kind.TRADES, 60, MONDAY_NOON_NS - 8 * 3600 * SECOND_NS, now_ns, regular_only=True
    )
    assert _sum(minutes) == _sum([monday])
    assert len(minutes) == 123
    assert monday.close == world.quote(AAPL.con_id).last


def test_no_bars_on_weekends_and_holidays(world: World) -> None:
    """Nor for a market that is open on Sundays now: its past has the exchange's hours."""
    bars = world.history.bars(
        AAPL, Kind.TRADES, Step.DAY, SUNDAY_NS - 400 * 86_400 * SECOND_NS, SUNDAY_NS, regular_only=True
    )
    days = [new_york_time(bar.ts_ns).date() for bar in bars]
    assert all(day.weekday() < 5 for day in days)
    assert date(2025, 12, 25) not in days
    assert date(2025, 11, 27) not in days
    assert date(2025, 11, 28) in days


def test_a_market_that_is_always_open_has_bars_of_its_own_sundays() -> None:
    """From its start on: what was printed is history, whatever the weekday."""
    live = World(seed=7, start_ns=SUNDAY_NS)
    now_ns = SUNDAY_NS + 600 * SECOND_NS
    live.advance(now_ns)
    bars = live.history.bars(AAPL, Kind.TRADES, 60, SUNDAY_NS - 3600 * SECOND_NS, now_ns, regular_only=True)
    assert len(bars) == 10
    assert bars[0].ts_ns == SUNDAY_NS


def test_sessions_are_busy_at_their_ends(world: World, friday: tuple[int, int]) -> None:
    """The well-known U of the half hours' volumes; and few trade before the open."""
    bars = world.history.bars(AAPL, Kind.TRADES, 1800, *friday, regular_only=True)
    middle = sum(bar.volume for bar in bars[5:8]) / 3
    assert bars[0].volume > 1.3 * middle
    assert bars[-1].volume > 1.3 * middle
    early = world.history.bars(AAPL, Kind.TRADES, 1800, friday[0] - 1800 * SECOND_NS, friday[0], regular_only=False)
    assert early[0].volume < middle / 5


@pytest.mark.parametrize("kind", [Kind.BID, Kind.ASK, Kind.MIDPOINT])
def test_bars_of_quotes_stand_around_the_trades(world: World, friday: tuple[int, int], kind: Kind) -> None:
    """Bid at or below, ask above, the midpoint between; without volume."""
    trades = world.history.bars(TSLA, Kind.TRADES, 300, *friday, regular_only=True)
    quotes = world.history.bars(TSLA, kind, 300, *friday, regular_only=True)
    away = {Kind.BID: -0.02, Kind.ASK: 0.02, Kind.MIDPOINT: 0.0}[kind]
    assert len(quotes) == len(trades)
    for quote, trade in zip(quotes, trades, strict=True):
        assert quote.open == pytest.approx(trade.open + away)
        assert quote.high == pytest.approx(trade.high + away)
        assert (quote.volume, quote.wap, quote.count) == (-1, -1, -1)


def test_ticks_of_a_second_are_its_bar(world: World, friday: tuple[int, int]) -> None:
    """Opening, high, low, close, shares and number of the single trades."""
    start_ns = friday[0]
    seconds = list(world.history.trades(AAPL, start_ns, start_ns + 10 * SECOND_NS, regular_only=True))
    bars = {
        bar.ts_ns: bar
        for bar in world.history.bars(AAPL, Kind.TRADES, 1, start_ns, start_ns + 10 * SECOND_NS, regular_only=True)
        if bar.count
    }
    assert len(seconds) == len(bars) > 5
    for trades in seconds:
        bar = bars[trades[0].ts_ns // SECOND_NS * SECOND_NS]
        prices = [trade.price for trade in trades]
        assert (prices[0], max(prices), min(prices), prices[-1]) == (bar.open, bar.high, bar.low, bar.close)
        assert (sum(trade.size for trade in trades), len(trades)) == (bar.volume, bar.count)
        assert all(earlier.ts_ns <= later.ts_ns for earlier, later in pairwise(trades))


def test_ticks_can_be_read_backwards(world: World, friday: tuple[int, int]) -> None:
    """The same seconds, newest first, across the border of past and tape."""
    since_ns, until_ns = MONDAY_NOON_NS - 20 * SECOND_NS, MONDAY_NOON_NS + 20 * SECOND_NS
    forward = list(world.history.quotes(AAPL, since_ns, until_ns, regular_only=False))
    backward = list(world.history.quotes(AAPL, since_ns, until_ns, regular_only=False, newest_first=True))
    assert forward == backward[::-1]
    assert forward[0][0].ts_ns < MONDAY_NOON_NS < forward[-1][-1].ts_ns


def test_a_past_goes_back_to_the_listing(world: World) -> None:
    """Decades of days stay plausible; before the first day there is nothing."""
    first = world.history.first_day(AAPL.con_id)
    assert first.day == date(1980, 12, 12)
    days = world.history.bars(
        AAPL, Kind.TRADES, Step.DAY, first.open_ns - 86_400 * SECOND_NS, SUNDAY_NS, regular_only=True
    )
    assert days[0].ts_ns == first.open_ns
    assert len(days) > 11_000
    assert all(1 < bar.close < 20 * AAPL.reference_price for bar in days)
    assert all(abs(later.close / earlier.close - 1) < 0.12 for earlier, later in pairwise(days))


def test_an_unquoted_instrument_has_no_history(world: World) -> None:
    """Only what the market quotes has a past."""
    assert 1 not in world.history
    spy = find("SPY")
    assert spy is not None
    assert spy.con_id in world.history
