"""Why the transport is ours: where the official client's own connection loses data or hangs, shown on the real thing.

Each test plays the same bytes to both. Should a release mend one of these, its test fails, and the sentence about it
in the documentation has to go.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ibkr_adapter.events import NextValidId, NoticeReceived, SessionLost, SessionOpened, TextTick
from ibkr_adapter.tws.official import EClient, EWrapper
from tests.tws.scripted_gateway import PATIENCE_S, VERSIONS, Inbox, Peer, Script, gateway, session

pytestmark = pytest.mark.wire

QUIET_S = 1.3
"""The stock reader throws away what it has when nothing more comes for a second."""

NEVER_S = 0.3
"""How long we wait for what does not come; it has come long before where the defect is mended."""


class Stock(EWrapper):
    """The official client as everybody uses it, remembering what it was told."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # partly typed upstream
        self.ids: list[int] = []
        self.texts: list[str] = []
        self.codes: list[int] = []
        self.connected = threading.Event()
        self.noticed = threading.Event()
        self.client: Any = EClient(self)  # type: ignore[no-untyped-call]  # partly typed upstream

    def connectAck(self) -> None:  # noqa: N802 - the official client's names, here and below
        self.connected.set()

    def nextValidId(self, orderId: int) -> None:  # noqa: N802, N803
        self.ids.append(orderId)

    def tickString(self, reqId: int, tickType: int, value: str) -> None:  # noqa: N802, N803
        self.texts.append(value)

    def error(self, reqId: int, errorTime: int, errorCode: int, *_more: str) -> None:  # noqa: N803
        self.codes.append(errorCode)
        self.noticed.set()


@contextmanager
def stock(port: int) -> Iterator[Stock]:
    subject = Stock()

    def live() -> None:
        subject.client.connect("127.0.0.1", port, 1)
        if subject.client.isConnected():
            subject.client.run()

    thread = threading.Thread(target=live, name="stock-client", daemon=True)
    thread.start()
    try:
        yield subject
    finally:
        done.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


done = threading.Event()


@pytest.fixture(autouse=True)
def not_done() -> None:
    done.clear()


def ours(script: Script, version: int, until: type[Any]) -> Inbox:
    done.clear()
    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        inbox.until(until)
        done.set()
        inbox.until(SessionLost)
        assert subject.join(PATIENCE_S)
    return inbox


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stock_client_hangs_on_a_greeting_in_two_segments(version: int) -> None:
    """Defect: a partial greeting is thrown away, and connect() waits for ever. Ours opens."""

    def script(peer: Peer) -> None:
        peer.hear_offer()
        greeting = peer.wire.greeting()
        peer.say(greeting[:9])
        time.sleep(0.3)  # the two halves must not meet in one read; nothing tells us that the first was read
        peer.say(greeting[9:])
        done.wait(PATIENCE_S)

    with gateway(script, version) as playing, stock(playing.port) as subject:
        assert not subject.connected.wait(NEVER_S)
    assert ours(script, version, SessionOpened).of(SessionOpened)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stock_client_loses_what_comes_with_the_greeting(version: int) -> None:
    """Defect: frames in the same read as the greeting are dropped. Ours delivers them."""

    def script(peer: Peer) -> None:
        peer.hear_offer()
        peer.say(peer.wire.greeting() + peer.wire.next_valid_id(5))
        peer.hear_frame()
        peer.say(peer.wire.notice(-1, 2104, "later"))
        done.wait(PATIENCE_S)

    with gateway(script, version) as playing, stock(playing.port) as subject:
        assert subject.noticed.wait(PATIENCE_S)
        assert (subject.ids, subject.codes) == ([], [2104])
    inbox = ours(script, version, NoticeReceived)
    assert [event.order_id for event in inbox.of(NextValidId)] == [5]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stock_client_loses_a_full_page_before_a_pause(version: int) -> None:
    """Defect: a read of exactly 4096 bytes followed by a quiet second is dropped. Ours delivers it."""

    def script(peer: Peer) -> None:
        peer.open()
        empty = len(peer.wire.tick_string(1, 45, "x" * 4000)) - 4000
        page = peer.wire.tick_string(1, 45, "x" * (4096 - empty))
        assert len(page) == 4096
        peer.say(page)
        time.sleep(QUIET_S)  # the quiet second is the fault itself
        peer.say(peer.wire.notice(-1, 2104, "later"))
        done.wait(PATIENCE_S)

    with gateway(script, version) as playing, stock(playing.port) as subject:
        assert subject.noticed.wait(PATIENCE_S)
        assert (subject.texts, subject.codes) == ([], [2104])
    inbox = ours(script, version, NoticeReceived)
    assert len(inbox.of(TextTick)) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stock_client_waits_for_ever_for_a_silent_gateway(version: int) -> None:
    """Defect: connect() has no deadline. Ours ends as SILENT."""

    def script(peer: Peer) -> None:
        peer.hear_offer()
        done.wait(PATIENCE_S)

    with gateway(script, version) as playing, stock(playing.port) as subject:
        assert not subject.connected.wait(NEVER_S)
    done.clear()
    inbox = Inbox()
    with gateway(script, version) as playing:
        silent = session(playing.port, inbox, handshake_deadline_s=0.2)
        silent.start()
        assert inbox.until(SessionLost).cause == "silent"
        done.set()
