"""A session over TLS: the same conversation, and every way in which a tunnel can be the wrong one."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from ibkr_adapter import events, requests
from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.config import Tls
from ibkr_adapter.events import (
    FrameSent,
    LossCause,
    ManagedAccounts,
    NextValidId,
    OrderStatusReported,
    SessionLost,
    SessionOpened,
    TextTick,
    ValueTick,
)
from ibkr_adapter.requests import RequestCurrentTime, SendCancel, SubscribeQuotes
from tests.papers import Papers
from tests.tws.scripted_gateway import (
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
    session,
    text,
)
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway
from tws_simulator.tls import Tls as Listener

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


def over(context: ssl.SSLContext, script: Script) -> Script:
    """``script`` behind a tunnel's end; how the handshake failed is for our side to say."""

    def secured(peer: Peer) -> None:
        try:
            peer.secure(context)
        except (ssl.SSLError, OSError):
            return
        with peer.socket:
            script(peer)

    return secured


def lost(script: Script, tls: Tls | None, **options: object) -> tuple[SessionLost, Inbox]:
    """Play a script to a session until it is lost, and see that it ends entirely."""
    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, tls=tls, **options)  # type: ignore[arg-type]  # whatever a test sets
        subject.start()
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    assert inbox.events[-1] is end
    return end, inbox


# --- The conversation ---------------------------------------------------------------------------------------------


@pytest.fixture
def simulated(papers: Papers, request: pytest.FixtureRequest) -> Iterator[GatewayThread]:
    listener = Listener(papers.tunnel_certificate, papers.tunnel_key, client_ca=papers.ca)
    with running_gateway(Gateway(seed=7, server_version=request.param, tick_interval_s=0.02, tls=listener)) as running:
        yield running


@pytest.mark.parametrize("simulated", VERSIONS, indirect=True)
def test_a_whole_conversation_passes_through_a_tunnel(simulated: GatewayThread, papers: Papers) -> None:
    """Ids, quotes, an order, its cancel and the lists, with certificates on both sides."""
    inbox = Inbox()
    subject = session(simulated.port, inbox, tls=papers.tls(**papers.ours(), fingerprint=papers.fingerprint()))
    subject.start()
    order_id = inbox.until(NextValidId).order_id
    inbox.until(ManagedAccounts)
    subject.perform(SubscribeQuotes(req_id=1_000_000_005, instrument=SPY, generic_ticks="233"))
    inbox.until(TextTick)
    terms = OrderTerms(
        instrument=SPY,
        action="BUY",
        order_type="LMT",
        quantity=Decimal(10),
        limit_price=Decimal("1.25"),
        account=simulated.account,
    )
    subject.perform(requests.SendOrder(order_id=order_id, order_ref="019b-key", terms=terms))
    inbox.until(events.OpenOrderReported)
    subject.perform(SendCancel(order_id=order_id))
    while not any(status.status == "Cancelled" for status in inbox.of(OrderStatusReported)):
        inbox.until(OrderStatusReported, len(inbox.of(OrderStatusReported)) + 1)
    subject.perform(requests.RequestCompletedOrders())
    inbox.until(events.CompletedOrdersEnd)
    subject.close("done")
    end = inbox.until(SessionLost)
    assert subject.join(PATIENCE_S)

    assert end.cause is LossCause.ASKED
    assert [sent.cancel for sent in inbox.of(FrameSent)] == [False, True]
    assert simulated.call(lambda gateway: gateway.ledger.placements_by_ref()) == {"019b-key": 1}
    assert " tls " in repr(subject)


def test_a_name_is_enough_where_the_certificate_has_it(papers: Papers) -> None:
    """``localhost`` is in the tunnel's certificate, and so is the name given as server_name."""
    for host, server_name in (("localhost", ""), ("127.0.0.1", "tunnel.desk")):
        inbox = Inbox()
        with gateway(over(papers.tunnel(), lambda peer: (peer.open(), peer.hear_end())[1])) as playing:
            subject = session(playing.port, inbox, host=host, tls=papers.tls(server_name=server_name))
            subject.start()
            inbox.until(SessionOpened)
            subject.close("done")
            inbox.until(SessionLost)


def test_a_tunnel_that_knows_no_newer_version_is_spoken_to_in_1_2(papers: Papers) -> None:
    """TLS 1.2 is enough, with certificates on both sides; 1.1 is not."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(1))
        peer.hear_end()

    context = papers.tunnel(clients=papers.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    inbox = Inbox()
    with gateway(over(context, script)) as playing:
        subject = session(playing.port, inbox, tls=papers.tls(**papers.ours()))
        subject.start()
        inbox.until(NextValidId)
        subject.close("done")
        assert inbox.until(SessionLost).cause is LossCause.ASKED


# --- Records and frames -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.fault("A08")
def test_bursts_of_whole_pages_lose_nothing_across_records(papers: Papers, version: int) -> None:
    """4096·n bytes and then quiet: a record ends where no frame does, and what is decrypted is read to the end."""

    wire = Wire(version)
    bursts = [wire.burst(pages, 4096 * pages) for pages in range(1, 65)]

    def script(peer: Peer) -> None:
        peer.open()
        for data, _ in bursts:
            peer.say(data)
            peer.hear_frame()  # quiet until the client has answered the burst

    inbox = Inbox()
    with gateway(over(papers.tunnel(), script), version) as playing:
        subject = session(playing.port, inbox, tls=papers.tls())
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


def test_a_large_frame_and_what_follows_it_are_read_without_another_byte(papers: Papers) -> None:
    """Bytes that were decrypted are invisible to ``poll``; they are read all the same."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(frame(text(peer.wire.version, 199, "x" * 700_000)) + peer.wire.next_valid_id(9))
        peer.hear_end()

    inbox = Inbox()
    with gateway(over(papers.tunnel(), script)) as playing:
        subject = session(playing.port, inbox, tls=papers.tls())
        subject.start()
        assert inbox.until(NextValidId).order_id == 9
        assert subject.counters.frames_unknown == 1
        subject.close("done")
        inbox.until(SessionLost)


@pytest.mark.parametrize("version", VERSIONS)
def test_records_of_one_byte_say_the_same(papers: Papers, version: int) -> None:
    """Each byte a record of its own."""

    def script(peer: Peer) -> None:
        peer.hear_offer()
        peer.say_bytewise(peer.wire.greeting())
        peer.hear_frame()
        peer.say_bytewise(peer.wire.managed_accounts("DU1") + peer.wire.tick_string(1, 45, "5"))
        peer.say_bytewise(peer.wire.next_valid_id(3))
        peer.hear_end()

    inbox = Inbox()
    with gateway(over(papers.tunnel(), script), version) as playing:
        subject = session(playing.port, inbox, tls=papers.tls())
        subject.start()
        assert inbox.until(NextValidId).order_id == 3
        assert inbox.until(TextTick).text == "5"
        subject.close("done")
        inbox.until(SessionLost)


class Records:
    """The tunnel's end by hand, so that a record can be sent in part."""

    def __init__(self, peer: Peer, context: ssl.SSLContext) -> None:
        self._socket = peer.socket
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._until_done(self._tls.do_handshake)

    def _until_done(self, step: object) -> bytes:
        while True:
            try:
                return step()  # type: ignore[no-any-return, operator]
            except ssl.SSLWantReadError:
                self._socket.sendall(self._outgoing.read())
                self._incoming.write(self._socket.recv(65536))

    def hear(self) -> bytes:
        return self._until_done(lambda: self._tls.read(65536))

    def of(self, data: bytes) -> bytes:
        """The records that carry ``data``, and whatever waited to be sent before them."""
        self._tls.write(data)
        return self._outgoing.read()

    def open(self, peer: Peer) -> None:
        self.hear()
        self._socket.sendall(self.of(peer.wire.greeting()))
        self.hear()


@pytest.mark.fault("A02")
def test_a_reset_inside_a_record_ends_the_session_and_keeps_what_came_before(papers: Papers) -> None:
    """Half a record is nothing; the whole one before it counts."""
    inbox = Inbox()
    heard = threading.Event()

    def script(peer: Peer) -> None:
        records = Records(peer, papers.tunnel())
        records.open(peer)
        whole, half = records.of(peer.wire.next_valid_id(4)), records.of(peer.wire.next_valid_id(5))
        peer.socket.sendall(whole + half[: len(half) // 2])
        heard.wait(PATIENCE_S)
        peer.reset()

    with gateway(script) as playing:
        subject = session(playing.port, inbox, tls=papers.tls())
        subject.start()
        inbox.until(NextValidId)
        heard.set()
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    assert end.cause is LossCause.RESET
    assert [event.order_id for event in inbox.of(NextValidId)] == [4]


def test_a_forged_record_ends_the_session_after_the_good_ones(papers: Papers) -> None:
    """What fails its checksum is not TLS's idea of a bad day: somebody or something changed it on the way."""

    def script(peer: Peer) -> None:
        records = Records(peer, papers.tunnel())
        records.open(peer)
        good, bad = records.of(peer.wire.next_valid_id(4)), bytearray(records.of(peer.wire.next_valid_id(5)))
        bad[-1] ^= 1
        peer.socket.sendall(good + bad)
        peer.hear_end()

    end, inbox = lost(script, papers.tls())
    assert end.cause is LossCause.TLS
    assert "decryption failed or bad record mac" in end.detail
    assert [event.order_id for event in inbox.of(NextValidId)] == [4]


# --- Ends ---------------------------------------------------------------------------------------------------------


def test_a_cut_is_told_from_an_end_that_was_announced(papers: Papers) -> None:
    """Without close_notify somebody cut the connection: the gateway had more to say, for all we know."""

    def cut(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(1))

    def announced(peer: Peer) -> None:
        cut(peer)
        assert isinstance(peer.socket, ssl.SSLSocket)
        with contextlib.suppress(OSError):  # we close at once, and announce nothing in return
            peer.socket.unwrap()

    was_cut, inbox = lost(over(papers.tunnel(), cut), papers.tls())
    was_announced, _ = lost(over(papers.tunnel(), announced), papers.tls())
    assert was_cut.cause is was_announced.cause is LossCause.CLOSED
    assert "not announced" in was_cut.detail
    assert was_announced.detail == ""
    assert inbox.of(NextValidId)


def test_the_last_words_of_the_gateway_are_heard_through_the_tunnel(papers: Papers) -> None:
    """A cancel queued before the close leaves, our end is announced, and what the gateway still says arrives."""
    heard: list[bytes] = []
    announced: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.tick_generic(1, 49, 0.0) * 1000)
        heard.append(peer.hear_frame())
        announced.append(peer.socket.recv(1))  # nothing: our close_notify, not a cut
        peer.say(peer.wire.order_status(5, "Cancelled", "0", "1"))

    inbox = Inbox()
    with gateway(over(papers.tunnel(), script)) as playing:
        subject = session(playing.port, inbox, tls=papers.tls(), part_s=float(PATIENCE_S))
        subject.start()
        inbox.until(SessionOpened)
        subject.perform(SendCancel(order_id=5))
        subject.close("shutdown")
        inbox.until(SessionLost)
    assert len(heard) == 1
    assert announced == [b""]
    assert [type(event).__name__ for event in inbox.events if type(event) is not ValueTick] == [
        "SessionOpened",
        "FrameSent",
        "OrderStatusReported",
        "SessionLost",
    ]


# --- Writing ------------------------------------------------------------------------------------------------------


def test_frames_that_had_to_wait_arrive_whole_and_in_order(papers: Papers) -> None:
    """A peer that reads late gets every record; the order counts as sent only when its record has left."""
    resume = threading.Event()
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        resume.wait(PATIENCE_S)
        heard.extend(peer.hear_frame() for _ in range(3001))
        peer.hear_end()

    inbox = Inbox()
    with gateway(over(papers.tunnel(), script), receive_buffer_bytes=4096) as playing:
        subject = session(
            playing.port, inbox, tls=papers.tls(), write_deadline_s=float(PATIENCE_S), send_buffer_bytes=4096
        )
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(3000):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        subject.perform(buy(5))
        assert inbox.of(FrameSent) == []
        resume.set()
        sent = inbox.until(FrameSent)
        subject.close("done")
        inbox.until(SessionLost)
    assert sent.frame == frame(heard[-1])


@pytest.mark.fault("A10")
def test_a_peer_that_stops_reading_ends_the_session_within_the_write_deadline(papers: Papers) -> None:
    """The tunnel's end may hold much or little; ours is counted by what the kernel took."""
    done = threading.Event()
    clock = StoppedClock()

    def script(peer: Peer) -> None:
        peer.open()
        done.wait(PATIENCE_S)

    inbox = Inbox()
    with gateway(over(papers.tunnel(), script), receive_buffer_bytes=4096) as playing:
        subject = session(playing.port, inbox, tls=papers.tls(), clock=clock, send_buffer_bytes=4096)
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(5000):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        subject.perform(buy(5))
        woken = 0
        while not subject.join(0.01):
            clock.pass_(2 * SECOND)
            subject.perform(RequestCurrentTime())  # which wakes whoever waits for the deadline
            woken += 1
        end = inbox.until(SessionLost)
        done.set()
    counters = subject.counters
    assert end.cause is LossCause.WRITE_DEADLINE
    assert inbox.of(FrameSent) == []
    assert counters.frames_out + end.unsent + counters.requests_dropped == 2 + 5000 + 1 + woken


# --- The wrong tunnel ---------------------------------------------------------------------------------------------


def hear(peer: Peer) -> None:
    peer.hear_end()


def test_an_authority_we_do_not_trust_is_refused(papers: Papers) -> None:
    """Somebody may stand between us and the gateway; nothing of ours was said before that was known."""
    end, _ = lost(over(papers.tunnel(), hear), papers.tls(ca=papers.other_ca))
    assert end.cause is LossCause.CERTIFICATE
    assert "not signed by an authority we trust: give the one that signed it with tls.ca" in end.detail


def test_an_expired_certificate_is_refused(papers: Papers) -> None:
    """With the place where it has to be renewed."""
    context = papers.tunnel(certificate=papers.expired_certificate, key=papers.expired_key)
    end, _ = lost(over(context, hear), papers.tls())
    assert (end.cause, end.detail) == (
        LossCause.CERTIFICATE,
        "the tunnel's certificate has expired: renew it where the tunnel ends",
    )


@pytest.mark.parametrize("name", ["gateway.desk", "127.0.0.2"])
def test_another_name_is_refused(papers: Papers, name: str) -> None:
    """A good certificate of somebody else's is no pass; an address is a name like any other."""
    end, _ = lost(over(papers.tunnel(), hear), papers.tls(server_name=name))
    assert end.cause is LossCause.CERTIFICATE
    assert "made out to another name: set tls.server_name" in end.detail


def test_another_certificate_than_the_pinned_one_is_refused(papers: Papers) -> None:
    """A fingerprint is asked for on top of authority and name; the one found is named."""
    end, _ = lost(over(papers.tunnel(), hear), papers.tls(fingerprint="0" * 64))
    assert end.cause is LossCause.CERTIFICATE
    assert papers.fingerprint() in end.detail


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_tunnel_that_wants_our_certificate_says_so(papers: Papers, version: ssl.TLSVersion) -> None:
    """In 1.3 the refusal comes after the handshake, and is understood all the same."""
    context = papers.tunnel(clients=papers.ca)
    context.maximum_version = version
    end, _ = lost(over(context, hear), papers.tls())
    assert end.cause is LossCause.CERTIFICATE_WANTED
    assert "want" in end.detail
    assert "tls.certificate" in end.detail


@pytest.mark.parametrize(
    ("which", "words"),
    [("other", "does not know the authority of our certificate"), ("expired", "finds our certificate expired")],
)
def test_a_tunnel_that_does_not_accept_our_certificate_says_why(papers: Papers, which: str, words: str) -> None:
    """By the alert with which it ends the connection."""
    ours = {"certificate": getattr(papers, f"{which}_certificate"), "key": getattr(papers, f"{which}_key")}
    end, _ = lost(over(papers.tunnel(clients=papers.ca), hear), papers.tls(**ours))
    assert end.cause is LossCause.CERTIFICATE_WANTED
    assert words in end.detail


def test_a_tunnel_that_ends_without_a_word_leaves_a_hint(papers: Papers) -> None:
    """Some close instead of an alert; the likely reasons are named."""
    end, _ = lost(over(papers.tunnel(), lambda peer: None), papers.tls())
    assert end.cause in (LossCause.CLOSED, LossCause.RESET)
    assert "right after the TLS handshake; the tunnel may want a certificate of ours" in end.detail


def say_in_clear(peer: Peer) -> None:
    peer.socket.recv(65536)
    peer.say(peer.wire.greeting())
    peer.hear_end()


def greet_in_http(peer: Peer) -> None:
    peer.socket.recv(65536)
    peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    peer.hear_end()


def say_one_byte(peer: Peer) -> None:
    peer.say(b"\0")
    peer.hear_end()


@pytest.mark.parametrize("script", [say_in_clear, greet_in_http, say_one_byte])
def test_a_peer_that_speaks_in_clear_is_recognised(papers: Papers, script: Script) -> None:
    """The gateway's own port was given instead of the tunnel's; nothing was said to it in clear."""
    end, _ = lost(script, papers.tls())
    assert end.cause is LossCause.NOT_TLS
    assert "give the tunnel's port" in end.detail


def test_a_peer_that_closes_at_the_greeting_may_not_speak_tls(papers: Papers) -> None:
    """As a gateway does that cannot read it: no proof, so closed, with the likely reason."""
    end, _ = lost(lambda peer: (peer.socket.recv(65536), None)[1], papers.tls())
    assert end.cause in (LossCause.CLOSED, LossCause.RESET)
    assert "during the TLS handshake; it may not speak TLS" in end.detail


@pytest.mark.parametrize("answer", [b"\x15\x03\x01\x00\x02\x02\x46", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_a_tunnel_on_a_port_thought_plain_is_recognised(answer: bytes) -> None:
    """It answers our offer with an alert of TLS, which no frame can look like."""

    def script(peer: Peer) -> None:
        peer.hear_offer()
        peer.say(answer)
        peer.hear_end()

    end, _ = lost(script, None)
    assert end.cause is LossCause.TLS_EXPECTED
    assert "speaks TLS: give the gateway a [gateways.X.tls] table" in end.detail


def test_a_plain_port_that_closes_without_a_word_names_tls_among_the_reasons(papers: Papers) -> None:
    """OpenSSL's end of a tunnel says nothing to what is not TLS."""
    end, _ = lost(over(papers.tunnel(), hear), None)
    assert end.cause in (LossCause.CLOSED, LossCause.RESET)
    if end.cause is LossCause.CLOSED:
        assert "trusted addresses, or the port may want TLS" in end.detail


def test_a_tunnel_of_another_age_is_refused(papers: Papers) -> None:
    """TLS 1.1 is broken; the tunnel has to be updated."""
    context = papers.tunnel()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    end, _ = lost(over(context, hear), papers.tls())
    assert (end.cause, end.detail) == (LossCause.TLS, "the tunnel speaks no TLS of version 1.2 or later: update it")


@pytest.mark.fault("A05")
def test_a_peer_that_never_answers_the_greeting_is_left_within_the_deadline(papers: Papers) -> None:
    """As a gateway in clear does, which waits for more; no thread and no descriptor stays behind."""
    before = held()
    with gateway(hear) as playing:
        for epoch in range(10):
            inbox = Inbox()
            subject = session(playing.port, inbox, epoch=epoch, tls=papers.tls(), handshake_deadline_s=0.05)
            subject.start()
            end = inbox.until(SessionLost)
            assert subject.join(PATIENCE_S)
            assert end.cause is LossCause.SILENT
            assert end.detail == "no TLS handshake within 0.05 s; what answers there may not speak TLS"
    assert held() == before


def test_a_peer_that_answers_byte_by_byte_without_end_is_left_within_the_deadline(papers: Papers) -> None:
    """Each byte is no progress: the deadline is of the whole handshake."""

    def script(peer: Peer) -> None:
        peer.say(b"\x16\x03\x03\x40\x00")
        while True:
            peer.say(b"\0")

    end, _ = lost(script, papers.tls(), handshake_deadline_s=0.3)
    assert end.cause in (LossCause.SILENT, LossCause.TLS)


# --- Files --------------------------------------------------------------------------------------------------------


def test_a_certificate_that_was_renewed_is_used_from_the_next_connection_on(papers: Papers, tmp_path: Path) -> None:
    """The files are read for each connection; no restart is needed."""
    certificate, key = tmp_path / "ours.pem", tmp_path / "ours-key.pem"
    tls = papers.tls(certificate=certificate, key=key)

    def attempt() -> SessionLost:
        inbox = Inbox()
        subject = session(playing.port, inbox, tls=tls)
        subject.start()
        while not (inbox.of(SessionLost) or inbox.of(SessionOpened)):
            inbox.events += inbox.mailbox.drain(10)
        subject.close("done")
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
        return end

    def script(peer: Peer) -> None:
        peer.open()
        peer.hear_end()

    with gateway(over(papers.tunnel(clients=papers.ca), script)) as playing:
        missing = attempt()
        shutil.copy(papers.other_certificate, certificate)
        shutil.copy(papers.other_key, key)
        wrong = attempt()
        shutil.copy(papers.certificate, certificate)
        shutil.copy(papers.key, key)
        right = attempt()
    assert [end.cause for end in (missing, wrong, right)] == [
        LossCause.TLS,
        LossCause.CERTIFICATE_WANTED,
        LossCause.ASKED,
    ]
    assert f"gateways.gw-a.tls.certificate: there is no file {certificate}" in missing.detail


def test_the_socket_below_is_set_up_as_ever(papers: Papers) -> None:
    """Quick for small records, and its buffer as small as a test wants it."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.next_valid_id(1))
        peer.hear_end()

    inbox = Inbox()
    with gateway(over(papers.tunnel(), script)) as playing:
        subject = session(playing.port, inbox, tls=papers.tls())
        subject.start()
        inbox.until(NextValidId)
        connection = subject._transport._socket
        assert connection is not None
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        subject.close("done")
        inbox.until(SessionLost)
