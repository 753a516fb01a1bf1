"""The made-up market: repeatable, well formed, and shaped like a market."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from statistics import mean, variance

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tws_simulator.world.instruments.listing import VENUE_LETTERS
from tws_simulator.world.instruments.universe import LISTINGS, find
from tws_simulator.world.market.crowd import Market, activity_at
from tws_simulator.world.market.events import MarketEvent, QuoteChanged, Traded, as_decimal
from tws_simulator.world.time.calendar import Calendar, new_york_date, new_york_time
from tws_simulator.world.time.units import SECOND_NS


def at(text: str) -> int:
    """Nanoseconds of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


MORNING_NS = at("2026-06-22 14:00:00")  # 10:00 in New York
SPY = 756733


def digest(events: list[MarketEvent]) -> str:
    return sha256("\n".join(map(repr, events)).encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def events() -> list[MarketEvent]:
    return Market(LISTINGS, 7, MORNING_NS).advance(MORNING_NS + 600 * SECOND_NS)


def quotes(events: list[MarketEvent], symbol: str) -> list[QuoteChanged]:
    listing = find(symbol)
    assert listing is not None
    return [event for event in events if isinstance(event, QuoteChanged) and event.con_id == listing.con_id]


def test_the_stream_of_a_seed_is_the_same_on_every_machine():
    """A digest taken once: it changes only with the model, and then the change is deliberate."""
    events = Market(LISTINGS, 42, MORNING_NS).advance(MORNING_NS + 30 * SECOND_NS)
    assert (len(events), digest(events)) == (3575, "31d4c59e86e3f7fd")


def test_another_seed_gives_another_stream():
    """The seed is used."""
    streams = {digest(Market(LISTINGS, seed, MORNING_NS).advance(MORNING_NS + SECOND_NS)) for seed in range(5)}
    assert len(streams) == 5


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3 * SECOND_NS), max_size=12), st.integers(0, 2**32))
def test_how_the_time_is_cut_does_not_matter(cuts: list[int], seed: int):
    """One call to T and any calls on the way to T tell the same events and end in the same state."""
    end_ns = MORNING_NS + 3 * SECOND_NS
    whole, cut = Market(LISTINGS, seed, MORNING_NS), Market(LISTINGS, seed, MORNING_NS)
    expected = whole.advance(end_ns)
    events: list[MarketEvent] = []
    for step in [*sorted(cuts), 3 * SECOND_NS]:
        events += cut.advance(MORNING_NS + step)
        assert all(event.ts_ns <= MORNING_NS + step for event in events)
    assert events == expected


def test_events_are_ordered_and_well_formed(events):
    """Time never goes back; bid is below ask; prices are positive and on the tick; sizes are round lots."""
    assert all(before.ts_ns <= after.ts_ns for before, after in pairwise(events))
    for event in events:
        if isinstance(event, QuoteChanged):
            assert 0 < event.bid < event.ask
            prices, sizes = (event.bid, event.ask), (event.bid_size, event.ask_size)
        else:
            prices, sizes = (event.price,), (event.size,)
            assert event.exchange in VENUE_LETTERS
        assert all(as_decimal(price) % Decimal("0.01") == 0 for price in prices)
        assert all(size > 0 and size % 100 == 0 for size in sizes)


def test_trades_happen_at_or_inside_the_quote(events):
    """No trade is outside the bid and ask that stood when it happened, nor larger than what was shown there."""
    standing: dict[int, QuoteChanged] = {}
    seen = Counter()
    for event in events:
        if isinstance(event, QuoteChanged):
            standing[event.con_id] = event
        elif quote := standing.get(event.con_id):
            assert quote.bid <= event.price <= quote.ask
            if event.price == quote.ask:
                assert event.size <= quote.ask_size
                seen["ask"] += 1
            elif event.price == quote.bid:
                assert event.size <= quote.bid_size
                seen["bid"] += 1
            else:
                seen["inside"] += 1
    assert min(seen["ask"], seen["bid"], seen["inside"]) > 50


def test_spreads_fit_the_stock(events):
    """SPY and QQQ are a cent wide most of the time, TSLA and META wider, and all widen now and then."""
    width = {
        symbol: [round((quote.ask - quote.bid) * 100) for quote in quotes(events, symbol)]
        for symbol in ("SPY", "QQQ", "TSLA", "META")
    }
    assert width["SPY"].count(1) > 0.6 * len(width["SPY"])
    assert width["QQQ"].count(1) > 0.6 * len(width["QQQ"])
    assert mean(width["SPY"]) < mean(width["TSLA"]) < mean(width["META"])
    assert all(max(widths) >= 3 * sorted(widths)[len(widths) // 2] for widths in width.values())


def test_a_handful_of_quotes_a_second_in_bursts(events):
    """3 to 15 quote changes a second per stock in the morning, and trades cluster more than chance would."""
    for listing in LISTINGS:
        assert 3 < len(quotes(events, listing.symbol)) / 600 < 15
    per_second = Counter(
        event.ts_ns // SECOND_NS for event in events if isinstance(event, Traded) and event.con_id == SPY
    )
    counts = [per_second[MORNING_NS // SECOND_NS + second] for second in range(600)]
    assert variance(counts) > 1.5 * mean(counts)


def test_stocks_move_together(events):
    """Ten-second moves of SPY correlate with those of QQQ more than with those of TSLA, and with both."""
    moves: dict[str, list[float]] = {}
    for symbol in ("SPY", "QQQ", "TSLA"):
        last: dict[int, float] = {}
        for quote in quotes(events, symbol):
            last[quote.ts_ns // (10 * SECOND_NS)] = quote.bid + quote.ask
        moves[symbol] = [after / before - 1 for before, after in pairwise(last.values())]
    assert correlation(moves["SPY"], moves["QQQ"]) > 0.5
    assert correlation(moves["SPY"], moves["TSLA"]) > 0.15


def correlation(left: list[float], right: list[float]) -> float:
    centre_left, centre_right = mean(left), mean(right)
    products = mean((a - centre_left) * (b - centre_right) for a, b in zip(left, right, strict=True))
    return products / (variance(left) * variance(right)) ** 0.5


def test_prices_stay_positive_in_the_wildest_market():
    """Even a stock that moves 50 times as much as TSLA neither reaches zero nor crosses its quote."""
    wild = replace(LISTINGS[0], volatility=30.0, reference_price=1.0, con_id=1)
    events = Market([wild], 1, MORNING_NS).advance(MORNING_NS + 1200 * SECOND_NS)
    bids = [event.bid for event in events if isinstance(event, QuoteChanged)]
    assert all(event.bid < event.ask for event in events if isinstance(event, QuoteChanged))
    assert min(bids) > 0.1
    assert max(bids) < 20


def test_the_market_never_sleeps():
    """Sunday night still has quotes and trades of every stock, though fewer than the morning of a working day."""
    start_ns = at("2026-06-21 07:00:00")
    events = Market(LISTINGS, 2, start_ns).advance(start_ns + 60 * SECOND_NS)
    assert {(event.con_id, type(event)) for event in events} == {
        (listing.con_id, kind) for listing in LISTINGS for kind in (QuoteChanged, Traded)
    }
    assert len(events) < len(Market(LISTINGS, 2, MORNING_NS).advance(MORNING_NS + 60 * SECOND_NS))


def test_activity_has_a_u_shape():
    """The open and the close in New York are busier than noon, noon than midnight, in summer and in winter."""
    for opens, noon, closes, night in (
        ("2026-06-22 13:30", "2026-06-22 16:30", "2026-06-22 19:59", "2026-06-22 05:00"),
        ("2026-01-20 14:30", "2026-01-20 17:30", "2026-01-20 20:59", "2026-01-20 06:00"),
    ):
        assert min(activity_at(at(opens)), activity_at(at(closes))) > 1.9
        assert 0.7 < activity_at(at(noon)) < 0.9
        assert activity_at(at(night)) == 0.3


@pytest.mark.parametrize(
    ("utc", "new_york"),
    [
        ("2026-03-08 06:59:59", "2026-03-08 01:59:59"),
        ("2026-03-08 07:00:00", "2026-03-08 03:00:00"),
        ("2026-11-01 05:59:59", "2026-11-01 01:59:59"),
        ("2026-11-01 06:00:00", "2026-11-01 01:00:00"),
        ("2027-01-01 04:59:59", "2026-12-31 23:59:59"),
        ("2024-07-04 12:00:00", "2024-07-04 08:00:00"),
    ],
)
def test_new_york_time(utc: str, new_york: str):
    """Summer time starts on the second Sunday of March and ends on the first of November, at 02:00."""
    assert str(new_york_time(at(utc))) == new_york


def test_days_change_at_new_york_midnight():
    """Not at midnight UTC."""
    moments = ("2026-06-22 03:59:59", "2026-06-22 04:00:00", "2026-06-23 03:59:59")
    assert [new_york_date(at(moment)).day for moment in moments] == [21, 22, 22]


def test_an_operator_can_read_it():
    """The repr says how many listings, what time and how busy."""
    assert repr(Market(LISTINGS, 1, MORNING_NS)) == "<Market 11 listings at 2026-06-22 14:00:00 UTC activity 1.55>"


def test_a_closed_market_is_silent():
    """By the exchange's hours: nothing between 20:00 and 04:00, fewer events outside the regular session than in it."""
    hours = Calendar(always_open=False)
    night = Market(LISTINGS, 3, at("2026-06-22 23:59:00"), hours)  # 19:59 in New York
    evening = night.advance(at("2026-06-23 00:01:00"))
    assert evening
    assert max(event.ts_ns for event in evening) < at("2026-06-23 00:00:00")
    assert night.advance(at("2026-06-23 07:59:59")) == []
    early = night.advance(at("2026-06-23 08:01:00"))
    assert {event.ts_ns // (60 * SECOND_NS) for event in early} == {at("2026-06-23 08:00:00") // (60 * SECOND_NS)}
    always = Market(LISTINGS, 3, at("2026-06-23 08:00:00")).advance(at("2026-06-23 08:01:00"))
    assert len(early) < len(always)
