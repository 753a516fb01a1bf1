"""What a session knows of its frames that wait, from which pacing learns when a message really left."""

from __future__ import annotations

import threading

import pytest

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.events import FrameSent, SessionOpened
from ibkr_adapter.requests import SendCancel, SubscribeQuotes
from tests.tws.scripted_gateway import PATIENCE_S, SPY, Inbox, Peer, gateway, session

pytestmark = pytest.mark.wire


def test_frames_wait_while_the_peer_does_not_read_and_are_dated_when_they_leave() -> None:
    """None is taken for written that was not: the count falls only with a write that is over by the time told."""
    read_again = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        read_again.wait(PATIENCE_S)
        for _ in range(5_001):
            peer.hear_frame()
        peer.hear_end()

    clock, inbox = SystemClock(), Inbox()
    with gateway(script, receive_buffer_bytes=4096) as playing:
        subject = session(playing.port, inbox, clock=clock, write_deadline_s=float(PATIENCE_S), send_buffer_bytes=4096)
        subject.start()
        inbox.until(SessionOpened)
        for req_id in range(5_000):
            subject.perform(SubscribeQuotes(req_id=req_id, instrument=SPY))
        subject.perform(SendCancel(order_id=7))
        waiting, _ = subject.taken()
        assert waiting > 0
        released_ns = clock.now_ns()

        read_again.set()

        sent = inbox.until(FrameSent)
        unsent, written_ns = subject.taken()
        assert unsent == 0
        assert released_ns <= written_ns <= sent.ts_recv_ns
        subject.close("done")
        assert subject.join(PATIENCE_S)
