"""The replay without sockets: which reply belongs to which request, under which id, and when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tws_simulator.recording.recordings import (
    FROM,
    SECOND,
    START_NS,
    TO,
    RecordedConnection,
    scripts_of,
    writer_at,
)
from tws_simulator.recording.format import Recording
from tws_simulator.recording.payload import with_request_id
from tws_simulator.recording.replay import REFUSED, Replay, ReplaySession
from tws_simulator.recording.script import _ANSWERS, TooLarge, load_scripts
from tws_simulator.wire.codec import ROWS_BY_NAME, Codec, frame
from tws_simulator.wire.row import REPLY, Message, message

AAPL = {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
SPY = {**AAPL, "symbol": "SPY"}
NOW_NS = START_NS + 1_000_000 * SECOND
VERSIONS = (151, 176, 200, 213)
WIRE = Path(__file__).parents[2] / "data" / "wire"


class ReplayClient:
    """Asks a replay session, and decodes what it hears, at the times it is told."""

    def __init__(self, replay: Replay, client_id: int = 1, *, hello: bytes = b"v100..226") -> None:
        self.session = ReplaySession(replay)
        self.session.receive(b"API\0" + frame(hello), NOW_NS)
        self.hello = self.session.take_output()[4:]
        self.codec = Codec(int(self.hello.split(b"\0")[0]))
        if not self.session.is_closing:
            self.asks(0, "startApi", clientId=client_id)

    def asks(self, at_s: float, name: str, /, **values: Any) -> None:
        self.sends(self.codec.encode_request(message(name, **values)), at_s)

    def sends(self, payload: bytes, at_s: float = 0) -> None:
        self.session.receive(frame(payload), NOW_NS + round(at_s * SECOND))

    def hears(self, at_s: float = 0) -> list[Message]:
        return [self.codec.decode_reply(payload, strict=True) for payload in self.hears_payloads(at_s)]

    def hears_payloads(self, at_s: float = 0) -> list[bytes]:
        self.session.advance(NOW_NS + round(at_s * SECOND), 2**40)
        output, found = self.session.take_output(), []
        while output:
            length = int.from_bytes(output[:4], "big")
            found.append(output[4 : 4 + length])
            output = output[4 + length :]
        return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "f"


def details(symbol: str, req_id: int) -> dict[str, Any]:
    return {"reqId": req_id, "contract": {"symbol": symbol, "secType": "STK"}}


def refused(replies: list[Message]) -> list[tuple[int, int]]:
    return [(each["id"], each["errorCode"]) for each in replies if each.name == "error"]


@pytest.mark.parametrize("version", VERSIONS)
def test_replies_carry_the_id_of_who_asks(path: Path, version: int) -> None:
    """The request may have any id; the rest of the replies is as recorded."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, version)
    recorded.asks(1, "reqContractDetails", reqId=1, contract=AAPL)
    recorded.hears(1.5, "contractDetails", **details("AAPL", 1))
    recorded.hears(1.6, "contractDetailsEnd", reqId=1)
    recorded.asks(2, "reqMktData", reqId=2, contract=AAPL, genericTickList="")
    recorded.hears(2.1, "tickPrice", reqId=2, tickType=2, price=2.0, size=2, attrMask=2)
    recorded.hears(2.1, "error", id=2, errorCode=10167, errorMsg="delayed 2")
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), None))
    client.asks(0, "reqContractDetails", reqId=700, contract=AAPL)
    client.asks(0, "reqMktData", reqId=-5, contract=AAPL, genericTickList="")
    told = client.hears()
    by_id = [(each.name, each.get("reqId", each.get("id"))) for each in told]
    assert sorted(by_id) == sorted(
        [("contractDetails", 700), ("contractDetailsEnd", 700), ("tickPrice", -5), ("error", -5)]
    )
    tick = next(each for each in told if each.name == "tickPrice")
    assert (tick["tickType"], tick["price"], tick["size"], tick["attrMask"]) == (2, 2.0, 2, 2)
    assert next(each for each in told if each.name == "error")["errorMsg"] == "delayed 2"


def test_an_id_is_exchanged_in_its_place_and_nothing_else_is(path: Path) -> None:
    """A version, a count or a size may be the same number; unusual spellings and fields to come stay."""
    text = b"1\x006\x006\x006\x006.50\x006\x000\0"
    assert with_request_id(Codec(176), text, 41) == b"1\x006\x0041\x006\x006.50\x006\x000\0"
    field_99 = b"\x98\x06\x05"
    protobuf = Codec(213).encode_reply(message("tickSize", reqId=300, tickType=0, size=300)) + field_99
    changed = with_request_id(Codec(213), protobuf, 5)
    assert changed == Codec(213).encode_reply(message("tickSize", reqId=5, tickType=0, size=300)) + field_99
    assert with_request_id(Codec(213), protobuf, 300) == protobuf


def test_equal_ids_leave_replies_to_the_byte(path: Path) -> None:
    """Also those that are in no table."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 213)
    unknown = (199 + 200).to_bytes(4, "big") + b"\x08\x07\x12\x03abc"
    recorded.frame(TO, unknown)
    recorded.frame(FROM, unknown)
    writer.close(START_NS)
    replay = Replay(scripts_of(path), None)
    client = ReplayClient(replay)
    client.sends(unknown)
    assert client.hears_payloads() == [unknown]
    assert not replay.counts.not_rewritten


def test_an_unknown_reply_under_another_id_is_withheld_and_counted(path: Path) -> None:
    """It would be someone else's."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 213)
    recorded.asks(1, "reqContractDetails", reqId=7, contract=AAPL)
    recorded.frame(FROM, (199 + 200).to_bytes(4, "big") + b"\x08\x07\x12\x03abc", 1)
    writer.close(START_NS)
    replay = Replay(scripts_of(path), None)
    client = ReplayClient(replay)
    client.asks(0, "reqContractDetails", reqId=8, contract=AAPL)
    assert client.hears() == []
    assert replay.counts.not_rewritten == {"reply 199": 1}
    assert "1 with an id of their own (reply 199 1)" in replay.counts.summary()


@pytest.mark.parametrize("speed", [1, 10, None])
def test_replies_keep_their_distances(path: Path, speed: int | None) -> None:
    """From the request that caused them, divided by the speed; max waits for nothing."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 176)
    recorded.asks(5, "reqMktData", reqId=1, contract=AAPL)
    for n in range(4):
        recorded.hears(6 + n, "tickSize", reqId=1, tickType=0, size=n)
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), speed))
    client.asks(100, "reqMktData", reqId=9, contract=AAPL)
    divided = speed or 10**9
    for n in range(4):
        due_s = 100 + (1 + n) / divided
        if speed is not None:
            assert client.session.next_due_ns == NOW_NS + round(due_s * SECOND)
            assert client.hears(due_s - 1e-6) == []
        assert [each["size"] for each in client.hears(due_s)] == ([n] if speed else [[0, 1, 2, 3], [], [], []][n])
    assert client.session.next_due_ns is None


def test_full_speed_keeps_the_recorded_order(path: Path) -> None:
    """Of all that was asked before it began to answer."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 176)
    for req_id in (1, 2):
        recorded.asks(0, "reqMktData", reqId=req_id, contract=(AAPL, SPY)[req_id - 1])
    for n, req_id in enumerate((2, 2, 1, 2, 1)):
        recorded.hears(1 + n, "tickSize", reqId=req_id, tickType=0, size=n)
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), None))
    client.asks(0, "reqMktData", reqId=1, contract=AAPL)
    client.asks(0, "reqMktData", reqId=2, contract=SPY)
    assert [each["size"] for each in client.hears()] == [0, 1, 2, 3, 4]


def test_what_came_unasked_comes_at_its_time(path: Path) -> None:
    """Counted from the start of the session, whatever is asked."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 176)
    recorded.hears(0.25, "nextValidId", orderId=5)
    recorded.hears(30, "error", id=-1, errorCode=1100, errorMsg="lost")
    recorded.hears(40, "error", id=-1, errorCode=1102, errorMsg="back")
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), 10))
    assert client.hears(0.0249) == []
    assert [each.name for each in client.hears(0.025)] == ["nextValidId"]
    assert refused(client.hears(3.9)) == [(-1, 1100)]
    assert refused(client.hears(4)) == [(-1, 1102)]


def test_replies_without_an_id_belong_to_who_is_waiting_for_them(path: Path) -> None:
    """And come only when that is asked."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 176)
    recorded.asks(1, "reqPositions")
    recorded.asks(1, "reqCurrentTime")
    recorded.asks(1, "reqExecutions", reqId=3, executionFilter={})
    recorded.hears(2, "currentTime", currentTime=11)
    recorded.hears(2, "position", account="DU1", contract=AAPL, position=5)
    recorded.hears(2, "execDetails", reqId=3, contract=AAPL, execution={"execId": "a.1", "shares": 1})
    recorded.hears(2, "positionEnd")
    recorded.hears(2, "commissionAndFeesReport", execId="a.1", commissionAndFees=1.0)
    recorded.hears(2, "execDetailsEnd", reqId=3)
    recorded.hears(9, "position", account="DU1", contract=AAPL, position=6)
    recorded.asks(10, "reqCurrentTime")
    recorded.hears(11, "currentTime", currentTime=22)
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), None))
    assert client.hears() == []
    client.asks(0, "reqPositions")
    assert [each.name for each in client.hears()] == ["position", "positionEnd", "position"]
    client.asks(0, "reqExecutions", reqId=8, executionFilter={})
    assert [each.name for each in client.hears()] == ["execDetails", "commissionAndFeesReport", "execDetailsEnd"]
    times = []
    for _ in range(3):
        client.asks(0, "reqCurrentTime")
        times += [each["currentTime"] for each in client.hears()]
    assert times == [11, 22, 22], "the next recorded answer each time; the last one stays"


@pytest.mark.parametrize("version", VERSIONS)
def test_orders_are_never_served(path: Path, version: int) -> None:
    """Not even those that were recorded; nor is what the broker said to them."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, version)
    order = {"action": "BUY", "totalQuantity": 1, "orderType": "MKT", "tif": "DAY"}
    place = {"orderId": 5, "contract": AAPL, "order": order}
    recorded.asks(1, "placeOrder", **place)
    recorded.hears(2, "orderStatus", orderId=5, status="Filled", filled=1)
    recorded.hears(2, "execDetails", reqId=-1, contract=AAPL, execution={"execId": "a.1", "orderId": 5, "shares": 1})
    recorded.hears(2, "commissionAndFeesReport", execId="a.1", commissionAndFees=1.0)
    recorded.hears(2, "error", id=5, errorCode=399, errorMsg="late")
    recorded.asks(3, "cancelOrder", orderId=5)
    recorded.asks(3, "reqGlobalCancel")
    writer.close(START_NS)
    replay = Replay(scripts_of(path), None)
    client = ReplayClient(replay)
    client.asks(0, "placeOrder", **place)
    client.asks(0, "cancelOrder", orderId=5)
    client.asks(0, "reqGlobalCancel")
    told = client.hears()
    assert refused(told) == [(5, REFUSED), (5, REFUSED), (-1, REFUSED)]
    assert all("orders are not served in a replay" in each["errorMsg"] for each in told)
    assert replay.counts.orders_refused == 3


@pytest.mark.parametrize("version", [176, 213])
def test_an_order_that_cannot_be_read_is_refused_too(path: Path, version: int) -> None:
    """They are known by the number of the message alone."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, version)
    numbers = (3, 4, 21, 58)
    garbled = [n.to_bytes(4, "big") + b"\xff" if version > 200 else b"%d\0garbled\0" % n for n in numbers]
    as_protobuf = [(n + 200).to_bytes(4, "big") + b"\x0f" for n in numbers] if version > 200 else []
    for payload in garbled + as_protobuf:
        recorded.frame(TO, payload)
        recorded.frame(FROM, recorded.codec.encode_reply(message("nextValidId", orderId=1)))
    writer.close(START_NS)
    replay = Replay(scripts_of(path), None)
    client = ReplayClient(replay)
    client.hears()
    for payload in garbled + as_protobuf:
        client.sends(payload)
    assert [code for _, code in refused(client.hears())] == [REFUSED] * len(garbled + as_protobuf)
    assert replay.counts.orders_refused == len(garbled + as_protobuf)
    assert replay.counts.matched == 0


def test_what_was_not_asked_has_no_answer(path: Path) -> None:
    """The client is told so under its id, and it is counted by name."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 200)
    recorded.asks(1, "reqContractDetails", reqId=7, contract=AAPL)
    recorded.hears(1, "contractDetailsEnd", reqId=7)
    writer.close(START_NS)
    replay = Replay(scripts_of(path), None)
    client = ReplayClient(replay)
    client.asks(0, "reqContractDetails", reqId=7, contract=SPY)
    client.asks(0, "reqPositions")
    client.sends(b"999\0what\0")
    told = client.hears()
    assert refused(told) == [(7, REFUSED), (-1, REFUSED), (-1, REFUSED)]
    assert "the recording has no answer to this reqContractDetails" in told[0]["errorMsg"]
    assert replay.counts.unanswered == {"reqContractDetails": 1, "reqPositions": 1, "request 999": 1}
    assert "3 without an answer" in replay.counts.summary()


def test_a_cancel_ends_what_it_names(path: Path) -> None:
    """Recorded or not; others go on."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 176)
    for req_id, contract in ((1, AAPL), (2, SPY)):
        recorded.asks(0, "reqMktData", reqId=req_id, contract=contract)
        for n in (1, 2):
            recorded.hears(n, "tickSize", reqId=req_id, tickType=0, size=n)
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), 1))
    client.asks(0, "reqMktData", reqId=51, contract=AAPL)
    client.asks(0, "reqMktData", reqId=52, contract=SPY)
    assert [each["reqId"] for each in client.hears(1)] == [51, 52]
    client.asks(1, "cancelMktData", reqId=51)
    assert [each["reqId"] for each in client.hears(2)] == [52]


@pytest.mark.parametrize("version", VERSIONS)
def test_account_updates_end_with_the_request_that_began_them(path: Path, version: int) -> None:
    """What is told after a second beginning belongs to that, not to the end before it."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, version)
    for at, told in ((1, "first"), (5, "second")):
        recorded.asks(at, "reqAccountUpdates", subscribe=True, acctCode="DU1")
        for n in (1, 2, 3):
            recorded.hears(at + n, "updateAccountTime", timeStamp=f"{told} {n}")
        recorded.asks(at + 3.5, "reqAccountUpdates", subscribe=False, acctCode="DU1")
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), 1))
    assert client.hears(100) == [], "nothing came unasked"
    client.asks(100, "reqAccountUpdates", subscribe=True, acctCode="DU1")
    assert [each["timeStamp"] for each in client.hears(102)] == ["first 1", "first 2"]
    client.asks(102, "reqAccountUpdates", subscribe=False, acctCode="DU1")
    assert client.hears(103) == []
    client.asks(103, "reqAccountUpdates", subscribe=True, acctCode="DU1")
    assert [each["timeStamp"] for each in client.hears(106)] == ["second 1", "second 2", "second 3"]


def test_clients_get_the_connection_of_their_id(path: Path) -> None:
    """The next one of several; a new id gets what was served least, the oldest first."""
    writer = writer_at(path)
    for number, client_id in enumerate((1, 2, 1), start=1):
        recorded = RecordedConnection(writer, 176, number=number, client_id=client_id)
        recorded.hears(0, "nextValidId", orderId=number)
    writer.close(START_NS)
    replay = Replay(scripts_of(path), None)
    served = [ReplayClient(replay, client_id).hears()[0]["orderId"] for client_id in (2, 1, 1, 1, 9)]
    assert served == [2, 1, 3, 1, 2]
    assert replay.counts.clients == 5


def test_the_recorded_version_is_the_answer_or_nothing_is(path: Path) -> None:
    """A client that does not know it is refused as a gateway does."""
    writer = writer_at(path)
    RecordedConnection(writer, 193)
    writer.close(START_NS)
    replay = Replay(scripts_of(path), None)
    assert ReplayClient(replay).hello.startswith(b"193\x00")
    for hello, code in ((b"v100..192", b"506"), (b"v194..226", b"503")):
        client = ReplayClient(replay, hello=hello)
        assert client.session.is_closing
        assert client.hello.split(b"\0")[:4] == [b"4", b"2", b"-1", code]
    stranger = ReplaySession(replay)
    stranger.receive(b"GET / HTTP/1.1\r\n", NOW_NS)
    assert stranger.is_closing


def test_bytes_may_come_one_by_one(path: Path) -> None:
    """Nothing depends on how they are cut."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 176)
    recorded.asks(0, "reqPositions")
    recorded.hears(0, "positionEnd")
    writer.close(START_NS)
    session = ReplaySession(Replay(scripts_of(path), None))
    codec = Codec(176)
    start = frame(codec.encode_request(message("startApi", clientId=1)))
    for byte in b"API\0" + frame(b"v100..200") + start + frame(codec.encode_request(message("reqPositions"))):
        session.receive(bytes([byte]), NOW_NS)
    session.advance(NOW_NS)
    assert session.take_output().endswith(frame(codec.encode_reply(message("positionEnd"))))


def test_output_is_given_out_in_portions(path: Path) -> None:
    """A client that reads slowly does not make a replay at full speed fill the memory."""
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 176)
    for n in range(100):
        recorded.hears(n, "nextValidId", orderId=n)
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), None))
    total = 0
    for _ in range(1000):
        client.session.advance(NOW_NS, 50)
        portion = len(client.session.take_output())
        assert portion < 50 + 20
        total += portion
    assert total == sum(4 + len(client.codec.encode_reply(message("nextValidId", orderId=n))) for n in range(100))


def test_every_reply_without_a_request_id_has_a_place() -> None:
    """A new one is listed in `script`, under the request that it answers, or here, if it comes unasked."""
    unasked = {"error", "commissionAndFeesReport", "orderBound"}
    placed = {reply for _, replies, _ in _ANSWERS for reply in replies} | unasked
    anonymous = {
        row.name
        for row in ROWS_BY_NAME.values()
        if row.direction == REPLY and "reqId:" not in f"{row.protobuf} {row.text}"
    }
    assert anonymous <= placed


def test_a_recording_beyond_memory_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loudly."""
    writer = writer_at(path)
    RecordedConnection(writer, 176)
    writer.close(START_NS)
    monkeypatch.setattr("tws_simulator.recording.script.PAYLOAD_BYTES_MAX", 5)
    with pytest.raises(TooLarge):
        load_scripts(Recording(path))


def captured(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (WIRE / name).read_text().splitlines()]


def test_a_captured_session_of_a_real_gateway_can_be_replayed(path: Path) -> None:
    """Server version 173: each request of the capture, asked again under other ids, gets the captured replies."""
    frames = captured("rustibapi_sv173_recording.jsonl")
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 173)
    for at, each in enumerate(frames, start=1):
        recorded.frame(TO if each["direction"] == "out" else FROM, bytes.fromhex(each["hex"]), at)
    writer.close(START_NS)
    replay = Replay(scripts_of(path), None)
    client = ReplayClient(replay)
    assert client.hears() == [], "every captured reply has a request"
    codec, expected = Codec(173), []
    for each in frames:
        payload = bytes.fromhex(each["hex"])
        if each["direction"] == "in":
            expected.append(payload.replace(b"\x009000\0", b"\x00555\0"))
            continue
        assert client.hears_payloads() == expected
        request, expected = codec.decode_request(payload), []
        values = {**request.values, "reqId": 555} if "reqId" in request.values else request.values
        client.sends(codec.encode_request(Message(request.name, values)))
    assert client.hears_payloads() == expected
    assert replay.counts.matched == sum(each["direction"] == "out" for each in frames)
    assert not replay.counts.unanswered


def test_captured_replies_of_a_real_gateway_can_be_replayed(path: Path) -> None:
    """Server version 200: contract details, each under the id of who asks; the connection's notices unasked."""
    frames = [each for each in captured("ibkrgo_sv200_text.jsonl") if each["direction"] == "in"]
    codec = Codec(200)
    replies = [(bytes.fromhex(each["hex"]), codec.decode_reply(bytes.fromhex(each["hex"]))) for each in frames]
    asked = [(payload, reply) for payload, reply in replies if reply.name == "contractDetails"]
    notices = [payload for payload, reply in replies if reply.name == "error" and reply["id"] == -1]
    assert len(asked) > 1
    assert notices
    writer = writer_at(path)
    recorded = RecordedConnection(writer, 200)
    for payload in notices:
        recorded.frame(FROM, payload)
    for number, (payload, reply) in enumerate(asked):
        recorded.asks(1, "reqContractDetails", reqId=reply["reqId"], contract={"conId": number + 1})
        recorded.frame(FROM, payload, 2)
    writer.close(START_NS)
    client = ReplayClient(Replay(scripts_of(path), None))
    assert client.hears_payloads() == notices
    for number, (payload, reply) in enumerate(asked):
        client.asks(0, "reqContractDetails", reqId=31_000 + number, contract={"conId": number + 1})
        old, new = (b"10\0%d\0" % req_id for req_id in (reply["reqId"], 31_000 + number))
        assert client.hears_payloads() == [payload.replace(old, new, 1)]
