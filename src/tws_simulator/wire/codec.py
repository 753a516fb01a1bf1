"""Frames to messages and back, at one server version.

From server version 201 on a payload starts with a four-byte id, before that with the id as a first text field. A body
whose id is above 200 is protobuf. Which form is sent is decided by the message's row; both are understood.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from tws_simulator.wire import account, contracts, executions, market_data, orders, session
from tws_simulator.wire.protobuf import decode_protobuf, encode_protobuf
from tws_simulator.wire.row import REPLY, REQUEST, Direction, Message, Row
from tws_simulator.wire.text import MalformedMessage, decode_text, encode_text

FIRST_SERVER_VERSION_WITH_BINARY_IDS = 201
PROTOBUF_ID_OFFSET = 200
PAYLOAD_BYTES_MAX = 16 * 1024 * 1024

_LENGTH = struct.Struct("!I")
_ROWS: tuple[Row, ...] = (
    *session.MESSAGES,
    *market_data.MESSAGES,
    *contracts.MESSAGES,
    *orders.MESSAGES,
    *executions.MESSAGES,
    *account.MESSAGES,
)
ROWS_BY_ID = {(row.direction, row.msg_id): row for row in _ROWS}
ROWS_BY_NAME = {(row.direction, row.name): row for row in _ROWS}


class UnknownMessage(MalformedMessage):
    """A message whose id is not in the tables."""

    def __init__(self, direction: Direction, msg_id: int, body: bytes, *, protobuf: bool) -> None:
        super().__init__(f"no {direction} with id {msg_id}")
        self.msg_id = msg_id
        self.body = body
        self.protobuf = protobuf


class Codec:
    """Encodes and decodes payloads: what stands between two length prefixes."""

    def __init__(self, server_version: int) -> None:
        self.server_version = server_version
        self._binary_ids = server_version >= FIRST_SERVER_VERSION_WITH_BINARY_IDS

    def encode_reply(self, message: Message) -> bytes:
        return self._encode(ROWS_BY_NAME[REPLY, message.name], message)

    def encode_request(self, message: Message) -> bytes:
        return self._encode(ROWS_BY_NAME[REQUEST, message.name], message)

    def decode_request(self, payload: bytes, *, strict: bool = False) -> Message:
        return self._decode(REQUEST, payload, strict)

    def decode_reply(self, payload: bytes, *, strict: bool = False) -> Message:
        return self._decode(REPLY, payload, strict)

    def _encode(self, row: Row, message: Message) -> bytes:
        if row.text is None or self.server_version >= row.protobuf_since:
            wire_id = row.msg_id + PROTOBUF_ID_OFFSET
            return _LENGTH.pack(wire_id) + encode_protobuf(row.protobuf, message.values)
        fields = encode_text(row.text, self.server_version, message.values)
        if self._binary_ids:
            return _LENGTH.pack(row.msg_id) + join_fields(fields)
        return join_fields([str(row.msg_id), *fields])

    def _decode(self, direction: Direction, payload: bytes, strict: bool) -> Message:
        msg_id, body = self._split_id(payload)
        is_protobuf = self._binary_ids and msg_id > PROTOBUF_ID_OFFSET
        base_id = msg_id - PROTOBUF_ID_OFFSET if is_protobuf else msg_id
        row = ROWS_BY_ID.get((direction, base_id))
        if row is None or (row.text is None and not is_protobuf):
            raise UnknownMessage(direction, base_id, body, protobuf=is_protobuf)
        if is_protobuf:
            return Message(row.name, decode_protobuf(row.protobuf, body, strict=strict))
        return Message(row.name, decode_text(row.text or "", self.server_version, split_fields(body), strict=strict))

    def _split_id(self, payload: bytes) -> tuple[int, bytes]:
        if self._binary_ids:
            if len(payload) < 4:
                raise MalformedMessage("a payload without an id")
            return _LENGTH.unpack_from(payload)[0], payload[4:]
        head, _, body = payload.partition(b"\0")
        try:
            return int(head), body
        except ValueError:
            raise MalformedMessage(f"not a message id: {head[:20]!r}") from None


def frame(payload: bytes) -> bytes:
    return _LENGTH.pack(len(payload)) + payload


def frames(payloads: Iterable[bytes]) -> bytes:
    return b"".join(map(frame, payloads))


def join_fields(fields: Iterable[str]) -> bytes:
    """Text beyond ASCII goes as escapes, as IB sends it since server version 153."""
    return "".join(f"{text}\0" for text in fields).encode("ascii", "backslashreplace")


def split_fields(body: bytes) -> list[str]:
    fields = body.decode("utf-8", "replace").split("\0")
    return fields[:-1] if fields[-1] == "" else fields
