"""The service's core and simulated gateways in one process and one virtual time, without sockets.

Everything between the two is the real thing: the official client's encoders and decoders, our framing and dialogue, the
simulator's codecs, its faults. Only what the operating system does is played here: a port that refuses, a connection
that is reset, closed, or simply dead. Nothing waits, so a night passes in seconds, and equal seeds give equal nights.

    desk = VirtualDesk(scenario="daily-restart", start="2026-03-07 04:30")
    desk.run_until(lambda: desk.link.ready, within_s=30)
    desk.run(3600)
    assert desk.raised("link/down") == []
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Action, CancelOrder, CommandOutcome, OrderTerms, OrderType, PlaceOrder
from ibkr_adapter.config.resolving import resolve
from ibkr_adapter.core.engine import Engine, Happening
from ibkr_adapter.core.link.link import Link
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.ledger import Ledger
from ibkr_adapter.effects import Durable, Hands, Open, Outbox, Send, TicksDropped, perform
from ibkr_adapter.events import (
    AlertChanged,
    Event,
    FeedEvent,
    Gap,
    JournalEvent,
    LinkChanged,
    LossCause,
    SessionLost,
    Started,
)
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.notices import shipped
from ibkr_adapter.requests import Request
from ibkr_adapter.sessions import Sessions
from ibkr_adapter.shell import BULK_SLICE
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.session import Endpoint, Session
from tests.faults.memory_transport import KERNEL_BYTES, MemoryTransport
from tests.faults.rates import most_in_a_second
from tws_simulator.api.core import GatewayCore
from tws_simulator.api.options import options_of
from tws_simulator.faults.director import Director
from tws_simulator.faults.library import named
from tws_simulator.faults.scenario import Scenario

NEW_YORK = ZoneInfo("America/New_York")
SPY = Instrument(symbol="SPY", primary_exchange="ARCA")

E = TypeVar("E", bound=Event)
R = TypeVar("R", bound=Request)

DOCUMENT: Mapping[str, Any] = {
    "environment": "development",
    "trading": {"enabled": True},
    "instruments": [{"symbol": "SPY"}, {"symbol": "QQQ"}],
    "gateways": {"primary": {"port": 4002}},
}


def new_york(text: str) -> int:
    """Nanoseconds of a New York time such as ``2026-03-08 04:30``."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * SECOND


class VirtualClock:
    """The one time of both sides."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def set(self, now_ns: int) -> None:
        assert now_ns >= self._now_ns, "time goes on"
        self._now_ns = now_ns


class VirtualGateway:
    """A simulated gateway that lives when it is told what time it is."""

    def __init__(self, start_ns: int, scenario: Scenario | str | None, **options: Any) -> None:
        played = named(scenario) if isinstance(scenario, str) else scenario
        self.director = Director()
        chosen = options_of({"symbols": ("SPY", "QQQ"), **options, **(played.options if played is not None else {})})
        self.core = GatewayCore(chosen, start_ns, self.director.stage, steady_ns=start_ns)
        self.director.attach(self.core)
        if played is not None:
            self.director.play(played)

    @property
    def placements(self) -> list[Any]:
        return list(self.core.state.world.first_ledger.placements)


@dataclass(frozen=True)
class Sent:
    at_ns: int
    epoch: int
    request: Request


class VirtualDesk:
    """``document`` is a configuration as a file would give it, laid over `DOCUMENT`; ``options`` are the simulator's.

    ``kernel_bytes``: so much is taken off our hands for a peer that does not read.
    ``standby`` is the scenario of a second gateway, named ``secondary``, which ``document`` must mention. The market
    moves, and faults happen, every ``tick_s`` of virtual time; what both sides answer each other takes none.
    """

    def __init__(
        self,
        scenario: Scenario | str | None = None,
        *,
        standby: Scenario | str | None = None,
        start: str = "2026-03-03 10:00",
        tick_s: float = 0.25,
        document: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        journal: list[JournalEvent] | None = None,
        seed: int = 1,
        kernel_bytes: int = KERNEL_BYTES,
        **settings: Any,
    ) -> None:
        self.clock = VirtualClock(new_york(start))
        start_ns = self.clock.now_ns()
        self.config = resolve({**DOCUMENT, **(document or {})}, "test", Path("/nowhere"))
        given = dict(options or {})
        self.gateways = {name: VirtualGateway(start_ns, scenario, **given) for name in list(self.config.gateways)[:1]}
        for name in list(self.config.gateways)[1:]:
            self.gateways[name] = VirtualGateway(start_ns, standby, **given)
        self.states: list[LinkChanged] = []
        self.published: list[FeedEvent] = []
        self.journal: list[JournalEvent] = list(journal or [])
        self.opens: list[tuple[int, str]] = []
        self.sends: list[Sent] = []
        """What the engine released."""
        self.writes_ns: list[int] = []
        """When each message was taken off our hands."""
        self.replies: dict[str, CommandOutcome] = {}
        self.heard: list[Callable[[Sequence[Happening]], None]] = []
        """Told what the engine is told, before it is."""
        self.overheard: list[Callable[[bytes], None]] = []
        """Told what is read from the wire, before it is decoded."""
        self.stepped: list[Callable[[], None]] = []
        """Called whenever both sides have come to rest."""
        self._kernel_bytes = kernel_bytes
        self.turns = 0
        self.tick_ns = int(tick_s * SECOND)
        self._next_tick_ns = start_ns + self.tick_ns
        self._alarm_ns: int | None = None
        self._coming: list[Happening] = []
        self._safe_seq = len(self.journal)
        self._sessions = Sessions(
            self._session, tell=self._coming.append, clock=self.clock, client_id=self.config.client_id
        )
        self._transports: dict[int, MemoryTransport] = {}
        self._mailbox = Mailbox(lambda: None)
        self._keys = len(self.journal)  # those of an earlier life stand for its orders
        chosen = Settings.of(self.config)
        self.settings = type(chosen)(
            **{name: getattr(chosen, name) for name in chosen.__struct_fields__} | dict(settings)
        )
        ledger = Ledger(shipped(), self.config.client_id)
        for seq, event in enumerate(self.journal, 1):
            ledger.recover(seq, event)
        self.engine = Engine(
            self.settings,
            notices=shipped(),
            rand=random.Random(seed).random,
            ledger=ledger,
            last_recv_ns={},
            now_ns=start_ns,
        )
        self._hands = Hands(
            close=self._sessions.close,
            append=lambda appends: self.journal.extend(append.event for append in appends),
            open=self._open,
            send=self._send,
            reply=lambda reply: self.replies.__setitem__(reply.command_id, reply),
            publish=self._publish,
            wake=self._wake,
        )
        out = Outbox()
        self.engine.begin(self._started(), out)
        perform(out, self._hands)

    # What happened.

    @property
    def link(self) -> Link:
        return self.engine.link

    @property
    def now_ns(self) -> int:
        return self.clock.now_ns()

    @property
    def held(self) -> dict[str, Decimal]:
        """Shares by instrument, as the core's books say."""
        return {position.instrument.key: position.quantity for position in self.engine.trading.accounts.positions}

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.published if isinstance(event, kind)]

    def raised(self, key: str = "") -> list[AlertChanged]:
        """Alerts that were raised, under this key or all."""
        return [alert for alert in self.told(AlertChanged) if alert.raised and (not key or alert.key == key)]

    def resolved(self, key: str) -> list[AlertChanged]:
        return [alert for alert in self.told(AlertChanged) if not alert.raised and alert.key == key]

    def story(self, key: str) -> list[bool]:
        """Of one alert: True when it was raised, False when it was over; new words for it are no news."""
        story = [alert.raised for alert in self.told(AlertChanged) if alert.key == key]
        return [now for before, now in pairwise([False, *story]) if now is not before]

    @property
    def gaps(self) -> list[Gap]:
        return self.told(Gap)

    def sent(self, kind: type[R]) -> list[R]:
        return [each.request for each in self.sends if isinstance(each.request, kind)]

    def gate(self) -> list[str]:
        """The codes of the reasons against new orders; empty when the gate is open."""
        return [reason.code for reason in self.engine.snapshot(self.now_ns).gate.reasons]

    @property
    def open_sessions(self) -> list[int]:
        """The epochs of those that are not over on our side."""
        return [epoch for epoch, transport in self._transports.items() if not transport.join(0)]

    @property
    def wire(self) -> MemoryTransport:
        """The latest connection."""
        return self._transports[self.link.epoch]

    def most_in_a_second(self) -> int:
        """The most messages that were written in any sliding second."""
        return most_in_a_second(self.writes_ns)

    # Time.

    def run(self, seconds: float) -> None:
        end_ns = self.now_ns + int(seconds * SECOND)
        self.settle()
        while (next_ns := self._next_ns()) <= end_ns:
            self._step(next_ns)
        self.clock.set(end_ns)

    def run_until(self, condition: Callable[[], object], *, within_s: float) -> float:
        """The seconds it took; fails loudly when it did not come."""
        start_ns = self.now_ns
        end_ns = start_ns + int(within_s * SECOND)
        self.settle()
        while not condition():
            next_ns = self._next_ns()
            if next_ns > end_ns:
                raise AssertionError(f"not within {within_s} s: {self.link!r}, gate {self.gate()}")
            self._step(next_ns)
        return (self.now_ns - start_ns) / SECOND

    def ready(self, *, quotes: bool = True) -> VirtualDesk:
        """Connected, and with a price of everything wanted."""
        self.run_until(lambda: self.link.ready, within_s=60)
        if quotes:
            self.run_until(lambda: len(self.engine.market.quotes()) == len(self.config.instruments), within_s=60)
        return self

    def settle(self) -> None:
        """Deliver what both sides say at this moment, until nobody has anything to add."""
        for _ in range(10_000):
            for epoch, transport in list(self._transports.items()):
                transport.pump()
                if transport.join(0):
                    del self._transports[epoch]
            happenings = self._arrived()
            if self._safe_seq < len(self.journal):
                self._safe_seq = len(self.journal)
                happenings.append(Durable(seq=self._safe_seq))
            if not happenings:
                break
            self.tell(*happenings)
        else:
            raise AssertionError("both sides do not come to rest")
        for look in self.stepped:
            look()

    def _arrived(self) -> list[Happening]:
        """In the order in which the service hears it."""
        happenings, self._coming[:] = list(self._coming), []
        letters = self._mailbox.drain(BULK_SLICE)
        happenings += [
            TicksDropped(req_id=req_id, count=count) for req_id, count in self._mailbox.take_dropped().items()
        ]
        return [*happenings, *letters]

    def tell(self, *happenings: Happening) -> None:
        """One turn of the service: what was written by now, what is told, and what is done about it."""
        self.turns += 1
        for hear in self.heard:
            hear(happenings)
        out = Outbox()
        self.engine.receive([*self._sessions.taken(), *happenings], self.now_ns, out)
        perform(out, self._hands)
        for happening in happenings:
            if isinstance(happening, SessionLost):
                self._sessions.forget(happening.epoch)

    def _next_ns(self) -> int:
        moments = [self._next_tick_ns]
        if self._alarm_ns is not None:
            moments.append(max(self._alarm_ns, self.now_ns))
        moments += [by_ns for transport in self._transports.values() if (by_ns := transport.deadline_ns) is not None]
        return min(moments)

    def _step(self, now_ns: int) -> None:
        self.clock.set(now_ns)
        if now_ns >= self._next_tick_ns:
            self._next_tick_ns = now_ns + self.tick_ns
            for gateway in self.gateways.values():
                gateway.core.advance(now_ns)
        if self._alarm_ns is not None and now_ns >= self._alarm_ns:
            before_ns, self._alarm_ns = self._alarm_ns, None
            self.tell()
            assert self._alarm_ns is None or self._alarm_ns > before_ns, "the engine wakes itself in a loop"
        self.settle()

    # Commands.

    def place(self, symbol: str = "SPY", quantity: int = 10, *, action: Action = Action.BUY, **terms: Any) -> str:
        """A market order unless ``limit_price`` is given; its key. The outcome stands in ``replies`` after a settle."""
        self._keys += 1
        key = f"k{self._keys}"
        limit = terms.pop("limit_price", None)
        self.tell(
            PlaceOrder(
                command_id=key,
                actor="desk",
                ts_recv_ns=self.now_ns,
                idempotency_key=key,
                order_key=key,
                expires_at_ns=self.now_ns + 2 * SECOND,
                terms=OrderTerms(
                    account=self.link.accounts[0] if self.link.accounts else "DU0",
                    instrument=Instrument(symbol=symbol),
                    action=action,
                    order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
                    quantity=Decimal(quantity),
                    limit_price=limit,
                    **terms,
                ),
            )
        )
        self.settle()
        return key

    def cancel(self, key: str) -> None:
        self._keys += 1
        self.tell(CancelOrder(command_id=f"x{self._keys}", actor="desk", ts_recv_ns=self.now_ns, order_key=key))
        self.settle()

    # The outbox, on this desk's hands.

    def _publish(self, events: Sequence[FeedEvent]) -> None:
        self.published += events
        self.states += [event for event in events if isinstance(event, LinkChanged)]

    def _wake(self, at_ns: int | None) -> None:
        self._alarm_ns = at_ns

    def _open(self, opening: Open) -> None:
        assert not self.open_sessions, "one session ends before the next begins"
        self.opens.append((self.now_ns, opening.gateway))
        self._sessions.open(opening)

    def _session(self, opening: Open) -> Session:
        gateway = self.config.gateways[opening.gateway]
        return Session(
            Endpoint(opening.gateway, gateway.host, gateway.port),
            client_id=self.config.client_id,
            epoch=opening.epoch,
            mailbox=self._mailbox,
            clock=self.clock,
            orders=True,
            transport=lambda **given: self._wire(opening, given),
        )

    def _wire(self, opening: Open, given: dict[str, Any]) -> MemoryTransport:
        given |= {"kernel_bytes": self._kernel_bytes, "overhear": self._overhear, "wrote": self._wrote}
        transport = MemoryTransport(self.gateways[opening.gateway].core, **given)
        self._transports[opening.epoch] = transport
        return transport

    def _overhear(self, data: bytes) -> None:
        for hear in self.overheard:
            hear(data)

    def _wrote(self, messages: int) -> None:
        self.writes_ns += [self.now_ns] * messages

    def _send(self, send: Send) -> None:
        self.sends.append(Sent(self.now_ns, send.epoch, send.request))
        self._sessions.send(send)

    def _started(self) -> Started:
        return Started(
            ts_recv_ns=self.now_ns,
            version="0",
            boot_id="b",
            environment=self.config.environment,
            client_id=self.config.client_id,
            recovered_seq=len(self.journal),
        )


__all__ = ["NEW_YORK", "SPY", "LossCause", "Sent", "VirtualDesk", "VirtualGateway", "new_york"]
