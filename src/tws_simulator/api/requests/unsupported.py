"""Requests the simulator does not serve: the refusal a gateway without the rights, or the feature, would give.

A refusal has the id of its request, so that what waits for an answer ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tws_simulator.api.notices import NO_REQUEST, Notice
from tws_simulator.api.notices.reference import NO_ADVISOR, NO_FUNDAMENTALS, NO_WSH_FEED, unknown_scanner
from tws_simulator.api.notices.session import NOT_SERVED
from tws_simulator.api.session import Session
from tws_simulator.wire.codec import UnknownMessage, split_fields
from tws_simulator.wire.protobuf import decode_protobuf
from tws_simulator.wire.values import MalformedMessage


@dataclass(frozen=True, slots=True)
class Outside:
    """``position`` is where the request id stands among the text fields; None where there is none.

    In protobuf, where a request has an id, it is the first field. ``refusal`` may depend on it; None is IB's silence.
    """

    name: str
    position: int | None
    refusal: Notice | Callable[[int], Notice] | None = NOT_SERVED


OUTSIDE: Final = {
    12: Outside("reqNewsBulletins", None, None),  # there is no bulletin to tell
    13: Outside("cancelNewsBulletins", None, None),
    18: Outside("requestFA", None, NO_ADVISOR),
    19: Outside("replaceFA", 3, NO_ADVISOR),
    21: Outside("exerciseOptions", 1),
    22: Outside("reqScannerSubscription", 0),
    23: Outside("cancelScannerSubscription", 1, unknown_scanner),
    24: Outside("reqScannerParameters", None),
    52: Outside("reqFundamentalData", 1, NO_FUNDAMENTALS),
    53: Outside("cancelFundamentalData", 1),
    65: Outside("verifyRequest", None),
    66: Outside("verifyMessage", None),
    67: Outside("queryDisplayGroups", 1),
    68: Outside("subscribeToGroupEvents", 1),
    69: Outside("updateDisplayGroup", 1),
    70: Outside("unsubscribeFromGroupEvents", 1),
    72: Outside("verifyAndAuthRequest", None),
    73: Outside("verifyAndAuthMessage", None),
    84: Outside("reqNewsArticle", 0),
    86: Outside("reqHistoricalNews", 0),
    100: Outside("reqWshMetaData", 0, NO_WSH_FEED),
    101: Outside("cancelWshMetaData", 0),
    102: Outside("reqWshEventData", 0, NO_WSH_FEED),
    103: Outside("cancelWshEventData", 0),
}
"""By message id: all that clients of server version 151 and later can ask for and that has no table in ``wire``."""

_UNKNOWN: Final = Outside("", None)


def refuse_unknown(session: Session, unknown: UnknownMessage) -> None:
    outside = OUTSIDE.get(unknown.msg_id, _UNKNOWN)
    if outside.refusal is not None:
        req_id = _request_id(unknown, outside.position)
        session.send_error(req_id, outside.refusal(req_id) if callable(outside.refusal) else outside.refusal)


def _request_id(unknown: UnknownMessage, position: int | None) -> int:
    if position is None:
        return NO_REQUEST
    try:
        if unknown.protobuf:
            return int(decode_protobuf("reqId:i", unknown.body).get("reqId", NO_REQUEST))
        return int(split_fields(unknown.body)[position])
    except (MalformedMessage, ValueError, IndexError):
        return NO_REQUEST
