"""What real gateways sent passes through a real session, and what we know of it becomes the right events."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from ibkr_adapter import events
from ibkr_adapter.events import BrokerEvent, BrokerTime, SessionLost, SessionOpened
from ibkr_adapter.tws.official import PACKAGE
from tests.tws.scripted_gateway import Inbox, Peer, Wire, frame, gateway, session

pytestmark = pytest.mark.wire

CAPTURES = Path(__file__).parents[1] / "data" / "wire"

KNOWN: dict[int, type[BrokerEvent]] = {
    2: events.SizeTick,
    3: events.OrderStatusReported,
    4: events.NoticeReceived,
    5: events.OpenOrderReported,
    9: events.NextValidId,
    10: events.ContractDescribed,
    11: events.ExecutionReported,
    15: events.ManagedAccounts,
    45: events.ValueTick,
    46: events.TextTick,
    49: events.BrokerTime,
    52: events.ContractsEnd,
    53: events.OpenOrdersEnd,
    55: events.ExecutionsEnd,
    58: events.DataTypeReported,
    59: events.CommissionReported,
    61: events.PositionReported,
    62: events.PositionsEnd,
    63: events.AccountValue,
    64: events.AccountSummaryEnd,
    81: events.TickParameters,
    101: events.CompletedOrderReported,
    102: events.CompletedOrdersEnd,
}
"""One event for each message; a price (1) has besides its own the size that came with it."""


def captured() -> dict[int, list[dict[str, Any]]]:
    """Inbound records by the server version they are played at."""
    records: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(CAPTURES.rglob("*.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            if record["direction"] == "in" and record["encoding"] != "handshake":
                version = record["server_version"] or record["server_version_range"][1]
                if version <= PACKAGE.server_version_max:
                    records[version].append(record)
    return records


CAPTURED = captured()


def played(version: int, bodies: list[bytes]) -> list[BrokerEvent]:
    """What a session says about these frames; a last question and answer mark the end."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.say(b"".join(frame(body) for body in bodies) + Wire(version).current_time(4_000_000_000))
        peer.hear_end()

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox, server_version_min=100)
        subject.start()
        while not any(time.time_ns == 4_000_000_000 * 10**9 for time in inbox.of(BrokerTime)):
            inbox.until(BrokerTime, len(inbox.of(BrokerTime)) + 1)
        subject.close("done")
        inbox.until(SessionLost)
    assert subject.counters.frames_unknown == 0
    assert subject.counters.frames_malformed == 0
    ends = (SessionOpened, SessionLost)
    return [
        event
        for event in inbox.events
        if not isinstance(event, ends)
        and not (isinstance(event, BrokerTime) and event.time_ns == 4_000_000_000 * 10**9)
    ]


@pytest.mark.parametrize("version", sorted(CAPTURED))
def test_captured_frames_become_their_events(version: int) -> None:
    """Every captured frame of a family we know becomes its event, no frame does harm."""
    records = CAPTURED[version]
    said = played(version, [bytes.fromhex(record["hex"]) for record in records])
    expected: dict[type[BrokerEvent], int] = defaultdict(int)
    for record in records:
        kind = KNOWN.get(record["msg_id"])
        if kind is not None:
            expected[kind] += 1
    for kind, count in expected.items():
        got = [event for event in said if type(event) is kind]
        if kind is events.SizeTick:
            assert len(got) >= count
        else:
            assert len(got) == count, kind
    prices = sum(record["msg_id"] == 1 for record in records)
    assert sum(isinstance(event, events.PriceTick) for event in said) == prices


@pytest.mark.parametrize("version", sorted(CAPTURED))
def test_captured_frames_say_the_same_in_single_bytes(version: int) -> None:
    """The largest real frames, cut into the smallest segments, mean what they meant whole."""
    bodies = [bytes.fromhex(record["hex"]) for record in CAPTURED[version]]

    def script(peer: Peer) -> None:
        peer.open()
        peer.say_bytewise(b"".join(map(frame, bodies))[:20_000])

    inbox = Inbox()
    with gateway(script, version) as playing:
        subject = session(playing.port, inbox, server_version_min=100, batch_window_us=0)
        subject.start()
        assert inbox.until(SessionLost).cause is events.LossCause.CLOSED
    assert subject.counters.frames_malformed == 0


@pytest.mark.skipif(PACKAGE.server_version_max < 225, reason="this release cannot negotiate 225")
def test_an_order_captured_at_225_reads_as_it_was_placed() -> None:
    """The echo of a real limit order, value by value."""
    echo = next(
        bytes.fromhex(record["hex"])
        for record in CAPTURED[225]
        if record["msg_id"] == 5 and b"IOC" in bytes.fromhex(record["hex"])
    )
    (order,) = played(225, [echo])
    assert isinstance(order, events.OpenOrderReported)
    assert (order.action, order.order_type, order.tif, order.instrument.symbol) == ("BUY", "LMT", "IOC", "AAPL")
    assert (order.quantity, order.instrument.con_id) == (1, 265598)
    assert order.limit_price is not None
    assert order.status in ("PreSubmitted", "Submitted", "Cancelled")


def test_an_opening_commission_has_no_profit() -> None:
    """1.7976931348623157E308 is how text says that nothing was realised."""
    (report,) = played(200, [b"59\x001\x000001.01\x001.0003\x00USD\x001.7976931348623157E308\x00\x00\x00"])
    assert isinstance(report, events.CommissionReported)
    assert report.realized_pnl is None
    assert str(report.commission) == "1.0003"


@pytest.mark.skipif(PACKAGE.server_version_max < 213, reason="this release is never offered protobuf")
def test_an_opening_commission_in_protobuf_has_no_profit_either() -> None:
    """The official decoder makes 0.0 of the absent field; breaking even is something else."""
    from tests.tws.scripted_gateway import protobuf

    opening = protobuf(59, (1, "0001.01"), (2, 1.0003), (3, "USD"))
    closing = protobuf(59, (1, "0002.01"), (2, 1.0), (3, "USD"), (4, 0.0))
    first, second = played(213, [opening, closing])
    assert isinstance(first, events.CommissionReported)
    assert isinstance(second, events.CommissionReported)
    assert (first.realized_pnl, second.realized_pnl) == (None, 0.0)
