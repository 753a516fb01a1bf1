"""How far history goes back, single ticks of the past, and histograms of where trades were."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from tws_simulator.api.history.terms import KINDS, VOLATILITIES, read_duration
from tws_simulator.api.notices import history as notices
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.history import DELAY_NS, past_of
from tws_simulator.api.requests.subscribing import is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.wire_times import read_time, utc_time
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.values import Values
from tws_simulator.world.history.bars import Kind
from tws_simulator.world.history.history import BarSize, Step
from tws_simulator.world.history.past import FIRST_DAY
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.events import QuoteChanged, Traded
from tws_simulator.world.time.units import SECOND_NS

TICKS_MAX: Final = 1000
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,5}) ?(s|d|w|m|y)[a-z]*\Z", re.IGNORECASE)
_MINUTES_DAYS_MAX: Final = 14
_HALF_HOURS_DAYS_MAX: Final = 366


def _req_head_time_stamp(gateway: GatewayState, session: Session, request: Message) -> None:
    """In UTC; quotes were kept later than trades."""
    listing = past_of(gateway, request)
    what = request.get("whatToShow", "").upper()
    if what not in KINDS and what not in VOLATILITIES:
        raise Refused(notices.bad_what_to_show(what))
    history = gateway.world.history
    first = history.first_day(listing.con_id)
    if KINDS.get(what) is not Kind.TRADES and first.day < FIRST_DAY:
        first = next(history.exchange_days(listing.con_id, FIRST_DAY, FIRST_DAY + timedelta(days=14)))
    begins_ns = first.open_ns if request.get("useRTH", False) else first.pre_open_ns
    in_seconds = request.get("formatDate", 1) == 2
    text = str(begins_ns // SECOND_NS) if in_seconds else utc_time(begins_ns)
    session.send(message("headTimestamp", reqId=request.req_id, headTimestamp=text))


def _req_historical_ticks(gateway: GatewayState, session: Session, request: Message) -> None:
    """From a start on, or up to an end: whole seconds, so there may be some more than asked for."""
    listing = past_of(gateway, request)
    start, end = request.get("startDateTime", ""), request.get("endDateTime", "")
    what = request.get("whatToShow", "").upper()
    if what == "AGGTRADES":
        raise Refused(notices.AGGREGATED_TRADES)
    if what not in _TELLERS:
        raise Refused(notices.bad_what_to_show(what))
    if not 1 <= request.get("numberOfTicks", 0) <= TICKS_MAX:
        raise Refused(notices.TICKS_COUNT)
    if bool(start) is bool(end):
        raise Refused(notices.ONE_TIME_ONLY)
    time_ns = read_time(start or end, gateway.now_ns)
    if time_ns is None:
        raise Refused(notices.bad_time("Start" if start else "End"))
    if not is_entitled(gateway, listing) and (bool(start) or time_ns > gateway.now_ns - DELAY_NS):
        raise Refused(notices.ticks_not_permitted(listing))
    now_ns = gateway.now_ns + 1
    window = (time_ns, now_ns) if start else (gateway.world.history.first_day(listing.con_id).pre_open_ns, time_ns)
    name, rows = _TELLERS[what](gateway, request, listing, window, bool(end))
    session.send(message(name, reqId=request.req_id, isDone=True, **{name: rows}))


def _trade_rows(
    gateway: GatewayState, request: Message, listing: Listing, window: tuple[int, int], newest_first: bool
) -> tuple[str, list[Values]]:
    seconds = gateway.world.history.trades(
        listing, *window, regular_only=request.get("useRTH", False), newest_first=newest_first
    )
    return "historicalTicksLast", _taken(
        ([_trade_row(trade) for trade in second] for second in seconds), request, newest_first
    )


def _trade_row(trade: Traded) -> Values:
    return {
        "time": trade.ts_ns // SECOND_NS,
        "tickAttribLast": {"pastLimit": trade.past_limit, "unreported": trade.unreported},
        "price": trade.price,
        "size": Decimal(trade.size),
        "exchange": trade.exchange,
        "specialConditions": " ",
    }


def _quote_rows(
    gateway: GatewayState, request: Message, listing: Listing, window: tuple[int, int], newest_first: bool
) -> tuple[str, list[Values]]:
    """``ignoreSize`` leaves out quotes whose prices are those of the quote before in the same second."""
    seconds = gateway.world.history.quotes(
        listing, *window, regular_only=request.get("useRTH", False), newest_first=newest_first
    )
    if request.get("ignoreSize", False):
        seconds = (_with_new_prices(second) for second in seconds)
    return "historicalTicksBidAsk", _taken(
        ([_quote_row(quote) for quote in second] for second in seconds), request, newest_first
    )


def _with_new_prices(second: list[QuoteChanged]) -> list[QuoteChanged]:
    kept: list[QuoteChanged] = []
    for quote in second:
        if not kept or (quote.bid, quote.ask) != (kept[-1].bid, kept[-1].ask):
            kept.append(quote)
    return kept


def _quote_row(quote: QuoteChanged) -> Values:
    return {
        "time": quote.ts_ns // SECOND_NS,
        "tickAttribBidAsk": {"bidPastLow": False, "askPastHigh": False},
        "priceBid": quote.bid,
        "priceAsk": quote.ask,
        "sizeBid": Decimal(quote.bid_size),
        "sizeAsk": Decimal(quote.ask_size),
    }


def _midpoint_rows(
    gateway: GatewayState, request: Message, listing: Listing, window: tuple[int, int], newest_first: bool
) -> tuple[str, list[Values]]:
    seconds = gateway.world.history.quotes(
        listing, *window, regular_only=request.get("useRTH", False), newest_first=newest_first
    )
    rows = (
        [
            {
                "time": quote.ts_ns // SECOND_NS,
                "price": round((quote.bid + quote.ask) / 2, 6),
                "size": Decimal(0),
            }
            for quote in _with_new_prices(second)
        ]
        for second in seconds
    )
    return "historicalTicks", _taken(rows, request, newest_first)


_TELLERS: Final[dict[str, Any]] = {"TRADES": _trade_rows, "BID_ASK": _quote_rows, "MIDPOINT": _midpoint_rows}


def _taken(seconds: Iterable[list[Values]], request: Message, newest_first: bool) -> list[Values]:
    """Seconds until there are as many ticks as were asked for, in order of time."""
    kept: list[list[Values]] = []
    left = request.get("numberOfTicks", 0)
    for second in seconds:
        kept.append(second)
        left -= len(second)
        if left <= 0:
            break
    return [row for second in (reversed(kept) if newest_first else kept) for row in second]


def _req_histogram_data(gateway: GatewayState, session: Session, request: Message) -> None:
    """Shares by price, each bar's at its average price."""
    listing = past_of(gateway, request)
    period = request.get("timePeriod", "")
    match = _PERIOD.match(period.strip())
    if match is None:
        raise Refused(notices.bad_period(period))
    duration = read_duration(f"{match[1]} {match[2].upper()}")
    if not is_entitled(gateway, listing):
        raise Refused(notices.NOT_UP_TO_THE_SECOND)
    history, regular_only = gateway.world.history, request.get("useRTH", False)
    since_ns = duration.first_ns(history, listing.con_id, gateway.now_ns, regular_only=regular_only)
    bars = history.bars(
        listing,
        Kind.TRADES,
        _histogram_bar(gateway.now_ns - since_ns),
        since_ns,
        gateway.now_ns + 1,
        regular_only=regular_only,
    )
    per_usd = round(1 / float(listing.min_tick))
    shares: Counter[int] = Counter()
    for bar in bars:
        if bar.volume:
            shares[round(bar.wap * per_usd)] += bar.volume
    rows = [{"price": ticks / per_usd, "size": Decimal(size)} for ticks, size in sorted(shares.items())]
    session.send(message("histogramData", reqId=request.req_id, histogramDataEntries=rows))


def _histogram_bar(length_ns: int) -> BarSize:
    """Of days beyond a year, of half hours beyond two weeks, else of minutes: some thousand bars at most."""
    days = length_ns // (86_400 * SECOND_NS)
    if days > _HALF_HOURS_DAYS_MAX:
        return Step.DAY
    return 1800 if days > _MINUTES_DAYS_MAX else 60


def _answered_already(gateway: GatewayState, session: Session, request: Message) -> None:
    """These requests are over as soon as they are answered; a cancel that comes later is silent."""


HANDLERS: dict[str, Handler] = {
    "reqHeadTimeStamp": _req_head_time_stamp,
    "cancelHeadTimeStamp": _answered_already,
    "reqHistoricalTicks": _req_historical_ticks,
    "cancelHistoricalTicks": _answered_already,
    "reqHistogramData": _req_histogram_data,
    "cancelHistogramData": _answered_already,
}
