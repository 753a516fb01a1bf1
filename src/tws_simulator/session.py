"""One client's connection, without its socket: bytes in, bytes out.

    AWAITING_HELLO → AWAITING_START → RUNNING → CLOSED

A session reads its frames, hands each request to the gateway, and collects what is to be sent in ``output``. Requests
before START_API are ignored. After CLOSED nothing is read; what is in ``output`` is still to be sent.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import TYPE_CHECKING

from tws_simulator import handshake, notices
from tws_simulator.wire.codec import PAYLOAD_BYTES_MAX, Codec, UnknownMessage, frame
from tws_simulator.wire.row import Message
from tws_simulator.wire.text import MalformedMessage

if TYPE_CHECKING:
    from tws_simulator.core import GatewayCore
    from tws_simulator.quotes import QuoteStream
    from tws_simulator.summaries import SummarySubscription

_LENGTH = struct.Struct("!I")
_OUTPUT_BYTES_MAX = 16 * 1024 * 1024


class SessionState(Enum):
    AWAITING_HELLO = "awaiting hello"
    AWAITING_START = "awaiting start"
    RUNNING = "running"
    CLOSED = "closed"


_FOLLOWING = {
    SessionState.AWAITING_HELLO: {SessionState.AWAITING_START, SessionState.CLOSED},
    SessionState.AWAITING_START: {SessionState.RUNNING, SessionState.CLOSED},
    SessionState.RUNNING: {SessionState.CLOSED},
    SessionState.CLOSED: {SessionState.CLOSED},
}


class Session:
    """What the gateway knows of one client: its dialect, its id, its subscriptions."""

    def __init__(self, gateway: GatewayCore) -> None:
        self.state = SessionState.AWAITING_HELLO
        self.codec = Codec(gateway.options.server_version)
        self.client_id = -1
        self.options = ""
        self.market_data_type = 1
        self.quote_streams: dict[int, QuoteStream] = {}
        self.summaries: dict[int, SummarySubscription] = {}
        self.wants_positions = False
        self.time_answered_ns = -(2**62)
        self.output = bytearray()
        self._gateway = gateway
        self._unread = bytearray()

    def __repr__(self) -> str:
        lines = f"{len(self.quote_streams)} lines"
        return f"<Session {self.client_id} v{self.codec.server_version} {self.state.value} {lines}>"

    def enter(self, state: SessionState) -> None:
        if state not in _FOLLOWING[self.state]:
            raise AssertionError(f"{self.state} cannot become {state}")
        self.state = state

    def receive(self, data: bytes) -> None:
        if self.state is SessionState.CLOSED:
            return
        self._unread += data
        if self.state is SessionState.AWAITING_HELLO:
            self._read_hello()
        while self.state in (SessionState.AWAITING_START, SessionState.RUNNING):
            payload = self._next_payload()
            if payload is None:
                return
            self._read_request(payload)

    def send(self, message: Message) -> None:
        for passed in self._gateway.interference.reply(self, message):
            self.output += frame(self.codec.encode_reply(passed))
        if len(self.output) > _OUTPUT_BYTES_MAX:
            self.enter(SessionState.CLOSED)  # one burst of requests asked for more than anybody reads

    def send_error(self, msg_id: int, code_and_text: tuple[int, str]) -> None:
        self.send(notices.error(msg_id, code_and_text, self._gateway.now_ns))

    def take_output(self) -> bytes:
        data = bytes(self.output)
        self.output.clear()
        return self._gateway.interference.output(self, data) if data else data

    def _read_hello(self) -> None:
        own_newest = self._gateway.options.server_version
        try:
            hello = handshake.read_hello(bytes(self._unread))
        except handshake.NotTheApi:
            self.enter(SessionState.CLOSED)
            return
        if hello is None:
            return
        del self._unread[: hello.consumed_bytes]
        version = handshake.negotiate(own_newest, hello)
        if version is None:
            self.output += handshake.refuse(own_newest, hello)
            self.enter(SessionState.CLOSED)
            return
        self.codec = Codec(version)
        self.options = hello.options
        self.output += handshake.accept(version, self._gateway.now_ns)
        self.enter(SessionState.AWAITING_START)

    def _next_payload(self) -> bytes | None:
        if len(self._unread) < 4:
            return None
        length = _LENGTH.unpack_from(self._unread)[0]
        if length > PAYLOAD_BYTES_MAX:
            self._give_up(f"a message of {length} bytes")
            return None
        if len(self._unread) < 4 + length:
            return None
        payload = bytes(self._unread[4 : 4 + length])
        del self._unread[: 4 + length]
        return payload

    def _read_request(self, payload: bytes) -> None:
        try:
            request = self.codec.decode_request(payload)
        except UnknownMessage as unknown:
            if self.state is SessionState.RUNNING:
                self._gateway.refuse_unknown(self, unknown)
            return
        except MalformedMessage as fault:
            self._give_up(str(fault))
            return
        passed = self._gateway.interference.request(self, request)
        if passed is not None:
            self._gateway.handle(self, passed)

    def _give_up(self, cause: str) -> None:
        """A gateway by default does not maintain a connection on which a request had incorrect fields."""
        if self.state is SessionState.RUNNING:
            self.send_error(notices.NO_REQUEST, notices.unreadable(cause))
        self.enter(SessionState.CLOSED)
