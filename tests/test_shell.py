"""The shell performs what the core decided, in an order that matters, and survives what it performs."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import structlog

from ibkr_adapter.clock import MILLISECOND, SECOND, SystemClock
from ibkr_adapter.commands import StartStreams, StopStreams
from ibkr_adapter.core.engine import Engine
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.effects import Append, Open
from ibkr_adapter.errors import InvalidRequest, LeaseLapsed
from ibkr_adapter.events import (
    BrokerEvent,
    CompletedOrdersEnd,
    ContractDescribed,
    DataTypeReported,
    ExecutionsEnd,
    FrameSent,
    LossCause,
    ManagedAccounts,
    NextValidId,
    NoticeReceived,
    OpenOrdersEnd,
    OrderIntended,
    PositionsEnd,
    PriceTick,
    SessionLost,
    SessionOpened,
    Started,
)
from ibkr_adapter.fanout import Fanout
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.notices import shipped
from ibkr_adapter.ops import logging as structured
from ibkr_adapter.requests import (
    Request,
    RequestAllOpenOrders,
    RequestCompletedOrders,
    RequestContractDetails,
    RequestExecutions,
    RequestPositions,
    SendOrder,
    SubscribeQuotes,
)
from ibkr_adapter.shell import Shell
from tests.core.world import place, settings
from tests.records import echoed, execution


class MovedClock(SystemClock):
    """A clock of a machine whose own clock an operator may move."""

    moved_ns = 0

    def wall_step_ns(self) -> int:
        return self.moved_ns


class Gateway:
    """A gateway, its session, the mailbox and the disk in one; ``story`` is what was done to them, in order."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.letters: list[BrokerEvent] = []
        self.clock = MovedClock()
        self.epoch = 0
        self.disk_works = True
        self.disk_waits_for_the_end = False
        self.unsafe_seq = 0
        self.unopened: Exception | None = None
        self.unsent = 0
        self.unencodable: type[Request] | None = None
        self.shell: Shell

    # The session.

    def opened(self, opening: Open) -> Gateway:
        self.epoch = opening.epoch
        if self.unopened is not None:
            error, self.unopened = self.unopened, None
            raise error
        self.story.append("open")
        return self

    def start(self) -> None:
        self.say(SessionOpened, gateway="a", client_id=1, server_version=203, connection_time="")
        self.say(NextValidId, order_id=1)
        self.say(ManagedAccounts, accounts=("DU1",))

    def perform(self, request: Request) -> None:
        if self.unencodable is not None and isinstance(request, self.unencodable):
            raise InvalidRequest("symbol", "not printable ASCII")
        self.story.append(type(request).__name__)
        match request:
            case RequestAllOpenOrders():
                self.say(OpenOrdersEnd)
            case RequestCompletedOrders():
                self.say(CompletedOrdersEnd)
            case RequestExecutions():
                self.say(ExecutionsEnd, req_id=request.req_id)
            case RequestPositions():
                self.say(PositionsEnd)
            case RequestContractDetails():
                self.say(ContractDescribed, req_id=request.req_id, instrument=request.instrument, **DETAILS)
            case SubscribeQuotes():
                self.say(DataTypeReported, req_id=request.req_id, data_type=1)
                self.say(PriceTick, req_id=request.req_id, field=1, price=500.0)
                self.say(PriceTick, req_id=request.req_id, field=2, price=500.1)

    def close(self, reason: str) -> None:
        self.story.append("close")
        self.say(SessionLost, gateway="a", client_id=1, cause=LossCause.ASKED, detail=reason)

    def taken(self) -> tuple[int, int]:
        return self.unsent, 0

    def counts(self) -> dict[str, int]:
        return {"frames_out": len(self.story)}

    def join(self, timeout_s: float) -> bool:
        if self.disk_waits_for_the_end and timeout_s:
            self.shell.durable(self.unsafe_seq)
        return True

    # The mailbox.

    def say(self, kind: type[BrokerEvent], **fields: Any) -> None:
        self.letters.append(kind(ts_recv_ns=self.clock.now_ns(), epoch=self.epoch, **fields))
        self.shell.rouse()

    def hear(self, event: BrokerEvent) -> None:
        """One event as it is, but now and of this session."""
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        self.say(type(event), **{k: v for k, v in fields.items() if k not in ("ts_recv_ns", "epoch")})

    def drain(self, max_bulk: int) -> list[BrokerEvent]:
        drained, self.letters = self.letters, []
        return drained

    def take_dropped(self) -> dict[int, int]:
        return {}

    # The disk.

    def append(self, appends: Sequence[Append]) -> None:
        self.story += [f"append {type(append.event).__name__}" for append in appends]
        self.unsafe_seq = appends[-1].seq
        if self.disk_waits_for_the_end:
            return
        if self.disk_works:
            self.shell.durable(appends[-1].seq)
        else:
            self.shell.journal_failed("no space left on device")


DETAILS = {
    "local_symbol": "SPY",
    "trading_class": "SPY",
    "long_name": "",
    "min_tick": None,
    "multiplier": "",
    "valid_exchanges": (),
    "market_rule_ids": (),
    "order_types": (),
    "time_zone": "",
    "trading_hours": "",
    "liquid_hours": "",
    "stock_type": "",
}


@pytest.fixture
def logged() -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """The lines of an event, as a program reads them from the log."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structured.configure("info", stream=stream, pretty=False)
    yield lambda event: [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def turns_until(condition: Callable[[], bool]) -> None:
    """Let the loop turn, as often as it takes; no time passes."""
    while not condition():  # noqa: ASYNC110 - a turn of the loop is what is waited for
        await asyncio.sleep(0)


@asynccontextmanager
async def served(gateway: Gateway, **changes: Any) -> AsyncIterator[Shell]:
    """A shell that runs against the gateway, once an order may be placed."""
    choices = settings(instruments=(Instrument(symbol="SPY", primary_exchange="ARCA"),), **changes)
    engine = Engine(
        choices,
        notices=shipped(),
        rand=lambda: 0.5,
        ledger=Ledger(shipped(), 1),
        last_recv_ns={},
        now_ns=gateway.clock.now_ns(),
    )
    shell = gateway.shell = Shell(
        engine,
        mailbox=gateway,
        journal=gateway,
        open_session=gateway.opened,
        fanout=Fanout(),
        runners=(),
        clock=gateway.clock,
        client_id=1,
    )
    started = Started(
        ts_recv_ns=gateway.clock.now_ns(),
        version="0",
        boot_id="b",
        environment="development",
        client_id=1,
        recovered_seq=0,
    )
    running = asyncio.create_task(shell.run(started))
    await turns_until(lambda: shell.snapshot().gate.open and bool(shell.snapshot().quotes))
    yield shell
    running.cancel()
    await asyncio.wait({running})


async def test_an_intent_is_on_its_way_to_the_disk_before_its_frame_is_encoded() -> None:
    """The order of the outbox: records first, and the send only after the disk has answered."""
    gateway = Gateway()
    async with served(gateway) as shell:
        outcome = await shell.submit(place(now_ns=gateway.clock.now_ns()))
    assert outcome.accepted
    story = [step for step in gateway.story if step in ("append OrderIntended", "SendOrder")]
    assert story == [f"append {OrderIntended.__name__}", SendOrder.__name__]


async def test_an_order_that_cannot_be_encoded_is_refused_and_not_forgotten() -> None:
    """The official encoder's refusal becomes the order's, since nothing of it reached the socket."""
    gateway = Gateway()
    gateway.unencodable = SendOrder
    async with served(gateway) as shell:
        await shell.submit(place(now_ns=gateway.clock.now_ns()))
        await turns_until(lambda: shell.snapshot().orders[0].state != "intended")
        order = shell.snapshot().orders[0]
    assert order.state == "refused"
    assert "not printable ASCII" in order.detail


async def test_a_failed_disk_refuses_the_order_and_closes_the_gate() -> None:
    """What is not durable is not sent; the gate stays closed for the life of the process."""
    gateway = Gateway()
    async with served(gateway) as shell:
        gateway.disk_works = False
        outcome = await shell.submit(place(now_ns=gateway.clock.now_ns()))
        gate = shell.snapshot().gate
    assert not outcome.accepted
    assert [reason.code for reason in gate.reasons] == ["journal"]
    assert "SendOrder" not in gateway.story


async def test_what_a_blocked_socket_holds_is_not_forgotten_after_a_second() -> None:
    """Each turn the session says what it has not written: that may leave at any moment, and counts until it has."""
    gateway = Gateway()
    gateway.unsent = 1_000
    async with served(gateway) as shell:
        sent = shell.snapshot().rate.last_second - 1  # but for the greeting, which was written
        over_ns = gateway.clock.now_ns() + SECOND + SECOND // 10

        def later() -> bool:
            gateway.shell.rouse()
            return gateway.clock.now_ns() >= over_ns and shell.snapshot().rate.last_second >= sent

        await turns_until(later)
    assert sent > 0


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), LeaseLapsed("not held at this moment")])
async def test_what_cannot_be_opened_now_is_a_refused_connection_and_not_the_end(error: Exception) -> None:
    """A machine without descriptors, or a lease that ran out: lost like any other, and tried again."""
    gateway = Gateway()
    gateway.unopened = error
    async with served(gateway, backoff_first_ns=1):
        pass
    assert gateway.story.count("append SessionLost") == 2
    assert gateway.story.count("append SessionOpened") == 1


async def test_leaving_closes_the_session_and_records_it() -> None:
    """The end is in the journal: the session's loss, then the stop."""
    gateway = Gateway()
    async with served(gateway):
        pass
    assert "close" in gateway.story
    last = [step for step in gateway.story if step.startswith("append")][-3:]
    assert last[-1] == "append Stopped"
    assert "append SessionLost" in last


async def test_what_the_last_turn_decides_is_answered() -> None:
    """The disk answers when the session is closed already: the order was never sent, and whoever asked is told so."""
    gateway = Gateway()
    async with served(gateway) as shell:
        gateway.disk_waits_for_the_end = True
        asked = asyncio.create_task(shell.submit(place(now_ns=gateway.clock.now_ns())))
        await turns_until(lambda: f"append {OrderIntended.__name__}" in gateway.story)
    outcome = await asked
    assert not outcome.accepted
    assert "SendOrder" not in gateway.story


async def test_the_last_turn_opens_no_session() -> None:
    """Our session ends at the stop, and the core would like another; nothing is begun any more."""
    gateway = Gateway()
    async with served(gateway, backoff_first_ns=0):
        pass
    assert gateway.story.count("open") == 1


@pytest.mark.fault("F09")
async def test_a_wall_clock_that_stepped_is_one_warning(logged: Callable[[str], list[dict[str, Any]]]) -> None:
    """Our own time goes on evenly; other machines' times no longer fit to it, and somebody should know."""
    gateway = Gateway()
    async with served(gateway, probe_every_ns=MILLISECOND):
        gateway.clock.moved_ns = -3_600 * SECOND
        seen = gateway.story.count("RequestCurrentTime")
        await turns_until(lambda: gateway.story.count("RequestCurrentTime") > seen + 3)
        assert "clock" in [reason.code for reason in gateway.shell.snapshot().gate.reasons]
    assert [(line["level"], line["step_s"]) for line in logged("wall_clock_stepped")] == [("warning", -3600.0)]


async def test_the_traffic_of_sessions_is_in_the_picture() -> None:
    """What the network threads counted, of sessions that are over too, so that metrics can show it."""
    gateway = Gateway()
    async with served(gateway, backoff_first_ns=1) as shell:
        before = shell.snapshot().counters["frames_out"]
        gateway.say(SessionLost, gateway="a", client_id=1, cause=LossCause.RESET)
        await turns_until(lambda: gateway.epoch == 2 and shell.snapshot().link.state == "ready")
        assert shell.snapshot().counters["frames_out"] > before > 0


async def test_the_log_follows_an_order_by_its_names(logged: Callable[[str], list[dict[str, Any]]]) -> None:
    """Intended, sent, working, filled: a line each, with our key, the broker's number, client id and symbol."""
    gateway = Gateway()
    async with served(gateway) as shell:
        outcome = await shell.submit(place(now_ns=gateway.clock.now_ns()))
        gateway.say(FrameSent, order_id=outcome.order_id, cancel=False, frame=b"")
        gateway.hear(echoed("k1", outcome.order_id))
        gateway.hear(execution(order_id=outcome.order_id, order_ref="k1", quantity=40))
        gateway.hear(execution("0000e0d5.6.02.01", 60, order_id=outcome.order_id, order_ref="k1"))
        await turns_until(lambda: bool(logged("order_filled")))
    names = {"order_key": "k1", "order_id": outcome.order_id, "clientId": 1, "symbol": "SPY", "level": "info"}
    for event in ("order_intended", "order_sent", "order_filled"):
        (line,) = logged(event)
        assert {name: line[name] for name in names} == names
    assert [line["filled"] for line in logged("order_working")] == ["0", "40"]


async def test_a_refusal_is_a_warning_with_its_reasons(logged: Callable[[str], list[dict[str, Any]]]) -> None:
    """Nothing was sent, so there is no number; key, symbol and reasons there are."""
    gateway = Gateway()
    async with served(gateway) as shell:
        await shell.submit(place(now_ns=gateway.clock.now_ns(), quantity=Decimal(5_000)))
        await turns_until(lambda: bool(logged("order_refused")))
    (line,) = logged("order_refused")
    assert (line["level"], line["order_key"], line["order_id"], line["symbol"]) == ("warning", "k1", None, "SPY")
    assert "limit_quantity" in line["reasons"]


async def test_an_order_whose_outcome_is_unknown_is_a_warning(logged: Callable[[str], list[dict[str, Any]]]) -> None:
    """Sent, then the session was lost: somebody has to look."""
    gateway = Gateway()
    async with served(gateway) as shell:
        outcome = await shell.submit(place(now_ns=gateway.clock.now_ns()))
        gateway.say(FrameSent, order_id=outcome.order_id, cancel=False, frame=b"")
        gateway.say(SessionLost, gateway="a", client_id=1, cause=LossCause.RESET)
        await turns_until(lambda: bool(logged("order_in_doubt")))
    assert [(line["level"], line["symbol"]) for line in logged("order_in_doubt")] == [("warning", "SPY")]


async def test_a_notice_names_the_instrument_it_concerns(logged: Callable[[str], list[dict[str, Any]]]) -> None:
    """Of the request or the order whose number comes with it; our client id and the code beside it."""
    gateway = Gateway()
    async with served(gateway) as shell:
        stream = shell.snapshot().streams[0].req_id
        gateway.say(NoticeReceived, req_id=stream, code=10167, text="displaying delayed market data")
        gateway.say(NoticeReceived, req_id=-1, code=2104, text="Market data farm connection is OK:usfarm")
        await turns_until(lambda: len(logged("notice")) == 2)
    about_stream, about_farm = logged("notice")
    assert (about_stream["reqId"], about_stream["clientId"], about_stream["symbol"]) == (stream, 1, "SPY")
    assert about_stream["errorCode"] == 10167
    assert "symbol" not in about_farm


async def test_a_disconnect_is_a_warning_unless_we_leave(logged: Callable[[str], list[dict[str, Any]]]) -> None:
    """What ends a session besides our own stop is worth a look."""
    gateway = Gateway()
    async with served(gateway, backoff_first_ns=1) as shell:
        gateway.say(SessionLost, gateway="a", client_id=1, cause=LossCause.RESET)
        await turns_until(lambda: gateway.epoch == 2 and shell.snapshot().link.state == "ready")
    assert [(line["level"], line["cause"]) for line in logged("disconnected")] == [
        ("warning", "reset"),
        ("info", "asked"),
    ]


async def test_what_was_not_cancelled_in_time_is_logged_with_its_number(
    logged: Callable[[str], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop does not wait for the rate limit beyond its deadline, and says how many cancels it did not send."""
    monkeypatch.setattr("ibkr_adapter.shell.LEAVE_S_MAX", 0.0)
    gateway = Gateway()
    async with served(gateway, messages_max=11):
        gateway.unsent = 1_000  # the socket takes nothing any more
    (line,) = logged("subscriptions_not_cancelled")
    assert line["count"] >= 1
    assert gateway.story.count("close") == 1


async def test_who_switches_market_data_is_logged(logged: Callable[[str], list[dict[str, Any]]]) -> None:
    """Once each way, with the actor."""
    gateway = Gateway()
    async with served(gateway) as shell:
        now_ns = gateway.clock.now_ns()
        await shell.submit(StopStreams(command_id="s1", actor="cli:ann", ts_recv_ns=now_ns))
        await turns_until(lambda: bool(logged("streams_stopped")))
        await shell.submit(StartStreams(command_id="s2", actor="cli:bob", ts_recv_ns=now_ns))
        await turns_until(lambda: bool(logged("streams_started")))
    assert [line["actor"] for line in logged("streams_stopped") + logged("streams_started")] == ["cli:ann", "cli:bob"]
