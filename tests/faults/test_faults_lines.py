"""A line that is narrow, or cut inside a message: what came through counts, once, and nothing else does."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.clock import MILLISECOND, SECOND
from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.events import (
    BrokerEvent,
    ExecutionReported,
    FrameSent,
    LossCause,
    NextValidId,
    SessionLost,
    SessionOpened,
    ValueTick,
)
from ibkr_adapter.requests import SendOrder
from ibkr_adapter.tws.frames import FrameBuffer
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.session import Endpoint, Session
from tests.faults.memory_transport import MemoryTransport
from tests.faults.virtual_desk import SPY, VirtualClock, VirtualDesk, VirtualGateway, new_york
from tests.tws.scripted_gateway import PATIENCE_S, Inbox, Peer, frame, gateway, session
from tests.tws.test_captures import CAPTURED
from tws_simulator.faults.actions.streams import Cut

EXECUTION = next(bytes.fromhex(record["hex"]) for record in CAPTURED[200] if record["msg_id"] == 11)


# --- Narrow -------------------------------------------------------------------------------------------------------


@pytest.mark.fault("A11")
def test_on_a_narrow_line_a_fill_is_in_the_books_when_its_last_byte_is_here() -> None:
    """A kilobyte a second, and far more than that to tell: nothing of ours is added to what the line takes."""
    desk = VirtualDesk("narrow-line", tick_s=0.05)
    buffer, arrived = FrameBuffer(), list[tuple[int, bytes]]()

    def hear(data: bytes) -> None:
        for at in range(0, len(data), 1_000):
            part = data[at : at + 1_000]
            buffer.space()[: len(part)] = part
            buffer.fill(len(part))
            arrived.extend((desk.now_ns, body) for body in buffer.frames())

    desk.overheard.append(hear)
    desk.ready()
    placed = []
    for _ in range(8):
        placed.append(desk.place(quantity=1))
        desk.run(1)
    desk.run(60)

    fills = [event for event in desk.journal if isinstance(event, ExecutionReported)]
    assert [fill.order_ref for fill in fills] == placed
    for fill in fills:
        here_ns = next(at_ns for at_ns, body in arrived if fill.exec_id.encode() in body)
        assert fill.ts_recv_ns - here_ns <= 100 * MILLISECOND
    line = desk.gateways["primary"].director.rig.pipes[1]
    assert len(line) > 50_000, "the line was wide enough for everything"
    assert fills[-1].ts_recv_ns - fills[0].ts_recv_ns >= 8 * SECOND
    assert len(desk.opens) == 1


@pytest.mark.wire
@pytest.mark.fault("A11")
def test_fills_overtake_a_backlog_of_ticks_of_which_the_last_ones_stay() -> None:
    """Nobody drains while thousands come: the fills are all there, first and in order; of each tick the last value.

    Also of one that came only once, in the beginning.
    """
    steps, fields, room = 3_000, 3, 500
    ids = [f"0000e0d5.69dd7411.01.{number:02}" for number in range(1, 11)]
    fills = [frame(EXECUTION.replace(b"0000e0d5.69dd7411.01.01", exec_id.encode())) for exec_id in ids]

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(peer.wire.tick_generic(1, 49, 1.0))
        for step in range(steps):
            peer.say(b"".join(peer.wire.tick_generic(1, field, float(step)) for field in range(fields)))
            if step % (steps // len(fills)) == 0:
                peer.say(fills[step * len(fills) // steps])

    inbox = Inbox(bulk_max=room)
    with gateway(script, 200) as playing:
        subject = session(playing.port, inbox)
        subject.start()
        assert subject.join(PATIENCE_S)
        told: list[BrokerEvent] = inbox.mailbox.drain(room)

    ticks = [event for event in told if isinstance(event, ValueTick)]
    assert told[-len(ticks) :] == ticks
    assert [event.exec_id for event in told if isinstance(event, ExecutionReported)] == ids
    assert {tick.field: tick.value for tick in ticks} == dict.fromkeys(range(fields), float(steps - 1)) | {49: 1.0}
    assert len(ticks) <= room
    assert sum(inbox.mailbox.take_dropped().values()) + len(ticks) == steps * fields + 1


# --- Cut ----------------------------------------------------------------------------------------------------------


class Caller:
    """One session after the other with one simulated gateway, without sockets and without a service."""

    def __init__(self) -> None:
        self._clock = VirtualClock(new_york("2026-03-03 10:00"))
        self.gateway = VirtualGateway(self._clock.now_ns(), None)
        self._epoch = 0
        self._mailbox = Mailbox(lambda: None)
        self.wire: MemoryTransport
        self.next_id: int

    def call(self) -> Session:
        """A session that was greeted and told its next order id."""
        self._epoch += 1
        subject = Session(
            Endpoint("gw-a", "127.0.0.1", 4002),
            client_id=1,
            epoch=self._epoch,
            mailbox=self._mailbox,
            clock=self._clock,
            orders=True,
            transport=self._transport,
        )
        subject.start()
        told = self.told()
        assert isinstance(told[0], SessionOpened)
        self.next_id = next(event.order_id for event in told if isinstance(event, NextValidId))
        return subject

    def buy(self) -> SendOrder:
        terms = OrderTerms(
            instrument=SPY,
            action="BUY",
            order_type="LMT",
            quantity=Decimal(1),
            limit_price=Decimal("10.5"),
            account=self.gateway.core.state.world.first_account,
        )
        return SendOrder(order_id=self.next_id, order_ref="key", terms=terms)

    def told(self) -> list[BrokerEvent]:
        for _ in range(3):
            self.wire.pump()
        return self._mailbox.drain(1_000)

    def _transport(self, **given: object) -> MemoryTransport:
        self.wire = MemoryTransport(self.gateway.core, **given)  # type: ignore[arg-type]  # as a session gives them
        return self.wire


@pytest.mark.fault("A13")
def test_an_order_cut_at_every_single_byte_is_no_order() -> None:
    """The gateway has it when it has all of it; the next session says its greeting and not a byte more."""
    caller = Caller()
    subject = caller.call()
    greeting_bytes = caller.wire.passed_bytes
    subject.perform(caller.buy())
    length = next(len(event.frame) for event in caller.told() if isinstance(event, FrameSent))
    subject.close("done")
    caller.told()
    before = len(caller.gateway.placements)
    assert before == 1

    for cut in range(length + 1):
        subject = caller.call()
        assert caller.wire.passed_bytes == greeting_bytes
        assert len(caller.gateway.placements) == before
        caller.wire.cut_after_bytes = greeting_bytes + cut
        subject.perform(caller.buy())
        assert [event.cause for event in caller.told() if isinstance(event, SessionLost)] == [LossCause.RESET]
    assert len(caller.gateway.placements) == before + 1


@pytest.mark.fault("A13")
@pytest.mark.parametrize("cut", [0, 1, 3, 4, 5, 40, -1, None])
def test_an_order_cut_in_the_middle_is_in_doubt_and_then_known(cut: int | None) -> None:
    """Unknown with the reset; asked of the gateway, it exists or it does not, and it was sent once. ``None``: whole."""
    desk = VirtualDesk().ready()
    length = len(next(event.frame for event in heard_whole(VirtualDesk()) if isinstance(event, FrameSent)))
    desk.wire.cut_after_bytes = desk.wire.passed_bytes + (length if cut is None else cut % length)
    key = desk.place()

    order = desk.engine.ledger.orders.of(key)
    assert order is not None
    assert order.state == "in_doubt"
    assert desk.gate()
    desk.run(30)
    assert order.state == ("not_found" if cut is not None else "filled")
    assert len(desk.gateways["primary"].placements) == (cut is None)
    assert len(desk.sent(SendOrder)) == 1
    assert desk.gate() == []


def heard_whole(desk: VirtualDesk) -> list[BrokerEvent]:
    """What a session said around an order on a good line."""
    told: list[BrokerEvent] = []
    desk.ready().heard.append(lambda events: told.extend(event for event in events if isinstance(event, BrokerEvent)))
    desk.place()
    return told


@pytest.mark.fault("A14")
@pytest.mark.parametrize("at", [0, 1, 3, 4, 5, 30, 60, 100])
def test_a_fill_cut_in_the_middle_is_in_the_books_once_five_seconds_later(at: int) -> None:
    """Half a message is none: the next session asks for the day's executions and has it."""
    desk = VirtualDesk().ready()
    desk.gateways["primary"].director.do(Cut(names=("execDetails",), where={"reqId": -1}, at=at))
    key = desk.place()
    assert not fills_of(desk, key)
    desk.run_until(lambda: len(desk.opens) == 2, within_s=5)

    assert desk.run_until(lambda: fills_of(desk, key), within_s=5) <= 5
    desk.run(60)
    assert len(fills_of(desk, key)) == 1
    order = desk.engine.ledger.orders.of(key)
    assert order is not None
    assert order.filled == 10
    assert len(desk.opens) == 2


def fills_of(desk: VirtualDesk, key: str) -> list[ExecutionReported]:
    return [event for event in desk.journal if isinstance(event, ExecutionReported) and event.order_ref == key]
