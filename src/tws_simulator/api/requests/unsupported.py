"""Requests the simulator does not serve: the refusal a gateway without the rights, or the feature, would give.

A refusal has the id of its request, so that what waits for an answer ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tws_simulator.api import notices
from tws_simulator.api.session import Session
from tws_simulator.wire.codec import UnknownMessage, split_fields
from tws_simulator.wire.protobuf import decode_protobuf
from tws_simulator.wire.text import MalformedMessage

Refusal = tuple[int, str]

_NOT_SERVED: Final = notices.invalid("This request is not served here")
_NO_WSH_FEED: Final = (10276, "News feed is not allowed")
_NO_FUNDAMENTALS: Final = (10358, "Fundamentals data is not allowed")
_NO_ADVISOR: Final = notices.invalid("FA data operations ignored for non FA customers.")
_NO_SCANNER: Final = (365, "No scanner subscription found for ticker id:{id}")


@dataclass(frozen=True, slots=True)
class Outside:
    """``position`` is where the request id stands among the text fields; None where there is none.

    In protobuf, where a request has an id, it is the first field. ``refusal`` None is IB's silence.
    """

    name: str
    position: int | None
    refusal: Refusal | None = _NOT_SERVED


OUTSIDE: Final = {
    12: Outside("reqNewsBulletins", None, None),  # there is no bulletin to tell
    13: Outside("cancelNewsBulletins", None, None),
    18: Outside("requestFA", None, _NO_ADVISOR),
    19: Outside("replaceFA", 3, _NO_ADVISOR),
    21: Outside("exerciseOptions", 1),
    22: Outside("reqScannerSubscription", 0),
    23: Outside("cancelScannerSubscription", 1, _NO_SCANNER),
    24: Outside("reqScannerParameters", None),
    52: Outside("reqFundamentalData", 1, _NO_FUNDAMENTALS),
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
    100: Outside("reqWshMetaData", 0, _NO_WSH_FEED),
    101: Outside("cancelWshMetaData", 0),
    102: Outside("reqWshEventData", 0, _NO_WSH_FEED),
    103: Outside("cancelWshEventData", 0),
}
"""By message id: all that clients of server version 151 and later can ask for and that has no table in ``wire``."""

_UNKNOWN: Final = Outside("", None)


def refuse_unknown(session: Session, unknown: UnknownMessage) -> None:
    outside = OUTSIDE.get(unknown.msg_id, _UNKNOWN)
    if outside.refusal is not None:
        req_id = _request_id(unknown, outside.position)
        code, text = outside.refusal
        session.send_error(req_id, (code, text.replace("{id}", str(req_id))))


def _request_id(unknown: UnknownMessage, position: int | None) -> int:
    if position is None:
        return notices.NO_REQUEST
    try:
        if unknown.protobuf:
            return int(decode_protobuf("reqId:i", unknown.body).get("reqId", notices.NO_REQUEST))
        return int(split_fields(unknown.body)[position])
    except (MalformedMessage, ValueError, IndexError):
        return notices.NO_REQUEST
