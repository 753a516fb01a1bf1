"""A small world around the engine: a broker that answers from memory, a disk, and time that passes by alarm only.

Time moves from one wake-up to the next that the engine itself asked for, as under the real shell. What the engine
forgets to ask to be woken for does not happen here either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Action, CancelOrder, CommandOutcome, OrderType, PlaceOrder, Reason
from ibkr_adapter.config import Capability, Limits
from ibkr_adapter.config.model import Pacing
from ibkr_adapter.core.engine import Engine, Happening
from ibkr_adapter.core.settings import GatewaySettings, Settings
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.core.trading.order import Order
from ibkr_adapter.effects import Append, Durable, Hands, Outbox, Send, perform
from ibkr_adapter.events import (
    BrokerTime,
    CompletedOrdersEnd,
    ContractDescribed,
    ContractsEnd,
    DataTypeReported,
    Event,
    ExecutionsEnd,
    FeedEvent,
    FrameSent,
    JournalEvent,
    LossCause,
    ManagedAccounts,
    NextValidId,
    NoticeReceived,
    OpenOrdersEnd,
    PositionsEnd,
    PriceTick,
    SessionLost,
    SessionOpened,
    SizeTick,
    Started,
    TextTick,
    TickParameters,
    ValueTick,
)
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.notices import shipped
from ibkr_adapter.requests import (
    Request,
    RequestAllOpenOrders,
    RequestCompletedOrders,
    RequestContractDetails,
    RequestCurrentTime,
    RequestExecutions,
    RequestIds,
    RequestManagedAccounts,
    RequestPositions,
    SendCancel,
    SendOrder,
    SubscribeQuotes,
)
from ibkr_adapter.snapshot import AlertView
from tests.records import SPY, apart, echoed, execution, status, terms

START_NS = 1_000_000 * SECOND
FIRST_ID = 11
QQQ = Instrument(symbol="QQQ", primary_exchange="NASDAQ", con_id=320227571)

R = TypeVar("R", bound=Request)
E = TypeVar("E", bound=Event)

__all__ = [
    "FIRST_ID",
    "QQQ",
    "SPY",
    "START_NS",
    "A",
    "B",
    "World",
    "cancel",
    "echoed",
    "execution",
    "place",
    "settings",
    "status",
]


A = GatewaySettings(name="a", address="127.0.0.1:4002")
B = GatewaySettings(name="b", address="127.0.0.1:4003")


def settings(**changes: Any) -> Settings:
    """Ours, but for ``changes``; what is of pacing is named by itself."""
    pacing = {name: changes.pop(name) for name in Pacing.__struct_fields__ if name in changes}
    return Settings(
        **{
            "environment": "development",
            "component": "execution",
            "version": "0",
            "gateways": (A,),
            "client_id": 1,
            "account_kind": "paper",
            "capabilities": frozenset(Capability),
            "trading": True,
            "limits": Limits(
                order_quantity_shares=Decimal(1_000),
                order_notional_usd=Decimal(100_000),
                open_orders=10,
                price_collar_percent=Decimal(5),
            ),
            "instruments": (SPY,),
            # All at once: what a test is about happens at the moment at which it happens.
            "pacing": Pacing(**{"messages_burst": 45, **pacing}),
            **changes,
        }
    )


def place(key: str = "k1", *, now_ns: int = START_NS, expires_in_ns: int = 2 * SECOND, **fields: Any) -> PlaceOrder:
    """Buy 100 SPY at 500.10, unless said otherwise; ``market`` and ``sell`` say it shortly."""
    if fields.pop("market", False):
        fields |= {"order_type": OrderType.MARKET, "limit_price": None}
    if fields.pop("sell", False):
        fields["action"] = Action.SELL
    named, rest = apart(fields)
    return PlaceOrder(
        **{
            "command_id": f"c-{key}",
            "actor": "desk",
            "ts_recv_ns": now_ns,
            "idempotency_key": f"i-{key}",
            "order_key": key,
            "terms": terms(**named),
            "expires_at_ns": now_ns + expires_in_ns,
            **rest,
        }
    )


def cancel(key: str = "k1", *, now_ns: int = START_NS, command_id: str = "") -> CancelOrder:
    return CancelOrder(command_id=command_id or f"x-{key}", actor="desk", ts_recv_ns=now_ns, order_key=key)


class World:
    """An engine, and everything it talks to. ``silent`` are kinds of requests that the broker leaves unanswered."""

    def __init__(
        self,
        *,
        journal: Sequence[JournalEvent] = (),
        last_recv_ns: dict[str, int] | None = None,
        now_ns: int = START_NS,
        rand: float = 0.5,
        begin: bool = True,
        open_alerts: Sequence[AlertView] = (),
        **changes: Any,
    ) -> None:
        self.settings = settings(**changes)
        self.now_ns = now_ns
        self.silent: set[type[Request]] = set()
        self.disk_works = True
        self.accounts: tuple[str, ...] = ("DU1",)
        self.next_id = FIRST_ID
        self.hours = ""
        """What contract details say of trading and liquid hours; unknown unless a test sets it."""
        self.described: dict[str, ContractDescribed] = {}
        self.lists: dict[type[Request], list[Event]] = {}
        self.sent: list[Request] = []
        self.published: list[FeedEvent] = []
        self.replies: dict[str, CommandOutcome] = {}
        self.journal: list[JournalEvent] = list(journal)
        self.opens: list[int] = []
        self.closes: list[tuple[int, str]] = []
        self._coming: list[Happening] = []
        self._safe_seq = len(self.journal)
        self._alarm_ns: int | None = None
        self._hands = Hands(
            close=lambda close: self.closes.append((close.epoch, close.reason)),
            append=self._append,
            open=lambda opening: self.opens.append(opening.epoch),
            send=self._answer,
            reply=self._reply,
            publish=self.published.extend,
            wake=self._wake,
        )
        notices = shipped()
        ledger = Ledger(notices, self.settings.client_id)
        for seq, event in enumerate(journal, 1):
            ledger.recover(seq, event)
        self.engine = Engine(
            self.settings,
            notices=notices,
            rand=lambda: rand,
            ledger=ledger,
            last_recv_ns=last_recv_ns or {},
            now_ns=now_ns,
            open_alerts=open_alerts,
        )
        if begin:
            self.begin()

    def begin(self) -> Outbox:
        out = Outbox()
        started = Started(
            ts_recv_ns=self.now_ns,
            version="0",
            boot_id="b",
            environment="development",
            client_id=1,
            recovered_seq=len(self.journal),
        )
        self.engine.begin(started, out)
        return self._perform(out)

    # What happens.

    def tell(self, *happenings: Happening) -> Outbox:
        """One batch, now."""
        out = Outbox()
        self.engine.receive(happenings, self.now_ns, out)
        return self._perform(out)

    def settle(self) -> None:
        """Deliver what the broker and the disk answer, until nobody has anything to say at this moment."""
        for _ in range(1_000):
            coming, self._coming = self._coming, []
            if self.disk_works and self._safe_seq < len(self.journal):
                self._safe_seq = len(self.journal)
                coming.append(Durable(seq=self._safe_seq))
            if not coming:
                return
            self.tell(*coming)
        raise AssertionError("the world does not come to rest")

    def wait(self, ns: int) -> None:
        """Let time pass, alarm by alarm."""
        end_ns = self.now_ns + ns
        self.settle()
        while self._alarm_ns is not None and self._alarm_ns <= end_ns:
            self.now_ns = max(self.now_ns, self._alarm_ns)
            before = self._alarm_ns
            self.tell()
            self.settle()
            if self._alarm_ns is not None and self._alarm_ns <= before:
                raise AssertionError("the engine wakes itself in a loop")
        self.now_ns = end_ns

    def fall_silent(self, *, but: Iterable[type[Request]] = ()) -> None:
        """From here on the broker answers no kind of request but these."""
        self.silent.update(set(Request.__subclasses__()) - set(but))

    # The session.

    @property
    def epoch(self) -> int:
        return self.engine.link.epoch

    def open(self) -> None:
        """The handshake is done."""
        self.tell(
            SessionOpened(
                ts_recv_ns=self.now_ns,
                epoch=self.epoch,
                gateway=self.engine.link.gateway.name,
                client_id=self.settings.client_id,
                server_version=203,
                connection_time="",
            )
        )

    def identify(self) -> None:
        self.tell(self.named(NextValidId, order_id=self.next_id), self.named(ManagedAccounts, accounts=self.accounts))

    def connect(self) -> None:
        """From down to ready, as far as the broker answers."""
        if self.engine.link.state.value != "connecting":
            self.wait(2 * self.settings.backoff_max_ns)
        self.open()
        self.identify()
        self.settle()

    def lose(self, cause: LossCause = LossCause.RESET, **fields: Any) -> None:
        self._coming.clear()
        self.tell(
            self.named(
                SessionLost,
                gateway=self.engine.link.gateway.name,
                client_id=self.settings.client_id,
                cause=cause,
                **fields,
            )
        )

    def reconnect(self) -> None:
        self.lose()
        self.connect()

    # What the broker says.

    def named(self, kind: type[E], **fields: Any) -> E:
        return kind(**{"ts_recv_ns": self.now_ns, "epoch": self.epoch, **fields})

    def notice(self, code: int, req_id: int = -1, text: str = "text") -> Outbox:
        return self.tell(self.named(NoticeReceived, req_id=req_id, code=code, text=text))

    def say(self, event: Event) -> Outbox:
        """One broker event, with the present time and epoch."""
        return self.tell(self.present(event))

    def present(self, event: Event) -> Any:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        return type(event)(**{**fields, "ts_recv_ns": self.now_ns, "epoch": self.epoch})

    def stream_id(self, key: str = "SPY") -> int:
        """The request id of a subscribed stream."""
        asked = [r for r in self.sent if isinstance(r, SubscribeQuotes) and r.instrument.key == key]
        return asked[-1].req_id

    def price(self, field: int, price: float | None, key: str = "SPY") -> PriceTick:
        return self.named(PriceTick, req_id=self.stream_id(key), field=field, price=price)

    def size(self, field: int, size: str, key: str = "SPY") -> SizeTick:
        return self.named(SizeTick, req_id=self.stream_id(key), field=field, size=Decimal(size))

    def text(self, field: int, text: str, key: str = "SPY") -> TextTick:
        return self.named(TextTick, req_id=self.stream_id(key), field=field, text=text)

    def value(self, field: int, value: float, key: str = "SPY") -> ValueTick:
        return self.named(ValueTick, req_id=self.stream_id(key), field=field, value=value)

    def data_type(self, data_type: int, key: str = "SPY") -> DataTypeReported:
        return self.named(DataTypeReported, req_id=self.stream_id(key), data_type=data_type)

    def quote(self, bid: float = 500.0, ask: float = 500.1, key: str = "SPY") -> Outbox:
        """A live quote of both sides."""
        return self.tell(self.data_type(1, key), self.price(1, bid, key), self.price(2, ask, key))

    # Trading.

    def ready(self) -> World:
        """Connected, reconciled, a live quote at hand: an order may be placed."""
        self.connect()
        self.quote()
        return self

    def place(self, key: str = "k1", **fields: Any) -> CommandOutcome | None:
        """Give the command and let the disk answer; the outcome if there is one by now."""
        command = place(key, now_ns=self.now_ns, **fields)
        self.tell(command)
        self.settle()
        return self.replies.get(command.command_id)

    def cancel(self, key: str = "k1", command_id: str = "") -> CommandOutcome | None:
        command = cancel(key, now_ns=self.now_ns, command_id=command_id)
        self.tell(command)
        return self.replies.get(command.command_id)

    def working(self, key: str = "k1", **fields: Any) -> Order:
        """An order that the broker has acknowledged."""
        self.place(key, **fields)
        order = self.order(key)
        self.say(echoed(key, order.order_id, perm_id=7000 + order.order_id))
        return order

    def order(self, key: str = "k1") -> Order:
        order = self.engine.ledger.orders.of(key)
        assert order is not None
        return order

    def gate(self) -> list[str]:
        return codes(self.engine.trading.gate.reasons(self.now_ns))

    def restarted(self, **changes: Any) -> World:
        """Another process over what is on disk of this one's journal."""
        return World(journal=self.journal[: self._safe_seq], now_ns=self.now_ns, **changes)

    # What went out.

    def requests(self, kind: type[R]) -> list[R]:
        return [request for request in self.sent if isinstance(request, kind)]

    def facts(self, kind: type[E]) -> list[E]:
        """The journal's records of one kind."""
        return [event for event in self.journal if type(event) is kind]

    def told(self, kind: type[E]) -> list[E]:
        """What downstream was told, of one kind."""
        return [event for event in self.published if type(event) is kind]

    # The other side of the outbox.

    def _perform(self, out: Outbox) -> Outbox:
        perform(out, self._hands)
        return out

    def _append(self, appends: Sequence[Append]) -> None:
        for append in appends:
            assert append.seq == len(self.journal) + 1, "record numbers are consecutive"
            self.journal.append(append.event)

    def _reply(self, reply: CommandOutcome) -> None:
        assert reply.command_id not in self.replies, "a command is answered once"
        self.replies[reply.command_id] = reply

    def _wake(self, at_ns: int | None) -> None:
        self._alarm_ns = at_ns

    def _answer(self, send: Send) -> None:
        request = send.request
        self.sent.append(request)
        if isinstance(request, SendOrder | SendCancel):
            sent = self.named(FrameSent, order_id=request.order_id, cancel=isinstance(request, SendCancel), frame=b"")
            self._coming.append(sent)
            return
        rows = [self.present(row) for row in self.lists.get(type(request), ())]
        if type(request) not in self.silent:
            rows += self._ends(request)
        self._coming += rows

    def _ends(self, request: Request) -> Iterable[Happening]:
        match request:
            case RequestCurrentTime():
                yield self.named(BrokerTime, time_ns=self.now_ns)
            case RequestIds():
                yield self.named(NextValidId, order_id=self.next_id)
            case RequestManagedAccounts():
                yield self.named(ManagedAccounts, accounts=self.accounts)
            case RequestAllOpenOrders():
                yield self.named(OpenOrdersEnd)
            case RequestCompletedOrders():
                yield self.named(CompletedOrdersEnd)
            case RequestExecutions(req_id=req_id):
                yield self.named(ExecutionsEnd, req_id=req_id)
            case RequestPositions():
                yield self.named(PositionsEnd)
            case SubscribeQuotes(req_id=req_id):
                yield self.named(TickParameters, req_id=req_id, min_tick=0.01, bbo_exchange="", snapshot_permissions=3)
            case RequestContractDetails(req_id=req_id, instrument=instrument):
                yield self.contract(req_id, instrument)
                yield self.named(ContractsEnd, req_id=req_id)

    def contract(self, req_id: int, instrument: Instrument, **fields: Any) -> ContractDescribed:
        return self.named(
            ContractDescribed,
            **{
                "req_id": req_id,
                "instrument": instrument,
                "local_symbol": instrument.symbol,
                "trading_class": "NMS",
                "long_name": "",
                "min_tick": Decimal("0.01"),
                "multiplier": "",
                "valid_exchanges": (),
                "market_rule_ids": (),
                "order_types": (),
                "time_zone": "US/Eastern",
                "trading_hours": self.hours,
                "liquid_hours": self.hours,
                "stock_type": "COMMON",
                **fields,
            },
        )


def codes(reasons: Iterable[Reason]) -> list[str]:
    return [reason.code for reason in reasons]
