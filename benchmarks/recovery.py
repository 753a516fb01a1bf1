"""How soon the service knows that a connection is gone, and how soon it is back.

Over sockets, the simulated gateway in a process of its own, its account with 100 open orders and 1,000 executions, and
50 quotes subscribed:

- *recovery*: the port is open again → READY, after a reset
- *gate*: the gateway resets, closes, or tells 1100 → no order may be sent any more

In virtual time, where seconds are exact and cost nothing:

- *dead peer*: the last byte → gate closed, → session dropped, over a hundred phases of the heartbeat
- *failover*: the last session lost → the standby is tried, with a primary that accepts and never answers
- *rotation day*: the most messages in any second of a day of rotating depth, 100 lines and an hourly reconnect
- *year*: every planned restart of 365 days; pages, and requests sent inside a window

The wall clock of one machine is on both sides of the socket, so moments of the two processes can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))  # the desk in virtual time stands among the tests

from msgspec.structs import replace

from ibkr_adapter.clock import SECOND, SystemClock
from ibkr_adapter.config.resolving import resolve
from ibkr_adapter.core.engine import Engine
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.effects import Open, Outbox
from ibkr_adapter.events import AlertSeverity, GateChanged, LinkChanged, Started
from ibkr_adapter.fanout import Fanout, Overflow
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.journal.recover import recover
from ibkr_adapter.journal.writer import JournalWriter
from ibkr_adapter.notices import shipped
from ibkr_adapter.requests import CancelDepth, RequestCurrentTime, SubscribeDepth, SubscribeQuotes
from ibkr_adapter.shell import Shell
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.session import Endpoint, Session

RESULTS = Path(__file__).parent / "results" / "recovery.json"
OPEN_ORDERS = 100
EXECUTIONS = 1_000
QUOTES = 50
QUIET_S = 0.5
"""After a reconciliation, until its lists have passed: a notice comes behind whatever was written before it."""

TARGETS: dict[str, float] = {
    "recovery p50 s": 2.0,
    "recovery p99 s": 5.0,
    "gate after reset p99 ms": 100.0,
    "gate after close p99 ms": 100.0,
    "gate after 1100 p99 ms": 100.0,
    "dead peer gated max s": 10.0,
    "dead peer dropped max s": 15.0,
    "failover started max s": 22.0,
    "rotation day most in a second": 45,
    "year pages": 0,
    "year sent inside a window": 0,
    "year not ready 60 s after the port": 0,
}
"""None may be above."""


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="reconnects over sockets")
    parser.add_argument("--days", type=int, default=365, help="days of planned restarts")
    given = parser.parse_args()
    figures: dict[str, float] = {}
    for measure in (
        lambda: asyncio.run(over_sockets(given.trials)),
        dead_peer,
        failover,
        rotation_day,
        lambda: year(given.days),
    ):
        found = measure()
        figures |= found
        for name, figure in found.items():
            limit = TARGETS.get(name)
            verdict = "" if limit is None else f"  at most {limit:g}" + ("" if figure <= limit else "  MISSED")
            print(f"{name:36} {figure:10.3f}{verdict}", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if all(figures[name] <= limit for name, limit in TARGETS.items()) else 1


# --- Over sockets -------------------------------------------------------------------------------------------------


async def over_sockets(trials: int) -> dict[str, float]:
    here, there = multiprocessing.Pipe()
    gateway = multiprocessing.get_context("spawn").Process(target=gateway_process, args=(there,), daemon=True)
    gateway.start()
    port, symbols = here.recv()
    with tempfile.TemporaryDirectory() as directory:
        figures = await measured_service(here, port, symbols, Path(directory), trials)
    here.send("stop")
    gateway.join(10)
    return figures


async def measured_service(
    gateway: Connection, port: int, symbols: list[str], directory: Path, trials: int
) -> dict[str, float]:
    service = Service(port, symbols, directory)
    try:
        await service.until("ready")
        recovery = [await reconnect(service, gateway, "reset") for _ in range(trials)]
        figures = spread([each.ready_s for each in recovery], "recovery", "s")
        figures |= spread([each.gate_s * 1_000 for each in recovery], "gate after reset", "ms")
        closed = [await reconnect(service, gateway, "close") for _ in range(max(10, trials // 10))]
        figures |= spread([each.gate_s * 1_000 for each in closed], "gate after close", "ms")
        told = [await outage(service, gateway) for _ in range(max(10, trials // 10))]
        return figures | spread([each * 1_000 for each in told], "gate after 1100", "ms")
    finally:
        await service.stop()


@dataclass(frozen=True)
class Reconnect:
    gate_s: float
    ready_s: float


async def reconnect(service: Service, gateway: Connection, how: str) -> Reconnect:
    """The port stays open: what passes until the next READY is the backoff's first second, and the downloads."""
    service.forget()
    ended_ns = await asked(gateway, how)
    ready_ns = await service.until("ready")
    gated_ns = await service.until_gate(is_open=False)
    await service.until_gate(is_open=True)
    return Reconnect(gate_s=(gated_ns - ended_ns) / SECOND, ready_s=(ready_ns - ended_ns) / SECOND)


async def outage(service: Service, gateway: Connection) -> float:
    await asyncio.sleep(QUIET_S)
    service.forget()
    told_ns = await asked(gateway, "1100")
    gated_ns = await service.until_gate(is_open=False)
    service.forget()
    await asked(gateway, "1102")
    await service.until_gate(is_open=True)
    return (gated_ns - told_ns) / SECOND


async def asked(gateway: Connection, what: str) -> int:
    """When the gateway did it."""

    def exchange() -> int:
        gateway.send(what)
        return int(gateway.recv())

    return await asyncio.to_thread(exchange)


def spread(values: list[float], name: str, unit: str) -> dict[str, float]:
    values = sorted(values)
    return {
        f"{name} p50 {unit}": statistics.median(values),
        f"{name} p99 {unit}": values[min(len(values) - 1, int(len(values) * 0.99))],
        f"{name} max {unit}": values[-1],
    }


class Service:
    """The engine, its shell, journal and sessions, as the service builds them, without stores and page.

    The backoff begins anew with every trial: trials follow each other faster than a minute of READY.
    """

    def __init__(self, port: int, symbols: list[str], directory: Path) -> None:
        document = {
            "environment": "development",
            "trading": {"enabled": True, "limits": {"open_orders": 100_000}},
            "gateways": {"primary": {"port": port, "windows": []}},
            "instruments": [{"symbol": symbol} for symbol in symbols],
        }
        self._config = resolve(document, "benchmark", directory)
        settings = replace(Settings.of(self._config), backoff_max_ns=SECOND)
        clock = SystemClock()
        journal = directory / "journal"
        recovery = recover(journal)
        ledger = Ledger(shipped(), settings.client_id)
        self._engine = Engine(
            settings,
            notices=shipped(),
            rand=random.Random(1).random,
            ledger=ledger,
            last_recv_ns={},
            now_ns=clock.now_ns(),
        )
        mailbox = Mailbox(lambda: self._shell.rouse())
        self._writer = JournalWriter(
            journal,
            recovery,
            boot_id="benchmark",
            on_durable=lambda seq: self._shell.durable(seq),
            on_failure=lambda detail: self._shell.journal_failed(detail),
        )
        self._state_ns: dict[str, int] = {}
        self._gates: list[tuple[int, bool]] = []
        self._told = asyncio.Event()
        append = self._writer.append

        def watched(appends: Any) -> None:
            for each in appends:
                if isinstance(each.event, GateChanged):
                    self._gates.append((each.event.ts_recv_ns, each.event.open))
                    self._told.set()
            append(appends)

        self._writer.append = watched  # type: ignore[method-assign]  # the moment of the decision, before the disk
        fanout = Fanout(on_slow=lambda _: None)
        self._shell = Shell(
            self._engine,
            mailbox=mailbox,
            journal=self._writer,
            open_session=lambda opening: self._session(opening, mailbox, clock),
            fanout=fanout,
            runners=[],
            clock=clock,
            client_id=settings.client_id,
        )
        self._changes = fanout.subscribe("benchmark", (LinkChanged,), overflow=Overflow.FAIL, bound=10_000)
        self._writer.start()
        started = Started(
            ts_recv_ns=clock.now_ns(),
            version="0",
            boot_id="benchmark",
            environment=settings.environment,
            client_id=settings.client_id,
            recovered_seq=0,
        )
        self._tasks = [asyncio.create_task(self._shell.run(started)), asyncio.create_task(self._listen())]

    def _session(self, opening: Open, mailbox: Mailbox, clock: SystemClock) -> Session:
        gateway = self._config.gateways[opening.gateway]
        return Session(
            Endpoint(opening.gateway, gateway.host, gateway.port),
            client_id=self._config.client_id,
            epoch=opening.epoch,
            mailbox=mailbox,
            clock=clock,
            orders=True,
        )

    async def _listen(self) -> None:
        while True:
            for change in await self._changes.batch():
                if isinstance(change, LinkChanged):
                    self._state_ns[change.state] = change.ts_recv_ns
                    self._told.set()

    def forget(self) -> None:
        self._state_ns.clear()
        self._gates.clear()

    async def until(self, state: str) -> int:
        """When the link came to this state, since it was last forgotten."""
        await self._await(lambda: state in self._state_ns)
        return self._state_ns[state]

    async def until_gate(self, *, is_open: bool) -> int:
        await self._await(lambda: any(each[1] is is_open for each in self._gates))
        return next(each[0] for each in self._gates if each[1] is is_open)

    async def _await(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await self._told.wait()
                self._told.clear()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._writer.close(5)


def gateway_process(pipe: Connection) -> None:
    """A gateway with a busy account, told through ``pipe`` what is to go wrong."""
    from tws_simulator.faults.reading import read_action
    from tws_simulator.gateway import Gateway, GatewayThread
    from tws_simulator.world.instruments.universe import everything

    symbols = [listing.symbol for listing in everything() if listing.sec_type == "STK"][:QUOTES]
    thread = GatewayThread(Gateway(seed=1, pacing="off", symbols=symbols, maintain_orders=False))
    thread.start()
    fill_account(thread, symbols)
    pipe.send((thread.port, symbols))
    deeds = {
        "reset": {"do": "reset"},
        "close": {"do": "close"},
        "1100": {"do": "link_lost"},
        "1102": {"do": "link_back", "data": "kept"},
    }
    while (what := pipe.recv()) != "stop":
        action = read_action(deeds[what])

        def deed(gateway: Gateway, action: Any = action) -> int:
            gateway.director.do(action)
            at_ns = time.time_ns()  # the bytes leave from here on
            gateway.server.refresh()
            return at_ns

        pipe.send(thread.call(deed))
    thread.stop()


def fill_account(thread: Any, symbols: list[str]) -> None:
    """Orders of another client, straight into the gateway: the encoders are the official client's."""
    from decimal import Decimal

    from ibkr_adapter.commands import Action, OrderTerms, OrderType
    from ibkr_adapter.requests import SendOrder
    from ibkr_adapter.tws import handshake
    from ibkr_adapter.tws.client import Client
    from tws_simulator.gateway import Gateway

    version = 203
    client = Client(client_id=7, orders=True)
    client.greeted(version, "")
    numbers = iter(range(1, 1_000_000))

    def order(gateway: Gateway, symbol: str, price: str | None) -> bytes:
        number = next(numbers)
        terms = OrderTerms(
            account=gateway.account,
            instrument=Instrument(symbol=symbol),
            action=Action.BUY,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            quantity=Decimal(1),
            limit_price=None if price is None else Decimal(price),
        )
        return client.frame(SendOrder(order_id=number, order_ref=f"fill-{number}", terms=terms))

    def fill(gateway: Gateway) -> None:
        core = gateway.core
        session = core.connect()
        assert session is not None

        def give(data: bytes) -> None:
            core.receive(session, data, gateway.clock(), time.monotonic_ns())
            session.take_output()

        give(handshake.offer(version, ""))
        give(client.start_frame())
        for index in range(OPEN_ORDERS):
            give(order(gateway, symbols[index % len(symbols)], "1.00"))
        for index in range(EXECUTIONS):
            give(order(gateway, symbols[index % len(symbols)], None))
        core.disconnect(session)

    thread.call(fill)
    deadline_s = time.monotonic() + 60
    while thread.call(lambda gateway: len(gateway.ledger.executions)) < EXECUTIONS:
        assert time.monotonic() < deadline_s, "the account was not filled"
        time.sleep(0.1)


# --- In virtual time ----------------------------------------------------------------------------------------------


def dead_peer() -> dict[str, float]:
    """The gateway vanishes at any moment between two probes."""
    from tests.faults.virtual_desk import VirtualDesk
    from tws_simulator.faults.actions.sockets import Vanish

    gated, dropped = [], []
    for phase in range(100):
        desk = VirtualDesk(seed=phase).ready()
        desk.run(20 + phase * 0.05)
        vanished_ns = desk.now_ns
        desk.gateways["primary"].director.do(Vanish())
        desk.run_until(desk.gate, within_s=30)
        gated.append((desk.now_ns - vanished_ns) / SECOND)
        desk.run_until(lambda desk=desk: desk.states[-1].state in ("down", "connecting"), within_s=30)
        dropped.append((desk.now_ns - vanished_ns) / SECOND)
    return {"dead peer gated max s": max(gated), "dead peer dropped max s": max(dropped)}


def failover() -> dict[str, float]:
    """The primary dies, accepts again, and never answers: every attempt costs its whole deadline."""
    from tests.faults.virtual_desk import VirtualDesk
    from tws_simulator.faults.actions.sockets import Reset

    document = {
        "environments": {"development": {"gateway": "primary", "standby": "secondary"}},
        "gateways": {
            "primary": {"port": 4002, "username": "one"},
            "secondary": {"port": 4003, "username": "two"},
        },
    }
    started = []
    for seed in range(100):
        desk = VirtualDesk(seed=seed, document=document).ready()
        primary = desk.gateways["primary"]
        primary.director.play(silent_scenario())
        lost_ns = desk.now_ns
        primary.director.do(Reset())
        desk.run_until(lambda desk=desk: desk.opens[-1][1] == "secondary", within_s=120)
        started.append((desk.opens[-1][0] - lost_ns) / SECOND)
    return {"failover started max s": max(started), "failover started p50 s": statistics.median(started)}


def silent_scenario() -> Any:
    from tws_simulator.faults.library import named

    return named("accepts-and-stays-silent")


def rotation_day() -> dict[str, float]:
    """Two depth lines change every ten seconds, a probe every five, and once an hour everything is asked anew."""
    pacing = Pacing(messages_max=45, messages_reserved=5, burst_max=5)
    depth = [Instrument(symbol=f"D{number}") for number in range(8)]
    quotes = [Instrument(symbol=f"Q{number}") for number in range(100)]
    sent: list[int] = []
    now_ns, end_ns = 0, 86_400 * SECOND
    req_id = 1_000_000_000
    rotated_ns = probed_ns = connected_ns = -(10**18)
    slots: list[int] = []
    turn = 0
    while now_ns < end_ns:
        if now_ns - connected_ns >= 3_600 * SECOND:
            connected_ns = now_ns
            slots.clear()
            for quote in quotes:
                req_id += 1
                pacing.ask(SubscribeQuotes(req_id=req_id, instrument=quote), epoch=1)
        if now_ns - rotated_ns >= 10 * SECOND:
            rotated_ns = now_ns
            for slot in slots:
                pacing.ask(CancelDepth(req_id=slot), epoch=1)
            slots.clear()
            for _ in range(2):
                req_id += 1
                turn += 1
                slots.append(req_id)
                instrument = depth[turn % len(depth)]
                pacing.ask(SubscribeDepth(req_id=req_id, instrument=instrument, rows=10), epoch=1)
        if now_ns - probed_ns >= 5 * SECOND:
            probed_ns = now_ns
            pacing.ask(RequestCurrentTime(), epoch=1)
        out = Outbox()
        pacing.release(now_ns, out, lambda send: True)
        sent += [now_ns] * len(out.sends)
        next_ns = min(rotated_ns + 10 * SECOND, probed_ns + 5 * SECOND)
        now_ns = min(next_ns, out.wake_at_ns) if out.wake_at_ns is not None else next_ns
    from tests.faults.rates import most_in_a_second

    return {"rotation day most in a second": float(most_in_a_second(sent)), "rotation day messages": float(len(sent))}


@dataclass
class Year:
    pages: int = 0
    sent_inside: int = 0
    late: int = 0
    ready_s: list[float] = field(default_factory=list)


def year(days: int) -> dict[str, float]:
    """The restart of each morning, from 04:43 to 05:32 in New York: what was sent, and who was woken."""
    found = Year()
    first = date(2026, 1, 1)
    for number in range(days):
        morning(first + timedelta(days=number), found)
    return {
        "year pages": float(found.pages),
        "year sent inside a window": float(found.sent_inside),
        "year not ready 60 s after the port": float(found.late),
        "year ready after the port max s": max(found.ready_s),
    }


def morning(day: date, found: Year) -> None:
    from ibkr_adapter.requests import SendOrder
    from tests.faults.virtual_desk import VirtualDesk, new_york

    desk = VirtualDesk(
        "daily-restart", start=f"{day} 04:43", tick_s=5.0, options={"maintain_orders": False}, seed=day.toordinal()
    )
    desk.ready()
    start_ns, end_ns = new_york(f"{day} 04:45"), new_york(f"{day} 05:30")
    while desk.now_ns < new_york(f"{day} 05:32"):
        desk.place("SPY", 1)
        desk.run(20)
    port_opens_ns = start_ns + 60 * SECOND
    ready_ns = min(
        change.ts_recv_ns for change in desk.states if change.state == "ready" and change.ts_recv_ns > start_ns
    )
    found.ready_s.append((ready_ns - port_opens_ns) / SECOND)
    found.late += ready_ns > port_opens_ns + 60 * SECOND
    found.pages += sum(alert.severity is AlertSeverity.CRITICAL for alert in desk.raised())
    found.sent_inside += sum(
        isinstance(each.request, SendOrder) and start_ns - 60 * SECOND <= each.at_ns < end_ns for each in desk.sends
    )
    is_sunday = day.weekday() == 6  # the login's window is open until noon
    assert is_sunday or any(isinstance(each.request, SendOrder) for each in desk.sends), "no order was sent at all"


if __name__ == "__main__":
    sys.exit(main())
