"""Where faults may step in between the gateway and its clients. This one lets everything pass."""

from __future__ import annotations

from tws_simulator.api.peer import Peer
from tws_simulator.wire.row import Message


class Interference:
    """Subclass it to lose, delay, repeat or damage what passes; the defaults change nothing."""

    def admits(self) -> bool:
        """Whether a new connection is accepted."""
        return True

    def request(self, peer: Peer, message: Message) -> Message | None:
        """What the gateway is to read instead; None to lose it."""
        return message

    def reply(self, peer: Peer, message: Message) -> tuple[Message, ...]:
        """What the client is to be told instead."""
        return (message,)

    def output(self, peer: Peer, data: bytes) -> bytes:
        """The bytes that really go out."""
        return data
