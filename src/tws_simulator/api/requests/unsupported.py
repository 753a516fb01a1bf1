"""Requests the simulator does not serve: the refusal a gateway without the rights, or the feature, would give."""

from __future__ import annotations

from tws_simulator.api import notices
from tws_simulator.api.session import Session
from tws_simulator.wire.codec import UnknownMessage, split_fields
from tws_simulator.wire.protobuf import decode_protobuf
from tws_simulator.wire.text import MalformedMessage

# base id: (the refusal, or None for IB's silence; position of the request id among the text fields)
_KNOWN: dict[int, tuple[tuple[int, str] | None, int]] = {
    **{msg_id: (notices.invalid("This request is not served here"), 1) for msg_id in (22, 52)},
}


def refuse_unknown(session: Session, unknown: UnknownMessage) -> None:
    refusal, position = _KNOWN.get(unknown.msg_id, (notices.invalid("This request is not served here"), None))
    if refusal is not None:
        session.send_error(_request_id(unknown, position), refusal)


def _request_id(unknown: UnknownMessage, position: int | None) -> int:
    if position is None:
        return notices.NO_REQUEST
    try:
        if unknown.protobuf:
            return int(decode_protobuf("reqId:i", unknown.body).get("reqId", notices.NO_REQUEST))
        return int(split_fields(unknown.body)[position])
    except (MalformedMessage, ValueError, IndexError):
        return notices.NO_REQUEST
