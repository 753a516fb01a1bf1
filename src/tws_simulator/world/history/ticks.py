"""The single trades and quotes of one second of the past, made so that they add up to that second's bar."""

from __future__ import annotations

import random
from typing import Final

from tws_simulator.world.history.spans import Span
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import LOT, QuoteChanged, Traded
from tws_simulator.world.time.units import SECOND_NS

_VENUES: Final = ("NASDAQ", "ARCA", "DRCTEDGE", "BATS", "IEX")
_LOTS_SHOWN_MAX: Final = 9


def printed(second: Span, listing: Listing) -> list[Traded]:
    """As many trades and shares as the bar has; opening, high, low and closing price are among the prices."""
    luck = random.Random(second.start_ns ^ listing.con_id)  # noqa: S311
    per_usd = listing.ticks_per_usd
    inner = [luck.randint(second.low, second.high) for _ in range(second.count - 4)] + [second.high, second.low]
    luck.shuffle(inner)
    prices = [second.open, *inner, second.close]
    times = sorted(second.start_ns + luck.randrange(SECOND_NS) for _ in prices)
    return [
        Traded(
            con_id=listing.con_id,
            ts_ns=ts_ns,
            price=ticks / per_usd,
            size=size,
            exchange=luck.choice((listing.primary_exchange, *_VENUES)),
        )
        for ts_ns, ticks, size in zip(times, prices, _sizes(second.volume, len(prices), luck), strict=True)
    ]


def quoted(trades: list[Traded], listing: Listing) -> list[QuoteChanged]:
    """A quote around each trade, at the listing's usual spread."""
    luck = random.Random(trades[0].ts_ns ^ listing.con_id)  # noqa: S311
    per_usd = listing.ticks_per_usd
    quotes = []
    for trade in trades:
        bid = max(round(trade.price * per_usd) - listing.spread_ticks // 2, 1)
        quotes.append(
            QuoteChanged(
                con_id=trade.con_id,
                ts_ns=trade.ts_ns,
                bid=bid / per_usd,
                ask=(bid + listing.spread_ticks) / per_usd,
                bid_size=luck.randint(1, _LOTS_SHOWN_MAX) * LOT,
                ask_size=luck.randint(1, _LOTS_SHOWN_MAX) * LOT,
            )
        )
    return quotes


def _sizes(volume: int, count: int, luck: random.Random) -> list[int]:
    """``volume`` shares in ``count`` trades of at least one each."""
    cuts = sorted(luck.randint(0, volume - count) for _ in range(count - 1))
    return [after - before + 1 for before, after in zip([0, *cuts], [*cuts, volume - count], strict=True)]
