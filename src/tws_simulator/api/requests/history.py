"""Historical bars and schedules."""

from __future__ import annotations

from tws_simulator.api.contracts.contracts import resolve_any
from tws_simulator.api.history.messages import BarFormat
from tws_simulator.api.history.terms import SCHEDULE, VOLATILITIES, Asked, read
from tws_simulator.api.limits.historical_pacing import SMALL_BAR_S_MAX
from tws_simulator.api.notices.history import (
    DUPLICATE_ID,
    NOT_UP_TO_THE_SECOND,
    TOO_LONG,
    bars_not_permitted,
    cancelled,
    no_data,
    unknown_query,
)
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.subscribing import check_new, is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.history import KIND, KeptBars
from tws_simulator.api.wire_times import gateway_time, schedule_time
from tws_simulator.wire.row import Message, message
from tws_simulator.world.history.bars import Kind
from tws_simulator.world.history.history import Step, mark_before, window
from tws_simulator.world.history.volatility import volatilities
from tws_simulator.world.instruments.listing import US_EASTERN, Listing
from tws_simulator.world.market.tape import Bar
from tws_simulator.world.time.calendar import new_york_date
from tws_simulator.world.time.units import SECOND_NS

FIRST_SERVER_VERSION_WITH_END = 196
"""From here on the start and end of the bars are a message of their own."""
BARS_MAX = 20_000
"""In one answer: two weeks of minutes, eighty years of days. A real gateway takes its time instead."""
DELAY_NS = 15 * 60 * SECOND_NS
"""What is older than this needs no subscription."""


def _req_historical_data(gateway: GatewayState, session: Session, request: Message) -> None:
    asked = read(request, gateway.now_ns)
    listing = past_of(gateway, request)
    _check(gateway, session, request, asked, listing)
    if asked.what == SCHEDULE:
        _send_schedule(gateway, session, request, asked, listing)
    else:
        _send_bars(gateway, session, request, asked, listing)


def past_of(gateway: GatewayState, request: Message) -> Listing:
    """The listing asked for. Options have no history here."""
    found = resolve_any(request.get("contract", {}), new_york_date(gateway.now_ns))
    if not isinstance(found, Listing) or found.con_id not in gateway.world.history:
        raise Refused(no_data(found.symbol, _exchange(request), request.get("whatToShow", "TRADES")))
    return found


def _exchange(request: Message) -> str:
    exchange: str = request.get("contract", {}).get("exchange", "")
    return exchange


def _check(gateway: GatewayState, session: Session, request: Message, asked: Asked, listing: Listing) -> None:
    check_new(session, KIND, request, DUPLICATE_ID)
    if asked.kept:
        gateway.quotas.check_kept()
    _check_pace(gateway, session, request, asked, listing)
    if asked.kind is Kind.TRADES and listing.sec_type == "CASH":
        raise Refused(no_data(listing.symbol, _exchange(request), asked.what))  # currencies have quotes only
    if asked.what != SCHEDULE and not is_entitled(gateway, listing) and asked.end_ns > gateway.now_ns - DELAY_NS:
        raise Refused(bars_not_permitted(listing) if asked.kept else NOT_UP_TO_THE_SECOND)


def _check_pace(gateway: GatewayState, session: Session, request: Message, asked: Asked, listing: Listing) -> None:
    """Identical are requests of one client; the other limits hold for all clients together."""
    if isinstance(asked.size, Step) or asked.size > SMALL_BAR_S_MAX:
        return
    subject = (listing.con_id, _exchange(request), asked.what)
    terms = (asked.size, asked.duration, request.get("endDateTime", ""), asked.regular_only)
    weight = 2 if asked.kind is Kind.BID_ASK else 1
    gateway.quotas.take_history(gateway.now_ns, (session.client_id, subject, terms), subject, weight)


def _send_bars(gateway: GatewayState, session: Session, request: Message, asked: Asked, listing: Listing) -> None:
    req_id, version = request.req_id, session.codec.server_version
    bars = _bars(gateway, asked, listing)
    if not bars and not asked.kept:
        raise Refused(no_data(listing.symbol, _exchange(request), asked.what))
    bar_format = BarFormat(
        size=asked.size,
        as_seconds=asked.as_seconds,
        server_version=version,
        has_volume=listing.sec_type != "IND",
    )
    if asked.kept and asked.kind is not None:
        kept = KeptBars(
            req_id,
            listing,
            gateway.world.history,
            kind=asked.kind,
            bar_format=bar_format,
            regular_only=asked.regular_only,
            now_ns=gateway.now_ns,
            told=bars[-1] if bars else None,
        )
        session.subscribe(KIND, req_id, kept)
    ends = {
        "startDateStr": gateway_time(asked.duration.before(asked.end_ns), version),
        "endDateStr": gateway_time(asked.end_ns, version),
    }
    rows = [bar_format.bar(bar) for bar in bars]
    if version < FIRST_SERVER_VERSION_WITH_END:
        session.send(message("historicalData", reqId=req_id, historicalDataBars=rows, **ends))
    else:
        session.send(message("historicalData", reqId=req_id, historicalDataBars=rows))
        session.send(message("historicalDataEnd", reqId=req_id, **ends))


def _bars(gateway: GatewayState, asked: Asked, listing: Listing) -> list[Bar]:
    history = gateway.world.history
    until_ns = min(asked.end_ns, gateway.now_ns)
    since_ns = asked.duration.first_ns(history, listing.con_id, until_ns, regular_only=asked.regular_only)
    if isinstance(asked.size, int):
        since_ns = mark_before(since_ns, asked.size)
    until_ns += asked.end_ns >= gateway.now_ns  # what happened just now belongs to the running bar
    if history.count(listing, asked.size, since_ns, until_ns, regular_only=asked.regular_only) > BARS_MAX:
        raise Refused(TOO_LONG)
    if asked.kind is not None:
        return history.bars(listing, asked.kind, asked.size, since_ns, until_ns, regular_only=asked.regular_only)
    if asked.what in VOLATILITIES and isinstance(asked.size, Step):
        return volatilities(history, listing, asked.what, asked.size, since_ns, until_ns)
    return []


def _send_schedule(gateway: GatewayState, session: Session, request: Message, asked: Asked, listing: Listing) -> None:
    """Oldest first, in the exchange's time; whole sessions are listed, also one that is not over."""
    history, con_id, end_ns = gateway.world.history, listing.con_id, min(asked.end_ns, gateway.now_ns)
    since_ns = asked.duration.first_ns(history, con_id, end_ns, regular_only=asked.regular_only)
    days = history.exchange_days(con_id, new_york_date(since_ns), new_york_date(end_ns))
    sessions = [(f"{day.day:%Y%m%d}", *window(day, asked.regular_only)) for day in days]
    sessions = [each for each in sessions if each[1] < end_ns]
    if not sessions:
        raise Refused(no_data(listing.symbol, "", asked.what))
    session.send(
        message(
            "historicalSchedule",
            reqId=request.req_id,
            startDateTime=schedule_time(sessions[0][1]),
            endDateTime=schedule_time(sessions[-1][2]),
            timeZone=US_EASTERN,
            historicalSessions=[
                {"startDateTime": schedule_time(start_ns), "endDateTime": schedule_time(end_ns), "refDate": day}
                for day, start_ns, end_ns in sessions
            ],
        )
    )


def _cancel_historical_data(gateway: GatewayState, session: Session, request: Message) -> None:
    """An error, whether or not anything is cancelled."""
    ran = session.unsubscribe(KIND, request.req_id) is not None
    raise Refused(cancelled(request.req_id) if ran else unknown_query(request.req_id))


HANDLERS: dict[str, Handler] = {
    "reqHistoricalData": _req_historical_data,
    "cancelHistoricalData": _cancel_historical_data,
}
