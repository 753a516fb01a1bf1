"""A line that is cut, or slow, inside the messages that matter most: the order we send, the fill we are told of."""

from __future__ import annotations

import time

import pytest

from ibkr_adapter.events import (
    ExecutionReported,
    ExecutionsEnd,
    FrameSent,
    LossCause,
    SessionLost,
    SessionOpened,
    ValueTick,
)
from ibkr_adapter.requests import RequestExecutions
from tests.faults.proxy import Proxy
from tests.tws.scripted_gateway import (
    PATIENCE_S,
    VERSIONS,
    Inbox,
    Peer,
    Script,
    buy,
    frame,
    gateway,
    lost,
    session,
    text,
)
from tests.tws.test_captures import CAPTURED

pytestmark = pytest.mark.wire

EXECUTION = next(bytes.fromhex(record["hex"]) for record in CAPTURED[200] if record["msg_id"] == 11)


def placed(port: int, epoch: int) -> tuple[Inbox, SessionLost]:
    """A session that sends an order as soon as it is open, until the line ends it or the order has left."""
    inbox = Inbox()
    subject = session(port, inbox, epoch=epoch)
    subject.start()
    inbox.until(SessionOpened)
    subject.perform(buy())
    while not (inbox.of(FrameSent) or inbox.of(SessionLost)):
        inbox.events += inbox.mailbox.drain(100)
    subject.close("done")
    end = inbox.until(SessionLost)
    assert subject.join(PATIENCE_S)
    return inbox, end


@pytest.mark.fault("A13")
@pytest.mark.parametrize("version", VERSIONS)
def test_an_order_cut_at_any_byte_is_never_completed_on_another_connection(version: int) -> None:
    """Whatever part of it the gateway has, the rest never comes: the next connection says its greeting and no more.

    Where the operating system had taken all of it, it counts as sent; what became of it is asked of the gateway.
    """
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        heard.append(b"")
        peer.open()
        while data := peer.socket.recv(65536):
            heard[-1] += data

    with gateway(script, version) as playing:
        with Proxy(playing.port) as line:
            order = placed(line.port, 1)[0].until(FrameSent).frame
            greeting_bytes = line.outbound.passed - len(order)
        for cut in sorted({1, 2, 3, 4, 5, *range(6, len(order), 9), len(order) - 1}):
            heard.clear()
            with Proxy(playing.port) as line:
                line.outbound.cut_after_bytes = greeting_bytes + cut
                inbox, end = placed(line.port, 10 + cut)
                assert line.outbound.passed == greeting_bytes + cut
            assert len(inbox.of(FrameSent)) + end.unsent <= 1
            assert order.startswith(heard[0])
            assert len(heard[0]) <= cut

            inbox = Inbox()
            subject = session(playing.port, inbox, epoch=500 + cut)
            subject.start()
            inbox.until(SessionOpened)
            subject.close("nothing to say")
            inbox.until(SessionLost)
            assert subject.join(PATIENCE_S)
            assert heard[1:] == [b""]


@pytest.mark.fault("A14")
def test_a_fill_cut_at_any_byte_is_told_once_it_is_asked_for() -> None:
    """Part of a message is no message; the next connection asks for the day's executions and has it, once."""
    filled = frame(EXECUTION)

    def cut_at(cut: int) -> Script:
        def script(peer: Peer) -> None:
            peer.open()
            peer.say(filled[:cut])
            if cut % 2:
                peer.reset()

        return script

    def asked_again(peer: Peer) -> None:
        peer.open()
        peer.hear_frame()
        peer.say(filled + frame(text(200, 55, 1, 7)))
        peer.hear_end()

    for cut in range(len(filled)):
        end, inbox = lost(cut_at(cut), 200)
        assert end.cause in (LossCause.CLOSED, LossCause.RESET)
        assert inbox.of(ExecutionReported) == []
    inbox = Inbox()
    with gateway(asked_again, 200) as playing:
        subject = session(playing.port, inbox, epoch=2)
        subject.start()
        inbox.until(SessionOpened)
        subject.perform(RequestExecutions(req_id=7))
        inbox.until(ExecutionsEnd)
        subject.close("done")
        inbox.until(SessionLost)
    assert [fill.exec_id for fill in inbox.of(ExecutionReported)] == ["0000e0d5.69dd7411.01.01"]


@pytest.mark.fault("A11")
def test_on_a_slow_line_fills_come_in_order_and_no_later_than_the_line_brings_them() -> None:
    """Ticks and fills mixed at a fraction of what was sent: nothing of a fill waits for ticks behind it."""
    ids = [f"0000e0d5.69dd7411.01.{number:02}" for number in range(1, 11)]
    fills = [frame(EXECUTION.replace(b"0000e0d5.69dd7411.01.01", exec_id.encode())) for exec_id in ids]

    def script(peer: Peer) -> None:
        peer.open()
        ticks = b"".join(peer.wire.tick_generic(1, 49, float(step)) for step in range(100))
        for fill in fills:
            peer.say(ticks + fill)
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, 200) as playing, Proxy(playing.port) as line:
        line.inbound.rate_bytes_s = 40_000
        subject = session(line.port, inbox)
        began_s = time.monotonic()
        subject.start()
        inbox.until(ExecutionReported, len(fills))
        took_s = time.monotonic() - began_s
        inbox.until(ValueTick, 100 * len(fills))
        subject.close("done")
        assert inbox.until(SessionLost).cause is LossCause.ASKED
        assert took_s >= line.inbound.passed / 40_000 * 0.9
    assert [fill.exec_id for fill in inbox.of(ExecutionReported)] == ids
    received = [fill.ts_recv_ns for fill in inbox.of(ExecutionReported)]
    assert received == sorted(received)
    assert len(set(received)) == len(fills)
