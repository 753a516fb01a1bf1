"""Contract details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from tws_simulator.api.contracts.contract_details import details
from tws_simulator.api.contracts.contracts import Instrument, search
from tws_simulator.api.notices.reference import TOO_MANY_DETAILS, UNKNOWN_CONTRACT
from tws_simulator.api.refused import Refused
from tws_simulator.api.requests.subscribing import check_new, end_of
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.details import KIND, DetailsStream
from tws_simulator.wire.row import Message, message
from tws_simulator.world.time.calendar import new_york_date

_OPEN_MAX = 20


def _req_contract_details(gateway: GatewayState, session: Session, request: Message) -> None:
    """An unknown contract ends the request with error 200, without an end marker: seen in captures.

    Whole option chains come in pieces, as time passes.
    """
    req_id, contract = request.req_id, request.get("contract", {})
    found = search(contract, new_york_date(gateway.now_ns))
    first = next(found, None)
    if first is None:
        raise Refused(UNKNOWN_CONTRACT)
    check_new(session, KIND, request)
    if sum(kind == KIND for kind, _ in session.streams) >= _OPEN_MAX:
        raise Refused(TOO_MANY_DETAILS)
    rows = _rows(gateway, req_id, contract, chain((first,), found))
    stream = DetailsStream(rows, end_of(session, KIND, req_id))
    session.subscribe(KIND, req_id, stream)
    for row in stream.piece():
        session.send(row)


def _rows(
    gateway: GatewayState, req_id: int, contract: Mapping[str, Any], instruments: Iterator[Instrument]
) -> Iterator[Message]:
    for instrument in instruments:
        yield from details(req_id, contract, instrument, gateway.world.calendar, gateway.now_ns)
    yield message("contractDetailsEnd", reqId=req_id)


def _cancel_contract_data(gateway: GatewayState, session: Session, request: Message) -> None:
    """Silent, whether or not anything was still to come."""
    session.unsubscribe(KIND, request.req_id)


HANDLERS: dict[str, Handler] = {
    "reqContractDetails": _req_contract_details,
    "cancelContractData": _cancel_contract_data,
}
