"""A service that is not there: a lively picture behind the real page, for tests and for looking at it.

Run ``python tests/console/fake_service.py --port 8123 [--scene night|live|simulated]`` and open the page.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from decimal import Decimal

import uvicorn
from msgspec.structs import replace

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.commands import Command, CommandOutcome, PlaceOrder, Reason
from ibkr_adapter.config import DEFAULT_SYMBOLS, PRIMARY_EXCHANGES, Config
from ibkr_adapter.config.reading import parse
from ibkr_adapter.console import build
from ibkr_adapter.events import FeedEvent, Gap, GapCause, PositionReported, Quote, QuotesProven, Source
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.snapshot import (
    AccountView,
    AlertView,
    ExecutionView,
    FarmView,
    GateView,
    HeldView,
    LaneView,
    LeaseView,
    LinkView,
    NoticeView,
    OrderView,
    OrphanView,
    PreflightView,
    QuotaView,
    RateView,
    SinkView,
    Snapshot,
    StreamView,
    WindowView,
)

START_NS = 1_764_000_000 * SECOND
PRICES = dict(zip(DEFAULT_SYMBOLS, (662.1, 604.3, 238.5, 271.4, 478.2, 318.6, 226.9, 181.3, 594.7, 402.2), strict=True))


def instrument(symbol: str) -> Instrument:
    return Instrument(symbol=symbol, primary_exchange=PRIMARY_EXCHANGES[symbol])


def quote(symbol: str, price: float, now_ns: int, source: Source = Source.LIVE, spread: float = 0.02) -> Quote:
    """Equal arguments give equal quotes."""
    chance = random.Random(f"{symbol} {now_ns}")
    return Quote(
        ts_recv_ns=now_ns,
        ts_event_ns=now_ns - 30_000_000,
        instrument=symbol,
        bid=round(price - spread / 2, 2),
        ask=round(price + spread / 2, 2),
        last=round(price, 2),
        bid_size=Decimal(chance.randrange(1, 24) * 100),
        ask_size=Decimal(chance.randrange(1, 24) * 100),
        last_size=Decimal(chance.choice((1, 5, 20, 100, 100, 300))),
        close=PRICES[symbol],
        source=source,
    )


def order(key: str, now_ns: int, **changes: object) -> OrderView:
    view = OrderView(
        order_key=key,
        order_id=12,
        client_id=1,
        perm_ids=(771_204_113,),
        account="DU4821973",
        instrument="SPY",
        action="BUY",
        order_type="LMT",
        quantity=Decimal(100),
        limit_price=Decimal("661.85"),
        tif="DAY",
        state="working",
        filled=Decimal(0),
        remaining=Decimal(100),
        average_price=None,
        commission=None,
        detail="",
        created_ns=now_ns - 40 * SECOND,
        updated_ns=now_ns,
    )
    return replace(view, **changes)


def snapshot(now_ns: int = START_NS, prices: dict[str, float] | None = None) -> Snapshot:
    """A quiet day in a paper account: ready, gate open, two positions, a few orders."""
    prices = prices or PRICES
    fill = ExecutionView(
        exec_id="0000e0d5.6743.01.01",
        order_key="k2",
        account="DU4821973",
        instrument="QQQ",
        side="BOT",
        quantity=Decimal(150),
        price=603.92,
        exchange="NASDAQ",
        commission=Decimal("1.00"),
        realized_pnl=None,
        ts_event_ns=now_ns - 9 * MINUTE,
        ts_recv_ns=now_ns - 9 * MINUTE,
    )
    return Snapshot(
        taken_ns=now_ns,
        environment="development",
        component="ibkr_adapter",
        account_kind="paper",
        version="0.1.0",
        link=LinkView(
            state="ready",
            gateway="primary",
            address="127.0.0.1:7497",
            epoch=3,
            client_id=1,
            since_ns=now_ns - 192 * MINUTE,
            server_version=203,
            last_inbound_ns=now_ns - SECOND // 4,
        ),
        upstream="connected",
        farms=tuple(
            FarmView(name=name, kind=kind, state=state, since_ns=now_ns - 60 * MINUTE)
            for name, kind, state in (
                ("usfarm", "market", "ok"),
                ("usfarm.nj", "market", "ok"),
                ("ushmds", "history", "dormant"),
                ("secdefnj", "definitions", "ok"),
            )
        ),
        gate=GateView(open=True),
        window=WindowView(
            name="nightly_reset",
            kind="broker",
            from_ns=now_ns + 197 * MINUTE,
            until_ns=now_ns + 287 * MINUTE,
            in_force=False,
            gate_closes_ns=now_ns + 196 * MINUTE,
        ),
        rate=RateView(last_second=7, limit=45, waiting=0, reserved=5),
        preflight=PreflightView(maintains_orders="ok", detail="the gateway does not maintain and resubmit orders"),
        quotas=(
            QuotaView(name="lines", used=10, limit=100),
            QuotaView(name="depth", used=0, limit=3),
            QuotaView(name="tick-by-tick", used=0, limit=5),
        ),
        summary_owner="ibkr_adapter",
        quotes={symbol: quote(symbol, price, now_ns) for symbol, price in prices.items()},
        streams=tuple(
            StreamView(
                stream=f"quote:{symbol}",
                instrument=symbol,
                req_id=1_000_000_000 + index,
                state="live",
                detail="",
                last_recv_ns=now_ns - 2 * SECOND,
                events=1000 + index,
                gaps=1,
            )
            for index, symbol in enumerate(DEFAULT_SYMBOLS)
        ),
        accounts=(
            AccountView(
                account="DU4821973",
                kind="paper",
                as_of_ns=now_ns - 71 * SECOND,
                values={
                    "AccountType": ("INDIVIDUAL", ""),
                    "NetLiquidation": ("1004318.22", "USD"),
                    "TotalCashValue": ("780114.90", "USD"),
                    "GrossPositionValue": ("224203.32", "USD"),
                    "BuyingPower": ("3780114.90", "USD"),
                    "AvailableFunds": ("945000.10", "USD"),
                    "ExcessLiquidity": ("951212.44", "USD"),
                    "InitMarginReq": ("59318.12", "USD"),
                    "MaintMarginReq": ("53105.78", "USD"),
                },
            ),
        ),
        positions=tuple(
            PositionReported(
                ts_recv_ns=now_ns,
                epoch=3,
                account="DU4821973",
                instrument=instrument(symbol),
                quantity=Decimal(quantity),
                average_cost=cost,
            )
            for symbol, quantity, cost in (("QQQ", 150, 603.93), ("NVDA", -200, 182.41), ("MSFT", 40, 471.2))
        ),
        orders=(
            order("k1", now_ns),
            order(
                "k2",
                now_ns,
                order_id=11,
                instrument="QQQ",
                quantity=Decimal(150),
                limit_price=Decimal(604),
                state="filled",
                filled=Decimal(150),
                remaining=Decimal(0),
                average_price=603.92,
                created_ns=now_ns - 9 * MINUTE,
            ),
            order(
                "k3",
                now_ns,
                order_id=13,
                instrument="NVDA",
                action="SELL",
                order_type="MKT",
                limit_price=None,
                state="working",
                filled=Decimal(40),
                remaining=Decimal(60),
                average_price=181.33,
            ),
            order(
                "k4",
                now_ns,
                order_id=10,
                instrument="TSLA",
                state="rejected",
                detail="201: order rejected, insufficient equity",
                created_ns=now_ns - 55 * MINUTE,
            ),
        ),
        executions=(fill,),
        notices=(
            NoticeView(
                ts_recv_ns=now_ns - 192 * MINUTE,
                code=2104,
                category="info",
                severity="info",
                text="Market data farm connection is OK:usfarm",
                meaning="A market data farm is connected.",
                subject="usfarm",
                count=3,
            ),
            NoticeView(
                ts_recv_ns=now_ns - 55 * MINUTE,
                code=201,
                category="order-rejected",
                severity="error",
                text="Order rejected - reason:insufficient equity",
                meaning="The broker refused the order; its reason follows in its own words.",
                subject="TSLA",
            ),
        ),
        gaps=tuple(
            Gap(
                ts_recv_ns=now_ns,
                stream=f"quote:{symbol}",
                from_ns=now_ns - 193 * MINUTE,
                to_ns=now_ns - 192 * MINUTE,
                cause=GapCause.SESSION_LOST,
            )
            for symbol in DEFAULT_SYMBOLS
        ),
        journal_seq=412,
        journal_durable_seq=412,
        counters={"order_error.201": 1, "notice.2104": 3, "ticks": 90_120},
    )


def night(now_ns: int, prices: dict[str, float] | None = None) -> Snapshot:
    """The gateway is restarting: nothing is ready, one order is in doubt."""
    day = snapshot(now_ns, prices)
    return replace(
        day,
        link=replace(
            day.link,
            state="down",
            detail="connection refused",
            failures=4,
            since_ns=now_ns - 95 * SECOND,
            next_attempt_ns=now_ns + 6 * SECOND,
        ),
        window=WindowView(
            name="gateway_restart",
            kind="restart",
            from_ns=now_ns - 20 * MINUTE,
            until_ns=now_ns + 10 * MINUTE - 3 * SECOND,
            in_force=True,
            gate_closes_ns=now_ns - 21 * MINUTE,
        ),
        alerts=(
            AlertView(
                key="link/down",
                severity="critical",
                text="no session with primary at 127.0.0.1:7497: connection refused",
                remedy="see that the gateway runs and is logged in; `ibkr-adapter doctor` tells what is wrong",
                since_ns=now_ns - 11 * MINUTE,
                raised=True,
            ),
            AlertView(
                key="farm/usfarm",
                severity="warning",
                text="market data farm usfarm is broken",
                remedy="",
                since_ns=now_ns - 3 * MINUTE,
                raised=True,
            ),
            AlertView(
                key="clock/offset", severity="warning", text="not yet told", remedy="", since_ns=now_ns, raised=False
            ),
        ),
        upstream="unknown",
        preflight=PreflightView(
            maintains_orders="on",
            detail="the gateway maintains orders, and submits them late when its connection is restored",
        ),
        lease=LeaseView(required=True, held=False, epoch=7, detail="held by desk-b"),
        rate=RateView(
            last_second=22,
            limit=22,
            waiting=41,
            reserved=5,
            halved_until_ns=now_ns + 41 * SECOND,
            lanes=(
                LaneView(lane="orders", waiting=0),
                LaneView(lane="subscriptions", waiting=37, since_ns=now_ns - 2 * SECOND),
            ),
            held=(
                HeldView(
                    kind="history",
                    waiting=4,
                    since_ns=now_ns,
                    next_ns=now_ns + 9 * SECOND,
                    reason="60 requests in ten minutes",
                ),
            ),
        ),
        quotas=(QuotaView(name="lines", used=87, limit=100, learned=87), *day.quotas[1:]),
        orphans=(OrphanView(req_id=1_000_000_777, since_ns=now_ns - 9 * SECOND, last_recv_ns=now_ns, cancels=2),),
        farms=(replace(day.farms[0], state="broken"), *day.farms[1:]),
        gate=GateView(
            open=False,
            reasons=(
                Reason(
                    code="not_ready",
                    text="the gateway at 127.0.0.1:7497 refuses connections",
                    remedy="start TWS, or wait for its restart",
                ),
                Reason(code="in_doubt", text="one order's outcome is not known", remedy="it is asked after when ready"),
            ),
        ),
        orders=(replace(day.orders[0], state="in_doubt", detail="sent before the session was lost"), *day.orders[1:]),
        streams=(
            replace(day.streams[0], state="waiting", detail="no session", gap_since_ns=now_ns - 95 * SECOND),
            replace(day.streams[1], state="refused", detail="354: not subscribed to market data"),
            *day.streams[2:],
        ),
        quotes={
            key: replace(q, source=Source.DELAYED if key > "M" else Source.FROZEN, ts_recv_ns=now_ns - 95 * SECOND)
            for key, q in day.quotes.items()
        },
    )


class Batches:
    """A subscription a test feeds by hand."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Sequence[FeedEvent]] = asyncio.Queue()
        self.closed = False

    async def batch(self) -> Sequence[FeedEvent]:
        return await self.queue.get()

    def close(self) -> None:
        self.closed = True
        self.queue.put_nowait(())


class FakePort:
    """Answers from attributes; ``outcome`` may be changed, ``commands`` holds what was submitted."""

    def __init__(self, picture: Snapshot | None = None) -> None:
        self.picture = picture or snapshot()
        self.views: tuple[SinkView, ...] = (
            SinkView(name="sqlite", up=True, since_ns=START_NS, written=90_120),
            SinkView(name="journal", up=True, since_ns=START_NS, written=412),
        )
        self.subscriptions: list[Batches] = []
        self.commands: list[Command] = []
        self.accepted = True
        self.reasons: tuple[Reason, ...] = ()

    def snapshot(self) -> Snapshot:
        return self.picture

    def sinks(self) -> tuple[SinkView, ...]:
        return self.views

    def subscribe(self, name: str) -> Batches:
        self.subscriptions.append(Batches())
        return self.subscriptions[-1]

    async def submit(self, command: Command) -> CommandOutcome:
        self.commands.append(command)
        return CommandOutcome(
            command_id=command.command_id,
            accepted=self.accepted,
            order_key=command.order_key if isinstance(command, PlaceOrder) else "",
            order_id=14 if self.accepted else None,
            state="sent" if self.accepted else "refused",
            reasons=self.reasons,
        )

    def publish(self, *events: FeedEvent) -> None:
        for subscription in self.subscriptions:
            if not subscription.closed:
                subscription.queue.put_nowait(events)


def config() -> Config:
    return parse("", "test")


async def play(port: FakePort, scene: str) -> None:
    """A market that moves, until cancelled."""
    prices, chance = dict(PRICES), random.Random(7)
    while True:
        now_ns = time.time_ns()
        moved = chance.sample(list(DEFAULT_SYMBOLS[:-1]), 4)
        for symbol in moved:
            prices[symbol] *= 1 + chance.gauss(0, 0.00009)
        day = night(now_ns, prices) if scene == "night" else snapshot(now_ns, prices)
        if scene == "simulated":
            day = replace(day, environment="simulated")
        if scene == "live":
            day = replace(day, environment="production", account_kind="live")
        if scene != "night":
            port.publish(
                *(day.quotes[symbol] for symbol in moved), QuotesProven(ts_recv_ns=now_ns, instruments=("TSLA",))
            )
            kept = {s: q for s, q in port.picture.quotes.items() if s not in moved}
            day = replace(day, quotes={s: kept.get(s, day.quotes[s]) for s in DEFAULT_SYMBOLS})
        port.picture = day
        await asyncio.sleep(0.15)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--scene", choices=("day", "night", "live", "simulated"), default="day")
    given = parser.parse_args()
    port = FakePort(snapshot(time.time_ns()))
    port.views = tuple(replace(view, since_ns=time.time_ns()) for view in port.views)
    if given.scene == "night":
        port.views = (replace(port.views[0], up=False, detail="disk full", dropped=1204, depth=311), *port.views[1:])
    server = uvicorn.Server(uvicorn.Config(build(port, "secret", config()), port=given.port, log_level="warning"))
    player = asyncio.ensure_future(play(port, given.scene))
    await server.serve()
    player.cancel()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
