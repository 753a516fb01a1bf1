"""Where faults act: all messages, bytes and subscriptions of the gateway pass here, and the sockets are told from here.

An action changes the stage (arms a filter, narrows a pipe, stops the data); what passes later meets the change.
`clear` undoes everything.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from tws_simulator.api.core import GatewayCore
from tws_simulator.api.interference import Interference
from tws_simulator.api.link import End, Link
from tws_simulator.api.notices import error
from tws_simulator.api.peer import Peer
from tws_simulator.api.requests import perform
from tws_simulator.api.session import Session, SessionState
from tws_simulator.api.state import GatewayState
from tws_simulator.faults.event import Cause, Event
from tws_simulator.faults.filters import Filter, FrameFilter, MessageFilter
from tws_simulator.faults.outage import Outage
from tws_simulator.faults.pipe import Pipe
from tws_simulator.faults.stops import Stops
from tws_simulator.faults.values import filled
from tws_simulator.wire.row import Message
from tws_simulator.wire.text import Values

SECOND_NS = 1_000_000_000
TIMERS_MAX = 100_000
FILTERS_MAX = 1_000

AnyFilter = TypeVar("AnyFilter", bound=Filter)


class StageFull(ValueError):
    """More faults at once than anybody can follow."""


class Stage(Interference):
    """``attach`` it to the core it was given to; ``hear`` is told every event while it is set."""

    def __init__(self) -> None:
        self.hear: Callable[[Event], None] | None = None
        self.request_filters: list[MessageFilter] = []
        self.reply_filters: list[MessageFilter] = []
        self.frame_filters: list[FrameFilter] = []
        self.stops = Stops()
        self.outage: Outage | None = None
        self.server_version: int | None = None
        self._sessions: dict[int, Session] = {}
        self._pipes: dict[int, Pipe] = defaultdict(Pipe)
        self._written: dict[int, int] = {}
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._serials = count(1)
        self._core: GatewayCore | None = None

    def attach(self, core: GatewayCore) -> None:
        self._core = core

    def clear(self) -> None:
        """As if there had never been a fault: but connections have ended, and messages that waited are lost."""
        self.request_filters.clear()
        self.reply_filters.clear()
        self.frame_filters.clear()
        self._timers.clear()
        self.stops.clear()
        for pipe in self._pipes.values():
            pipe.open()
        self.restore_link()
        self.server_version = None
        self.gateway.door.is_open = True
        for session in self.gateway.sessions:
            if session.link.end is None:
                session.link = Link()

    # What actions use

    @property
    def core(self) -> GatewayCore:
        assert self._core is not None, "the stage was not attached to a core"
        return self._core

    @property
    def gateway(self) -> GatewayState:
        return self.core.state

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

    def pipe(self, session: Session) -> Pipe:
        return self._pipes[session.peer.connection]

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
            "ACCOUNT": lambda: self.gateway.world.account,
            "NOW_S": lambda: self.now_ns // SECOND_NS,
            "SERIAL": self.serial,
        }
        return filled(template, values, constants)

    def lose_link(self, outage: Outage) -> None:
        self.outage = outage

    def restore_link(self) -> None:
        """What was held for the broker is sent to it now, in order; a client that has left changes nothing of that."""
        outage, self.outage = self.outage, None
        for session, request in outage.held if outage is not None else ():
            if session.state is SessionState.RUNNING:
                self.core.serve(session, request)
            else:
                perform(self.gateway, session, request)

    def check_room(self) -> None:
        if len(self.request_filters) + len(self.reply_filters) + len(self.frame_filters) >= FILTERS_MAX:
            raise StageFull(f"more than {FILTERS_MAX} faults at once")

    # What passes

    def opened(self, peer: Peer) -> None:
        self._sessions[peer.connection] = next(each for each in self.gateway.sessions if each.peer is peer)
        self._told(Event("connection", peer))

    def agreed(self, peer: Peer, server_version: int) -> int:
        return server_version if self.server_version is None else self.server_version

    def answered(self, peer: Peer) -> None:
        self._told(Event("handshake", peer))

    def request(self, peer: Peer, message: Message) -> Message | None:
        self._told(Event("request", peer, message))
        session = self._sessions[peer.connection]
        if session.state is SessionState.CLOSED:
            return None
        if self.outage is not None and self.outage.keeps(session, message):
            return None
        passed = self._through(self.request_filters, session, message)
        return passed[0] if passed else None

    def served(self, peer: Peer, message: Message) -> None:
        if self.hear is not None:
            self._told(Event("served", peer, message))
            if message.name == "startApi" and peer.client_id >= 0:
                self._told(Event("started", peer, message))

    def reply(self, peer: Peer, message: Message) -> tuple[Message, ...]:
        if self.stops and self.stops.swallows(peer.client_id, message):
            return ()
        if self.outage is not None and self.outage.hides(message):
            return ()
        session = self._sessions.get(peer.connection) if self.reply_filters else None
        return (message,) if session is None else self._through(self.reply_filters, session, message)

    def framed(self, peer: Peer, message: Message, frame: bytes) -> bytes:
        if self._pipes:
            self._pipes[peer.connection].count_frame()
        session = self._sessions.get(peer.connection) if self.frame_filters else None
        if session is not None:
            for each in list(self.frame_filters):
                if each.takes(peer.client_id, message, self.now_ns):
                    frame = each.damage(session, frame, each.memory)
        return frame

    def sent(self, peer: Peer, message: Message) -> None:
        if self.hear is not None:
            self._told(Event("reply", peer, message))
            if message.name == "execDetails" and message.get("reqId", -1) == -1:
                self._told(Event("fill", peer, message))

    def output(self, peer: Peer, data: bytes) -> bytes:
        if self._pipes:
            data = self._pipes[peer.connection].pass_on(data, self.now_ns)
        if data:
            self._written[peer.connection] = total = self._written.get(peer.connection, 0) + len(data)
            if self.hear is not None:
                self._told(Event("bytes_written", peer, None, total))
        return data

    def hears(self, peer: Peer, kind: str) -> bool:
        return not (self.stops and self.stops.stops(peer.client_id, kind))

    def advance(self, now_ns: int) -> None:
        while self._timers and self._timers[0][0] <= now_ns:
            heapq.heappop(self._timers)[2]()
        _forget_over(self.request_filters, now_ns)
        _forget_over(self.reply_filters, now_ns)
        _forget_over(self.frame_filters, now_ns)

    def closed(self, peer: Peer) -> None:
        self._sessions.pop(peer.connection, None)
        self._pipes.pop(peer.connection, None)
        self._written.pop(peer.connection, None)
        self._told(Event("disconnection", peer))

    def _through(self, filters: list[MessageFilter], session: Session, message: Message) -> tuple[Message, ...]:
        """Every filter counts every message; those that take it change it one after the other."""
        taking = [each for each in filters if each.takes(session.client_id, message, self.now_ns)]
        passed: tuple[Message, ...] = (message,)
        for each in taking:
            passed = tuple(changed for told in passed for changed in each.change(session, told, each.memory))
        return passed

    def _told(self, event: Event) -> None:
        if self.hear is not None:
            self.hear(event)


def _forget_over(filters: list[AnyFilter], now_ns: int) -> None:
    if filters:
        filters[:] = [each for each in filters if not each.is_over(now_ns)]
