"""Instruments that nobody trades: a quote around the reference price that stands and never changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import LOT, QuoteChanged

_CURRENCY_SIZE = 1_000_000  # as captured for EUR.USD
_PLACES = 5


def standing_quotes(listings: Iterable[Listing], now_ns: int) -> Iterator[QuoteChanged]:
    for listing in listings:
        tick = float(listing.min_tick)
        size = _CURRENCY_SIZE if listing.sec_type == "CASH" else LOT
        yield QuoteChanged(
            con_id=listing.con_id,
            ts_ns=now_ns,
            bid=listing.reference_price,
            ask=round(listing.reference_price + listing.spread_ticks * tick, _PLACES),
            bid_size=size,
            ask_size=size,
        )


def last_closes(listings: Iterable[Listing]) -> dict[int, float]:
    return {listing.con_id: listing.reference_price for listing in listings}
