"""What actions work with: they arm filters, narrow pipes, stop the data, and speak in the gateway's place.

Whatever they leave here meets what passes the doors later (see `stage`); `clear` undoes everything.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from itertools import count

from tws_simulator.api.core import GatewayCore
from tws_simulator.api.link import End, Link
from tws_simulator.api.notices import Notice, error
from tws_simulator.api.requests import perform
from tws_simulator.api.session import Session, SessionState
from tws_simulator.api.state import GatewayState
from tws_simulator.faults.armed import Armed
from tws_simulator.faults.event import Cause
from tws_simulator.faults.filters import Filter
from tws_simulator.faults.outage import Outage
from tws_simulator.faults.pipe import Pipe
from tws_simulator.faults.setback import Setback
from tws_simulator.faults.stops import Stops
from tws_simulator.faults.values import filled, lookup
from tws_simulator.wire.row import Message
from tws_simulator.wire.values import Values
from tws_simulator.world.orders.order_events import Echo, Status
from tws_simulator.world.time.units import SECOND_NS
from tws_simulator.world.world import World

TIMERS_MAX = 100_000


class Rig:
    """``attach`` it to the core whose clients are to be troubled.

    ``pipes`` are by connection. ``server_version`` is what the handshake names instead of the one agreed.
    """

    def __init__(self) -> None:
        self.armed = Armed()
        self.stops = Stops()
        self.outage: Outage | None = None
        self.setback: Setback | None = None
        self.server_version: int | None = None
        self.pipes: dict[int, Pipe] = defaultdict(Pipe)
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._serials = count(1)
        self._core: GatewayCore | None = None

    def attach(self, core: GatewayCore) -> None:
        self._core = core

    @property
    def core(self) -> GatewayCore:
        assert self._core is not None, "the rig was not attached to a core"
        return self._core

    @property
    def gateway(self) -> GatewayState:
        return self.core.state

    @property
    def world(self) -> World:
        return self.gateway.world

    @property
    def now_ns(self) -> int:
        return self.gateway.now_ns

    def sessions(self, client_id: int | None, cause: Cause) -> list[Session]:
        """Those of the client named; else that of the cause; else all."""
        if client_id is not None:
            return [session for session in self.gateway.sessions if session.client_id == client_id]
        if cause.peer is not None:
            return [session for session in self.gateway.sessions if session.peer is cause.peer]
        return list(self.gateway.sessions)

    def arm(self, each: Filter) -> None:
        """What passes from now on meets it; TooManyFaults when there are too many already."""
        self.armed.arm(each)

    def pipe(self, session: Session) -> Pipe:
        return self.pipes[session.peer.connection]

    @property
    def is_full(self) -> bool:
        """Whether so much waits for its time that nothing more is to wait."""
        return len(self._timers) >= TIMERS_MAX

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Do it when the time has come; at once for 0. What every message can cause asks ``is_full`` first."""
        if seconds <= 0:
            what()
            return
        heapq.heappush(self._timers, (self.now_ns + int(seconds * SECOND_NS), next(self._serials), what))

    def serve(self, session: Session, request: Message) -> None:
        """As if it had just come, past all filters."""
        self.core.serve(session, request)

    def tell(self, session: Session, message: Message) -> None:
        """Past all filters."""
        if session.state is not SessionState.CLOSED:
            session.put(message)

    def tell_error(self, session: Session, msg_id: int, code: int, text: str) -> None:
        self.tell(session, error(msg_id, (code, text), self.now_ns))

    def end(self, session: Session, how: End) -> None:
        """Nothing is read or told any more; what was told still goes out before a close."""
        if session.link.end is None:
            session.link.end = how
            session.enter(SessionState.CLOSED)

    def serial(self) -> int:
        return next(self._serials)

    def fill_in(self, template: Values, cause: Cause) -> Values:
        values = cause.message.values if cause.message is not None else {}
        constants: dict[str, Callable[[], object]] = {
            "ACCOUNT": lambda: self._account_of(values),
            "NOW_S": lambda: self.now_ns // SECOND_NS,
            "SERIAL": self.serial,
        }
        return filled(template, values, constants)

    def lift(self, stop: str) -> None:
        """Data that nothing else stops go on, first with what was held of them."""
        self.stops.lift(stop)
        self._tell_free()

    def lose_link(self, outage: Outage, notice: Notice | None, *, hears: bool) -> None:
        """``hears``: reports of the broker get through all the same. What another outage holds stays held."""
        if self.outage is not None:
            outage.held[:0] = self.outage.held
        self.outage = outage
        self.gateway.known.lose_link(notice, hears=hears)

    def forget_what_waits(self) -> None:
        """What only the gateway had is gone: orders that were never transmitted, and those that wait for the link."""
        self.world.exchange.forget_untransmitted()
        self.gateway.known.pending.clear()
        if self.outage is not None:
            self.outage.held.clear()

    def restore_link(self) -> None:
        """Owners are told what has become of their orders, and what was held for the broker is sent to it, in order.

        That the client of an order has left changes nothing of that.
        """
        outage, self.outage = self.outage, None
        for view in self.gateway.known.restore_link():
            client_id = view.ticket.client_id
            self.gateway.deliver(kind(client_id=client_id, ts_ns=self.now_ns, order=view) for kind in (Echo, Status))
        for session, request in outage.held if outage is not None else ():
            if session.state is SessionState.RUNNING:
                self.serve(session, request)
            else:
                perform(self.gateway, session, request)

    def advance(self, now_ns: int) -> None:
        """Do what has waited for this time."""
        while self._timers and self._timers[0][0] <= now_ns:
            heapq.heappop(self._timers)[2]()
        self.armed.forget_over(now_ns)

    def clear(self) -> None:
        """As if there had never been a fault: but connections have ended, and messages that waited are lost."""
        self.armed.disarm()
        self._timers.clear()
        self.stops.clear()
        self._tell_free()
        for pipe in self.pipes.values():
            pipe.open()
        self.restore_link()
        self.gateway.deliver(self.world.exchange.release_all(self.now_ns))
        self.server_version = self.setback = None
        self.gateway.door.is_open = True
        for session in self.gateway.sessions:
            if session.link.end is None:
                session.link = Link()

    def _tell_free(self) -> None:
        for session, message in self.stops.take_free():
            self.tell(session, message)

    def _account_of(self, values: Values) -> str:
        """That which the message names, if it is one of ours; else the first."""
        for path in ("order.account", "execution.acctNumber", "account"):
            named = lookup(values, path)
            if named in self.world.accounts:
                return str(named)
        return self.world.accounts[0]
