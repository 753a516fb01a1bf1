"""Whatever is written is read back the same, in either form, and damage never goes further than one error."""

from __future__ import annotations

import contextlib
import math
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tws_simulator.wire.codec import ROWS_BY_NAME, Codec, frame, join_fields, split_fields
from tws_simulator.wire.protobuf import decode_protobuf, encode_protobuf
from tws_simulator.wire.row import REPLY, REQUEST, Message, Row
from tws_simulator.wire.text.reading import decode_text
from tws_simulator.wire.text.writing import encode_text
from tws_simulator.wire.types import TYPES
from tws_simulator.wire.values import MalformedMessage

ROWS = list(ROWS_BY_NAME.values())
TEXT_ROWS = [row for row in ROWS if row.text is not None]
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?;="), min_size=1, max_size=12)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-(2**31), 2**31 - 2),
    "b": st.booleans(),
    "f": st.floats(-1e12, 1e12),
    "n": st.floats(-1e12, 1e12),
    "x": st.floats(-1e12, 1e12) | st.just(float("inf")),
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
@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_protobuf_returns_what_was_written(row: Row, data: st.DataObject) -> None:
    """For any values of any message."""
    values = data.draw(values_of(row.protobuf))
    assert decode_protobuf(row.protobuf, encode_protobuf(row.protobuf, values), strict=True) == values


@pytest.mark.parametrize("row", TEXT_ROWS, ids=lambda row: f"{row.direction}-{row.name}")
@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_text_returns_what_was_written(row: Row, data: st.DataObject) -> None:
    """Once read, a message is written the same again, at any server version, and no field is left over."""
    assert row.text is not None
    version = data.draw(st.integers(151, 212))
    fields = encode_text(row.text, version, data.draw(values_of(row.protobuf)))
    assert encode_text(row.text, version, decode_text(row.text, version, fields, strict=True)) == fields


@pytest.mark.parametrize("version", [151, 176, 200, 201, 206, 226])
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


@pytest.mark.parametrize(
    ("version", "written"),
    [
        (152, "Société ∑ 𝄞".encode()),
        (153, b"Soci\\u00e9t\\u00e9 \\u2211 \\ud834\\udd1e"),
        (200, b"Soci\\u00e9t\\u00e9 \\u2211 \\ud834\\udd1e"),
        (226, "Société ∑ 𝄞".encode()),
    ],
)
def test_text_beyond_ascii_is_escaped_from_153_on(version: int, written: bytes) -> None:
    """One escape for each UTF-16 unit, as Java writes them; before, and in protobuf, as UTF-8."""
    error = Message("error", {"id": 1, "errorCode": 2, "errorMsg": "Société ∑ 𝄞"})
    payload = Codec(version).encode_reply(error)
    assert written in payload
    assert Codec(version).decode_reply(payload) == error


@pytest.mark.parametrize("version", [151, 200, 206])
def test_a_nul_inside_a_text_does_not_make_two_fields_of_it(version: int) -> None:
    """A client that speaks protobuf can send one; another that reads text must not be led astray by it."""
    position = Message("position", {"account": "D\0U", "contract": {"symbol": "A\0"}, "position": Decimal(1)})
    codec = Codec(version)
    told = codec.decode_reply(codec.encode_reply(position), strict=True)
    assert (told["account"], told["contract"]["symbol"], told["position"]) == ("DU", "A", Decimal(1))


def test_a_frame_is_its_length_and_its_payload() -> None:
    """Big-endian, four bytes."""
    assert frame(b"abc") == b"\0\0\0\x03abc"


@pytest.mark.parametrize(("version", "size"), [(151, 100), (162, 100), (163, Decimal("100.5"))])
def test_sizes_have_no_fractions_before_163(version: int, size: Decimal | int) -> None:
    """Clients of that age read integers: the rest is cut off."""
    codec = Codec(version)
    for name in ("tickSize", "tickPrice"):
        payload = codec.encode_reply(Message(name, {"reqId": 1, "tickType": 0, "price": 1.0, "size": Decimal("100.5")}))
        assert codec.decode_reply(payload)["size"] == size


def _layouts_change_at() -> list[int]:
    found = {151, 226}
    for row in ROWS:
        found.add(row.protobuf_since)
        for since, until in re.findall(r"@(\d*)(?:\.\.(\d*))?", row.text or ""):
            found |= {int(since)} if since else set()
            found |= {int(until) + 1} if until else set()
    return sorted(version for version in found | {version - 1 for version in found} if 151 <= version <= 226)


@pytest.mark.parametrize("version", _layouts_change_at())
@settings(max_examples=1, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_message_returns_at_every_version_at_which_a_layout_changes(version: int, data: st.DataObject) -> None:
    """What was read of a message is written the same again, whole, by the codec of that version."""
    codec = Codec(version)
    for row in ROWS:
        if row.text is None and version < row.protobuf_since:
            continue
        message = Message(row.name, data.draw(values_of(row.protobuf)))
        encode, decode = (
            (codec.encode_reply, codec.decode_reply)
            if row.direction == REPLY
            else (codec.encode_request, codec.decode_request)
        )
        payload = encode(message)
        assert encode(decode(payload, strict=True)) == payload


LONG = "9" * 5000


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("reqIds", ["1", LONG]),
        ("reqIds", ["1", "9223372036854775808"]),
        ("reqIds", ["1", "1_0"]),
        ("reqIds", ["1", " 7"]),
        ("reqIds", ["1", "\u0667"]),
        ("reqMktData", ["11", "1", "0", "A", "BAG", "", "", "", "", "", "", "", "", "", "1000000000"]),
        ("reqMktData", ["11", "1", "0", "A", "BAG", "", "", "", "", "", "", "", "", "", "-1"]),
        ("reqMktData", ["11", "1", "0", "A", "OPT", "", "NaN"]),
        ("reqMktData", ["11", "1", "0", "A", "OPT", "", "Infinity"]),
        ("reqMktData", ["11", "1", "0", "A", "OPT", "", "1e300"]),
        ("reqMktData", ["11", "1", "0", "A" * 70_000]),
        ("cancelMktData", ["2", "1"] + [""] * 30_000),
        *(
            ("placeOrder", ["1", "0", "A", "STK", *[""] * 10, "BUY", quantity])
            for quantity in (
                "1E999999999",
                "1E9999",
                "1E11",
                "-1E11",
                "-1e-9999",
                "NaN",
                "sNaN",
                "Infinity",
                LONG,
                "1_0",
            )
        ),
    ],
)
def test_what_no_client_sends_is_malformed(name: str, fields: list[str]) -> None:
    """Lengths, exponents and counts that would cost the gateway its memory, and numbers that are none."""
    codec = Codec(200)
    payload = join_fields([str(ROWS_BY_NAME[REQUEST, name].msg_id), *fields])
    with pytest.raises(MalformedMessage) as raised:
        codec.decode_request(payload)
    assert len(str(raised.value)) <= 200


@pytest.mark.parametrize("quantity", ["1E999999999", "1E11", "NaN", "sNaN", "-Infinity", LONG, "", "1_0", "0x1"])
def test_a_decimal_in_protobuf_is_one(quantity: str) -> None:
    """It travels as text there, and is no more trusted than text."""
    body = encode_protobuf("orderId:i contract:s order:Order", {"orderId": 1, "order": {}})[:-1]
    content = b"\x32" + _varint(len(quantity)) + quantity.encode()
    with pytest.raises(MalformedMessage):
        Codec(226).decode_request((203).to_bytes(4, "big") + body + _varint(len(content)) + content)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 1e300, 1e14])
def test_a_double_in_a_protobuf_request_is_finite(number: float) -> None:
    """Only the offset of a pegged order is infinite by right, and only upwards."""
    codec = Codec(226)
    for field in ("lmtPrice", "competeAgainstBestOffset"):
        payload = codec.encode_request(Message("placeOrder", {"orderId": 1, "order": {field: number}}))
        if field == "competeAgainstBestOffset" and number == math.inf:
            assert codec.decode_request(payload)["order"] == {field: number}
        else:
            with pytest.raises(MalformedMessage):
                codec.decode_request(payload)


def test_lists_in_protobuf_requests_have_a_bound() -> None:
    """Both as one packed field and as many."""
    codec = Codec(226)
    for part in ({"specificDates": [1] * 1_001}, {"specificDates": list(range(20_250_000, 20_260_000))}):
        with pytest.raises(MalformedMessage):
            codec.decode_request(codec.encode_request(Message("reqExecutions", {"reqId": 1, "executionFilter": part})))
    legs = {"comboLegs": [{}] * 1_001}
    with pytest.raises(MalformedMessage):
        codec.decode_request(codec.encode_request(Message("reqMktData", {"reqId": 1, "contract": legs})))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
