"""A session from the first byte to its end, against peers that keep to the protocol and peers that do not."""

from __future__ import annotations

import os
import socket
import struct
import threading
from decimal import Decimal

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.errors import InvalidRequest, ReadOnlyClient, SessionError
from ibkr_adapter.events import (
    BrokerTime,
    FrameSent,
    LossCause,
    ManagedAccounts,
    NextValidId,
    NoticeReceived,
    PriceTick,
    SessionLost,
    SessionOpened,
    SizeTick,
    TextTick,
    ValueTick,
)
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import RequestCurrentTime, SendCancel, SubscribeQuotes
from ibkr_adapter.tws import transport
from ibkr_adapter.tws.callbacks import Callbacks
from ibkr_adapter.tws.official import PACKAGE
from tests.tws.scripted_gateway import (
    ANY_VERSION,
    PATIENCE_S,
    SPY,
    VERSIONS,
    Inbox,
    Peer,
    Script,
    StoppedClock,
    Wire,
    buy,
    frame,
    gateway,
    held,
    lost,
    session,
    text,
)

pytestmark = pytest.mark.wire


# --- A gateway that behaves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_opens_and_reports_what_it_is_told(version: int) -> None:
    """Handshake, START_API, ids, accounts, time, notices and ticks, on every kind of protocol."""

    def script(peer: Peer) -> None:
        assert peer.hear_offer().startswith(b"v100..")
        peer.say(peer.wire.greeting())
        start = peer.hear_frame()
        assert start == (text(version, 71, 2, 1, "") if version < 213 else b"\0\0\x01\x0f\x08\x01")
        wire = peer.wire
        peer.say(wire.managed_accounts("DU1,DU2,") + wire.next_valid_id(77) + wire.current_time(1_795_357_800))
        peer.say(wire.notice(-1, 2104, "Market data farm connection is OK:usfarm"))
        peer.say(wire.tick_price(9, 1, 10.25, "300", 1) + wire.tick_size(9, 8, "1234.5"))
        peer.say(wire.tick_string(9, 45, "1795357800") + wire.tick_generic(9, 49, 0.0))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox, epoch=7)
        subject.start()
        inbox.until(ValueTick)
        subject.close("done")
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)

    opened = inbox.of(SessionOpened)[0]
    assert (opened.server_version, opened.connection_time) == (version, "20261122 09:30:00 US/Eastern")
    assert inbox.of(ManagedAccounts)[0].accounts == ("DU1", "DU2")
    assert inbox.of(NextValidId)[0].order_id == 77
    assert inbox.of(BrokerTime)[0].time_ns == 1_795_357_800_000_000_000
    notice = inbox.of(NoticeReceived)[0]
    assert (notice.req_id, notice.code) == (-1, 2104)
    assert notice.ts_event_ns == (1_795_357_800_123_000_000 if version >= 194 else None)
    assert [(tick.field, tick.price) for tick in inbox.of(PriceTick)] == [(1, 10.25)]
    assert [(tick.field, tick.size) for tick in inbox.of(SizeTick)] == [(0, Decimal(300)), (8, Decimal("1234.5"))]
    assert inbox.of(TextTick)[0].text == "1795357800"
    assert inbox.of(ValueTick)[0].value == 0.0
    assert (end.cause, end.detail, end.unsent) == (LossCause.ASKED, "done", 0)
    assert {event.epoch for event in inbox.events} == {7}
    assert inbox.events[0] is opened


def test_everything_of_one_read_has_one_receipt_time() -> None:
    """The clock is read once for each read of the socket, not once for each message."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(b"".join(peer.wire.tick_generic(1, field, 1.0) for field in range(20)))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(ValueTick, 20)
        subject.close("done")
        inbox.until(SessionLost)
    assert len({tick.ts_recv_ns for tick in inbox.of(ValueTick)}) == 1


def test_a_session_says_what_it_is() -> None:
    """An operator reads gateway, epoch, state, version and traffic from one line."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(1))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, epoch=3)
        new = repr(subject)
        subject.start()
        inbox.until(NextValidId)
        opened = repr(subject)
        subject.close("done")
        inbox.until(SessionLost)
    where = f"1@gw-a 127.0.0.1:{playing.port} epoch 3"
    assert new == f"<Session {where} NEW 0s in 0 out 0 pending 0>"
    assert opened == f"<Session {where} OPEN sv{ANY_VERSION} 0s in 1 out 2 pending 0>"
    assert f"{where} LOST" in repr(subject)
    assert subject.counters.bytes_in > 0
    assert subject.counters.last_inbound_ns is not None


# --- Odd segments: the official reader loses frames here, we must not ----------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.fault("A06")
def test_a_greeting_in_single_bytes_is_understood(version: int) -> None:
    """The handshake may arrive in any pieces."""

    def script(peer: Peer) -> None:
        peer.hear_offer()
        peer.say_bytewise(peer.wire.greeting())
        peer.hear_frame()
        peer.say_bytewise(peer.wire.next_valid_id(1))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(NextValidId)
        subject.close("done")
        inbox.until(SessionLost)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.fault("A07")
def test_frames_in_the_same_segment_as_the_greeting_are_kept(version: int) -> None:
    """What follows the handshake in the same read is not thrown away."""

    def script(peer: Peer) -> None:
        peer.hear_offer()
        peer.say(peer.wire.greeting() + peer.wire.managed_accounts("DU1") + peer.wire.next_valid_id(5))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        assert inbox.until(NextValidId).order_id == 5
        subject.close("done")
        inbox.until(SessionLost)
    assert [type(event).__name__ for event in inbox.events] == [
        "SessionOpened",
        "ManagedAccounts",
        "NextValidId",
        "SessionLost",
    ]


def test_messages_before_the_greeting_are_passed_over() -> None:
    """The official client knows of news that come first."""

    def script(peer: Peer) -> None:
        peer.hear_offer()
        peer.say(frame(b"14\x001\x002\x001\x00late\x00NYSE\x00") + peer.wire.greeting())
        peer.hear_frame()
        peer.say(peer.wire.next_valid_id(1))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(NextValidId)
        subject.close("done")
        inbox.until(SessionLost)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.fault("A08")
def test_bursts_of_whole_pages_lose_nothing(version: int) -> None:
    """4096·n bytes and then quiet, n = 1 to 64: every frame of every burst arrives."""
    wire = Wire(version)
    bursts = [wire.burst(pages, 4096 * pages) for pages in range(1, 65)]

    def script(peer: Peer) -> None:
        peer.open()
        for pages, (data, _) in enumerate(bursts, 1):
            assert len(data) == pages * 4096
            peer.say(data)
            peer.hear_frame()  # quiet until the client has answered the burst

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(SessionOpened)
        expected = 0
        for _, frames in bursts:
            expected += frames
            inbox.until(TextTick, expected)
            subject.perform(RequestCurrentTime())
        inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    assert len(inbox.of(TextTick)) == expected
    assert len([tick for tick in inbox.of(TextTick) if not tick.text.startswith("x")]) == 64


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.fault("A09")
def test_a_whole_session_in_single_bytes_says_the_same(version: int) -> None:
    """One-byte segments change nothing but the time it takes."""
    wire = Wire(version)
    said = (
        wire.managed_accounts("DU1")
        + wire.next_valid_id(3)
        + b"".join(wire.tick_price(1, 1, 10.0 + step, "5") + wire.tick_string(1, 45, str(step)) for step in range(40))
        + wire.notice(-1, 2106, "the end")
    )

    def told(say: str) -> list[object]:
        def script(peer: Peer) -> None:
            peer.open()
            getattr(peer, say)(said)
            peer.hear_end()

        inbox = Inbox()
        with gateway(script, version) as playing:
            subject = session(playing.port, inbox)
            subject.start()
            inbox.until(NoticeReceived)
            subject.close("done")
            inbox.until(SessionLost)
        by_kind = sorted(inbox.events[1:-1], key=lambda event: type(event).__name__)  # control overtakes bulk
        return [{name: getattr(event, name) for name in event.__struct_fields__[2:]} for event in by_kind]

    assert told("say_bytewise") == told("say")


# --- Peers that fail us -------------------------------------------------------------------------------------------


def test_a_refused_port_is_refused() -> None:
    """Nobody listens there."""
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        inbox = Inbox()
        subject = session(port, inbox)
        subject.start()
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    assert (end.cause, end.detail) == (LossCause.REFUSED, "ECONNREFUSED")


def test_an_unknown_host_is_refused() -> None:
    """A name that cannot even be looked up ends the session like a closed port does."""
    from ibkr_adapter.clock import SystemClock
    from ibkr_adapter.tws.session import Endpoint, Session

    inbox = Inbox()
    endpoint = Endpoint("gw-a", "no\x00host" if os.name == "nt" else "a" * 64 + ".invalid", 4002)
    subject = Session(endpoint, client_id=1, epoch=1, mailbox=inbox.mailbox, clock=SystemClock(), orders=False)
    subject.start()
    assert inbox.until(SessionLost).cause is LossCause.REFUSED


def hear_nothing(peer: Peer) -> None:
    peer.hear_end()


def close_at_once(peer: Peer) -> None:
    pass


def close_after_offer(peer: Peer) -> None:
    peer.hear_offer()


def reset_in_handshake(peer: Peer) -> None:
    peer.hear_offer()
    peer.reset()


def close_when_open(peer: Peer) -> None:
    peer.open()


def close_inside_a_frame(peer: Peer) -> None:
    peer.open()
    peer.say(peer.wire.next_valid_id(1)[:-2])


def reset_when_open(peer: Peer) -> None:
    peer.open()
    peer.reset()


def http(peer: Peer) -> None:
    peer.hear_offer()
    peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    peer.hear_end()


def banner(peer: Peer) -> None:
    peer.say(frame(b"SSH-2.0-OpenSSH_9.2"))
    peer.hear_end()


def frames_without_greeting(peer: Peer) -> None:
    peer.hear_offer()
    for _ in range(100):
        peer.say(frame(b"14\x001\x002\x001\x00news\x00NYSE\x00"))
    peer.hear_end()


def garbage(peer: Peer) -> None:
    peer.open()
    peer.say(bytes(range(1, 256)))
    peer.hear_end()


def too_old(peer: Peer) -> None:
    peer.hear_offer()
    peer.say(Wire(99).greeting())
    peer.hear_end()


def too_new(peer: Peer) -> None:
    peer.hear_offer()
    peer.say(Wire(PACKAGE.server_version_max + 1).greeting())
    peer.hear_end()


def redirect(peer: Peer) -> None:
    peer.hear_offer()
    peer.say(frame(b"-1\x00other:4001\x00"))
    peer.hear_end()


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (hear_nothing, LossCause.SILENT),
        (close_at_once, LossCause.CLOSED),
        (close_after_offer, LossCause.CLOSED),
        (reset_in_handshake, LossCause.RESET),
        (close_when_open, LossCause.CLOSED),
        (close_inside_a_frame, LossCause.CLOSED),
        (reset_when_open, LossCause.RESET),
        (http, LossCause.MALFORMED),
        (banner, LossCause.MALFORMED),
        (frames_without_greeting, LossCause.MALFORMED),
        (garbage, LossCause.MALFORMED),
        (too_old, LossCause.UNSUPPORTED),
        (too_new, LossCause.UNSUPPORTED),
        (redirect, LossCause.UNSUPPORTED),
    ],
)
@pytest.mark.fault("A05", "A18", "A20")
def test_each_failing_peer_ends_the_session_with_its_cause(script: Script, cause: LossCause) -> None:
    """One SessionLost, the right cause, nothing hangs."""
    deadline_s = 0.3 if script is hear_nothing else 5.0
    end, inbox = lost(script, handshake_deadline_s=deadline_s)
    causes = {cause, LossCause.RESET} if script is close_at_once else {cause}  # our offer may meet a closed socket
    assert end.cause in causes, end
    assert len(inbox.of(SessionLost)) == 1
    assert len(inbox.of(SessionOpened)) == ("open" in script.__name__ or script in (close_inside_a_frame, garbage))


@pytest.mark.parametrize("length", [16 * 1024 * 1024, 2**31, 2**32 - 1])
@pytest.mark.fault("A15")
def test_an_oversized_length_ends_the_session_before_its_body(length: int) -> None:
    """The announcement alone is enough, and what came before it was delivered."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(4) + struct.pack("!I", length))
        peer.hear_end()

    end, inbox = lost(script)
    assert end.cause is LossCause.MALFORMED
    assert inbox.of(NextValidId)[0].order_id == 4


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.fault("A16")
def test_empty_frames_are_ignored(version: int) -> None:
    """A frame of no bytes is no reason to end."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(frame(b"") * 3 + peer.wire.next_valid_id(1))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(NextValidId)
        assert subject.counters.frames_empty == 3
        subject.close("done")
        inbox.until(SessionLost)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("body", [b"1", b"12", b"abc"])
@pytest.mark.fault("A16")
def test_a_frame_too_short_to_be_a_message_ends_the_session(version: int, body: bytes) -> None:
    """One to three bytes are no message in any version."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(frame(body))
        peer.hear_end()

    assert lost(script, version)[0].cause is LossCause.MALFORMED


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.fault("A17")
def test_unknown_messages_are_counted_and_skipped(version: int) -> None:
    """A newer gateway may say things that nobody here knows."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.unknown() * 2 + peer.wire.next_valid_id(1))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(NextValidId)
        assert subject.counters.frames_unknown == 2
        subject.close("done")
        inbox.until(SessionLost)


@pytest.mark.parametrize(
    "body",
    [
        text(200, 1, 6, "x", 1, 10.0, 5, 0),
        text(200, 1, 6, 1, 1, "ten", 5, 0),
        text(200, 1, 6, 1, 1),
        text(200, 2, 6, 1, 0, "many"),
        text(200, 45, 6, 1, 49, ""),
        text(200, 45, 6, 1, 49, 1.0, "extra"),
        text(200, 46, 6, 1, 45),
        text(200, 9, 1, "first"),
        text(200, 9, 1),
        text(200, 9, 1, 1)[:-1],
        text(200, 3, 1, "Filled", "NaN", 0, 0, 0, 0, 0, 1, "", 0),
        text(200, 3, 1, "Filled", "", 0, 0, 0, 0, 0, 1, "", 0),
        text(200, 3, 1, "Filled", 1, 0, "nan", 0, 0, 0, 1, "", 0),
        text(200, 3, 1, "Filled", 1),
        text(200, 4, -1, "code", "words", "", 0),
        text(200, 59, 1, "0001.01", "Infinity", "USD", 0, 0, 0),
        text(200, 5, 1, 1, "SPY"),
        text(200, 11, -1, 5),
    ],
)
@pytest.mark.fault("A18")
def test_a_known_message_that_cannot_be_read_ends_the_session(body: bytes) -> None:
    """After one such frame nobody can vouch for the next; it is counted, not passed over."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(1) + frame(body) + peer.wire.next_valid_id(2))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, 200) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    assert end.cause is LossCause.MALFORMED
    assert subject.counters.frames_malformed == 1
    assert [event.order_id for event in inbox.of(NextValidId)] == [1]


@pytest.mark.skipif(PACKAGE.server_version_max < 213, reason="this release is never offered protobuf")
@pytest.mark.parametrize(
    "body",
    [
        b"\0\0\0\xc9\xff\xff\xff",
        b"\0\0\0\xca\x08\x01\x10\x00\x1a\x04many",
        b"\0\0\0\xcd\x08\x05",
        b"\0\0\0\xd3\x08\x05",
        b"\0\0\x01\x05\x0a\x03DU1",
    ],
)
@pytest.mark.fault("A18", "A21")
def test_a_protobuf_message_that_cannot_be_read_ends_the_session(body: bytes) -> None:
    """Broken encoding, no number, or an order, execution, position without its parts."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(frame(body))
        peer.hear_end()

    assert lost(script, 213)[0].cause is LossCause.MALFORMED


def test_a_notice_before_the_close_is_heard() -> None:
    """A client id in use: the gateway says 326 and closes; both arrive, in this order."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.notice(-1, 326, "Unable to connect as the client id is already in use."))

    end, inbox = lost(script)
    assert end.cause is LossCause.CLOSED
    assert [type(event) for event in inbox.events] == [SessionOpened, NoticeReceived, SessionLost]
    assert inbox.of(NoticeReceived)[0].code == 326


def test_what_a_peer_said_before_it_stopped_listening_is_heard() -> None:
    """A write that fails is not the end of the story: the refusal is still in our receive buffer."""
    said = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.notice(-1, 326, "in use"))
        peer.reset()
        said.set()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, batch_window_us=0)
        subject.start()
        inbox.until(SessionOpened)
        said.wait(PATIENCE_S)
        subject.perform(RequestCurrentTime())
        end = inbox.until(SessionLost)
    assert end.cause is LossCause.RESET
    assert [notice.code for notice in inbox.of(NoticeReceived)] == [326]


def test_an_exception_in_a_callback_ends_the_session_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours is named as such, not blamed on the gateway, and never ends in silence."""

    def fails(self: Callbacks, *_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Callbacks, "nextValidId", fails)

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.managed_accounts("DU1") + peer.wire.next_valid_id(1))
        peer.hear_end()

    end, inbox = lost(script)
    assert end.cause is LossCause.CALLBACK
    assert "ours" in end.detail
    assert len(inbox.of(ManagedAccounts)) == 1


def test_full_control_ends_the_session() -> None:
    """When the loop cannot take what must not be lost, the session fails instead of dropping it."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(1) * 50)
        peer.hear_end()

    held = Inbox(control_max=10)
    with gateway(script) as playing:
        subject = session(playing.port, held)
        subject.start()
        assert subject.join(PATIENCE_S)
    end = held.until(SessionLost)
    assert end.cause is LossCause.OVERFLOW
    assert len(held.of(NextValidId)) <= 10


# --- Writing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_order_is_reported_as_sent_with_its_bytes(version: int) -> None:
    """FrameSent carries exactly what the gateway receives, for orders and cancels alone."""
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        heard.extend(peer.hear_frame() for _ in range(3))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(SessionOpened)
        subject.perform(buy())
        subject.perform(RequestCurrentTime())
        subject.perform(SendCancel(order_id=5))
        inbox.until(FrameSent, 2)
        subject.close("done")
        inbox.until(SessionLost)
    placed, cancelled = inbox.of(FrameSent)
    assert (placed.order_id, placed.cancel, placed.frame) == (5, False, frame(heard[0]))
    assert (cancelled.order_id, cancelled.cancel, cancelled.frame) == (5, True, frame(heard[2]))


@pytest.mark.fault("A10")
def test_a_peer_that_stops_reading_ends_the_session_within_the_write_deadline() -> None:
    """The order stuck behind the blockade is counted as unsent and never reported as sent."""

    def script(peer: Peer) -> None:
        peer.open()
        done.wait(PATIENCE_S)

    clock = StoppedClock()
    done = threading.Event()
    inbox = Inbox()
    with gateway(script, receive_buffer_bytes=4096) as playing:
        subject = session(playing.port, inbox, clock=clock, send_buffer_bytes=4096)
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(5000):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        subject.perform(buy())
        woken = 0
        while not subject.join(0.01):
            clock.pass_(2 * SECOND)
            subject.perform(RequestCurrentTime())  # which wakes whoever waits for the deadline
            woken += 1
        end = inbox.until(SessionLost)
        done.set()
    counters = subject.counters
    assert (end.cause, end.detail) == (LossCause.WRITE_DEADLINE, "a frame not taken within 2 s")
    assert end.unsent >= 1
    assert inbox.of(FrameSent) == []
    assert counters.frames_out + end.unsent + counters.requests_dropped == 2 + 5000 + 1 + woken


@pytest.mark.fault("A10")
def test_a_peer_that_reads_a_little_now_and_then_is_left_all_the_same() -> None:
    """Hundreds of frames get through, and none begins the deadline anew while others wait behind it."""
    done = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        for _ in range(300):  # by then it has read two thirds, and closes
            if done.wait(0.02):
                return
            peer.socket.recv(2_000)

    inbox = Inbox()
    with gateway(script, receive_buffer_bytes=4096) as playing:
        subject = session(playing.port, inbox, write_deadline_s=0.6, send_buffer_bytes=4096)
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(9_000):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
        done.set()
    assert end.cause is LossCause.WRITE_DEADLINE
    assert end.unsent > 0


def test_a_blocked_frame_is_completed_when_the_peer_reads_again() -> None:
    """A short write is finished by the selector; every frame arrives whole and in order."""
    resume = threading.Event()
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        resume.wait(PATIENCE_S)
        heard.extend(peer.hear_frame() for _ in range(3001))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, receive_buffer_bytes=4096) as playing:
        subject = session(playing.port, inbox, write_deadline_s=PATIENCE_S, send_buffer_bytes=4096)
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(3000):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        subject.perform(buy())
        resume.set()
        sent = inbox.until(FrameSent)
        subject.close("done")
        inbox.until(SessionLost)
    assert sent.frame == frame(heard[-1])


def test_too_many_waiting_frames_end_the_session() -> None:
    """The outbound queue has a bound, and reaching it is loud."""

    def script(peer: Peer) -> None:
        peer.open()
        done.wait(PATIENCE_S)

    done = threading.Event()
    inbox = Inbox()
    with gateway(script, receive_buffer_bytes=4096) as playing:
        subject = session(playing.port, inbox, send_buffer_bytes=4096, outbound_frames_max=100, write_deadline_s=60.0)
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(20_000):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        end = inbox.until(SessionLost)
        done.set()
    assert end.cause is LossCause.OVERFLOW
    assert subject.counters.requests_dropped > 0


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 40])
def test_a_connection_cut_inside_an_order_never_repeats_it(cut: int) -> None:
    """What a peer got of an order stays with that connection."""
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        heard.append(peer.socket.recv(cut))
        peer.reset()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(SessionOpened)
        subject.perform(buy())
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
        subject.perform(buy())
    assert end.cause is LossCause.RESET
    assert len(inbox.of(FrameSent)) + end.unsent == 1
    assert subject.counters.requests_dropped == 1
    assert len(heard[0]) <= cut


# --- Asking -------------------------------------------------------------------------------------------------------


def test_without_the_capability_orders_cannot_be_sent() -> None:
    """A read-only session has no way to encode an order or a cancel, open or not."""
    subject = session(1, Inbox(), orders=False)
    for request in (buy(), SendCancel(order_id=5)):
        with pytest.raises(ReadOnlyClient):
            subject.perform(request)


def test_nothing_can_be_sent_before_the_session_is_open() -> None:
    """How to encode a request depends on the server version, so asking early is a mistake and says so."""
    with pytest.raises(SessionError):
        session(1, Inbox()).perform(RequestCurrentTime())


def test_a_request_that_cannot_be_encoded_does_not_vanish() -> None:
    """What the official encoder would swallow or report on the side is an exception, and nothing is sent."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(SessionOpened)
        for hostile in (
            SubscribeQuotes(req_id=1, instrument=Instrument(symbol="SPY\0X")),
            SubscribeQuotes(req_id=1, instrument=Instrument(symbol="SPY\n")),
            SubscribeQuotes(req_id=1, instrument=SPY, generic_ticks="233\u00e9"),
            SubscribeQuotes(req_id=None, instrument=SPY),  # type: ignore[arg-type]  # a mistake of ours
            SubscribeQuotes(req_id=2**40, instrument=SPY) if ANY_VERSION >= 206 else None,
        ):
            if hostile is not None:
                with pytest.raises(InvalidRequest):
                    subject.perform(hostile)
        subject.close("done")
        inbox.until(SessionLost)
    assert subject.counters.frames_out == 2


# --- Ending -------------------------------------------------------------------------------------------------------


def test_closing_is_idempotent_and_says_why() -> None:
    """However often and whenever it is asked, there is one end, with the first reason."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(SessionOpened)
        subject.close("first")
        subject.close("second")
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
        subject.close("third")
    assert (end.cause, end.detail) == (LossCause.ASKED, "first")
    assert inbox.mailbox.drain(10) == []


@pytest.mark.parametrize("script", [close_when_open, reset_when_open, close_inside_a_frame, garbage])
@pytest.mark.parametrize("times", [0, 1, 5])
def test_a_session_ends_once_however_often_the_official_client_says_closed(
    times: int, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``connectionClosed`` is nobody's end: a message behind it is heard, and the loss is told once, by the socket."""
    told = Callbacks.nextValidId

    def and_closed(self: Callbacks, orderId: int) -> None:  # noqa: N803 - the name the official decoder gives
        for _ in range(times):
            self.connectionClosed()  # type: ignore[no-untyped-call]  # untyped upstream
        told(self, orderId)

    monkeypatch.setattr(Callbacks, "nextValidId", and_closed)

    def play(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(1) + peer.wire.next_valid_id(2))
        peer.hear_frame()
        peer.open = lambda: None  # type: ignore[method-assign]  # it is open
        script(peer)

    inbox = Inbox()
    with gateway(play) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(NextValidId, 2)
        subject.perform(RequestCurrentTime())
        inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    inbox.events += inbox.mailbox.drain(100)
    assert len(inbox.of(SessionLost)) == 1
    assert isinstance(inbox.events[-1], SessionLost)


def test_a_session_closed_before_it_began_ends_too() -> None:
    """Asked to end while connecting, or before: still exactly one SessionLost."""
    inbox = Inbox()
    with gateway(hear_nothing) as playing:
        subject = session(playing.port, inbox)
        subject.close("never mind")
        subject.start()
        assert inbox.until(SessionLost).cause is LossCause.ASKED
        assert subject.join(PATIENCE_S)


def test_a_cancel_queued_before_the_close_still_leaves() -> None:
    """Ending in order sends what waits, then stops sending, then hears the peer out."""
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.tick_generic(1, 49, 0.0) * 1000)
        heard.append(peer.hear_frame())
        peer.say(peer.wire.order_status(5, "Cancelled", "0", "1"))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, part_s=float(PATIENCE_S))
        subject.start()
        inbox.until(SessionOpened)
        subject.perform(SendCancel(order_id=5))
        subject.close("shutdown")
        inbox.until(SessionLost)
    assert len(heard) == 1
    assert [type(event).__name__ for event in inbox.events if type(event) is not ValueTick] == [
        "SessionOpened",
        "FrameSent",
        "OrderStatusReported",
        "SessionLost",
    ]


def test_two_hundred_sessions_leave_nothing_behind() -> None:
    """No thread, socket or descriptor outlives its session, opened or not, closed by either side."""

    def script(peer: Peer) -> None:
        turn = next(turns)
        if turn % 4 == 0:
            return
        if turn % 4 == 1:
            peer.hear_offer()
            peer.reset()
            return
        peer.open()
        peer.say(peer.wire.next_valid_id(1))
        if turn % 4 == 2:
            peer.hear_end()

    turns = iter(range(200))
    before = held()
    with gateway(script) as playing:
        for epoch in range(200):
            inbox = Inbox()
            subject = session(playing.port, inbox, epoch=epoch, handshake_deadline_s=float(PATIENCE_S))
            subject.start()
            if epoch % 4 == 2:
                inbox.until(NextValidId)
                subject.close("done")
            inbox.until(SessionLost)
            assert subject.join(PATIENCE_S)
    assert held() == before


# --- Batching -----------------------------------------------------------------------------------------------------

LONG_WINDOW_US = 2 * PATIENCE_S * 1_000_000
"""Longer than a test waits: whatever waits for this window to end, fails."""


@pytest.mark.parametrize("fd_max", [1024, 0])
def test_a_request_ends_the_batch_window_at_once(fd_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """While ticks gather, a queued frame leaves immediately, whichever way the window waits."""
    monkeypatch.setattr(transport, "_SELECT_FD_MAX", fd_max)

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.tick_generic(1, 49, 0.0))
        peer.hear_frame()
        peer.say(peer.wire.current_time(5))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, batch_window_us=LONG_WINDOW_US)
        subject.start()
        inbox.until(ValueTick)
        subject.perform(RequestCurrentTime())
        inbox.until(BrokerTime)
        subject.close("done")
        inbox.until(SessionLost)


def test_the_first_tick_after_quiet_is_delivered_at_once() -> None:
    """The window comes after a delivery, never before one, and control alone opens none."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(1))
        peer.hear_frame()
        peer.say(peer.wire.managed_accounts("DU1"))
        peer.hear_frame()
        peer.say(peer.wire.tick_generic(1, 49, 0.0))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, batch_window_us=LONG_WINDOW_US)
        subject.start()
        inbox.until(NextValidId)
        subject.perform(RequestCurrentTime())
        inbox.until(ManagedAccounts)
        subject.perform(RequestCurrentTime())
        inbox.until(ValueTick)
        subject.close("done")
        inbox.until(SessionLost)


def test_ticks_within_the_window_come_as_one_batch() -> None:
    """One wake and one receipt time for what gathered meanwhile."""
    told = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.tick_generic(1, 49, 0.0))
        told.wait(PATIENCE_S)
        for _ in range(50):
            peer.say(peer.wire.tick_generic(1, 49, 1.0))
        peer.say(peer.wire.next_valid_id(1))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, batch_window_us=300_000)
        subject.start()
        inbox.until(ValueTick)
        told.set()
        inbox.until(ValueTick, 51)
        subject.close("done")
        inbox.until(SessionLost)
    assert len({tick.ts_recv_ns for tick in inbox.of(ValueTick)}) <= 3


def test_the_socket_is_set_up_to_be_quick_and_to_notice_a_dead_peer() -> None:
    """No delay for small frames, keepalive on: the official client sets neither."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(SessionOpened)
        used = subject._transport._socket
        assert used is not None
        assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        subject.close("done")
        inbox.until(SessionLost)


def test_a_bug_of_the_transport_itself_is_a_lost_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a failure nobody foresaw ends in SessionLost, not in a thread that is silently gone."""

    def fails(*_: object) -> None:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(transport.Transport, "_flush", fails)
    end, _ = lost(hear_nothing)
    assert end.cause is LossCause.CALLBACK
    assert "unforeseen" in end.detail
