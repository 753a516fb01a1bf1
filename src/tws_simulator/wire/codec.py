"""Frames to messages and back, at one server version.

From server version 201 on a payload starts with a four-byte id, before that with the id as a first text field. A body
whose id is above 200 is protobuf. Which form is sent is decided by the message's row; both are understood.

Text from the gateway is UTF-8 at first, and from server version 153 on ASCII in which other characters are escaped the
way Java does it, one escape for each UTF-16 unit: clients undo "\\u00e9", and some undo nothing else.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

from tws_simulator.wire import (
    account,
    bars,
    contracts,
    depth,
    executions,
    history,
    market_data,
    option_computations,
    orders,
    profit,
    reference,
    reroutes,
    session,
    tick_by_tick,
)
from tws_simulator.wire.protobuf import decode_protobuf, encode_protobuf
from tws_simulator.wire.row import NO_REQUEST, REPLY, REQUEST, Direction, Message, Row
from tws_simulator.wire.text.layout import Field, fields_at
from tws_simulator.wire.text.reading import decode_text, whole
from tws_simulator.wire.text.writing import encode_text
from tws_simulator.wire.values import MalformedMessage

FIRST_SERVER_VERSION_WITH_BINARY_IDS = 201
PROTOBUF_ID_OFFSET = 200
FIRST_SERVER_VERSION_WITH_ASCII = 153
PAYLOAD_BYTES_MAX = 256 * 1024
"""Of a request. The longest are an advisor's groups and an order's parameters, some ten kilobytes."""
FIELDS_MAX = 20_000

_LENGTH = struct.Struct("!I")
_IDS = frozenset({"reqId:i", "orderId:i"})
_ID = re.compile(rb"[0-9]{1,9}\Z")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_ESCAPES = re.compile(r"(?:\\u(?!00[0-7])[0-9a-fA-F]{4})+")
_ROWS: tuple[Row, ...] = (
    *session.MESSAGES,
    *market_data.MESSAGES,
    *depth.MESSAGES,
    *tick_by_tick.MESSAGES,
    *bars.MESSAGES,
    *option_computations.MESSAGES,
    *contracts.MESSAGES,
    *reference.MESSAGES,
    *reroutes.MESSAGES,
    *orders.MESSAGES,
    *executions.MESSAGES,
    *account.MESSAGES,
    *profit.MESSAGES,
    *history.MESSAGES,
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


class Unidentified(MalformedMessage):
    """A payload that does not say which message it is."""


class Codec:
    """Encodes and decodes payloads: what stands between two length prefixes."""

    def __init__(self, server_version: int) -> None:
        self.server_version = server_version
        self._binary_ids = server_version >= FIRST_SERVER_VERSION_WITH_BINARY_IDS
        self._ascii_only = server_version >= FIRST_SERVER_VERSION_WITH_ASCII

    def encode_reply(self, message: Message) -> bytes:
        return self._encode(ROWS_BY_NAME[REPLY, message.name], message)

    def encode_request(self, message: Message) -> bytes:
        return self._encode(ROWS_BY_NAME[REQUEST, message.name], message)

    def decode_request(self, payload: bytes, *, strict: bool = False) -> Message:
        return self._decode(REQUEST, payload, strict, foreign=True)

    def request_id(self, payload: bytes) -> int:
        """The id of a known request or of its order, though the rest cannot be read; -1 where there is none."""
        msg_id, body = self._split_id(payload)
        is_protobuf = self._binary_ids and msg_id > PROTOBUF_ID_OFFSET
        row = ROWS_BY_ID[REQUEST, msg_id - PROTOBUF_ID_OFFSET if is_protobuf else msg_id]
        try:
            if not is_protobuf:
                return self._id_in_text(row.text or "", body)
            name = next(iter(row.protobuf.split()), "")
            return int(decode_protobuf(name, body)[name.partition(":")[0]]) if name in _IDS else NO_REQUEST
        except (MalformedMessage, KeyError):
            return NO_REQUEST

    def _id_in_text(self, layout: str, body: bytes) -> int:
        """It stands before everything else, or behind the message's own version."""
        nodes = enumerate(fields_at(layout, self.server_version)[:2])
        position = next((at for at, node in nodes if isinstance(node, Field) and f"{node.path[0]}:i" in _IDS), None)
        fields = body.split(b"\0", 2)
        if position is None or position + 1 >= len(fields):
            return NO_REQUEST
        return whole(fields[position].decode("ascii", "replace"))

    def decode_reply(self, payload: bytes, *, strict: bool = False) -> Message:
        return self._decode(REPLY, payload, strict, foreign=False)

    def _encode(self, row: Row, message: Message) -> bytes:
        if row.text is None or self.server_version >= row.protobuf_since:
            wire_id = row.msg_id + PROTOBUF_ID_OFFSET
            return _LENGTH.pack(wire_id) + encode_protobuf(row.protobuf, message.values)
        fields = encode_text(row.text, self.server_version, message.values)
        if self._binary_ids:
            return _LENGTH.pack(row.msg_id) + join_fields(fields)
        return join_fields([str(row.msg_id), *fields], ascii_only=self._ascii_only)

    def _decode(self, direction: Direction, payload: bytes, strict: bool, *, foreign: bool) -> Message:
        msg_id, body = self._split_id(payload)
        is_protobuf = self._binary_ids and msg_id > PROTOBUF_ID_OFFSET
        base_id = msg_id - PROTOBUF_ID_OFFSET if is_protobuf else msg_id
        row = ROWS_BY_ID.get((direction, base_id))
        if row is None or (row.text is None and not is_protobuf):
            raise UnknownMessage(direction, base_id, body, protobuf=is_protobuf)
        if is_protobuf:
            return Message(row.name, decode_protobuf(row.protobuf, body, strict=strict, foreign=foreign))
        if foreign and body.count(b"\0") > FIELDS_MAX:
            raise MalformedMessage(f"more than {FIELDS_MAX} fields")
        fields = split_fields(body)
        if self._ascii_only and not foreign:
            fields = [_unescaped(field) for field in fields]
        values = decode_text(row.text or "", self.server_version, fields, strict=strict, foreign=foreign)
        return Message(row.name, values)

    def _split_id(self, payload: bytes) -> tuple[int, bytes]:
        if self._binary_ids:
            if len(payload) < 4:
                raise Unidentified("a payload without an id")
            return _LENGTH.unpack_from(payload)[0], payload[4:]
        head, _, body = payload.partition(b"\0")
        if _ID.match(head) is None:
            raise Unidentified(f"not a message id: {head[:20]!r}")
        return int(head), body


def frame(payload: bytes) -> bytes:
    return _LENGTH.pack(len(payload)) + payload


def frames(payloads: Iterable[bytes]) -> bytes:
    return b"".join(map(frame, payloads))


def join_fields(fields: list[str], *, ascii_only: bool = True) -> bytes:
    joined = "".join(f"{text}\0" for text in fields)
    if joined.count("\0") != len(fields):  # protobuf may carry what would part a text field in two
        joined = "".join(f"{text.replace(chr(0), '')}\0" for text in fields)
    if joined.isascii():
        return joined.encode("ascii")
    return (_BEYOND_ASCII.sub(_escaped, joined) if ascii_only else joined).encode("utf-8", "replace")


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{unit:04x}" for (unit,) in struct.iter_unpack("!H", units))


def _unescaped(text: str) -> str:
    return _ESCAPES.sub(_characters, text) if "\\u" in text else text


def _characters(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("\\u", "")).decode("utf-16-be", "replace")


def split_fields(body: bytes) -> list[str]:
    fields = body.decode("utf-8", "replace").split("\0")
    return fields[:-1] if fields[-1] == "" else fields
