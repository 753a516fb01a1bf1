"""What all requests see of the gateway: its options, its world, and who is connected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from tws_simulator.api.configuration import Configuration
from tws_simulator.api.echoes import OrderEchoes
from tws_simulator.api.limits.data_limits import BARS_MAX, BARS_WINDOW_NS, Pace, Pauses
from tws_simulator.api.limits.historical_pacing import HistoricalPacing
from tws_simulator.api.limits.message_rate import Pacing
from tws_simulator.api.link import Door
from tws_simulator.api.session import Session, SessionState
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION, OLDEST_SERVER_VERSION
from tws_simulator.wire.row import Message
from tws_simulator.world.orders.tickets import Commissioned, Echo, Executed, OrderEvent, Status
from tws_simulator.world.world import World

LINES_MIN = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What kind of gateway is simulated.

    ``accounts_after_ids`` sends nextValidId before managedAccounts, an order some gateways use. ``entitled`` False is
    an account without live market data: it is shown delayed prices, when it asks for them. ``lines_max`` is how many
    market data lines all clients together may have open. An account summary that was
    asked for tells its changes every ``account_interval_s``: a real gateway takes three minutes; with
    ``double_summaries`` it is told twice. ``historical_pacing`` refuses historical requests that come too often.
    ``pacing`` is what happens to a client that sends more than half as many messages a second as there are lines: see
    `limits`.

    ``always_open`` False keeps the hours of US stocks.

    Of market data: ``not_entitled`` are symbols without live data where others have it; ``live_refusal_code`` is how
    they are refused (10089, 10168, 10186 or 354, as different gateways do). At most ``depths_max`` instruments show
    depth, in rows that move if ``shifting_depth`` (see `streams.depth_rows`). At most ``tick_by_tick_max`` tick-by-tick
    subscriptions run at a time; the same one is not opened again within ``tick_by_tick_pause_s``. A cancelled line or
    depth still tells ``late_ticks``; ``empty_snapshots`` have no ticks. ``symbols`` are the stocks and funds that
    trade, the usual eleven when empty: see `world.World`.

    A ``read_only`` gateway takes no orders (321). ``master_client_id`` is told of everybody's orders and fills.
    """

    seed: int = 0
    server_version: int = NEWEST_SERVER_VERSION
    accounts_after_ids: bool = False
    entitled: bool = True
    clients_max: int = 32
    lines_max: int = 100
    account_interval_s: float = 180.0
    historical_pacing: bool = True
    double_summaries: bool = False
    always_open: bool = True
    not_entitled: Collection[str] = ()
    live_refusal_code: int = 10089
    depths_max: int = 3
    shifting_depth: bool = False
    tick_by_tick_max: int = 5
    tick_by_tick_pause_s: float = 15.0
    late_ticks: int = 4
    empty_snapshots: bool = False
    pacing: Pacing = "pace"
    symbols: Collection[str] = ()
    accounts: int = 1
    read_only: bool = False
    master_client_id: int | None = None

    def __post_init__(self) -> None:
        if not OLDEST_SERVER_VERSION <= self.server_version <= NEWEST_SERVER_VERSION:
            raise ValueError(f"server version must be {OLDEST_SERVER_VERSION} to {NEWEST_SERVER_VERSION}")
        if self.accounts < 1:
            raise ValueError("accounts must be at least 1")

    @property
    def messages_per_second(self) -> int:
        """Source: TWS API, "Pacing limitations": market data lines divided by two; no user has fewer than 100 lines."""
        return max(LINES_MIN, self.lines_max) // 2


class GatewayState:
    """One world, and the clients connected to it."""

    def __init__(self, options: Options, start_ns: int) -> None:
        self.options = options
        self.now_ns = start_ns
        self.world = World(
            seed=options.seed,
            start_ns=start_ns,
            always_open=options.always_open,
            symbols=options.symbols,
            accounts=options.accounts,
        )
        self.echoes = OrderEchoes()
        self.sessions: list[Session] = []
        self.historical_pacing = HistoricalPacing()
        self.configuration = Configuration(read_only=options.read_only)
        self.pauses = Pauses()
        self.bars_pace = Pace(BARS_MAX, BARS_WINDOW_NS)
        self.door = Door()
        self.requests: Counter[str] = Counter()
        self.unsupported: Counter[int] = Counter()

    def running(self) -> list[Session]:
        return [session for session in self.sessions if session.state is SessionState.RUNNING]

    def session_of(self, client_id: int) -> Session | None:
        return next((session for session in self.running() if session.client_id == client_id), None)

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        """Tell each owner about its orders, and the master client about everybody's; errors only the owner."""
        master_id = self.options.master_client_id
        for event in events:
            told = [event.client_id]
            if master_id not in (None, event.client_id) and isinstance(event, Echo | Status | Executed | Commissioned):
                told.append(master_id)
            for client_id in told:
                session = self.session_of(client_id)
                if session is not None:
                    session.send(self.echoes.reply(event))


Handler = Callable[[GatewayState, Session, Message], None]
