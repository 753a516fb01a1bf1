"""The doors of the gateway: all messages, bytes and subscriptions pass here, and meet what actions left in the rig."""

from __future__ import annotations

from collections.abc import Callable

from tws_simulator.api.interference import Interference
from tws_simulator.api.peer import Peer
from tws_simulator.api.session import Session, SessionState
from tws_simulator.faults.event import Event
from tws_simulator.faults.rig import Rig
from tws_simulator.faults.values import changed
from tws_simulator.wire.row import Message

_GREETINGS = frozenset({"startApi"})
_LISTS = frozenset(
    {"startApi", "reqOpenOrders", "reqAllOpenOrders", "reqCompletedOrders", "reqExecutions", "reqPositions"}
)
"""Requests whose answers are lists with an end that promises that nothing is missing; a greeting has one, too."""
_SUBSCRIPTIONS = frozenset({"reqMktData", "reqMktDepth", "reqTickByTickData", "reqRealTimeBars", "reqHistoricalData"})
_TOLD_LIVE_TOO = frozenset({"openOrder", "orderStatus", "execDetails", "commissionAndFeesReport", "position"})


class Stage(Interference):
    """``hear`` is told every event while it is set."""

    def __init__(self, rig: Rig) -> None:
        self.hear: Callable[[Event], None] | None = None
        self._rig = rig
        self._sessions: dict[int, Session] = {}
        self._written: dict[int, int] = {}
        self._serving: tuple[int, str] = (0, "")

    def opened(self, peer: Peer) -> None:
        self._sessions[peer.connection] = next(each for each in self._rig.gateway.sessions if each.peer is peer)
        self._told(Event("connection", peer))

    def agreed(self, peer: Peer, server_version: int) -> int:
        return server_version if self._rig.server_version is None else self._rig.server_version

    def answered(self, peer: Peer) -> None:
        self._told(Event("handshake", peer))

    def request(self, peer: Peer, message: Message) -> Message | None:
        self._told(Event("request", peer, message))
        rig, session = self._rig, self._sessions[peer.connection]
        if session.state is SessionState.CLOSED:
            return None
        if rig.outage is not None and rig.outage.keeps(rig.gateway, session, message):
            return None
        passed = rig.armed.request(session, message, rig.now_ns)
        return passed[0] if passed else None

    def serving(self, peer: Peer, message: Message) -> None:
        self._serving = peer.connection, message.name

    def served(self, peer: Peer, message: Message) -> None:
        self._serving = 0, ""
        if self.hear is not None:
            self._told(Event("served", peer, message))
            if message.name == "startApi" and peer.client_id >= 0:
                self._told(Event("started", peer, message))

    def reply(self, peer: Peer, message: Message) -> tuple[Message, ...]:
        rig = self._rig
        if rig.stops and (kind := rig.stops.stopped_kind(peer.client_id, message)) is not None:
            if self._answers(peer, _SUBSCRIPTIONS):
                rig.stops.hold(self._sessions[peer.connection], kind, message)
            return ()
        if rig.setback is not None and message.name == "nextValidId" and self._answers(peer, _GREETINGS):
            message = changed(message, {"orderId": rig.setback.next_order_id(peer.client_id, message["orderId"])}, {})
        session = self._sessions.get(peer.connection) if rig.armed.changes_replies else None
        if session is None:
            return (message,)
        return rig.armed.reply(session, message, rig.now_ns, is_row=self._is_row(peer, message))

    def framed(self, peer: Peer, message: Message, frame: bytes) -> bytes:
        rig = self._rig
        if rig.pipes:
            rig.pipes[peer.connection].count_frame()
        session = self._sessions.get(peer.connection) if rig.armed.damages_frames else None
        return frame if session is None else rig.armed.frame(session, message, frame, rig.now_ns)

    def sent(self, peer: Peer, message: Message) -> None:
        if self.hear is not None:
            self._told(Event("reply", peer, message))
            if message.name == "execDetails" and message.get("reqId", -1) == -1:
                self._told(Event("fill", peer, message))

    def output(self, peer: Peer, data: bytes) -> bytes:
        if self._rig.pipes:
            data = self._rig.pipes[peer.connection].pass_on(data, self._rig.now_ns)
        if data:
            self._written[peer.connection] = total = self._written.get(peer.connection, 0) + len(data)
            if self.hear is not None:
                self._told(Event("bytes_written", peer, None, total))
        return data

    def hears(self, peer: Peer, kind: str) -> bool:
        stops = self._rig.stops
        return not (stops and stops.stops(peer.client_id, kind))

    def advance(self, now_ns: int) -> None:
        self._rig.advance(now_ns)

    def closed(self, peer: Peer) -> None:
        self._sessions.pop(peer.connection, None)
        self._rig.pipes.pop(peer.connection, None)
        self._written.pop(peer.connection, None)
        self._told(Event("disconnection", peer))

    def _is_row(self, peer: Peer, message: Message) -> bool:
        """Whether it belongs to a list, and is no live report."""
        return message.name in _TOLD_LIVE_TOO and self._answers(peer, _LISTS)

    def _answers(self, peer: Peer, requests: frozenset[str]) -> bool:
        connection, name = self._serving
        return connection == peer.connection and name in requests

    def _told(self, event: Event) -> None:
        if self.hear is not None:
            self.hear(event)
