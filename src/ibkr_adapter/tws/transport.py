"""The network thread: it alone owns the socket, in both directions, from the connect to the end.

Theory of operation. The thread waits in ``poll`` for three things: bytes from the peer, room for bytes to the peer,
and its wake descriptor, which any other thread writes to after it queued a frame or asked for the end. A read goes
into one buffer, is cut into frames, and the frames go to the ``Conversation`` with one clock reading for all of them.

After a read that carried bulk the thread lingers up to ``batch_window_us``, on the wake descriptor alone, so that a
busy line costs one read, one delivery and one wake of the loop for many ticks. A queued frame ends the wait at once.
Nothing waits before the first read after quiet, because the wait comes after a delivery, never before one.

Writes are tried at once. What the socket does not take is finished when ``poll`` says so; if frames wait for longer
than ``write_deadline_s`` the session ends, for nobody knows any more what the peer has seen. A frame that leaves
meanwhile does not begin that time anew: kernels take one now and then for a peer that has long ceased to read.

The thread ends in exactly one way: an ``Ended`` is raised, and the conversation is told its cause.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog
from msgspec import Struct

from ibkr_adapter.clock import SECOND, Clock
from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.dialing import Dialing, cause_of, errno_name, silent
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.frames import READ_BYTES, FrameBuffer, OversizedFrame
from ibkr_adapter.tws.handshake import SERVER_VERSION_MIN
from ibkr_adapter.tws.names import Names
from ibkr_adapter.tws.progress import Counters
from ibkr_adapter.tws.stream import Stream
from ibkr_adapter.tws.tls import TlsStream
from ibkr_adapter.worker import Worker

_log = structlog.get_logger()

_SELECT_FD_MAX = 1024
"""``select`` waits in microseconds but cannot look at descriptors from here on; ``poll`` can, in milliseconds."""

_TLS_BEGINS = (0x1503, 0x1603)
"""An alert or a handshake of TLS, as the two upper bytes of what would be a frame's length."""

_TLS_EXPECTED = (
    "what answers there speaks TLS: give the gateway a [gateways.X.tls] table, or the port behind the tunnel"
)

_CLOSED_UNHEARD = "without a word: we may not be among the gateway's trusted addresses, or the port may want TLS"

_LAST_WORDS_READS = 64
"""How much is still read from a peer that no longer takes our bytes: its refusal may be among them."""


class TransportOptions(Struct, frozen=True, kw_only=True):
    """``handshake_deadline_s`` covers connecting too. ``part_s``: how long a peer may still talk after our close."""

    handshake_deadline_s: float = 5.0
    write_deadline_s: float = 2.0
    part_s: float = 0.25
    batch_window_us: int = 500
    outbound_frames_max: int = 10_000
    outbound_bytes_max: int = 16 * 1024 * 1024
    send_buffer_bytes: int | None = None
    connect_options: str = ""
    optional_capabilities: str = ""
    server_version_min: int = SERVER_VERSION_MIN
    server_version_max: int | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """What to say once the frame it came with was handed over whole."""

    order_id: int
    cancel: bool


class Conversation(Protocol):
    """Whom the transport serves; every call comes from the network thread."""

    def connected(self, transport: Transport) -> bytes:
        """The first bytes to send."""

    def received(self, frames: Iterator[bytes], now_ns: int) -> bool:
        """Bodies of one read; raises ``Ended``. ``True``: there was bulk, a short wait is worth it."""

    def sent(self, receipt: Receipt, frame: bytes, now_ns: int) -> None:
        """A frame with a receipt was handed to the operating system."""

    def withheld(self, receipt: Receipt, now_ns: int) -> None:
        """A placement was dropped before its first byte."""

    def ended(self, cause: LossCause, detail: str, *, unsent: int, now_ns: int) -> None:
        """Nothing comes after this."""


class Transport:
    """One socket and its thread; ``send`` and ``close`` may be called from any thread.

    ``may_place`` is asked directly before the first byte of each placement; at a no the frame is dropped, whole.
    ``secure`` puts TLS on top of a connection.
    """

    def __init__(
        self,
        host: str,
        port: int,
        conversation: Conversation,
        *,
        name: str,
        clock: Clock,
        counters: Counters,
        options: TransportOptions,
        may_place: Callable[[], bool] = lambda: True,
        secure: Callable[[socket.socket], TlsStream] | None = None,
        names: Names | None = None,
    ) -> None:
        self._dialing = Dialing(
            host,
            port,
            names=names or Names(),
            rouse=self._rouse,
            secure=secure,
            deadline_s=options.handshake_deadline_s,
            send_buffer_bytes=options.send_buffer_bytes,
        )
        self._may_place = may_place
        self._conversation = conversation
        self._clock = clock
        self._counters = counters
        self._options = options
        self._worker = Worker(name, self._run, stop=lambda: self.close("stopped"), on_error=self._failed)
        self._started = False

        self._lock = threading.Lock()  # guards the five below, which other threads touch
        self._outbox: deque[tuple[bytes, Receipt | None]] = deque()
        self._outbox_bytes = 0
        self._overflowed = False
        self._asked: str | None = None
        self._over = False

        self._poll = select.poll()
        self._socket: socket.socket | None = None
        self._stream: Stream | None = None
        self._buffer = FrameBuffer()
        self._handshake_by_ns: int | None = None
        self._overdue = Ended(LossCause.SILENT)
        self._sent_of_first = 0
        self._blocked_since_ns: int | None = None

    @property
    def outbox_frames(self) -> int:
        return len(self._outbox)

    def start(self) -> None:
        self._wake_here, self._wake_there = socket.socketpair()
        self._wake_here.settimeout(0)
        self._wake_there.settimeout(0)
        self._poll.register(self._wake_here, select.POLLIN)
        self._started = True
        self._worker.start()

    def established(self) -> None:
        """The handshake is done: its deadline no longer holds."""
        self._handshake_by_ns = None

    def send(self, frame: bytes, receipt: Receipt | None = None) -> bool:
        """Queue one frame; ``False`` if the session is over and nobody will send it."""
        with self._lock:
            if self._over or self._overflowed:
                return False
            self._outbox.append((frame, receipt))
            self._outbox_bytes += len(frame)
            self._overflowed = (
                len(self._outbox) > self._options.outbound_frames_max
                or self._outbox_bytes > self._options.outbound_bytes_max
            )
            self._wake()
        return True

    def close(self, reason: str) -> None:
        with self._lock:
            if self._asked is None:
                self._asked = reason
        self._rouse()

    def _rouse(self) -> None:
        """From any thread, at any time."""
        with self._lock:
            if self._started and not self._over:
                self._wake()

    def join(self, timeout_s: float) -> bool:
        return self._worker.join(timeout_s)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it has not even looked at the earlier ones
            self._wake_there.send(b"\0")

    # --- The thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._converse()
        except Ended as ended:
            self._end(ended.cause, ended.detail)

    def _failed(self, error: BaseException) -> None:
        """A bug of ours ends in ``SessionLost`` too."""
        _log.error("network_thread_failed", thread=self._worker.name, exc_info=error)
        self._end(LossCause.CALLBACK, repr(error))

    def _end(self, cause: LossCause, detail: str) -> None:
        with self._lock:
            if self._over:
                return
            self._over = True
            unsent = len(self._outbox)
            self._outbox.clear()
            self._wake_here.close()
            self._wake_there.close()
        if self._socket is not None:
            self._socket.close()
        self._conversation.ended(cause, detail, unsent=unsent, now_ns=self._clock.now_ns())

    def _converse(self) -> None:
        self._handshake_by_ns = self._clock.now_ns() + int(self._options.handshake_deadline_s * SECOND)
        dialing = self._dialing
        self._socket = connection = dialing.connect(self._wait)
        self._stream = stream = dialing.shake_hands(connection, self._wait)
        self._overdue = silent("no greeting", self._options.handshake_deadline_s)
        self._poll.register(connection, select.POLLIN)
        self.send(self._conversation.connected(self))
        while True:
            held = stream.holds_more
            ready = dict(self._poll.poll(0 if held or self._asked is not None else self._patience_ms()))
            if self._wake_here.fileno() in ready:
                self._hear_wake()
            if self._overflowed:
                raise Ended(LossCause.OVERFLOW, f"{len(self._outbox)} frames wait to be sent")
            if self._outbox:
                self._flush()
            if self._asked is not None:
                self._part()
            if held or (connection.fileno() in ready and ready[connection.fileno()] & ~select.POLLOUT):
                self._read()
            self._watch_deadlines()

    def _patience_ms(self) -> float | None:
        deadlines = [by_ns for by_ns in (self._handshake_by_ns, self._write_by_ns()) if by_ns is not None]
        if not deadlines:
            return None
        return max(0.0, (min(deadlines) - self._clock.now_ns()) / 1_000_000) + 1

    def _write_by_ns(self) -> int | None:
        since_ns = self._blocked_since_ns
        return None if since_ns is None else since_ns + int(self._options.write_deadline_s * SECOND)

    def _watch_deadlines(self) -> None:
        if self._handshake_by_ns is None and self._blocked_since_ns is None:
            return
        now_ns = self._clock.now_ns()
        if self._handshake_by_ns is not None and now_ns >= self._handshake_by_ns:
            raise self._overdue
        write_by_ns = self._write_by_ns()
        if write_by_ns is not None and now_ns >= write_by_ns:
            raise Ended(LossCause.WRITE_DEADLINE, f"a frame not taken within {self._options.write_deadline_s:g} s")

    def _hear_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_here.recv(4096)

    # --- Connecting -----------------------------------------------------------------------------------------------

    def _wait(self, connection: socket.socket | None, wanted: int, overdue: Ended) -> bool:
        """Until something happens while there is no conversation yet; whether ``connection`` is ready."""
        self._overdue = overdue
        if connection is not None:
            self._poll.register(connection, wanted)
        try:
            ready = dict(self._poll.poll(self._patience_ms()))
        finally:
            if connection is not None:
                self._poll.unregister(connection)
        if self._asked is not None:
            raise Ended(LossCause.ASKED, self._asked)
        self._hear_wake()
        self._watch_deadlines()
        return connection is not None and connection.fileno() in ready

    # --- Reading --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read once; on a busy line go on, one read for each window, without asking ``poll`` in between."""
        assert self._stream is not None
        while True:
            size = self._receive()
            if size is None:
                return
            if not size:
                raise Ended(LossCause.CLOSED, self._where_closed())
            had_bulk = self._deliver(size)
            if self._stream.holds_more:
                return
            if not had_bulk or size >= READ_BYTES // 2 or self._blocked_since_ns is not None or self._linger():
                return

    def _where_closed(self) -> str:
        if self._counters.last_inbound_ns is None:
            return _CLOSED_UNHEARD
        partial = self._buffer.partial_bytes
        return f"in the middle of a frame ({partial} bytes of it)" if partial else ""

    def _receive(self) -> int | None:
        """Bytes read, 0 at the end of the stream, ``None`` when there was nothing after all."""
        assert self._stream is not None
        try:
            return self._stream.recv_into(self._buffer.space())
        except BlockingIOError:
            return None
        except OSError as failure:
            raise Ended(cause_of(failure), errno_name(failure)) from failure

    def _deliver(self, size: int) -> bool:
        now_ns = self._clock.now_ns()
        self._counters.bytes_in += size
        self._counters.last_inbound_ns = now_ns
        self._buffer.fill(size)
        try:
            return self._conversation.received(self._buffer.frames(), now_ns)
        except OversizedFrame as oversized:
            if self._handshake_by_ns is not None and oversized.length >> 16 in _TLS_BEGINS:
                raise Ended(LossCause.TLS_EXPECTED, _TLS_EXPECTED) from oversized
            self._counters.frames_malformed += 1
            raise Ended(LossCause.MALFORMED, str(oversized)) from oversized
        finally:
            self._counters.frames_empty = self._buffer.empty

    def _linger(self) -> bool:
        """Let more ticks gather; ``True`` if somebody wants something meanwhile, or there is no window at all."""
        window_us = self._options.batch_window_us
        if not window_us:
            return True
        if self._wake_here.fileno() < _SELECT_FD_MAX:
            return bool(select.select([self._wake_here], [], [], window_us / 1_000_000)[0])
        waiter = select.poll()
        waiter.register(self._wake_here, select.POLLIN)
        return bool(waiter.poll(window_us / 1_000))

    # --- Writing --------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Hand over what the socket takes; poll for room while something is left."""
        while self._outbox:
            frame, receipt = self._outbox[0]
            if receipt is not None and not receipt.cancel and not self._may_go_on():
                self._take_first()
                self._conversation.withheld(receipt, self._clock.now_ns())
                continue
            self._sent_of_first += self._write(frame)
            if self._sent_of_first < len(frame):
                if self._blocked_since_ns is None:
                    self._blocked_since_ns = self._clock.now_ns()
                    self._await_room(wanted=True)
                return
            self._counters.last_outbound_ns = self._clock.now_ns()  # before it leaves the outbox: see Session.taken
            self._take_first()
            self._sent_of_first = 0
            self._counters.frames_out += 1
            if receipt is not None:
                self._conversation.sent(receipt, frame, self._clock.now_ns())
        if self._blocked_since_ns is not None:
            self._unblock()

    def _may_go_on(self) -> bool:
        """A placement that has begun must be finished, for half a frame would take the next one with it."""
        assert self._stream is not None
        return self._sent_of_first > 0 or self._stream.committed or self._may_place()

    def _take_first(self) -> None:
        with self._lock:
            frame, _ = self._outbox.popleft()
            self._outbox_bytes -= len(frame)

    def _unblock(self) -> None:
        self._blocked_since_ns = None
        self._await_room(wanted=False)

    def _write(self, frame: bytes) -> int:
        assert self._stream is not None
        try:
            size = self._stream.send(memoryview(frame)[self._sent_of_first :])
        except BlockingIOError:
            return 0
        except OSError as failure:
            self._hear_last_words()
            # EPIPE: it had closed its end before; ECONNRESET: it has cut the connection.
            cause = LossCause.CLOSED if failure.errno == errno.EPIPE else LossCause.RESET
            raise Ended(cause, f"while sending: {errno_name(failure)}") from failure
        self._counters.bytes_out += size
        return size

    def _await_room(self, *, wanted: bool) -> None:
        assert self._socket is not None
        self._poll.modify(self._socket, select.POLLIN | select.POLLOUT if wanted else select.POLLIN)

    def _hear_last_words(self) -> None:
        """Read what a peer said before it stopped listening."""
        for _ in range(_LAST_WORDS_READS):
            try:
                size = self._receive()
            except Ended as ended:
                if ended.cause is LossCause.CERTIFICATE_WANTED:
                    raise  # why it stopped
                return
            if not size:
                return
            self._deliver(size)

    # --- Ending ---------------------------------------------------------------------------------------------------

    def _part(self) -> None:
        """End as asked: what was queued has been tried, then no more from us, then what the peer still says.

        Closing with unread bytes would send a reset, which may take our last frame, a cancel, from the peer's hands.
        """
        assert self._asked is not None
        assert self._stream is not None
        asked = Ended(LossCause.ASKED, self._asked)
        if self._handshake_by_ns is not None or self._outbox:
            raise asked
        try:
            self._stream.half_close()
        except OSError:
            raise asked from None
        self._poll.unregister(self._wake_here)
        until_ns = self._clock.now_ns() + int(self._options.part_s * SECOND)
        while (left_ms := (until_ns - self._clock.now_ns()) / 1_000_000) > 0:
            if not self._stream.holds_more and not self._poll.poll(left_ms):
                break
            try:
                size = self._receive()
                if size == 0:
                    break
                if size:
                    self._deliver(size)
            except Ended:
                break
        raise asked
