"""Historical bars and schedules."""

from __future__ import annotations

from collections.abc import Iterable

from tws_simulator.api import historical_notices, notices
from tws_simulator.api.contracts.contracts import resolve_any
from tws_simulator.api.history.messages import BarFormat
from tws_simulator.api.history.terms import SCHEDULE, VOLATILITIES, Asked, read
from tws_simulator.api.limits.historical_pacing import OPEN_MAX, SMALL_BAR_S_MAX
from tws_simulator.api.requests.subscribing import is_entitled
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.history import KIND, KeptBars
from tws_simulator.api.wire_times import gateway_time, schedule_time
from tws_simulator.wire.row import Message, message
from tws_simulator.world.history.bars import Kind
from tws_simulator.world.history.history import Step, mark_before, window
from tws_simulator.world.history.volatility import volatilities
from tws_simulator.world.instruments.universe import US_EASTERN, Listing
from tws_simulator.world.market.tape import Bar
from tws_simulator.world.time.calendar import SECOND_NS, new_york_date

FIRST_SERVER_VERSION_WITH_END = 196
"""From here on the start and end of the bars are a message of their own."""
BARS_MAX = 20_000
"""In one answer: two weeks of minutes, eighty years of days. A real gateway takes its time instead."""
DELAY_NS = 15 * 60 * SECOND_NS
"""What is older than this needs no subscription."""


def _req_historical_data(gateway: GatewayState, session: Session, request: Message) -> None:
    req_id = request.get("reqId", notices.NO_REQUEST)
    asked = read(request, gateway.now_ns)
    if not isinstance(asked, Asked):
        session.send_error(req_id, asked)
        return
    listing = past_of(gateway, session, request)
    if listing is None:
        return
    refusal = _refusal(gateway, session, request, asked, listing)
    if refusal is not None:
        session.send_error(req_id, refusal)
    elif asked.what == SCHEDULE:
        _send_schedule(gateway, session, req_id, asked, listing)
    else:
        _send_bars(gateway, session, request, asked, listing)


def past_of(gateway: GatewayState, session: Session, request: Message) -> Listing | None:
    """The listing asked for; None when the request was refused. Options have no history here."""
    req_id, contract = request.get("reqId", notices.NO_REQUEST), request.get("contract", {})
    found = resolve_any(contract, new_york_date(gateway.now_ns))
    if isinstance(found, tuple):
        session.send_error(req_id, found)
        return None
    if isinstance(found, Listing) and found.con_id in gateway.world.history:
        return found
    what = request.get("whatToShow", "TRADES")
    session.send_error(req_id, historical_notices.no_data(found.symbol, contract.get("exchange", ""), what))
    return None


def _refusal(
    gateway: GatewayState, session: Session, request: Message, asked: Asked, listing: Listing
) -> tuple[int, str] | None:
    exchange = request.get("contract", {}).get("exchange", "")
    if (KIND, request.get("reqId", notices.NO_REQUEST)) in session.streams:
        return historical_notices.DUPLICATE_ID
    if asked.kept and _open_requests(gateway.sessions) >= OPEN_MAX:
        return historical_notices.TOO_MANY_OPEN
    if not _is_in_pace(gateway, session, request, asked, listing):
        return historical_notices.PACING_VIOLATION
    if asked.kind is Kind.TRADES and listing.sec_type == "CASH":
        return historical_notices.no_data(listing.symbol, exchange, asked.what)  # currencies have quotes only
    if asked.what != SCHEDULE and not is_entitled(gateway, listing) and asked.end_ns > gateway.now_ns - DELAY_NS:
        return historical_notices.no_permissions(listing) if asked.kept else historical_notices.NOT_UP_TO_THE_SECOND
    return None


def _open_requests(sessions: Iterable[Session]) -> int:
    return sum(kind == KIND for session in sessions for kind, _ in session.streams)


def _is_in_pace(gateway: GatewayState, session: Session, request: Message, asked: Asked, listing: Listing) -> bool:
    """Identical are requests of one client; the other limits hold for all clients together."""
    if not gateway.options.historical_pacing or isinstance(asked.size, Step) or asked.size > SMALL_BAR_S_MAX:
        return True
    subject = (listing.con_id, request.get("contract", {}).get("exchange", ""), asked.what)
    terms = (asked.size, asked.duration, request.get("endDateTime", ""), asked.regular_only)
    weight = 2 if asked.kind is Kind.BID_ASK else 1
    return gateway.historical_pacing.admits(gateway.now_ns, (session.client_id, subject, terms), subject, weight)


def _send_bars(gateway: GatewayState, session: Session, request: Message, asked: Asked, listing: Listing) -> None:
    req_id, version = request.get("reqId", notices.NO_REQUEST), session.codec.server_version
    bars = _bars(gateway, asked, listing)
    if bars is None or not (bars or asked.kept):
        exchange = request.get("contract", {}).get("exchange", "")
        no_data = historical_notices.no_data(listing.symbol, exchange, asked.what)
        session.send_error(req_id, historical_notices.TOO_LONG if bars is None else no_data)
        return
    bar_format = BarFormat(
        size=asked.size,
        as_seconds=asked.as_seconds,
        server_version=version,
        has_volume=listing.sec_type != "IND",
    )
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
    if asked.kept and asked.kind is not None:
        session.streams[KIND, req_id] = KeptBars(
            req_id,
            listing,
            gateway.world.history,
            kind=asked.kind,
            bar_format=bar_format,
            regular_only=asked.regular_only,
            now_ns=gateway.now_ns,
            told=bars[-1] if bars else None,
        )


def _bars(gateway: GatewayState, asked: Asked, listing: Listing) -> list[Bar] | None:
    """None for too many."""
    history = gateway.world.history
    until_ns = min(asked.end_ns, gateway.now_ns)
    since_ns = asked.duration.first_ns(history, listing.con_id, until_ns, regular_only=asked.regular_only)
    if isinstance(asked.size, int):
        since_ns = mark_before(since_ns, asked.size)
    until_ns += asked.end_ns >= gateway.now_ns  # what happened just now belongs to the running bar
    if history.count(listing, asked.size, since_ns, until_ns, regular_only=asked.regular_only) > BARS_MAX:
        return None
    if asked.kind is not None:
        return history.bars(listing, asked.kind, asked.size, since_ns, until_ns, regular_only=asked.regular_only)
    if asked.what in VOLATILITIES and isinstance(asked.size, Step):
        return volatilities(history, listing, asked.what, asked.size, since_ns, until_ns)
    return []


def _send_schedule(gateway: GatewayState, session: Session, req_id: int, asked: Asked, listing: Listing) -> None:
    """Oldest first, in the exchange's time; whole sessions are listed, also one that is not over."""
    history, con_id, end_ns = gateway.world.history, listing.con_id, min(asked.end_ns, gateway.now_ns)
    since_ns = asked.duration.first_ns(history, con_id, end_ns, regular_only=asked.regular_only)
    days = history.exchange_days(con_id, new_york_date(since_ns), new_york_date(end_ns))
    sessions = [(f"{day.day:%Y%m%d}", *window(day, asked.regular_only)) for day in days]
    sessions = [each for each in sessions if each[1] < end_ns]
    if not sessions:
        session.send_error(req_id, historical_notices.no_data(listing.symbol, "", asked.what))
        return
    session.send(
        message(
            "historicalSchedule",
            reqId=req_id,
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
    req_id = request.get("reqId", notices.NO_REQUEST)
    known = session.streams.pop((KIND, req_id), None) is not None
    session.send_error(
        req_id, historical_notices.cancelled(req_id) if known else historical_notices.unknown_query(req_id)
    )


HANDLERS: dict[str, Handler] = {
    "reqHistoricalData": _req_historical_data,
    "cancelHistoricalData": _cancel_historical_data,
}
