"""Contract details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from tws_simulator.api import notices
from tws_simulator.api.contracts.contract_details import details
from tws_simulator.api.contracts.contracts import Instrument, search
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
    req_id, contract = request.get("reqId", -1), request.get("contract", {})
    found = search(contract, new_york_date(gateway.now_ns))
    if isinstance(found, tuple):
        session.send_error(req_id, found)
        return
    first = next(found, None)
    if first is None:
        session.send_error(req_id, notices.UNKNOWN_CONTRACT)
        return
    if (KIND, req_id) in session.streams:
        session.send_error(req_id, notices.DUPLICATE_TICKER_ID)
        return
    if sum(kind == KIND for kind, _ in session.streams) >= _OPEN_MAX:
        session.send_error(req_id, notices.invalid("Too many requests for contract details"))
        return
    stream = DetailsStream(
        _rows(gateway, req_id, contract, chain((first,), found)),
        lambda: _forget(session, req_id),
    )
    session.streams[KIND, req_id] = stream
    for row in stream.piece():
        session.send(row)


def _rows(
    gateway: GatewayState, req_id: int, contract: Mapping[str, Any], instruments: Iterator[Instrument]
) -> Iterator[Message]:
    for instrument in instruments:
        yield from details(req_id, contract, instrument, gateway.world.calendar, gateway.now_ns)
    yield message("contractDetailsEnd", reqId=req_id)


def _forget(session: Session, req_id: int) -> None:
    session.streams.pop((KIND, req_id), None)


def _cancel_contract_data(gateway: GatewayState, session: Session, request: Message) -> None:
    """Silent, whether or not anything was still to come."""
    _forget(session, request.get("reqId", -1))


HANDLERS: dict[str, Handler] = {
    "reqContractDetails": _req_contract_details,
    "cancelContractData": _cancel_contract_data,
}
