"""One inbound frame to the official decoder: which message it is, whether we want it, whether it is whole.

The decoder's own two entry points are not used. They skip a message silently when it has a field too many or too few,
and fail with an unrelated error when they want to report a truncated one. So the decoder's table is asked directly,
and only for the families our vocabulary has; the others are counted and left undecoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ibkr_adapter.tws.callbacks import Callbacks
from ibkr_adapter.tws.official import IN, Decoder
from ibkr_adapter.tws.progress import Counters
from ibkr_adapter.tws.translate import Malformed

_BINARY_IDS_FROM = 201
"""From this server version on a frame begins with its id in four bytes (``MIN_SERVER_VER_PROTOBUF``)."""

_PROTOBUF_ID = 200
"""Added to the id of a message whose body is protobuf."""

_FAMILIES = (
    IN.TICK_PRICE,
    IN.TICK_SIZE,
    IN.TICK_STRING,
    IN.TICK_GENERIC,
    IN.TICK_REQ_PARAMS,
    IN.MARKET_DATA_TYPE,
    IN.ERR_MSG,
    IN.NEXT_VALID_ID,
    IN.MANAGED_ACCTS,
    IN.CURRENT_TIME,
    IN.CONTRACT_DATA,
    IN.BOND_CONTRACT_DATA,
    IN.CONTRACT_DATA_END,
    IN.ACCOUNT_SUMMARY,
    IN.ACCOUNT_SUMMARY_END,
    IN.POSITION_DATA,
    IN.POSITION_END,
    IN.OPEN_ORDER,
    IN.OPEN_ORDER_END,
    IN.ORDER_STATUS,
    IN.COMPLETED_ORDER,
    IN.COMPLETED_ORDERS_END,
    IN.EXECUTION_DATA,
    IN.EXECUTION_DATA_END,
    IN.COMMISSION_AND_FEES_REPORT,
    getattr(IN, "CONFIG_RESPONSE", 110),  # unknown to 10.37.2, which cannot ask for it either
)


class FrameDecoder:
    """Calls the callbacks for one frame after the other; raises whatever the official decoder raises."""

    __slots__ = ("_binary_ids", "_counters", "_protobuf", "_text")

    def __init__(self, callbacks: Callbacks, server_version: int, counters: Counters) -> None:
        decoder = Decoder(callbacks, server_version)  # type: ignore[no-untyped-call]  # partly typed upstream
        self._counters = counters
        self._binary_ids = server_version >= _BINARY_IDS_FROM
        self._text: dict[int, Callable[[Any], None] | None] = {
            msg_id: _by_text(decoder, info) if msg_id in _FAMILIES else None
            for msg_id, info in Decoder.msgId2handleInfo.items()
        }
        self._protobuf: dict[int, Callable[[Any], None] | None] = {
            msg_id + _PROTOBUF_ID: _by_protobuf(decoder, info) if msg_id in _FAMILIES else None
            for msg_id, info in Decoder.msgId2handleInfoProtoBuf.items()
        }

    def decode(self, body: bytes) -> None:
        self._counters.frames_in += 1
        if self._binary_ids:
            if len(body) < 4:
                raise Malformed("a frame too short for its id")
            msg_id = int.from_bytes(body[:4], "big")
            if msg_id > _PROTOBUF_ID:
                self._hand_over(self._protobuf, msg_id, body[4:])
                return
            fields = body[4:].split(b"\0")
            unfinished = fields.pop()
        else:
            fields = body.split(b"\0")
            unfinished = fields.pop()
            try:
                msg_id = int(fields.pop(0))
            except (IndexError, ValueError) as unreadable:
                raise Malformed("a frame without an id") from unreadable
        if unfinished:
            raise Malformed("a frame whose last field has no end")
        self._hand_over(self._text, msg_id, fields)

    def _hand_over(self, handlers: dict[int, Callable[[Any], None] | None], msg_id: int, content: Any) -> None:
        try:
            handler = handlers[msg_id]
        except KeyError:
            self._counters.frames_unknown += 1
            return
        if handler is None:
            self._counters.frames_unwanted += 1
            return
        handler(content)


def _by_text(decoder: Any, info: Any) -> Callable[[list[bytes]], None]:
    process = info.processMeth
    if process is not None:

        def by_hand(fields: list[bytes]) -> None:
            process(decoder, iter(fields))

        return by_hand

    expected = len(info.wrapperParams)  # the version field stands where the parameters have self

    def by_signature(fields: list[bytes]) -> None:
        if len(fields) != expected:
            raise Malformed(f"{info.wrapperMeth.__name__} with {len(fields)} fields instead of {expected}")
        decoder.interpretWithSignature(fields, info)

    return by_signature


def _by_protobuf(decoder: Any, info: Any) -> Callable[[bytes], None]:
    process = info.processMeth

    def by_hand(body: bytes) -> None:
        process(decoder, body)

    return by_hand
