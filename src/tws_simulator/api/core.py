"""The simulated gateway without its sockets: told what clients sent and what time it is, it fills their outputs.

It lives in two times. ``now_ns`` is the market's: it is what clients are told, and it may stand still or run fast.
``steady_ns`` passes as the time of the machine does; by it the traffic on the wire is judged, messages a second above
all. Who has one time only gives ``now_ns``, and the other passes with it.
"""

from __future__ import annotations

from tws_simulator.api import requests
from tws_simulator.api.interference import Interference
from tws_simulator.api.limits.message_rate import MessageRate, Verdict
from tws_simulator.api.notices import NO_REQUEST
from tws_simulator.api.options import Options
from tws_simulator.api.session import STREAMS_MAX, Request, Session, SessionState, Unreadable
from tws_simulator.api.state import GatewayState
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.codec import PROTOBUF_ID_OFFSET, UnknownMessage
from tws_simulator.wire.row import Message


class GatewayCore:
    """Moves ``state``, the world and its clients, from one message and one moment to the next."""

    def __init__(
        self,
        options: Options,
        start_ns: int,
        interference: Interference | None = None,
        *,
        steady_ns: int | None = None,
    ) -> None:
        self.state = GatewayState(options, start_ns, start_ns if steady_ns is None else steady_ns)
        self._interference = interference or Interference()
        self._connections = 0

    def __repr__(self) -> str:
        state = self.state
        return (
            f"<GatewayCore {state.world.first_account} v{state.options.server_version} {len(state.sessions)} clients>"
        )

    def connect(self) -> Session | None:
        """None when the gateway is full, or the interference refuses."""
        state = self.state
        if len(state.sessions) >= state.options.clients_max or not self._interference.admits():
            return None
        self._connections += 1
        options = state.options
        rate = MessageRate(options.messages_per_second, options.pacing)
        session = Session(
            self._connections,
            options.server_version,
            self._interference,
            lambda: state.now_ns,
            rate,
            STREAMS_MAX + options.lines_max,
        )
        state.sessions.append(session)
        self._interference.opened(session.peer)
        return session

    def disconnect(self, session: Session) -> None:
        """Orders stay at the exchange; subscriptions end with their connection."""
        if session in self.state.sessions:
            self.state.sessions.remove(session)
            session.enter(SessionState.CLOSED)
            self._interference.closed(session.peer)

    def receive(self, session: Session, data: bytes, now_ns: int, steady_ns: int | None = None) -> None:
        self.advance(now_ns, steady_ns)
        for request in session.receive(data):
            self._admit(session, request)

    def advance(self, now_ns: int, steady_ns: int | None = None) -> None:
        """Let the market, the exchange and the account live up to ``now_ns`` and tell the clients."""
        state = self.state
        passed_ns = max(0, now_ns - state.now_ns)
        state.steady_ns = state.steady_ns + passed_ns if steady_ns is None else steady_ns
        if passed_ns:
            self._live(now_ns)
        for session in state.running():
            self._catch_up(session)
        if passed_ns:
            self._interference.advance(now_ns)

    def _live(self, now_ns: int) -> None:
        state = self.state
        state.now_ns = now_ns
        step = state.world.advance(now_ns)
        state.deliver(step.order_events)
        moment = Moment.after(now_ns, step.market_events)
        for session in state.running():
            for (kind, _), stream in list(session.streams.items()):
                if self._interference.hears(session.peer, kind):
                    for message in stream.tell(moment):
                        session.send(message)

    def serve(self, session: Session, request: Message) -> None:
        """Do what a request asks for, whenever it came."""
        self.state.requests[request.name] += 1
        self._interference.serving(session.peer, request)
        requests.serve(self.state, session, request)
        self._interference.served(session.peer, request)

    def _admit(self, session: Session, request: Request) -> None:
        if session.state is not SessionState.RUNNING:
            self._do(session, request)
            return
        verdict = Verdict.HOLD if session.backlog else session.rate.judge(self.state.steady_ns)
        match verdict:
            case Verdict.SERVE:
                self._do(session, request)
            case Verdict.HOLD:
                session.backlog.append(request)
            case _:
                session.send_error(NO_REQUEST, session.rate.refusal())
                if verdict is Verdict.DISCONNECT:
                    session.enter(SessionState.CLOSED)

    def _catch_up(self, session: Session) -> None:
        while session.backlog and session.rate.judge(self.state.steady_ns) is Verdict.SERVE:
            self._do(session, session.backlog.popleft())

    def _do(self, session: Session, request: Request) -> None:
        if isinstance(request, UnknownMessage):
            self._refuse(session, request)
        elif isinstance(request, Unreadable):
            session.refuse_unreadable(request.req_id, request.cause)
            if not self.state.configuration.maintains_connection:
                session.enter(SessionState.CLOSED)
        else:
            self.serve(session, request)

    def _refuse(self, session: Session, unknown: UnknownMessage) -> None:
        if session.state is not SessionState.RUNNING:
            return
        known_range = 0 < unknown.msg_id <= PROTOBUF_ID_OFFSET
        self.state.unsupported[unknown.msg_id if known_range else 0] += 1  # 0 counts what no release ever sent
        requests.refuse_unknown(session, unknown)
