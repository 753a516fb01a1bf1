"""The network thread: it alone owns the socket, in both directions, from the connect to the end.

Theory of operation. The thread waits in ``poll`` for three things: bytes from the peer, room for bytes to the peer,
and its wake descriptor, which any other thread writes to after it queued a frame or asked for the end. A read goes
into one buffer, is cut into frames, and the frames go to the ``Conversation`` with one clock reading for all of them.

After a read that carried bulk the thread lingers up to ``batch_window_us``, on the wake descriptor alone, so that a
busy line costs one read, one delivery and one wake of the loop for many ticks. A queued frame ends the wait at once.
Nothing waits before the first read after quiet, because the wait comes after a delivery, never before one.

Writes are tried at once. What the socket does not take stays in the ``Outbox`` and is tried again when ``poll`` says
that there is room; if frames wait for longer than ``write_deadline_s`` the session ends, for nobody knows any more what
the peer has seen.

The thread ends in exactly one way: an ``Ended`` is raised, and the conversation is told its cause.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
from collections.abc import Callable

import structlog
from msgspec import Struct

from ibkr_adapter.clock import SECOND, Clock
from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.conversation import Conversation, Receipt
from ibkr_adapter.tws.deadline import Deadline, earliest_ns
from ibkr_adapter.tws.dialing import Dialing, cause_of, errno_name, silent
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.frames import READ_BYTES
from ibkr_adapter.tws.handshake import SERVER_VERSION_MIN
from ibkr_adapter.tws.intake import Intake
from ibkr_adapter.tws.outbox import Outbox, flush
from ibkr_adapter.tws.progress import Counters
from ibkr_adapter.tws.resolver import Resolver
from ibkr_adapter.tws.stream import Stream
from ibkr_adapter.tws.tls import TlsStream
from ibkr_adapter.worker import Worker

_log = structlog.get_logger()

_SELECT_FD_MAX = 1024
"""``select`` waits in microseconds but cannot look at descriptors from here on; ``poll`` can, in milliseconds."""

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

    def outbox(self, conversation: Conversation, counters: Counters, may_place: Callable[[], bool]) -> Outbox:
        return Outbox(
            conversation,
            counters=counters,
            may_place=may_place,
            frames_max=self.outbound_frames_max,
            bytes_max=self.outbound_bytes_max,
            write_deadline_s=self.write_deadline_s,
        )


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
        resolver: Resolver | None = None,
    ) -> None:
        self._dialing = Dialing(
            host,
            port,
            resolver=resolver or Resolver(),
            rouse=self._rouse,
            secure=secure,
            deadline_s=options.handshake_deadline_s,
            send_buffer_bytes=options.send_buffer_bytes,
        )
        self._conversation = conversation
        self._clock = clock
        self._counters = counters
        self._options = options
        self._worker = Worker(name, self._run, stop=lambda: self.close("stopped"), on_error=self._failed)
        self._started = False

        self._lock = threading.Lock()  # guards the two below, which other threads touch, and the end of the wake pair
        self._asked: str | None = None
        self._over = False

        self._poll = select.poll()
        self._socket: socket.socket | None = None
        self._stream: Stream | None = None
        self._intake = Intake(conversation, counters)
        self._outbox = options.outbox(conversation, counters, may_place)
        self._handshake = Deadline()

    def start(self) -> None:
        self._wake_here, self._wake_there = socket.socketpair()
        self._wake_here.settimeout(0)
        self._wake_there.settimeout(0)
        self._poll.register(self._wake_here, select.POLLIN)
        self._started = True
        self._worker.start()

    def established(self) -> None:
        """The handshake is done: its deadline no longer holds."""
        self._handshake.lift()

    def send(self, frame: bytes, receipt: Receipt | None = None) -> bool:
        """Queue one frame; ``False`` if the session is over and nobody will send it."""
        queued = self._outbox.put(frame, receipt)
        if queued:
            self._rouse()
        return queued

    def taken(self) -> tuple[int, int]:
        """Frames that still wait, and when the last one was written; see ``Outbox.taken``."""
        return self._outbox.taken()

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
            self._wake_here.close()
            self._wake_there.close()
        if self._socket is not None:
            self._socket.close()
        unsent = self._outbox.seal()
        self._conversation.ended(cause, detail, unsent=unsent, now_ns=self._clock.now_ns())

    def _converse(self) -> None:
        deadline_s = self._options.handshake_deadline_s
        self._handshake.stand(self._clock.now_ns() + int(deadline_s * SECOND), silent("no greeting", deadline_s))
        dialing = self._dialing
        self._socket = connection = dialing.connect(self._wait)
        self._stream = stream = dialing.shake_hands(connection, self._wait)
        self._handshake.blame(silent("no greeting", deadline_s))
        self._poll.register(connection, select.POLLIN)
        self.send(self._conversation.connected(self))
        while True:
            held = stream.holds_more
            ready = dict(self._poll.poll(0 if held or self._asked is not None else self._patience_ms()))
            if self._wake_here.fileno() in ready:
                self._hear_wake()
            if self._outbox:
                self._flush(stream)
            if self._asked is not None:
                self._part()
            if held or (connection.fileno() in ready and ready[connection.fileno()] & ~select.POLLOUT):
                self._read()
            self._watch_deadlines()

    def _patience_ms(self) -> float | None:
        by_ns = earliest_ns(self._handshake, self._outbox.deadline)
        return None if by_ns is None else max(0.0, (by_ns - self._clock.now_ns()) / 1_000_000) + 1

    def _watch_deadlines(self) -> None:
        handshake, writing = self._handshake, self._outbox.deadline
        if handshake.at_ns is not None or writing.at_ns is not None:
            now_ns = self._clock.now_ns()
            handshake.watch(now_ns)
            writing.watch(now_ns)

    def _hear_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_here.recv(4096)

    # --- Connecting -----------------------------------------------------------------------------------------------

    def _wait(self, connection: socket.socket | None, wanted: int, overdue: Ended) -> bool:
        """Until something happens while there is no conversation yet; whether ``connection`` is ready."""
        self._handshake.blame(overdue)
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
                raise self._intake.closed()
            had_bulk = self._deliver(size)
            if self._stream.holds_more:
                return
            if not had_bulk or size >= READ_BYTES // 2 or self._outbox.deadline.at_ns is not None or self._linger():
                return

    def _receive(self) -> int | None:
        """Bytes read, 0 at the end of the stream, ``None`` when there was nothing after all."""
        assert self._stream is not None
        try:
            return self._stream.recv_into(self._intake.space())
        except BlockingIOError:
            return None
        except OSError as failure:
            raise Ended(cause_of(failure), errno_name(failure)) from failure

    def _deliver(self, size: int) -> bool:
        return self._intake.deliver(size, self._clock.now_ns(), greeted=self._handshake.at_ns is None)

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

    def _flush(self, stream: Stream) -> None:
        """Hand over what the socket takes; poll for room while something is left."""
        waited = self._outbox.deadline.at_ns is not None
        flush(self._outbox, self._write, self._clock, committed=stream.committed)
        waits = self._outbox.deadline.at_ns is not None
        if waits is not waited:
            self._await_room(wanted=waits)

    def _write(self, data: memoryview) -> int:
        assert self._stream is not None
        try:
            return self._stream.send(data)
        except BlockingIOError:
            return 0
        except OSError as failure:
            self._hear_last_words()
            # EPIPE: it had closed its end before; ECONNRESET: it has cut the connection.
            cause = LossCause.CLOSED if failure.errno == errno.EPIPE else LossCause.RESET
            raise Ended(cause, f"while sending: {errno_name(failure)}") from failure

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
        if self._handshake.at_ns is not None or self._outbox:
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
