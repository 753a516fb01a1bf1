"""A transport without a socket: bytes pass straight into a simulated gateway and back, when ``pump`` is called.

It keeps the promises of the real one: one ``Ended`` and one last word, a handshake deadline, a write deadline against
a gateway that does not read, and frames that were not taken counted as unsent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ibkr_adapter.clock import SECOND, Clock
from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.frames import FrameBuffer, OversizedFrame
from ibkr_adapter.tws.progress import Counters
from ibkr_adapter.tws.transport import Conversation, Ended, Receipt, TransportOptions
from tws_simulator.api.core import GatewayCore
from tws_simulator.api.link import End
from tws_simulator.api.session import Session, SessionState

KERNEL_BYTES = 65_536
"""What the operating system takes off our hands for a peer that does not read."""


class MemoryTransport:
    """One connection to ``gateway``, from ``start`` until it is over.

    ``overhear`` is told of each read before the conversation is. ``cut_after_bytes``: of what we say so many are passed
    on, which ``passed_bytes`` counts, then both sides hear a reset.
    """

    def __init__(
        self,
        gateway: GatewayCore,
        *,
        conversation: Conversation,
        clock: Clock,
        counters: Counters,
        options: TransportOptions,
        may_place: Callable[[], bool] = lambda: True,
        kernel_bytes: int = KERNEL_BYTES,
        overhear: Callable[[bytes], None] = lambda _: None,
        **_: Any,
    ) -> None:
        self.cut_after_bytes: int | None = None
        self.passed_bytes = 0
        self._kernel_bytes = kernel_bytes
        self._overhear = overhear
        self._gateway = gateway
        self._conversation = conversation
        self._clock = clock
        self._counters = counters
        self._options = options
        self._may_place = may_place
        self._peer: Session | None = None
        self._buffer = FrameBuffer()
        self._outbox: deque[tuple[bytes, Receipt | None]] = deque()
        self._unread = bytearray()
        self._asked: str | None = None
        self._started = False
        self._over = False
        self._handshake_by_ns: int | None = None
        self._blocked_since_ns: int | None = None

    # What a session calls.

    @property
    def outbox_frames(self) -> int:
        return len(self._outbox)

    def start(self) -> None:
        self._started = True
        self._handshake_by_ns = self._clock.now_ns() + int(self._options.handshake_deadline_s * SECOND)

    def established(self) -> None:
        self._handshake_by_ns = None

    def send(self, frame: bytes, receipt: Receipt | None = None) -> bool:
        if self._over:
            return False
        self._outbox.append((frame, receipt))
        return True

    def close(self, reason: str) -> None:
        self._asked = self._asked or reason

    def join(self, timeout_s: float) -> bool:
        return self._over

    # What time and the other side do.

    @property
    def deadline_ns(self) -> int | None:
        """When something ends by itself."""
        if self._over:
            return None
        moments = [] if self._handshake_by_ns is None else [self._handshake_by_ns]
        if self._blocked_since_ns is not None:
            moments.append(self._blocked_since_ns + int(self._options.write_deadline_s * SECOND))
        return min(moments, default=None)

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
        self._write()
        if self._asked is not None:
            raise Ended(LossCause.ASKED, self._asked)
        self._read()
        deadline_ns = self.deadline_ns
        if deadline_ns is not None and self._clock.now_ns() >= deadline_ns:
            if self._handshake_by_ns is not None:
                raise Ended(LossCause.SILENT, f"no greeting within {self._options.handshake_deadline_s:g} s")
            raise Ended(LossCause.WRITE_DEADLINE, f"a frame not taken within {self._options.write_deadline_s:g} s")

    def _connect(self) -> None:
        if not self._gateway.state.door.is_open:
            raise Ended(LossCause.REFUSED, "ECONNREFUSED")
        self._peer = self._gateway.connect()
        if self._peer is None:
            raise Ended(LossCause.CLOSED)
        self.send(self._conversation.connected(self))  # type: ignore[arg-type]  # it has what a conversation calls

    def _write(self) -> None:
        assert self._peer is not None
        while self._outbox and self._has_room():
            frame, receipt = self._outbox.popleft()
            if receipt is not None and not receipt.cancel and not self._may_place():
                self._conversation.withheld(receipt, self._clock.now_ns())
                continue
            self._unread += frame
            self._counters.frames_out += 1
            if receipt is not None:
                self._conversation.sent(receipt, frame, self._clock.now_ns())
        if not self._outbox:
            self._blocked_since_ns = None
        elif self._blocked_since_ns is None:
            self._blocked_since_ns = self._clock.now_ns()
        if self._unread and self._is_heard:
            taken, self._unread = bytes(self._unread), bytearray()
            self._pass_on(taken)

    def _pass_on(self, taken: bytes) -> None:
        assert self._peer is not None
        if self.cut_after_bytes is not None:
            taken = taken[: max(0, self.cut_after_bytes - self.passed_bytes)]
        self.passed_bytes += len(taken)
        self._gateway.receive(self._peer, taken, self._clock.now_ns())
        if self.passed_bytes == self.cut_after_bytes:
            raise Ended(LossCause.RESET, "ECONNRESET")

    def _has_room(self) -> bool:
        return self._is_heard or len(self._unread) < self._kernel_bytes

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
                raise Ended(LossCause.CLOSED)

    def _take(self, data: bytes) -> None:
        if data:
            self._overhear(data)
        while data:
            space = self._buffer.space()
            part, data = data[: len(space)], data[len(space) :]
            space[: len(part)] = part
            self._buffer.fill(len(part))
            try:
                self._conversation.received(self._buffer.frames(), self._clock.now_ns())
            except OversizedFrame as oversized:
                raise Ended(LossCause.MALFORMED, str(oversized)) from oversized

    def _end(self, ended: Ended) -> None:
        self._over = True
        if self._peer is not None and self._peer.link.end is not End.VANISH:
            self._gateway.disconnect(self._peer)
        self._conversation.ended(ended.cause, ended.detail, unsent=len(self._outbox), now_ns=self._clock.now_ns())
