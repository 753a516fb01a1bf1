"""The bars of history: of trades and of quotes, of the past and live, and several made into one."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from tws_simulator.world.history.spans import Span
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import QuoteChanged, Traded
from tws_simulator.world.market.tape import Bar

_NO_TRADES: Final = -1  # what IB writes for volume, average and count of bars that are not of trades


class Kind(Enum):
    """What a bar is made of. BID_ASK has the average bid as open, the average ask as close."""

    TRADES = "trades"
    MIDPOINT = "midpoint"
    BID = "bid"
    ASK = "ask"
    BID_ASK = "bid and ask"


_PRICE_OF: Final[dict[Kind, Callable[[QuoteChanged], float]]] = {
    Kind.BID: lambda quote: quote.bid,
    Kind.ASK: lambda quote: quote.ask,
    Kind.MIDPOINT: lambda quote: (quote.bid + quote.ask) / 2,
}


def of_quotes(quotes: list[QuoteChanged], kind: Kind) -> list[Bar]:
    """One bar, or none without quotes."""
    if not quotes:
        return []
    start_ns = quotes[0].ts_ns
    if kind is Kind.BID_ASK:
        bids, asks = [quote.bid for quote in quotes], [quote.ask for quote in quotes]
        return [quote_bar(start_ns, sum(bids) / len(bids), max(asks), min(bids), sum(asks) / len(asks))]
    prices = [_PRICE_OF[kind](quote) for quote in quotes]
    return [quote_bar(start_ns, prices[0], max(prices), min(prices), prices[-1])]


def of_past(span: Span, kind: Kind, listing: Listing) -> Bar:
    """A stretch of trades as a bar; the bid stands half the usual spread below the trades, the ask a spread higher."""
    per_usd = listing.ticks_per_usd
    average = span.turnover / span.volume if span.volume else float(span.close)
    if kind is Kind.TRADES:
        prices = (span.open, span.high, span.low, span.close)
        usd = [ticks / per_usd for ticks in prices]
        return Bar(
            ts_ns=span.start_ns, open=usd[0], high=usd[1], low=usd[2], close=usd[3], volume=span.volume,
            wap=average / per_usd, count=span.count,
        )  # fmt: skip
    bid = -(listing.spread_ticks // 2)
    ask = bid + listing.spread_ticks
    if kind is Kind.BID_ASK:
        averages = round(average + bid), round(average + ask)
        shown = (averages[0], span.high + ask, span.low + bid, averages[1])
        return quote_bar(span.start_ns, *(ticks / per_usd for ticks in shown))
    shift = {Kind.BID: float(bid), Kind.ASK: float(ask), Kind.MIDPOINT: (bid + ask) / 2}[kind]
    moved = (span.open + shift, span.high + shift, span.low + shift, span.close + shift)
    return quote_bar(span.start_ns, *(ticks / per_usd for ticks in moved))


def quote_bar(start_ns: int, opens: float, high: float, low: float, closes: float) -> Bar:
    return Bar(
        ts_ns=start_ns,
        open=opens,
        high=high,
        low=low,
        close=closes,
        volume=_NO_TRADES,
        wap=_NO_TRADES,
        count=_NO_TRADES,
    )


def flat(start_ns: int, price: float, kind: Kind) -> Bar:
    if kind is not Kind.TRADES:
        return quote_bar(start_ns, price, price, price, price)
    return Bar(ts_ns=start_ns, open=price, high=price, low=price, close=price, volume=0, wap=price, count=0)


def of_trades(trades: list[Traded]) -> list[Bar]:
    """One bar, or none without trades."""
    if not trades:
        return []
    prices = [trade.price for trade in trades]
    volume = sum(trade.size for trade in trades)
    turnover = sum(trade.price * trade.size for trade in trades)
    return [
        Bar(
            ts_ns=trades[0].ts_ns,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=volume,
            wap=turnover / volume,
            count=len(trades),
        )
    ]


def added(start_ns: int, pieces: list[Bar], kind: Kind) -> Bar | None:
    """One bar of several in order of time."""
    traded = [piece for piece in pieces if piece.count] or pieces[-1:]
    if not traded:
        return None
    high, low = max(piece.high for piece in traded), min(piece.low for piece in traded)
    if kind is not Kind.TRADES:
        if kind is Kind.BID_ASK:
            opens = sum(piece.open for piece in traded) / len(traded)
            return quote_bar(start_ns, opens, high, low, sum(piece.close for piece in traded) / len(traded))
        return quote_bar(start_ns, traded[0].open, high, low, traded[-1].close)
    volume = sum(piece.volume for piece in traded)
    turnover = sum(piece.wap * piece.volume for piece in traded)
    return Bar(
        ts_ns=start_ns,
        open=traded[0].open,
        high=high,
        low=low,
        close=traded[-1].close,
        volume=volume,
        wap=turnover / volume if volume else traded[-1].close,
        count=sum(piece.count for piece in traded),
    )
