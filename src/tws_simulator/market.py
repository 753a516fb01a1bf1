"""A made-up market that looks like one: quotes and trades of correlated stocks from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tws_simulator.universe import Listing


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
    """``size`` shares changed hands at ``price`` on ``exchange`` (a key of ``universe.VENUE_LETTERS``)."""

    con_id: int
    ts_ns: int
    price: float
    size: int
    exchange: str


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


class Market:
    """Equal listings, seeds and starts give equal events, however the time is cut into calls of ``advance``."""

    def __init__(self, listings: Sequence[Listing], seed: int, start_ns: int) -> None:
        raise NotImplementedError

    def advance(self, to_ns: int) -> list[MarketEvent]:
        """Everything that happened after the last call and up to ``to_ns``, in order of time."""
        raise NotImplementedError

    def quote(self, con_id: int) -> Quote:
        """The state after the last ``advance``; KeyError for an instrument that was not listed."""
        raise NotImplementedError

    def marks(self) -> dict[int, Decimal]:
        """Last price of every instrument, for valuing positions."""
        raise NotImplementedError


def as_decimal(price: float) -> Decimal:
    """The decimal number that a tick price is meant to be: 0.1 is Decimal("0.1")."""
    return Decimal(str(price))


def new_york_day(ts_ns: int) -> int:
    """Days since 1970-01-01 on a New York calendar; needs no time-zone database."""
    raise NotImplementedError
