"""What a line or a peer can do to one session, beyond what `test_session` plays: counted in thousands, or by hand."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
from collections.abc import Iterator

import pytest
import structlog

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import (
    BrokerEvent,
    LossCause,
    ManagedAccounts,
    NextValidId,
    NoticeReceived,
    SessionLost,
    SessionOpened,
    ValueTick,
)
from ibkr_adapter.notices import shipped
from ibkr_adapter.ops import logging
from ibkr_adapter.ops.reporting import Reporter
from ibkr_adapter.requests import RequestCurrentTime
from ibkr_adapter.tws.client import Client
from ibkr_adapter.tws.dialogue import Dialogue
from ibkr_adapter.tws.frames import READ_BYTES, FrameBuffer
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.progress import Counters
from ibkr_adapter.tws.transport import Transport, TransportOptions
from tests.faults.proxy import Proxy
from tests.tws.scripted_gateway import (
    ANY_VERSION,
    PATIENCE_S,
    VERSIONS,
    Inbox,
    Peer,
    StoppedClock,
    Wire,
    frame,
    gateway,
    held,
    session,
    text,
)

pytestmark = pytest.mark.wire

SPLITS = 1_000


# --- In any pieces ------------------------------------------------------------------------------------------------


class Unsent(Transport):
    """A transport for a dialogue that is fed by hand."""

    def __init__(self) -> None:
        pass

    def established(self) -> None:
        pass

    def send(self, frame: bytes, receipt: object = None) -> bool:
        return True


def told(pieces: list[bytes]) -> list[BrokerEvent]:
    """What a session says of bytes that are read in these pieces."""
    mailbox = Mailbox(lambda: None)
    dialogue = Dialogue(
        gateway="gw-a",
        address="127.0.0.1:4002",
        client_id=1,
        epoch=1,
        client=Client(client_id=1, orders=False),
        mailbox=mailbox,
        counters=Counters(),
        options=TransportOptions(),
    )
    dialogue.connected(Unsent())
    buffer = FrameBuffer()
    for piece in pieces:
        buffer.space()[: len(piece)] = piece
        buffer.fill(len(piece))
        dialogue.received(buffer.frames(), 7)
    return mailbox.drain(10_000)


def pieces_of(data: bytes, dice: random.Random) -> list[bytes]:
    """Cut at random, from one cut to one at every byte."""
    cuts = sorted(dice.sample(range(1, len(data)), dice.randrange(0, len(data) - 1)))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.fault("A06", "A07")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_thousand_random_splits_of_the_handshake_all_open_the_session(version: int) -> None:
    """The first frames after the greeting, in its last read or in later ones, are there each time."""
    wire, dice = Wire(version), random.Random(6)
    data = wire.greeting() + wire.managed_accounts("DU1") + wire.next_valid_id(5)
    whole = told([data])

    assert [type(event) for event in whole] == [SessionOpened, ManagedAccounts, NextValidId]
    assert all(told(pieces_of(data, dice)) == whole for _ in range(SPLITS))


@pytest.mark.fault("A09")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_line_of_one_byte_segments_changes_no_event(version: int) -> None:
    """Both directions in single bytes, from the first one on."""

    def script(peer: Peer) -> None:
        peer.open()
        wire = peer.wire
        peer.say(b"".join(wire.tick_price(1, 1, 10.0 + step, "5") for step in range(40)) + wire.next_valid_id(3))
        peer.hear_frame()
        peer.hear_end()

    def heard(slice_bytes: int | None) -> list[object]:
        inbox = Inbox()
        with gateway(script, version) as playing, Proxy(playing.port) as line:
            line.inbound.slice_bytes = line.outbound.slice_bytes = slice_bytes
            subject = session(line.port, inbox)
            subject.start()
            inbox.until(NextValidId)
            subject.perform(RequestCurrentTime())
            subject.close("done")
            inbox.until(SessionLost)
        by_kind = sorted(inbox.events[1:], key=lambda event: type(event).__name__)  # control overtakes bulk
        return [{name: getattr(event, name) for name in event.__struct_fields__[2:]} for event in by_kind]

    assert heard(1) == heard(None)


# --- A peer that is none ------------------------------------------------------------------------------------------


@pytest.mark.fault("A05")
def test_a_hundred_peers_that_never_greet_leave_nothing_behind() -> None:
    """Each attempt ends at its five seconds and not before, and takes its thread and its descriptors with it."""
    clock = StoppedClock()

    def script(peer: Peer) -> None:
        peer.hear_offer()
        for ns in (5 * SECOND - 1, 1):
            clock.pass_(ns)
            peer.say(b"\0")  # no greeting, but it wakes whoever waits for one
        peer.hear_end()

    before = held()
    with gateway(script) as playing:
        for epoch in range(100):
            inbox = Inbox()
            subject = session(playing.port, inbox, epoch=epoch, clock=clock)
            began_ns = clock.now_ns()
            subject.start()
            end = inbox.until(SessionLost)
            assert subject.join(PATIENCE_S)
            assert (end.cause, end.detail) == (LossCause.SILENT, "no greeting within 5 s")
            assert end.ts_recv_ns - began_ns == 5 * SECOND
    assert held() == before


@pytest.mark.fault("A10")
def test_a_gateway_that_stops_reading_is_left_after_two_seconds() -> None:
    """The deadline that the service uses; the tests of the session use shorter ones."""
    assert TransportOptions().write_deadline_s == 2.0


@pytest.mark.fault("A15")
@pytest.mark.parametrize("length", [2**24, 2**31, 2**32 - 1])
def test_an_oversized_frame_is_refused_before_room_is_made_for_it(length: int) -> None:
    """No byte is read behind the read that shows it, the buffer stays as it is, and nothing of that size is made."""
    flood = Wire(ANY_VERSION).next_valid_id(4) + length.to_bytes(4, "big") + bytes(1_000_000)

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(flood)
        peer.hear_end()

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox)
        tracemalloc.start()
        try:
            subject.start()
            end = inbox.until(SessionLost)
            assert subject.join(PATIENCE_S)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert end.cause is LossCause.MALFORMED
    assert subject.counters.bytes_in <= 1_000 + READ_BYTES
    assert peak_bytes < 5_000_000
    assert inbox.of(NextValidId)
    assert len(subject._transport._intake._buffer._buffer) == READ_BYTES


# --- Words that are none ------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of a service, in a string."""
    stream = io.StringIO()
    logging.configure("debug", stream=stream, pretty=False)
    yield stream
    structlog.reset_defaults()


HOSTILE = {
    "line breaks": "one\nERROR two\r\nthree\u2028four",
    "an escape sequence": "\x1b[2J\x1b]0;title\x07",
    "a null": "a\\0b",
    "turned round": "\u202egnorw",
    "a megabyte": "x" * 1_000_000,
    "quotes": '"}{"level": "info", "event": "forged"',
}


@pytest.mark.fault("A19")
@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_gateway_says_is_one_line_of_json(words: str, log: io.StringIO) -> None:
    """Escaped, cut, and no line that it could forge."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.notice(-1, 2104, words))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, ANY_VERSION) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        heard = inbox.until(NoticeReceived)
        Reporter(1).notice(heard, shipped().of(heard.code), "")
        subject.close("done")
        inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["notice", "session_lost"]
    assert len(log.getvalue()) < 20_000
    assert set(log.getvalue()) - {"\n"} <= set(map(chr, range(32, 127)))


@pytest.mark.fault("A19")
@pytest.mark.parametrize("words", [b"\xff\xfe\xfd", b"\xc3\x28", b"\xed\xa0\x80"])
def test_text_that_is_no_text_ends_the_session_or_is_read_and_is_logged_in_one_line(
    words: bytes, log: io.StringIO
) -> None:
    """Invalid UTF-8 in a message of text: nobody can vouch for what follows."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(frame(text(200, 4, -1, 2104, "WORDS", "", 0).replace(b"WORDS", words)))
        peer.say(peer.wire.next_valid_id(1))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, 200) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        while not (inbox.of(SessionLost) or inbox.of(NextValidId)):
            inbox.events += inbox.mailbox.drain(10)
        subject.close("done")
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    assert end.cause in (LossCause.MALFORMED, LossCause.ASKED)
    for line in log.getvalue().splitlines():
        assert isinstance(json.loads(line), dict)


# --- After the end ------------------------------------------------------------------------------------------------


@pytest.mark.fault("A22")
@pytest.mark.parametrize("turn", range(5))
def test_nothing_comes_after_the_end_however_much_the_gateway_still_says(turn: int) -> None:
    """Closed in the middle of a flood: each event has the session's epoch, and its loss is the last one."""

    def script(peer: Peer) -> None:
        peer.open()
        flood = b"".join(peer.wire.tick_generic(1, 49, float(step)) for step in range(1_000))
        while True:
            peer.say(flood)

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, epoch=40 + turn, part_s=0.01)
        subject.start()
        inbox.until(ValueTick, 1 + 2_000 * turn)
        subject.close("enough")
        inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
        inbox.events += inbox.mailbox.drain(1_000_000)
    control = [event for event in inbox.events if not isinstance(event, ValueTick)]
    assert isinstance(control[-1], SessionLost)
    assert len(inbox.of(SessionLost)) == 1
    assert {event.epoch for event in inbox.events} == {40 + turn}
    assert inbox.mailbox.drain(10) == []
