"""Past volatilities of a listing, as yearly fractions: what its prices showed, and what options would have implied."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from itertools import pairwise
from typing import Final

from tws_simulator.world.history.bars import Kind, added, quote_bar
from tws_simulator.world.history.history import History, Step
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.crowd import TRADING_DAYS
from tws_simulator.world.market.tape import Bar
from tws_simulator.world.time.calendar import new_york_date
from tws_simulator.world.time.units import DAY_NS

WINDOW_DAYS: Final = 30
"""Trading days of closes behind each value; IB's historical volatility is of thirty days, too."""
_PREMIUM: Final = 1.1  # options usually imply more than what comes
_CALENDAR_DAYS_BEFORE: Final = 60


def volatilities(history: History, listing: Listing, what: str, size: Step, since_ns: int, until_ns: int) -> list[Bar]:
    """One bar a day, or one a week or month of days; of historical volatility all four prices are the same."""
    before_ns = since_ns - _CALENDAR_DAYS_BEFORE * DAY_NS
    days = history.bars(listing, Kind.TRADES, Step.DAY, before_ns, until_ns, regular_only=True)
    found = [
        _day(days[max(last - WINDOW_DAYS, 0) : last + 1], listing, what)
        for last in range(2, len(days))
        if days[last].ts_ns >= since_ns
    ]
    return found if size is Step.DAY else _longer(found, size)


def _day(days: list[Bar], listing: Listing, what: str) -> Bar:
    moves = [later.close / earlier.close - 1 for earlier, later in pairwise(days)]
    mean = sum(moves) / len(moves)
    value = math.sqrt(sum((move - mean) ** 2 for move in moves) / max(len(moves) - 1, 1) * TRADING_DAYS)
    if what == "HISTORICAL_VOLATILITY":
        value = round(value, 6)
        return quote_bar(days[-1].ts_ns, value, value, value, value)
    luck = random.Random(days[-1].ts_ns ^ listing.con_id)  # noqa: S311  reproducible is what we want
    middle = (value + listing.volatility) / 2 * _PREMIUM
    opens, closes = (round(middle * (0.97 + 0.06 * luck.random()), 6) for _ in range(2))
    high, low = max(opens, closes) * (1 + 0.02 * luck.random()), min(opens, closes) * (1 - 0.02 * luck.random())
    return quote_bar(days[-1].ts_ns, opens, round(high, 6), round(low, 6), closes)


def _longer(days: list[Bar], size: Step) -> list[Bar]:
    grouped: dict[object, list[Bar]] = {}
    for bar in days:
        day = new_york_date(bar.ts_ns)
        monday = day - timedelta(days=day.weekday())
        grouped.setdefault((day.year, day.month) if size is Step.MONTH else monday, []).append(bar)
    bars = [added(group[0].ts_ns, group, Kind.MIDPOINT) for group in grouped.values()]
    return [bar for bar in bars if bar is not None]
