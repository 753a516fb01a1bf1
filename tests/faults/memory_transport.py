"""A transport without a socket: bytes pass straight into a simulated gateway and back, when ``pump`` is called.

What waits to be written, the fence, the deadlines and the cutting of frames are the service's own; the operating
system alone is played here. So nothing of it needs a thread, and time is the given clock's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from ibkr_adapter.clock import SECOND, Clock
from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.conversation import Conversation, Receipt
from ibkr_adapter.tws.deadline import Deadline, earliest_ns
from ibkr_adapter.tws.dialing import silent
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.intake import Intake
from ibkr_adapter.tws.outbox import flush
from ibkr_adapter.tws.progress import Counters
from ibkr_adapter.tws.resolver import Resolver
from ibkr_adapter.tws.tls import TlsStream
from ibkr_adapter.tws.transport import TransportOptions
from tws_simulator.api.core import GatewayCore
from tws_simulator.api.link import End
from tws_simulator.api.session import Session, SessionState

KERNEL_BYTES = 65_536
"""What the operating system takes off our hands for a peer that does not read."""


class MemoryTransport:
    """One connection to ``gateway``, from ``start`` until it is over.

    ``overhear`` is told of each read before the conversation is, ``wrote`` of how many messages a write completed: all
    frames but the first bytes of a connection. ``cut_after_bytes``: of what we say so many are passed on, which
    ``passed_bytes`` counts, then both sides hear a reset.
    """

    def __init__(
        self,
        gateway: GatewayCore,
        *,
        host: str,
        port: int,
        conversation: Conversation,
        name: str,
        clock: Clock,
        counters: Counters,
        options: TransportOptions,
        may_place: Callable[[], bool] = lambda: True,
        secure: Callable[[socket.socket], TlsStream] | None = None,
        resolver: Resolver | None = None,
        kernel_bytes: int = KERNEL_BYTES,
        overhear: Callable[[bytes], None] = lambda _: None,
        wrote: Callable[[int], None] = lambda _: None,
    ) -> None:
        assert secure is None, "TLS needs a socket"
        self.cut_after_bytes: int | None = None
        self.passed_bytes = 0
        self._kernel_bytes = kernel_bytes
        self._overhear = overhear
        self._wrote = wrote
        self._gateway = gateway
        self._conversation = conversation
        self._clock = clock
        self._counters = counters
        self._options = options
        self._peer: Session | None = None
        self._intake = Intake(conversation, counters)
        self._outbox = options.outbox(conversation, counters, may_place)
        self._handshake = Deadline()
        self._unread = bytearray()
        self._asked: str | None = None
        self._started = False
        self._over = False

    # What a session calls.

    def taken(self) -> tuple[int, int]:
        return self._outbox.taken()

    def start(self) -> None:
        self._started = True
        deadline_s = self._options.handshake_deadline_s
        self._handshake.stand(self._clock.now_ns() + int(deadline_s * SECOND), silent("no greeting", deadline_s))

    def established(self) -> None:
        self._handshake.lift()

    def send(self, frame: bytes, receipt: Receipt | None = None) -> bool:
        return self._outbox.put(frame, receipt)

    def close(self, reason: str) -> None:
        self._asked = self._asked or reason

    def join(self, timeout_s: float) -> bool:
        return self._over

    # What time and the other side do.

    @property
    def deadline_ns(self) -> int | None:
        """When something ends by itself."""
        return None if self._over else earliest_ns(self._handshake, self._outbox.deadline)

    def pump(self) -> None:
        """Carry what waits on either side, once."""
        if not self._started or self._over:
            return
        try:
            self._converse()
        except Ended as ended:
            self._end(ended)

    def _converse(self) -> None:
        if self._peer is None:
            self._connect()
        self._write_out()
        if self._asked is not None:
            raise Ended(LossCause.ASKED, self._asked)
        self._read()
        for deadline in (self._handshake, self._outbox.deadline):
            deadline.watch(self._clock.now_ns())

    def _connect(self) -> None:
        if not self._gateway.state.door.is_open:
            raise Ended(LossCause.REFUSED, "ECONNREFUSED")
        self._peer = self._gateway.connect()
        if self._peer is None:
            raise self._intake.closed()
        self.send(self._conversation.connected(self))

    def _write_out(self) -> None:
        before = self._counters.frames_out
        flush(self._outbox, self._write, self._clock)
        if (written := self._counters.frames_out - max(1, before)) > 0:
            self._wrote(written)
        if self._unread and self._is_heard:
            taken, self._unread = bytes(self._unread), bytearray()
            self._pass_on(taken)

    def _write(self, data: memoryview) -> int:
        """What the kernel does: it takes all for a peer that reads, and as much as it has room for otherwise."""
        room_bytes = len(data) if self._is_heard else max(0, self._kernel_bytes - len(self._unread))
        taken = data[:room_bytes]
        self._unread += taken
        return len(taken)

    def _pass_on(self, taken: bytes) -> None:
        assert self._peer is not None
        if self.cut_after_bytes is not None:
            taken = taken[: max(0, self.cut_after_bytes - self.passed_bytes)]
        self.passed_bytes += len(taken)
        self._gateway.receive(self._peer, taken, self._clock.now_ns())
        if self.passed_bytes == self.cut_after_bytes:
            raise Ended(LossCause.RESET, "ECONNRESET")

    @property
    def _is_heard(self) -> bool:
        assert self._peer is not None
        return self._peer.is_read and self._peer.link.end is None and self._peer.state is not SessionState.CLOSED

    def _read(self) -> None:
        assert self._peer is not None
        peer, link = self._peer, self._peer.link
        if link.writes and link.end in (None, End.CLOSE):
            self._take(peer.take_output())
        match link.end:
            case End.RESET:
                raise Ended(LossCause.RESET, "ECONNRESET")
            case End.VANISH:
                return
            case _ if peer.state is SessionState.CLOSED:
                raise self._intake.closed()

    def _take(self, data: bytes) -> None:
        if data:
            self._overhear(data)
        while data:
            space = self._intake.space()
            part, data = data[: len(space)], data[len(space) :]
            space[: len(part)] = part
            self._intake.deliver(len(part), self._clock.now_ns(), greeted=self._handshake.at_ns is None)

    def _end(self, ended: Ended) -> None:
        self._over = True
        if self._peer is not None and self._peer.link.end is not End.VANISH:
            self._gateway.disconnect(self._peer)
        unsent = self._outbox.seal()
        self._conversation.ended(ended.cause, ended.detail, unsent=unsent, now_ns=self._clock.now_ns())
