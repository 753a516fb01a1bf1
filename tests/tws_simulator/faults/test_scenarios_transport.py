"""Each scenario of the topic "transport" does to a client what it says; on sockets: see test_faults_on_sockets."""

from __future__ import annotations

import struct

import pytest

from tests.tws_simulator.faults.played import MARKET, RESTING, Played, Proofs, place
from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, names, of
from tws_simulator.api.link import End
from tws_simulator.wire.codec import UnknownMessage, frame
from tws_simulator.wire.row import message
from tws_simulator.wire.values import MalformedMessage

PROOFS = Proofs()


def ended(client: ScriptedClient) -> End | None:
    return client.session.link.end


@PROOFS.of("port-refused")
def port_refused(played: Played) -> None:
    client = played.client()
    played.pass_s(5)
    assert ended(client) is End.CLOSE
    assert not played.core.state.door.is_open
    played.pass_s(10)
    assert played.core.state.door.is_open


@PROOFS.of("reset-mid-session")
def reset_mid_session(played: Played) -> None:
    client = played.client()
    assert place(client, RESTING) == []
    assert ended(client) is End.RESET
    assert len(played.core.state.world.exchange.open_orders()) == 1


@PROOFS.of("close-mid-session")
def close_mid_session(played: Played) -> None:
    client = played.client()
    played.pass_s(1.75, client)
    assert ended(client) is None
    played.pass_s(0.25, client)
    assert ended(client) is End.CLOSE


@PROOFS.of("half-open")
def half_open(played: Played) -> None:
    client = played.client()
    played.pass_s(2, client)
    assert ended(client) is End.VANISH


@PROOFS.of("accepts-and-stays-silent")
def accepts_and_stays_silent(played: Played) -> None:
    sessions = [played.core.connect() for _ in range(2)]
    assert [session is not None and session.is_read for session in sessions] == [False, False]


@PROOFS.of("handshake-byte-by-byte")
def handshake_byte_by_byte(played: Played) -> None:
    link = played.client().session.link
    assert (link.segment_sizes, link.segment_pause_s) == ((1,), 0.001)
    played.pass_s(0.25)
    assert link.segment_sizes == ()


@PROOFS.of("frames-with-handshake")
def frames_with_handshake(played: Played) -> None:
    for _ in range(2):
        session = played.core.connect()
        assert session is not None
        played.core.receive(session, b"API\0" + frame(b"v100..226"), played.core.state.now_ns)
        first_segment = session.take_output()
        length = struct.unpack_from("!I", first_segment)[0]
        assert len(first_segment) > 4 + length, "more than the answer to the hello"
        started = session.codec.encode_request(message("startApi", clientId=len(played.core.state.sessions)))
        played.core.receive(session, frame(started), played.core.state.now_ns)
        greeting = session.take_output()
        first = session.codec.decode_reply(greeting[4 : 4 + struct.unpack_from("!I", greeting)[0]])
        assert first.name == "error", "the farms come next, and not the accounts again"


@PROOFS.of("burst-of-4096")
def burst_of_4096(played: Played) -> None:
    client = played.client()
    played.core.advance(played.core.state.now_ns + 1_000_000_000)
    assert len(client.session.take_output()) == 4096
    client.send_bytes(frame(client.codec.encode_request(message("reqIds", numIds=1))))
    assert client.session.take_output() == b""
    told = played.pass_s(2, client)
    assert "nextValidId" in names(told)


@PROOFS.of("one-byte-segments")
def one_byte_segments(played: Played) -> None:
    assert played.client().session.link.segment_sizes == (1,)


@PROOFS.of("gateway-stops-reading")
def gateway_stops_reading(played: Played) -> None:
    client = played.client()
    assert client.session.is_read
    played.pass_s(2)
    assert not client.session.is_read


@PROOFS.of("narrow-line")
def narrow_line(played: Played) -> None:
    client = played.client(start=False)
    client.send_bytes(frame(client.codec.encode_request(message("startApi", clientId=1))))
    played.pass_s(1)
    client.session.take_output()
    client.send_bytes(frame(client.codec.encode_request(message("reqContractDetails", reqId=1, contract=AAPL))) * 20)
    got = 0
    for _ in range(8):
        played.pass_s(0.25)
        got += len(client.session.take_output())
    assert 1500 <= got <= 3000, "two seconds at a kilobyte each, and what was saved up"


@PROOFS.of("slow-line")
def slow_line(played: Played) -> None:
    client = played.client()
    played.pass_s(4, client)
    assert client.ask("reqManagedAccts") == []
    assert played.pass_s(0.75, client) == []
    assert "managedAccounts" in names(played.pass_s(2.5, client))


@PROOFS.of("order-cut-in-half")
def order_cut_in_half(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    assert ended(client) is End.RESET
    assert played.ledger.placements == []


@PROOFS.of("execution-cut-in-half")
def execution_cut_in_half(played: Played) -> None:
    client = played.client()
    client.send_bytes(frame(client.codec.encode_request(message("placeOrder", orderId=1, contract=AAPL, order=MARKET))))
    while ended(client) is None:
        played.pass_s(0.25)
    tail = client.session.take_output()
    whole = 0
    while len(tail) - whole >= 4 and len(tail) - whole >= 4 + struct.unpack_from("!I", tail, whole)[0]:
        whole += 4 + struct.unpack_from("!I", tail, whole)[0]
    assert len(tail) - whole == 30, "thirty bytes of a frame, and the end"
    assert "execDetails" in names(played.client(2).ask("reqExecutions", reqId=1))


@PROOFS.of("oversized-length")
def oversized_length(played: Played) -> None:
    client = played.client()
    played.pass_s(2)
    assert client.session.take_output()[:4] == b"\xff\xff\xff\xf0"


@PROOFS.of("empty-and-short-frames")
def empty_and_short_frames(played: Played) -> None:
    client = played.client()
    played.pass_s(2)
    assert client.session.take_output() == bytes(4)
    played.pass_s(1)
    data, lengths = client.session.take_output(), []
    while data:
        lengths.append(struct.unpack_from("!I", data)[0])
        data = data[4 + lengths[-1] :]
    assert lengths == [1, 2, 3]


@PROOFS.of("unknown-message")
def unknown_message(played: Played) -> None:
    client = played.client()
    played.pass_s(2)
    payload = client.session.take_output()[4:]
    with pytest.raises(UnknownMessage):
        client.codec.decode_reply(payload)
    assert names(client.ask("reqManagedAccts")) == ["managedAccounts"]


@PROOFS.of("garbled-bytes")
def garbled_bytes(played: Played) -> None:
    client = played.client()
    played.pass_s(2)
    client.send_bytes(frame(client.codec.encode_request(message("reqIds", numIds=1))))
    assert b"\xff" in client.session.take_output()


@PROOFS.of("numbers-that-are-none")
def numbers_that_are_none(played: Played) -> None:
    client = played.client()
    ticks = of(client.ask("reqMktData", reqId=1, contract=AAPL), "tickPrice")
    prices = {tick.get("tickType"): tick.get("price") for tick in ticks}
    assert prices[1] != prices[1], "NaN"
    assert prices[2] == float("inf")
    cost = of(client.ask("reqPositions"), "position")[0]["avgCost"]
    assert cost != cost, "NaN"


@PROOFS.of("hostile-text")
def hostile_text(played: Played) -> None:
    client = played.client()
    texts = [each["errorMsg"] for each in of(played.pass_s(1, client), "error")]
    assert any("\n" in text and "\x1b[31m" in text and "<script>" in text for text in texts)
    played.pass_s(1)
    assert b"\xff" in client.session.take_output()
    echo = of(place(client, RESTING), "openOrder")[0]
    assert "\n" in echo["order"]["orderRef"]


@PROOFS.of("server-too-old")
def server_too_old(played: Played) -> None:
    assert played.client(start=False).hello.startswith(b"100\0")


@PROOFS.of("server-from-the-future")
def server_from_the_future(played: Played) -> None:
    assert played.client(start=False).hello.startswith(b"999\0")


@PROOFS.of("all-protobuf")
def all_protobuf(played: Played) -> None:
    client = played.client()
    assert client.codec.server_version == 213
    played.pass_s(2)
    payload = client.session.take_output()[4:]
    assert struct.unpack_from("!I", payload)[0] == 399
    with pytest.raises(MalformedMessage):
        client.codec.decode_reply(payload)


@PROOFS.of("late-segments-after-close")
def late_segments_after_close(played: Played) -> None:
    client = played.client(start=False)
    assert client.session.take_output() == b""
    played.pass_s(0.5)
    assert client.session.take_output() != b""
    client.send_bytes(frame(client.codec.encode_request(message("startApi", clientId=1))))
    assert client.session.take_output() == b""
    played.pass_s(0.5)
    assert client.session.take_output() != b""
    played.pass_s(2)
    assert ended(client) is End.CLOSE


@PROOFS.of("replayed-frames")
def replayed_frames(played: Played) -> None:
    client = played.client()
    told = [name for _ in range(5) for name in names(client.ask("reqManagedAccts"))]
    assert len(told) == 10


@pytest.mark.parametrize("name", PROOFS.by_name)
def test_a_client_sees_what_the_scenario_says(name: str) -> None:
    """See the scenario's description."""
    PROOFS.check(name)
