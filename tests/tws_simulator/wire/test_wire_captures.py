"""Frames of real gateways are the judges of the wire tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tws_simulator.wire import handshake
from tws_simulator.wire.codec import Codec

CAPTURES = Path(__file__).parents[2] / "data" / "wire"


def _records() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path.stem}:{number}", json.loads(line))
        for path in sorted(CAPTURES.glob("*.jsonl"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]


RECORDS = _records()
MESSAGES = [(name, record) for name, record in RECORDS if record["encoding"] != "handshake"]
PROTOBUF = [(name, record) for name, record in MESSAGES if record["encoding"] == "protobuf"]
TEXT = [(name, record) for name, record in MESSAGES if record["encoding"] == "text"]


def _version(record: dict[str, Any]) -> int:
    return int(record["server_version"] or record["server_version_range"][1])


def _recode(record: dict[str, Any]) -> tuple[Any, bytes]:
    codec, payload = Codec(_version(record)), bytes.fromhex(record["hex"])
    if record["direction"] == "in":
        message = codec.decode_reply(payload, strict=True)
        return message, codec.encode_reply(message)
    message = codec.decode_request(payload, strict=True)
    return message, codec.encode_request(message)


@pytest.mark.parametrize(("name", "record"), PROTOBUF, ids=[name for name, _ in PROTOBUF])
def test_a_captured_protobuf_frame_is_read_whole_and_written_again_byte_for_byte(
    name: str, record: dict[str, Any]
) -> None:
    """No field is unknown, none is lost, and fields go out in the order a real gateway uses."""
    _, again = _recode(record)
    assert again == bytes.fromhex(record["hex"])


@pytest.mark.parametrize(("name", "record"), TEXT, ids=[name for name, _ in TEXT])
def test_a_captured_text_frame_is_read_whole_and_means_the_same_when_written_again(
    name: str, record: dict[str, Any]
) -> None:
    """The layout has exactly as many fields as the frame."""
    codec = Codec(_version(record))
    message, again = _recode(record)
    decode = codec.decode_reply if record["direction"] == "in" else codec.decode_request
    assert decode(again, strict=True) == message
    assert again.count(b"\0") == bytes.fromhex(record["hex"]).count(b"\0")


def test_a_captured_handshake_has_the_two_fields_we_send() -> None:
    """Version and time, each ended by NUL."""
    replies = [record for _, record in RECORDS if record["encoding"] == "handshake"]
    ours = handshake.accept(225, 1_787_603_024_000_000_000)[4:]
    assert replies
    assert {bytes.fromhex(record["hex"]).count(b"\0") for record in replies} == {ours.count(b"\0")} == {2}
    assert ours.startswith(b"225\x0020260824 ")


def test_a_resting_order_carries_what_the_capture_shows() -> None:
    """Spot check of values, so that the tables are not merely consistent with themselves."""
    record = next(r for _, r in PROTOBUF if r["msg_id"] == 5 and r.get("scenario") == "c2_direct_cancel")
    message, _ = _recode(record)
    assert message["order"]["lmtPrice"] == 10.0
    assert message["order"]["trailStopPrice"] == 11.0
    assert message["order"]["ocaType"] == 3
    assert message["orderState"] == {"status": "PreSubmitted"}
    assert message["contract"]["conId"] == 265598


def test_a_price_condition_in_text_is_read_field_by_field() -> None:
    """Conditions differ in layout by their type; the only captured one is a price condition (sv 200)."""
    conditioned = [m for m in (_recode(r)[0] for _, r in TEXT if r["msg_id"] == 5) if "conditions" in m["order"]]
    assert conditioned[0]["order"]["conditions"] == [
        {
            "type": 1,
            "isConjunctionConnection": True,
            "isMore": True,
            "price": 2918.10,
            "conId": 265598,
            "exchange": "SMART",
            "triggerMethod": 4,
        }
    ]
    assert conditioned[0]["order"]["conditionsIgnoreRth"] is True
