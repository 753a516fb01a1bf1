"""Whatever is written is read back the same, in either form, and damage never goes further than one error."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tws_simulator.wire.codec import ROWS_BY_NAME, Codec, frame, split_fields
from tws_simulator.wire.protobuf import decode_protobuf, encode_protobuf
from tws_simulator.wire.row import REPLY, Message, Row
from tws_simulator.wire.text import MalformedMessage, decode_text, encode_text
from tws_simulator.wire.types import TYPES

ROWS = list(ROWS_BY_NAME.values())
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?;="), min_size=1, max_size=12)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-(2**31), 2**31 - 2),
    "b": st.booleans(),
    "f": st.floats(-1e12, 1e12),
    "n": st.floats(-1e12, 1e12),
    "s": TEXTS,
    "d": st.decimals(min_value=-(10**9), max_value=10**9, places=6).map(Decimal),
    "map": st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3),
}


def values_of(schema: str, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Any few of a schema's fields, with plausible contents."""
    fields = {}
    for token in schema.split():
        name, _, kind = token.partition(":")
        fields[name] = _value_of(kind, depth)
    names = st.lists(st.sampled_from(sorted(fields)), max_size=8, unique=True) if fields else st.just([])
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen}))


def _value_of(kind: str, depth: int) -> st.SearchStrategy[Any]:
    if kind.startswith("["):
        return st.lists(_value_of(kind.strip("[]"), depth), min_size=1, max_size=3)
    if kind in TYPES:
        return values_of(TYPES[kind], depth + 1)
    return SCALARS[kind]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.direction}-{row.name}")
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_protobuf_returns_what_was_written(row: Row, data: st.DataObject) -> None:
    """For any values of any message."""
    values = data.draw(values_of(row.protobuf))
    assert decode_protobuf(row.protobuf, encode_protobuf(row.protobuf, values), strict=True) == values


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.direction}-{row.name}")
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_text_returns_what_was_written(row: Row, data: st.DataObject) -> None:
    """Once read, a message is written the same again, at any server version, and no field is left over."""
    assert row.text is not None
    version = data.draw(st.integers(176, 212))
    fields = encode_text(row.text, version, data.draw(values_of(row.protobuf)))
    assert encode_text(row.text, version, decode_text(row.text, version, fields, strict=True)) == fields


@pytest.mark.parametrize("version", [176, 200, 201, 206, 226])
@settings(max_examples=200, deadline=None)
@given(payload=st.binary(max_size=60))
def test_any_bytes_are_a_message_or_malformed(version: int, payload: bytes) -> None:
    """Nothing else is ever raised: a session can rely on it."""
    codec = Codec(version)
    for decode in (codec.decode_request, codec.decode_reply):
        try:
            decode(payload)
        except MalformedMessage:
            continue


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_message_is_a_message_or_malformed(data: st.DataObject) -> None:
    """One byte changed anywhere in a real request."""
    version = data.draw(st.sampled_from([200, 226]))
    codec = Codec(version)
    order = {"action": "BUY", "totalQuantity": Decimal(1), "orderType": "LMT", "lmtPrice": 1.5}
    payload = bytearray(codec.encode_request(Message("placeOrder", {"orderId": 7, "order": order})))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedMessage):
        codec.decode_request(bytes(payload))


def test_a_family_changes_its_form_at_its_own_version() -> None:
    """Executions at 201, orders at 203, contracts at 205, market data at 206, accounts at 207, ids at 213."""
    since = {row.name: row.protobuf_since for row in ROWS if row.direction == REPLY}
    assert since["execDetails"] == since["error"] == 201
    assert since["openOrder"] == since["orderStatus"] == since["openOrderEnd"] == 203
    assert since["completedOrder"] == 204
    assert since["contractDetails"] == 205
    assert since["tickPrice"] == since["tickReqParams"] == 206
    assert since["accountSummary"] == since["position"] == since["managedAccounts"] == 207
    assert since["nextValidId"] == since["currentTime"] == 213


def test_from_201_on_ids_are_four_bytes_also_before_text() -> None:
    """At 206 nextValidId is still text, behind a binary id."""
    assert Codec(200).encode_reply(Message("nextValidId", {"orderId": 5})) == b"9\x001\x005\x00"
    assert Codec(206).encode_reply(Message("nextValidId", {"orderId": 5})) == b"\0\0\0\x091\x005\x00"
    assert Codec(213).encode_reply(Message("nextValidId", {"orderId": 5})) == b"\0\0\0\xd1\x08\x05"


def test_unset_numbers_go_as_the_text_ib_uses_and_not_at_all_in_protobuf() -> None:
    """1.7976931348623157E308 for a realised profit that does not exist."""
    report = Message("commissionAndFeesReport", {"execId": "x", "commissionAndFees": 1.0, "currency": "USD"})
    text = split_fields(Codec(200).encode_reply(report))
    assert text == ["59", "1", "x", "1.0", "USD", "1.7976931348623157E308", "1.7976931348623157E308", ""]
    assert "realizedPNL" not in Codec(200).decode_reply(Codec(200).encode_reply(report)).values
    assert "realizedPNL" not in Codec(226).decode_reply(Codec(226).encode_reply(report)).values


def test_negative_integers_take_ten_bytes_in_protobuf() -> None:
    """As protobuf's int32 does: -1 is the request id of a spontaneous execution."""
    assert encode_protobuf("reqId:i", {"reqId": -1}) == b"\x08" + b"\xff" * 9 + b"\x01"


def test_packed_and_loose_numbers_are_both_understood() -> None:
    """Writers may choose either for repeated numbers."""
    assert decode_protobuf("days:[i]", b"\x0a\x02\x01\x02") == {"days": [1, 2]}
    assert decode_protobuf("days:[i]", b"\x08\x01\x08\x02") == {"days": [1, 2]}


def test_text_beyond_ascii_is_escaped() -> None:
    """Since server version 153 clients undo escapes in names and error texts."""
    payload = Codec(200).encode_reply(Message("error", {"id": 1, "errorCode": 2, "errorMsg": "Société"}))
    assert b"Soci\\xe9t\\xe9" in payload


def test_a_frame_is_its_length_and_its_payload() -> None:
    """Big-endian, four bytes."""
    assert frame(b"abc") == b"\0\0\0\x03abc"
