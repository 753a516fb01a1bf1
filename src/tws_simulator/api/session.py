"""One client's connection, without its socket: bytes in, requests out; messages in, bytes out.

    AWAITING_HELLO → AWAITING_START → RUNNING → CLOSED

Requests before START_API are ignored. After CLOSED nothing is read; what is in ``output`` is still to be sent.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from tws_simulator.api.interference import Interference
from tws_simulator.api.limits.message_rate import BACKLOG_MAX, MessageRate
from tws_simulator.api.link import Link
from tws_simulator.api.notices import NO_REQUEST, Notice, error
from tws_simulator.api.notices.session import TOO_MANY_STREAMS, unreadable
from tws_simulator.api.peer import Peer
from tws_simulator.api.refused import Refused
from tws_simulator.api.streams.stream import Stream
from tws_simulator.wire import handshake
from tws_simulator.wire.codec import PAYLOAD_BYTES_MAX, Codec, Unidentified, UnknownMessage, frame
from tws_simulator.wire.row import Message
from tws_simulator.wire.values import MalformedMessage

_LENGTH = struct.Struct("!I")
STREAMS_MAX = 500
"""Subscriptions of one client besides market data lines, whose number is an option: each costs time at every step."""
OUTPUT_BYTES_MAX = 16 * 1024 * 1024
_LONG_AGO_NS = -(2**62)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A request of which only the message's own id, and perhaps ``req_id``, could be read."""

    req_id: int
    cause: str


Request = Message | UnknownMessage | Unreadable


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
    """What the gateway knows of one client: its dialect, its id, its subscriptions.

    ``streams`` are the subscriptions by kind and request id (0 where a kind has no request ids), at most
    ``streams_max``; ``requests`` and ``replies`` count messages. ``now`` tells the gateway's time in nanoseconds.
    """

    def __init__(
        self,
        connection: int,
        server_version: int,
        interference: Interference,
        now: Callable[[], int],
        rate: MessageRate,
        streams_max: int,
    ) -> None:
        self.peer = Peer(connection)
        self.link = Link()
        self.rate = rate
        self.state = SessionState.AWAITING_HELLO
        self.codec = Codec(server_version)
        self.options = ""
        self.market_data_type = 1
        self.streams: dict[tuple[str, int], Stream] = {}
        self.time_answered_ns = _LONG_AGO_NS
        self.backlog: deque[Request] = deque()
        self.requests = 0
        self.replies = 0
        self.output = bytearray()
        self._interference = interference
        self._now = now
        self._streams_max = streams_max
        self._unread = bytearray()

    def __repr__(self) -> str:
        streams = f"{len(self.streams)} streams"
        return f"<Session {self.client_id} v{self.codec.server_version} {self.state.value} {streams}>"

    @property
    def is_read(self) -> bool:
        """Whether the gateway reads from the client's socket."""
        return self.link.reads and len(self.backlog) < BACKLOG_MAX

    @property
    def client_id(self) -> int:
        return self.peer.client_id

    def enter(self, state: SessionState) -> None:
        if state not in _FOLLOWING[self.state]:
            raise AssertionError(f"{self.state} cannot become {state}")
        self.state = state
        if state is SessionState.CLOSED:
            self.streams.clear()
            self.backlog.clear()

    def receive(self, data: bytes) -> Iterator[Request]:
        """The requests in ``data``, one by one: what is done about one may end the session before the next."""
        if self.state is SessionState.CLOSED:
            return
        self._unread += data
        if self.state is SessionState.AWAITING_HELLO:
            self._read_hello()
        while self.state in (SessionState.AWAITING_START, SessionState.RUNNING):
            payload = self._next_payload()
            if payload is None:
                return
            request = self._read_request(payload)
            self.requests += 1
            if request is not None:
                yield request

    def send(self, message: Message) -> None:
        for passed in self._interference.reply(self.peer, message):
            self.put(passed)
        self._interference.sent(self.peer, message)

    def put(self, message: Message) -> None:
        """Told as it is: a fault may still damage its bytes, but neither lose nor change it."""
        self.replies += 1
        self.put_bytes(self._interference.framed(self.peer, message, frame(self.codec.encode_reply(message))))

    def put_bytes(self, data: bytes) -> None:
        if self.link.end is not None:
            return
        if len(self.output) + len(data) > OUTPUT_BYTES_MAX:
            self.enter(SessionState.CLOSED)  # one burst of requests asked for more than anybody reads
        else:
            self.output += data

    def send_error(self, msg_id: int, notice: Notice) -> None:
        self.send(error(msg_id, notice, self._now()))

    def subscribe(self, kind: str, req_id: int, stream: Stream) -> None:
        """In place of one of the same kind and id."""
        if (kind, req_id) not in self.streams and len(self.streams) >= self._streams_max:
            raise Refused(TOO_MANY_STREAMS)
        self.streams[kind, req_id] = stream

    def unsubscribe(self, kind: str, req_id: int) -> Stream | None:
        """What ran, if anything did."""
        return self.streams.pop((kind, req_id), None)

    def take_output(self) -> bytes:
        data = bytes(self.output)
        self.output.clear()
        return self._interference.output(self.peer, data)

    def _read_hello(self) -> None:
        own_newest = self.codec.server_version
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
        told = self._interference.agreed(self.peer, version)
        self.codec = Codec(version)
        self.options = hello.options
        self.output += handshake.accept(told, self._now())
        self.enter(SessionState.AWAITING_START)
        self._interference.answered(self.peer)

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

    def _read_request(self, payload: bytes) -> Request | None:
        try:
            request = self.codec.decode_request(payload)
        except UnknownMessage as unknown:
            return unknown
        except Unidentified as fault:
            self._give_up(str(fault))
            return None
        except MalformedMessage as fault:
            return Unreadable(self.codec.request_id(payload), str(fault))
        return self._interference.request(self.peer, request)

    def _give_up(self, cause: str) -> None:
        """Where one message ends and the next begins is no longer known, so no setting maintains the connection."""
        self.refuse_unreadable(NO_REQUEST, cause)
        self.enter(SessionState.CLOSED)

    def refuse_unreadable(self, req_id: int, cause: str) -> None:
        if self.state is SessionState.RUNNING:
            self.send_error(req_id, unreadable(cause))
