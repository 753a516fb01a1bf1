"""What is said on one connection, as the network thread hears it: greeting, then frames, then the end.

A known message that cannot be read ends the session (``MALFORMED``): after one such frame nobody can vouch for the
rest, and an order event skipped in silence is worse than a reconnect. Ids that nobody knows are counted and skipped.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from ibkr_adapter.events import FrameSent, FrameWithheld, LossCause, SessionLost, SessionOpened
from ibkr_adapter.tws import handshake
from ibkr_adapter.tws.callbacks import Callbacks
from ibkr_adapter.tws.client import Client
from ibkr_adapter.tws.conversation import Line, Receipt
from ibkr_adapter.tws.decoding import FrameDecoder
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.frames import OversizedFrame
from ibkr_adapter.tws.mailbox import Mailbox
from ibkr_adapter.tws.official import PACKAGE
from ibkr_adapter.tws.progress import Counters, State
from ibkr_adapter.tws.translate import Malformed
from ibkr_adapter.tws.transport import TransportOptions

_log = structlog.get_logger()

_EARLY_FRAMES_MAX = 16
"""Messages a peer may send before its greeting; more, and it is no TWS."""

_QUARANTINE_BYTES = 256
_DETAIL_CHARACTERS = 200


class Dialogue:
    """The ``Conversation`` of a session; ``state`` and ``server_version`` may be read from any thread."""

    def __init__(
        self,
        *,
        gateway: str,
        address: str,
        client_id: int,
        epoch: int,
        client: Client,
        mailbox: Mailbox,
        counters: Counters,
        options: TransportOptions,
    ) -> None:
        self.state = State.NEW
        self.server_version: int | None = None
        self._gateway = gateway
        self._address = address
        self._client_id = client_id
        self._epoch = epoch
        self._client = client
        self._mailbox = mailbox
        self._counters = counters
        self._options = options
        self._offered = PACKAGE.server_version_max
        if options.server_version_max is not None:
            self._offered = min(self._offered, options.server_version_max)
        self._callbacks = Callbacks(epoch)
        self._decoder: FrameDecoder | None = None
        self._line: Line | None = None
        self._early_frames = 0

    def connected(self, line: Line) -> bytes:
        self._line = line
        return handshake.offer(self._offered, self._options.connect_options)

    def received(self, frames: Iterator[bytes], now_ns: int) -> bool:
        self._callbacks.now_ns = now_ns
        body = b""
        try:
            if self._decoder is None:
                self._decoder = self._await_greeting(frames, now_ns)
            if self._decoder is not None:
                decode = self._decoder.decode
                for body in frames:
                    decode(body)
        except (Ended, OversizedFrame):
            raise
        except Exception as failure:
            # BLE001: the border of the callbacks. Whatever went wrong, the session ends with its cause.
            raise self._quarantined(body, failure) from failure
        finally:
            had_bulk = self._deliver()
        return had_bulk

    def sent(self, receipt: Receipt, frame: bytes, now_ns: int) -> None:
        self._callbacks.control.append(
            FrameSent(
                epoch=self._epoch, ts_recv_ns=now_ns, order_id=receipt.order_id, cancel=receipt.cancel, frame=frame
            )
        )
        self._deliver()

    def withheld(self, receipt: Receipt, now_ns: int) -> None:
        self._callbacks.control.append(
            FrameWithheld(
                epoch=self._epoch,
                ts_recv_ns=now_ns,
                order_id=receipt.order_id,
                detail="the right to send orders was gone when its turn came; nothing of it was sent",
            )
        )
        self._deliver()

    def ended(self, cause: LossCause, detail: str, *, unsent: int, now_ns: int) -> None:
        self.state = State.LOST
        self._mailbox.put_last(  # before the log: a log that fails must not take this with it
            SessionLost(
                epoch=self._epoch,
                ts_recv_ns=now_ns,
                gateway=self._gateway,
                client_id=self._client_id,
                cause=cause,
                detail=detail,
                unsent=unsent,
            )
        )
        _log.debug(  # the shell says it once for everybody; here with what the transport counted
            "session_lost",
            gateway=self._gateway,
            client_id=self._client_id,
            epoch=self._epoch,
            cause=cause.value,
            detail=detail,
            unsent=unsent,
            frames_in=self._counters.frames_in,
            frames_out=self._counters.frames_out,
            frames_unknown=self._counters.frames_unknown,
        )

    # --- Greeting -------------------------------------------------------------------------------------------------

    def _await_greeting(self, frames: Iterator[bytes], now_ns: int) -> FrameDecoder | None:
        for body in frames:
            try:
                greeting = handshake.greeting(body)
            except handshake.BadHandshake as bad:
                self._counters.frames_malformed += 1
                raise Ended(LossCause.MALFORMED, str(bad)) from bad
            if greeting is not None:
                return self._open(greeting, now_ns)
            self._early_frames += 1
            if self._early_frames > _EARLY_FRAMES_MAX:
                raise Ended(LossCause.MALFORMED, f"{self._early_frames} frames and no greeting among them")
        return None

    def _open(self, greeting: handshake.Greeting, now_ns: int) -> FrameDecoder:
        version = greeting.server_version
        if not self._options.server_version_min <= version <= self._offered:
            supported = f"{self._options.server_version_min} to {self._offered}"
            raise Ended(LossCause.UNSUPPORTED, f"the gateway speaks server version {version}, we speak {supported}")
        assert self._line is not None
        self._client.greeted(version, self._options.optional_capabilities)
        self._line.established()
        self._line.send(self._client.start_frame())
        self.server_version = version
        self.state = State.OPEN
        self._callbacks.control.append(
            SessionOpened(
                epoch=self._epoch,
                ts_recv_ns=now_ns,
                gateway=self._gateway,
                client_id=self._client_id,
                server_version=version,
                connection_time=greeting.connection_time,
                address=self._address,
            )
        )
        return FrameDecoder(self._callbacks, version, self._counters)

    # --- Delivery -------------------------------------------------------------------------------------------------

    def _deliver(self) -> bool:
        """Put what the callbacks gathered; whether there was bulk among it."""
        control, bulk = self._callbacks.control, self._callbacks.bulk
        if not control and not bulk:
            return False
        had_bulk = bool(bulk)
        fits = self._mailbox.put(control, bulk)
        control.clear()
        bulk.clear()
        if not fits:
            raise Ended(LossCause.OVERFLOW, "the mailbox has no room for events that must not be lost")
        return had_bulk

    def _quarantined(self, body: bytes, failure: Exception) -> Ended:
        cause = fault(failure)
        detail = f"{type(failure).__name__}: {failure}"[:_DETAIL_CHARACTERS]
        if cause is LossCause.MALFORMED:
            self._counters.frames_malformed += 1
        _log.error(
            "frame_quarantined",
            gateway=self._gateway,
            epoch=self._epoch,
            cause=cause.value,
            detail=detail,
            bytes=len(body),
            begins=body[:_QUARANTINE_BYTES].hex(),
        )
        return Ended(cause, detail)


def fault(failure: Exception) -> LossCause:
    """Whose fault: the frame's if it failed inside the official package, ours if in a callback."""
    if isinstance(failure, Malformed):
        return LossCause.MALFORMED
    trace = failure.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return LossCause.MALFORMED if module.partition(".")[0] in ("ibapi", "google") else LossCause.CALLBACK
