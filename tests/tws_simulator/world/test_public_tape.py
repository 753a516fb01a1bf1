"""What was public: the day's figures, kept prints and quotes, and five-second bars, all of the same trades."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tws_simulator.world.instruments.universe import LISTINGS
from tws_simulator.world.market.crowd import Market
from tws_simulator.world.market.events import MarketEvent, QuoteChanged, Traded
from tws_simulator.world.market.tape import BAR_NS, QUOTES_KEPT, Tape
from tws_simulator.world.time.calendar import Calendar
from tws_simulator.world.time.units import SECOND_NS
from tws_simulator.world.world import World


def at(text: str) -> int:
    """Nanoseconds of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


MORNING_NS = at("2026-06-22 14:00:00")  # 10:00 in New York
SPY = 756733


def empty_tape(start_ns: int = MORNING_NS, *, always_open: bool = True) -> Tape:
    market = Market(LISTINGS, 1, start_ns)
    return Tape(Calendar(always_open=always_open), market.opening, market.closes)


def traded(ts_ns: int, price: float, size: int = 100) -> Traded:
    return Traded(con_id=SPY, ts_ns=ts_ns, price=price, size=size, exchange="ARCA")


@pytest.fixture(scope="module")
def morning() -> tuple[World, list[MarketEvent]]:
    world = World(seed=7, start_ns=MORNING_NS)
    return world, world.advance(MORNING_NS + 300 * SECOND_NS).market_events


def test_a_quote_sums_up_the_day(morning):
    """Last, high, low, volume, vwap and count agree with the trades that were told, and with those before the start."""
    world, events = morning
    for listing in LISTINGS:
        quote = world.quote(listing.con_id)
        told = [event for event in events if isinstance(event, Traded) and event.con_id == listing.con_id]
        prices = [trade.price for trade in told]
        before = world.tape.morning(listing.con_id)
        assert before is not None
        high, low = max(*prices, before.high), min(*prices, before.low)
        assert (quote.open, quote.high, quote.low, quote.last) == (before.open, high, low, prices[-1])
        assert (quote.last_size, quote.last_ts_ns) == (told[-1].size, told[-1].ts_ns)
        assert quote.volume == before.volume + sum(trade.size for trade in told)
        assert quote.trade_count == before.trade_count + len(told)
        assert quote.low <= quote.vwap <= quote.high
        assert quote.close == listing.reference_price
        latest = [event for event in events if isinstance(event, QuoteChanged) and event.con_id == listing.con_id][-1]
        assert (quote.bid, quote.ask, quote.ts_ns) == (latest.bid, latest.ask, latest.ts_ns)


def test_what_was_told_can_be_read_back(morning):
    """Trades and quotes come back as they were told, whole or from one moment to before another."""
    world, events = morning
    trades = [event for event in events if isinstance(event, Traded) and event.con_id == SPY]
    quotes = [event for event in events if isinstance(event, QuoteChanged) and event.con_id == SPY]
    assert world.tape.trades(SPY) == trades
    assert world.tape.quotes(SPY) == quotes
    assert world.tape.trades(SPY, trades[3].ts_ns, trades[9].ts_ns) == trades[3:9]
    assert world.tape.quotes(SPY, until_ns=quotes[2].ts_ns) == quotes[:2]


def test_bars_are_made_of_exactly_the_trades_of_their_five_seconds(morning):
    """First, highest, lowest and last price, shares, their average price and the count; no bar without a trade."""
    world, _ = morning
    bars = world.tape.bars(SPY)
    for bar in bars:
        inside = world.tape.trades(SPY, bar.ts_ns, bar.ts_ns + BAR_NS)
        prices = [trade.price for trade in inside]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert (bar.volume, bar.count) == (sum(trade.size for trade in inside), len(inside))
        assert bar.wap == pytest.approx(sum(trade.price * trade.size for trade in inside) / bar.volume)
    assert sum(bar.count for bar in bars) == len(world.tape.trades(SPY))
    assert all(bar.ts_ns % BAR_NS == 0 for bar in bars)
    assert world.tape.bars(SPY, bars[1].ts_ns, bars[3].ts_ns) == bars[1:3]


def test_the_oldest_quotes_are_forgotten_first():
    """At the bound, half of what is kept goes, and the latest stay."""
    tape = empty_tape()
    for number in range(2 * QUOTES_KEPT + 5):
        tape.record(
            QuoteChanged(con_id=SPY, ts_ns=MORNING_NS + number, bid=1.0, ask=2.0, bid_size=100, ask_size=number + 1)
        )
    kept = tape.quotes(SPY)
    assert QUOTES_KEPT <= len(kept) < 2 * QUOTES_KEPT
    assert kept[-1].ask_size == 2 * QUOTES_KEPT + 5


def test_a_new_day_starts_at_midnight_where_the_market_never_closes():
    """The last price becomes the close and the day's figures start again."""
    midnight_ns = at("2026-06-22 04:00:00")
    world = World(seed=5, start_ns=midnight_ns - 60 * SECOND_NS)
    world.advance(midnight_ns - 1)
    before = world.quote(SPY)
    world.advance(midnight_ns)
    after = world.quote(SPY)
    assert before.trade_count > 0
    assert (after.close, after.volume, after.trade_count) == (before.last, 0, 0)
    assert after.open == after.high == after.low == after.vwap == after.last == before.last


def test_by_the_exchanges_hours_the_day_starts_with_its_first_period():
    """The close is the regular session's; opening price, high and low are its own once it has begun."""
    tape = empty_tape(at("2026-06-22 19:00:00"), always_open=False)
    tape.record(traded(at("2026-06-22 19:30:00"), 640.0))
    tape.record(traded(at("2026-06-22 21:00:00"), 660.0))
    tape.turn(at("2026-06-23 06:00:00"))
    assert (tape.quote(SPY).volume, tape.quote(SPY).last) == (200, 660.0)
    tape.record(traded(at("2026-06-23 09:00:00"), 630.0))
    early = tape.quote(SPY)
    assert (early.close, early.open, early.low, early.volume) == (640.0, 630.0, 630.0, 100)
    tape.record(traded(at("2026-06-23 13:30:00"), 645.0))
    regular = tape.quote(SPY)
    assert (regular.open, regular.high, regular.low, regular.volume) == (645.0, 645.0, 645.0, 200)


def test_days_turn_between_events_however_the_time_is_cut():
    """The figures of a day do not depend on when somebody looked."""
    start_ns, end_ns = at("2026-06-22 03:59:58"), at("2026-06-22 04:00:03")
    whole, cut = World(seed=3, start_ns=start_ns), World(seed=3, start_ns=start_ns)
    whole.advance(end_ns)
    for now_ns in [*range(start_ns, end_ns, 7_000_000), end_ns]:
        cut.advance(now_ns)
    assert whole.quote(SPY) == cut.quote(SPY)


def test_before_the_first_step_there_is_a_quote():
    """A subscriber of a market that has not moved yet still gets a full, consistent quote."""
    world = World(seed=1, start_ns=MORNING_NS)
    for listing in LISTINGS:
        quote = world.quote(listing.con_id)
        assert quote.bid < quote.ask
        assert quote.ts_ns == quote.last_ts_ns == MORNING_NS
        assert abs(quote.last / listing.reference_price - 1) < 0.1
    assert world.advance(MORNING_NS).market_events == []
    with pytest.raises(KeyError):
        world.quote(1)


def test_marks_are_the_last_prices():
    """Positions are valued at exactly the decimal that the last price shows."""
    world = World(seed=1, start_ns=MORNING_NS)
    world.advance(MORNING_NS + 5 * SECOND_NS)
    assert world.marks()[SPY] == Decimal(str(world.quote(SPY).last))
    assert SPY in world.tape
    assert 1 not in world.tape


def test_an_operator_can_read_it():
    """The repr says how many instruments and how much is kept."""
    tape = empty_tape()
    tape.record(traded(MORNING_NS + 1, 640.0))
    assert repr(tape) == "<Tape of 11 instruments, 1 trades kept>"
