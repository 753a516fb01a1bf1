"""The official decoder as a referee: told a server version and a reply of ours, it says what callbacks it makes."""

from __future__ import annotations

from typing import Any

from ibapi import decoder

from tests.tws_simulator.official.official_client import NEWEST, Call, OfficialClient
from tws_simulator.wire.codec import FIRST_SERVER_VERSION_WITH_BINARY_IDS, PROTOBUF_ID_OFFSET, Codec
from tws_simulator.wire.row import Message

TEXT_VERSIONS = (151, 157, 163, 173, 176, 178, 183, 185, 187, 190, 193, 195, 200)
MIXED_VERSIONS = (203, 206, 210, 213, 226)
VERSIONS = [version for version in (*TEXT_VERSIONS, *MIXED_VERSIONS) if version <= NEWEST]
"""Those that known clients negotiate, and those between at which layouts change."""


def told(server_version: int, name: str, **values: Any) -> list[Call]:
    """The callbacks, in order, that a client of that server version makes of the reply."""
    payload = Codec(server_version).encode_reply(Message(name, values))
    client = OfficialClient()
    official = decoder.Decoder(client, server_version)
    if server_version >= FIRST_SERVER_VERSION_WITH_BINARY_IDS:
        msg_id, body = int.from_bytes(payload[:4], "big"), payload[4:]
    else:
        head, _, body = payload.partition(b"\0")
        msg_id = int(head)
    if msg_id > PROTOBUF_ID_OFFSET:
        official.processProtoBuf(body, msg_id - PROTOBUF_ID_OFFSET)
    else:
        official.interpret(tuple(body.split(b"\0")[:-1]), msg_id)
    return client.calls


def one(server_version: int, name: str, callback: str, **values: Any) -> tuple[Any, ...]:
    """The arguments of the only such callback."""
    calls = [arguments for called, arguments in told(server_version, name, **values) if called == callback]
    assert len(calls) == 1
    return calls[0]
