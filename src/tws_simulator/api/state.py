"""What all requests see of the gateway: its options, its world, and who is connected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from tws_simulator.api import echoes
from tws_simulator.api.configuration import Configuration
from tws_simulator.api.known import Known
from tws_simulator.api.limits.quotas import Quotas
from tws_simulator.api.link import Door
from tws_simulator.api.options import Options
from tws_simulator.api.session import Session, SessionState
from tws_simulator.wire.row import Message
from tws_simulator.world.orders.order_events import Commissioned, Echo, Executed, OrderEvent, Status
from tws_simulator.world.world import World


class GatewayState:
    """One world, and the clients connected to it; ``core`` tells what its two times are."""

    def __init__(self, options: Options, start_ns: int, steady_ns: int) -> None:
        self.options = options
        self.now_ns = start_ns
        self.steady_ns = steady_ns
        self.world = World(
            seed=options.seed,
            start_ns=start_ns,
            always_open=options.always_open,
            symbols=options.symbols,
            accounts=options.accounts,
        )
        self.known = Known(self.world)
        self.sessions: list[Session] = []
        self.quotas = Quotas(options, self.sessions)
        self.configuration = Configuration(
            read_only=options.read_only,
            maintain_connection=options.maintain_connection,
            maintain_orders=options.maintain_orders,
            rejects_above_rate=options.pacing == "reject",
        )
        self.door = Door()
        self.requests: Counter[str] = Counter()
        self.unsupported: Counter[int] = Counter()

    def running(self) -> list[Session]:
        return [session for session in self.sessions if session.state is SessionState.RUNNING]

    def session_of(self, client_id: int) -> Session | None:
        return next((session for session in self.running() if session.client_id == client_id), None)

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        """Tell each owner about its orders, and the master client about everybody's; errors only the owner.

        Nobody is told what the gateway cannot know, for want of a link to the broker.
        """
        if not self.known.hears:
            return
        master_id = self.options.master_client_id
        for event in events:
            told = [event.client_id]
            if master_id not in (None, event.client_id) and isinstance(event, Echo | Status | Executed | Commissioned):
                told.append(master_id)
            for client_id in told:
                session = self.session_of(client_id)
                if session is not None:
                    session.send(echoes.reply(event, session.codec.server_version))


Handler = Callable[[GatewayState, Session, Message], None]
