"""The figures of the day on which a simulation begins are those of the whole day, as its daily bar has them."""

from __future__ import annotations

from datetime import datetime

import pytest

from tws_simulator.world.history.bars import Kind
from tws_simulator.world.history.history import Step
from tws_simulator.world.instruments.universe import LISTINGS, listing_named
from tws_simulator.world.market.tape import Bar
from tws_simulator.world.time.calendar import new_york_ns
from tws_simulator.world.time.units import DAY_NS, MINUTE_NS
from tws_simulator.world.world import World

SPY = listing_named("SPY")


def daily_bar(world: World, now_ns: int, *, regular_only: bool) -> Bar:
    return world.history.bars(SPY, Kind.TRADES, Step.DAY, now_ns - DAY_NS, now_ns + 1, regular_only=regular_only)[-1]


@pytest.mark.parametrize("always_open", [False, True])
@pytest.mark.parametrize("hour", [11, 15])
def test_a_day_that_began_before_the_simulation_counts_whole(hour: int, always_open: bool) -> None:
    """Volume, trades and average of all hours; opening price, high and low of the session; before and after trades."""
    start_ns = new_york_ns(datetime(2026, 6, 22, hour, 7))
    world = World(seed=3, start_ns=start_ns, always_open=always_open)
    for now_ns in (start_ns, start_ns + MINUTE_NS):
        world.advance(now_ns)
        quote = world.quote(SPY.con_id)
        whole, session = (daily_bar(world, now_ns, regular_only=regular) for regular in (False, True))
        assert (quote.volume, quote.trade_count) == (whole.volume, whole.count)
        assert quote.vwap == pytest.approx(whole.wap)
        assert (quote.open, quote.high, quote.low) == (session.open, session.high, session.low)


def test_a_session_that_opens_later_has_its_own_prices() -> None:
    """From before the opening on, the volume of the early hours stays, and their prices do not."""
    start_ns = new_york_ns(datetime(2026, 6, 22, 9, 28))
    world = World(seed=3, start_ns=start_ns, always_open=False)
    early = world.quote(SPY.con_id)
    assert early.volume > 0
    now_ns = start_ns + 4 * MINUTE_NS
    world.advance(now_ns)
    quote, session = world.quote(SPY.con_id), daily_bar(world, now_ns, regular_only=True)
    assert (quote.open, quote.high, quote.low) == (session.open, session.high, session.low)
    assert quote.volume == daily_bar(world, now_ns, regular_only=False).volume > early.volume


def test_the_next_day_begins_at_nothing() -> None:
    """What traded before the simulation began belongs to its first day alone."""
    start_ns = new_york_ns(datetime(2026, 6, 22, 23, 59))
    world = World(seed=3, start_ns=start_ns)
    assert world.quote(SPY.con_id).volume > SPY.average_volume // 4
    world.advance(start_ns + MINUTE_NS)
    assert world.quote(SPY.con_id).volume < SPY.average_volume // 1000


def test_a_weekend_shows_the_last_day_of_trading() -> None:
    """Where the exchange's hours are kept; a market that never closes has had no trades yet on its Saturday."""
    saturday_ns = new_york_ns(datetime(2026, 6, 20, 12))
    kept, always = (World(seed=3, start_ns=saturday_ns, always_open=always_open) for always_open in (False, True))
    for listing in LISTINGS:
        assert kept.quote(listing.con_id).volume > 0
        assert always.quote(listing.con_id).volume == 0
