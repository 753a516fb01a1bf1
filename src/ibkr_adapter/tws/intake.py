"""What was read from one connection, until the conversation has it: bytes become frames, whatever is none an end."""

from __future__ import annotations

from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.conversation import Conversation
from ibkr_adapter.tws.ending import Ended
from ibkr_adapter.tws.frames import FrameBuffer, OversizedFrame
from ibkr_adapter.tws.progress import Counters

_TLS_BEGINS = (0x1503, 0x1603)
"""An alert or a handshake of TLS, as the two upper bytes of what would be a frame's length."""

_TLS_EXPECTED = (
    "what answers there speaks TLS: give the gateway a [gateways.X.tls] table, or the port behind the tunnel"
)

_CLOSED_UNHEARD = "without a word: we may not be among the gateway's trusted addresses, or the port may want TLS"


class Intake:
    """Read into ``space()``, then ``deliver`` what came."""

    def __init__(self, conversation: Conversation, counters: Counters) -> None:
        self._conversation = conversation
        self._counters = counters
        self._buffer = FrameBuffer()

    def space(self) -> memoryview:
        """Where the next read goes; never empty."""
        return self._buffer.space()

    def deliver(self, size: int, now_ns: int, *, greeted: bool) -> bool:
        """Whether there was bulk among it; raises ``Ended``."""
        self._counters.bytes_in += size
        self._counters.last_inbound_ns = now_ns
        self._buffer.fill(size)
        try:
            return self._conversation.received(self._buffer.frames(), now_ns)
        except OversizedFrame as oversized:
            if not greeted and oversized.length >> 16 in _TLS_BEGINS:
                raise Ended(LossCause.TLS_EXPECTED, _TLS_EXPECTED) from oversized
            self._counters.frames_malformed += 1
            raise Ended(LossCause.MALFORMED, str(oversized)) from oversized
        finally:
            self._counters.frames_empty = self._buffer.empty

    def closed(self) -> Ended:
        """The peer has ended the connection, here."""
        if self._counters.last_inbound_ns is None:
            return Ended(LossCause.CLOSED, _CLOSED_UNHEARD)
        partial = self._buffer.partial_bytes
        return Ended(LossCause.CLOSED, f"in the middle of a frame ({partial} bytes of it)" if partial else "")
