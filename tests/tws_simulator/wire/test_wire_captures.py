"""Frames of real gateways are the judges of the wire tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tws_simulator.wire import handshake
from tws_simulator.wire.codec import ROWS_BY_ID, Codec
from tws_simulator.wire.row import REPLY, REQUEST

CAPTURES = Path(__file__).parents[2] / "data" / "wire"


def _records() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path.stem}:{number}", json.loads(line))
        for path in sorted(CAPTURES.rglob("*.jsonl"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]


def _has_a_table(record: dict[str, Any]) -> bool:
    """Frames of families that have none yet wait in the folder of other families."""
    return (REPLY if record["direction"] == "in" else REQUEST, record["msg_id"]) in ROWS_BY_ID


RECORDS = _records()
MESSAGES = [(name, record) for name, record in RECORDS if record["encoding"] != "handshake" and _has_a_table(record)]
PROTOBUF = [(name, record) for name, record in MESSAGES if record["encoding"] == "protobuf"]
TEXT = [(name, record) for name, record in MESSAGES if record["encoding"] == "text"]


KEPT_AS_TYPED = {5: "the price of a condition", 17: "prices of bars"}
"""By message: what a gateway passes on as the text it was given, with zeros at the end; we write the number."""


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
def test_a_captured_text_frame_is_read_whole_and_written_again_byte_for_byte(name: str, record: dict[str, Any]) -> None:
    """The layout has exactly as many fields as the frame, and writes numbers and what is unset as IB does."""
    _, again = _recode(record)
    ours, theirs = again.split(b"\0"), bytes.fromhex(record["hex"]).split(b"\0")
    differing = [(our, their) for our, their in zip(ours, theirs, strict=True) if our != their]
    assert not differing or record["msg_id"] in KEPT_AS_TYPED
    assert all(their.endswith(b"0") and float(our) == float(their) for our, their in differing)


def test_frames_of_every_age_are_among_them() -> None:
    """From the oldest server version in use to the newest of the captures."""
    assert {_version(record) for _, record in TEXT} >= {151, 173, 200}
    assert {_version(record) for _, record in PROTOBUF} >= {206, 225}
    without_table = {name for name, record in RECORDS if record["encoding"] != "handshake" and not _has_a_table(record)}
    assert {name.partition(":")[0] for name in without_table} <= {"inbound", "outbound"}


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
