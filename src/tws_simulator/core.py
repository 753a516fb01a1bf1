"""The simulated gateway without its sockets: told what clients sent and what time it is, it fills their outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tws_simulator import quotes, requests, summaries
from tws_simulator.accounts import Ledger, account_for, opening_positions
from tws_simulator.echoes import OrderEchoes
from tws_simulator.exchange import Exchange
from tws_simulator.handshake import NEWEST_SERVER_VERSION
from tws_simulator.interference import Interference
from tws_simulator.market import Market, MarketEvent
from tws_simulator.requests.account import send_positions
from tws_simulator.requests.unsupported import refuse_unknown
from tws_simulator.session import Session, SessionState
from tws_simulator.tickets import Executed, OrderEvent
from tws_simulator.universe import LISTINGS
from tws_simulator.wire.codec import PROTOBUF_ID_OFFSET, UnknownMessage
from tws_simulator.wire.row import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What kind of gateway is simulated.

    ``accounts_after_ids`` sends nextValidId before managedAccounts, an order some gateways use. ``entitled`` False is
    an account without live market data: it is shown delayed prices, when it asks for them. ``lines_max`` is how many
    market data lines all clients together may have open. An account summary that was
    asked for tells its changes every ``account_interval_s``: a real gateway takes three minutes.
    """

    seed: int = 0
    server_version: int = NEWEST_SERVER_VERSION
    accounts_after_ids: bool = False
    entitled: bool = True
    clients_max: int = 32
    lines_max: int = 100
    account_interval_s: float = 180.0


class GatewayCore:
    """One account, one market, and the clients connected to them."""

    def __init__(self, options: Options, start_ns: int, interference: Interference | None = None) -> None:
        self.options = options
        self.now_ns = start_ns
        self.interference = interference or Interference()
        self.account = account_for(options.seed)
        self.market = Market(LISTINGS, options.seed, start_ns)
        self.ledger = Ledger(self.account, positions=opening_positions())
        self.exchange = Exchange(self.market, self.ledger, options.seed, start_ns)
        self.echoes = OrderEchoes(self.account)
        self.sessions: list[Session] = []
        self.requests: Counter[str] = Counter()
        self.unsupported: Counter[int] = Counter()

    def __repr__(self) -> str:
        return f"<GatewayCore {self.account} v{self.options.server_version} {len(self.sessions)} clients>"

    def connect(self) -> Session | None:
        """None when the gateway is full, or the interference refuses."""
        if len(self.sessions) >= self.options.clients_max or not self.interference.admits():
            return None
        session = Session(self)
        self.sessions.append(session)
        return session

    def disconnect(self, session: Session) -> None:
        """Orders stay at the exchange; subscriptions end with their connection."""
        self.sessions.remove(session)
        session.enter(SessionState.CLOSED)

    def running(self) -> list[Session]:
        return [session for session in self.sessions if session.state is SessionState.RUNNING]

    def session_of(self, client_id: int) -> Session | None:
        return next((session for session in self.running() if session.client_id == client_id), None)

    def receive(self, session: Session, data: bytes, now_ns: int) -> None:
        self.advance(now_ns)
        session.receive(data)

    def advance(self, now_ns: int) -> None:
        """Let the market, the exchange and the account live up to ``now_ns`` and tell the clients."""
        if now_ns <= self.now_ns:
            return
        self.now_ns = now_ns
        market_events = self.market.advance(now_ns)
        self.deliver(self.exchange.advance(now_ns, market_events))
        self._tell_market(market_events)
        for session in self.running():
            summaries.tell_changes(self, session)

    def handle(self, session: Session, message: Message) -> None:
        self.requests[message.name] += 1
        requests.handle(self, session, message)

    def refuse_unknown(self, session: Session, unknown: UnknownMessage) -> None:
        known_range = 0 < unknown.msg_id <= PROTOBUF_ID_OFFSET
        self.unsupported[unknown.msg_id if known_range else 0] += 1  # 0 counts what no release ever sent
        refuse_unknown(session, unknown)

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        """Tell each owner about its orders, and everybody who asked about the positions."""
        filled: set[int] = set()
        for event in events:
            owner = self.session_of(event.client_id)
            if owner is not None:
                owner.send(self.echoes.reply(event))
            if isinstance(event, Executed):
                filled.add(event.execution.con_id)
        if filled:
            for session in self.running():
                if session.wants_positions:
                    send_positions(self, session, filled)

    def _tell_market(self, market_events: list[MarketEvent]) -> None:
        changes = quotes.changes_by_contract(market_events)
        for session in self.running():
            for stream in session.quote_streams.values():
                change = changes.get(stream.listing.con_id)
                if change is not None:
                    for message in stream.update(self.market.quote(stream.listing.con_id), change):
                        session.send(message)
