"""A payload and the request id in it: where it is, and the same payload with another.

A message that is not in the tables keeps its payload. If it is protobuf, its first field is taken for its request id,
as it is one in nearly all of IB's messages; in an unknown text there is no telling.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tws_simulator.wire.codec import FIRST_SERVER_VERSION_WITH_BINARY_IDS, PROTOBUF_ID_OFFSET, Codec
from tws_simulator.wire.row import Message
from tws_simulator.wire.values import MalformedMessage

# placeOrder, cancelOrder, exerciseOptions, reqGlobalCancel: known by number, whatever else is known of them.
ORDER_MESSAGE_IDS = frozenset({3, 4, 21, 58})

_LENGTH = struct.Struct(">I")
_FIRST_FIELD_IS_A_NUMBER = b"\x08"
_ID_FIELDS_AT_MOST_AT = 4  # of a text message, its id included
_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Read:
    """``ids`` are those that may be the request id: none, one, or for an unknown message a guess."""

    payload: bytes
    msg_id: int
    name: str
    is_known: bool
    values: dict[str, Any] = field(default_factory=dict)
    id_field: str | None = None
    ids: tuple[int, ...] = ()
    is_order: bool = False

    @property
    def id(self) -> int | None:
        return self.ids[0] if self.ids else None

    @property
    def is_unsubscribe(self) -> bool:
        """Account updates end with the request that began them; a protobuf false may be absent."""
        return self.name == "reqAccountUpdates" and not self.values.get("subscribe")


def read_request(codec: Codec, payload: bytes) -> Read:
    msg_id, is_protobuf = message_id(codec, payload)
    is_order = msg_id in ORDER_MESSAGE_IDS
    try:
        request = codec.decode_request(payload)
    except MalformedMessage:
        return _unknown(payload, "request", msg_id, is_protobuf=is_protobuf, is_order=is_order)
    return _known(payload, msg_id, request, ("reqId", "orderId") if is_order else ("reqId",), is_order=is_order)


def read_reply(codec: Codec, payload: bytes) -> Read:
    msg_id, is_protobuf = message_id(codec, payload)
    try:
        reply = codec.decode_reply(payload)
    except MalformedMessage:
        return _unknown(payload, "reply", msg_id, is_protobuf=is_protobuf)
    return _known(payload, msg_id, reply, ("id",) if reply.name == "error" else ("reqId",))


def message_id(codec: Codec, payload: bytes) -> tuple[int, bool]:
    """The base id, and whether the body is protobuf; -1 where there is no id."""
    if codec.server_version >= FIRST_SERVER_VERSION_WITH_BINARY_IDS:
        if len(payload) < _LENGTH.size:
            return -1, False
        wire_id = int(_LENGTH.unpack_from(payload)[0])
        return (wire_id - PROTOBUF_ID_OFFSET, True) if wire_id > PROTOBUF_ID_OFFSET else (wire_id, False)
    head = payload.partition(b"\0")[0]
    return (int(head) if head.isdigit() and len(head) < 10 else -1), False


def with_request_id(codec: Codec, payload: bytes, req_id: int) -> bytes | None:
    """The reply under another request id, all else unchanged to the byte; None if it is not known where the id is."""
    reply = read_reply(codec, payload)
    if reply.id in (None, req_id):
        return payload
    if not reply.is_known or reply.id_field is None or reply.id is None:
        return None
    wanted = Message(reply.name, {**reply.values, reply.id_field: req_id})
    for candidate in _rewritten(codec, payload, reply.id, req_id):
        if _decodes_to(codec, candidate, wanted):
            return candidate
    return codec.encode_reply(wanted)


def _decodes_to(codec: Codec, payload: bytes, wanted: Message) -> bool:
    try:
        return codec.decode_reply(payload) == wanted
    except MalformedMessage:
        return False


def _rewritten(codec: Codec, payload: bytes, old: int, new: int) -> Iterator[bytes]:
    """The payload with each thing exchanged that may be the old id, the likeliest first."""
    if message_id(codec, payload)[1]:
        head, first = payload[:4], _FIRST_FIELD_IS_A_NUMBER + _varint(old)
        if payload.startswith(first, 4):
            yield head + _FIRST_FIELD_IS_A_NUMBER + _varint(new) + payload[4 + len(first) :]
        return
    start = 4 if codec.server_version >= FIRST_SERVER_VERSION_WITH_BINARY_IDS else 0
    fields = payload[start:].split(b"\0", _ID_FIELDS_AT_MOST_AT)
    for at in range(len(fields) - 1):
        if fields[at] == str(old).encode() and (at or start):
            yield payload[:start] + b"\0".join([*fields[:at], str(new).encode(), *fields[at + 1 :]])


def _known(
    payload: bytes, msg_id: int, message: Message, id_fields: tuple[str, ...], *, is_order: bool = False
) -> Read:
    id_field = next((name for name in id_fields if name in message.values), None)
    ids = () if id_field is None else (int(message.values[id_field]),)
    return Read(
        payload,
        msg_id,
        message.name,
        is_known=True,
        values=message.values,
        id_field=id_field,
        ids=ids,
        is_order=is_order,
    )


def _unknown(payload: bytes, what: str, msg_id: int, *, is_protobuf: bool, is_order: bool = False) -> Read:
    guess = _first_number(payload[4:]) if is_protobuf else None
    ids = () if guess is None else (guess,)
    return Read(payload, msg_id, f"{what} {msg_id}", is_known=False, ids=ids, is_order=is_order)


def _first_number(body: bytes) -> int | None:
    if not body.startswith(_FIRST_FIELD_IS_A_NUMBER):
        return None
    value = 0
    for at, byte in enumerate(body[1:11]):
        value |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            value &= _MASK
            return value - (1 << 64) if value >> 63 else value
    return None


def _varint(value: int) -> bytes:
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
