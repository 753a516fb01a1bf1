"""What options look at: the price of their underlying, now and at the last close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.instruments.universe import listing_named
from tws_simulator.world.market.events import Quote

# An index follows the fund that holds it: (fund, how many of its shares make an index point's worth).
_FOLLOWED: Final = {"SPX": ("SPY", 10.0)}
_PLACES: Final = 4


class Quoting(Protocol):
    def quote(self, con_id: int) -> Quote: ...


@dataclass(frozen=True, slots=True)
class Spot:
    """``high`` and ``low`` are those of the day's trades."""

    price: float
    close: float
    high: float
    low: float


def spot(world: Quoting, underlying: Listing) -> Spot:
    """The middle of its quote."""
    quote = world.quote(followed(underlying).con_id)
    factor = _FOLLOWED.get(underlying.symbol, ("", 1.0))[1]
    prices = ((quote.bid + quote.ask) / 2, quote.close, quote.high, quote.low)
    return Spot(*(round(price * factor, _PLACES) for price in prices))


def followed(underlying: Listing) -> Listing:
    """The instrument whose quotes move the price of this one."""
    name, _ = _FOLLOWED.get(underlying.symbol, (underlying.symbol, 1.0))
    return listing_named(name)
