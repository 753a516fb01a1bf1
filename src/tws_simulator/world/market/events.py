"""What happens in the market, and what a level-one subscriber is shown of it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

LOT: Final = 100  # shares


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteChanged:
    """The best bid or ask, or a size there, changed. Prices in USD on the tick grid, sizes in shares."""

    con_id: int
    ts_ns: int
    bid: float
    ask: float
    bid_size: int
    ask_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Traded:
    """``size`` shares changed hands at ``price`` on ``exchange`` (a key of ``universe.VENUE_LETTERS``).

    ``past_limit``: outside bid and ask; ``unreported``: too small for the day's figures. Neither counts as the last
    price at IB; the simulated crowd makes none of them.
    """

    con_id: int
    ts_ns: int
    price: float
    size: int
    exchange: str
    past_limit: bool = False
    unreported: bool = False


MarketEvent = QuoteChanged | Traded


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """All a level-one subscriber is told of one instrument.

    ``ts_ns`` is of the last change of bid or ask. Until the first trade of a day (New York midnight to midnight) open,
    high, low and vwap repeat the last price and volume is 0. ``close`` is the last price of the day before.
    """

    con_id: int
    ts_ns: int
    bid: float
    ask: float
    bid_size: int
    ask_size: int
    last: float
    last_size: int
    last_ts_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    vwap: float
    trade_count: int


def as_decimal(price: float) -> Decimal:
    """The decimal number that a tick price is meant to be: 0.1 is Decimal("0.1")."""
    return Decimal(str(price))
