"""The fence at the socket: whether an order may be sent is asked directly before its first byte, of orders alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ibkr_adapter.config import Tls
from ibkr_adapter.events import FrameSent, FrameWithheld, LossCause, SessionLost, SessionOpened
from ibkr_adapter.requests import RequestCurrentTime, SendCancel, SubscribeQuotes
from tests.papers import Papers
from tests.tws.scripted_gateway import PATIENCE_S, SPY, Inbox, Peer, Script, buy, frame, gateway, session

pytestmark = pytest.mark.wire

SUBSCRIPTIONS = 3_000


class Fence:
    """Open until it is closed; remembers on which thread it was asked, and how often."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.asked_on: list[str] = []

    def __call__(self) -> bool:
        self.asked_on.append(threading.current_thread().name)
        return self.is_open


@pytest.fixture(params=["plain", "tls"])
def papers(request: pytest.FixtureRequest, tmp_path: Path) -> Papers | None:
    return Papers(tmp_path) if request.param == "tls" else None


def behind(papers: Papers | None, script: Script) -> tuple[Script, Tls | None]:
    if papers is None:
        return script, None
    context = papers.tunnel()

    def secured(peer: Peer) -> None:
        peer.secure(context)
        with peer.socket:
            script(peer)

    return secured, papers.tls()


def test_each_order_asks_and_nothing_else_does(papers: Papers | None) -> None:
    """On the network thread, once for an order that finds room; a cancel or a request passes a closed fence."""
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        heard.extend(peer.hear_frame() for _ in range(3))
        peer.hear_end()

    fence, inbox = Fence(), Inbox()
    secured, tls = behind(papers, script)
    with gateway(secured) as playing:
        subject = session(playing.port, inbox, tls=tls, may_place=fence)
        subject.start()
        inbox.until(SessionOpened)
        subject.perform(buy(5))
        inbox.until(FrameSent)
        fence.is_open = False
        subject.perform(buy(6))
        subject.perform(RequestCurrentTime())
        subject.perform(SendCancel(order_id=5))
        inbox.until(FrameSent, 2)
        subject.close("done")
        end = inbox.until(SessionLost)
    assert [(sent.order_id, sent.cancel) for sent in inbox.of(FrameSent)] == [(5, False), (5, True)]
    assert [(held.order_id, held.epoch) for held in inbox.of(FrameWithheld)] == [(6, 1)]
    assert "nothing of it was sent" in inbox.of(FrameWithheld)[0].detail
    assert [frame(heard[0]), frame(heard[2])] == [sent.frame for sent in inbox.of(FrameSent)]
    assert fence.asked_on == ["tws-gw-a-1"] * 2
    assert end.unsent == 0
    assert subject.counters.frames_out == 5


def test_an_order_that_waited_behind_a_blocked_socket_is_not_sent_after_the_fence_closed(papers: Papers | None) -> None:
    """Queued while it was open, its turn came when it was closed: dropped whole. The cancel behind it leaves."""
    resume = threading.Event()
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        resume.wait(PATIENCE_S)
        heard.extend(peer.hear_frame() for _ in range(SUBSCRIPTIONS + 1))
        peer.hear_end()

    fence, inbox = Fence(), Inbox()
    secured, tls = behind(papers, script)
    with gateway(secured, receive_buffer_bytes=4096) as playing:
        subject = session(
            playing.port,
            inbox,
            tls=tls,
            may_place=fence,
            write_deadline_s=float(PATIENCE_S),
            send_buffer_bytes=4096,
        )
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(SUBSCRIPTIONS):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        subject.perform(buy(5))
        subject.perform(SendCancel(order_id=4))
        fence.is_open = False
        resume.set()
        withheld, sent = inbox.until(FrameWithheld), inbox.until(FrameSent)
        subject.close("done")
        end = inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    assert (withheld.order_id, sent.order_id, sent.cancel) == (5, 4, True)
    assert frame(heard[-1]) == sent.frame
    assert end.cause is LossCause.ASKED


def test_an_order_that_has_begun_is_finished() -> None:
    """Half a frame would take the next one with it: what the peer has part of, it gets."""
    started, resume = threading.Event(), threading.Event()
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.open()
        started.set()
        resume.wait(PATIENCE_S)
        heard.append(peer.hear_frame())
        peer.hear_end()

    fence, inbox = Fence(), Inbox()
    with gateway(script, receive_buffer_bytes=4096) as playing:
        subject = session(
            playing.port, inbox, may_place=fence, write_deadline_s=float(PATIENCE_S), send_buffer_bytes=4096
        )
        subject.start()
        inbox.until(SessionOpened)
        started.wait(PATIENCE_S)
        subject.perform(buy(5, order_ref="r" * 300_000))
        while subject.counters.bytes_out < 1_000:  # the handshake has fewer
            resume.wait(0.001)
        fence.is_open = False
        resume.set()
        sent = inbox.until(FrameSent)
        subject.close("done")
        inbox.until(SessionLost)
    assert inbox.of(FrameWithheld) == []
    assert sent.frame == frame(heard[0])
    assert len(fence.asked_on) == 1


def test_when_all_that_waited_was_withheld_the_session_lives_on() -> None:
    """A blockade that ends with a dropped order is over: no write deadline of a frame that is gone."""
    resume = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        resume.wait(PATIENCE_S)
        for _ in range(SUBSCRIPTIONS):
            peer.hear_frame()
        peer.say(peer.wire.next_valid_id(1))
        peer.hear_frame()
        peer.hear_end()

    fence, inbox = Fence(), Inbox()
    with gateway(script, receive_buffer_bytes=4096) as playing:
        subject = session(
            playing.port, inbox, may_place=fence, write_deadline_s=float(PATIENCE_S), send_buffer_bytes=4096
        )
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(SUBSCRIPTIONS):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        subject.perform(buy(5))
        fence.is_open = False
        resume.set()
        inbox.until(FrameWithheld)
        assert subject._transport._outbox.deadline.at_ns is None
        subject.perform(SendCancel(order_id=4))
        inbox.until(FrameSent)
        subject.close("done")
        assert inbox.until(SessionLost).cause is LossCause.ASKED


def test_a_fence_that_fails_lets_nothing_through() -> None:
    """A bug of whoever answers ends the session; the order is counted as unsent."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.hear_end()

    def fails() -> bool:
        raise ZeroDivisionError("ours")

    inbox = Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, may_place=fails)
        subject.start()
        inbox.until(SessionOpened)
        subject.perform(buy(5))
        end = inbox.until(SessionLost)
    assert (end.cause, end.unsent) == (LossCause.CALLBACK, 1)
    assert inbox.of(FrameSent) == []
