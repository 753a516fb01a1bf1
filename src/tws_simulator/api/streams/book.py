"""The public book of an instrument, as depth subscriptions and the exchange letters of a quote look at it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice

from tws_simulator.world.instruments.listing import VENUE_LETTERS
from tws_simulator.world.market.events import LOT
from tws_simulator.world.world import World

Row = tuple[float, int, str]
"""Price, size in shares, venue."""
Side = list[Row]

ROWS_LOOKED_AT = 60
"""Of which a single venue's rows are taken."""
_MOST = 60
"""Percent of a row that its venue has at least; no other has as much."""
_LETTERS = "KPQUVZ"
"""Of venues that often stand at the best price together."""


def sides(world: World, con_id: int, rows: int, venue: str | None = None) -> tuple[Side, Side]:
    """Bids and asks, best first, at most ``rows`` each, of all venues or of one."""
    levels = world.book(con_id).levels(rows if venue is None else ROWS_LOOKED_AT)
    bids = [(level.price, level.size, level.venue) for level in levels.bids]
    asks = [(level.price, level.size, level.venue) for level in levels.asks]
    if venue is None:
        return bids, asks
    return list(islice(_at(venue, bids), rows)), list(islice(_at(venue, asks), rows))


def _at(venue: str, side: Side) -> Iterator[Row]:
    """What of the whole book stands at one venue: most of the rows that bear its name, a share of some others."""
    for price, size, most_at in side:
        dice = blake2b(f"{venue} {price}".encode(), digest_size=1).digest()[0]
        share = _MOST + dice % (100 - _MOST) if venue == most_at else dice % _MOST
        shown = size * share // (100 * LOT) * LOT
        if venue == most_at:
            shown = max(shown, min(size, LOT))
        if shown:
            yield price, shown, venue


def best_letters(con_id: int, side: Side) -> str:
    """The letters of the venues at the best price, in the order of the alphabet; "" without one.

    The book names the venue that has most of it; which others join in follows from price and size.
    """
    if not side:
        return ""
    price, size, venue = side[0]
    others = blake2b(f"{con_id} {price} {size}".encode(), digest_size=1).digest()[0] if size > LOT else 0
    joined = {letter for bit, letter in enumerate(_LETTERS) if others >> bit & 1}
    return "".join(sorted(joined | {VENUE_LETTERS[venue]}))
