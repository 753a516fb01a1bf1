"""Where faults may step in between the gateway and its clients. This one lets everything pass.

A message goes through the doors in this order:

    request, serving, the request is served, served             from the client
    reply, framed, sent, and later output with its bytes        to the client

``opened``, ``agreed``, ``answered`` and ``closed`` are the stations of a connection; ``advance`` tells the time.
"""

from __future__ import annotations

from tws_simulator.api.peer import Peer
from tws_simulator.wire.row import Message


class Interference:
    """Subclass it to lose, delay, repeat or damage what passes; the defaults change nothing."""

    def admits(self) -> bool:
        """Whether a new connection is accepted."""
        return True

    def opened(self, peer: Peer) -> None:
        """A connection was accepted."""

    def agreed(self, peer: Peer, server_version: int) -> int:
        """The server version that the handshake is to name instead."""
        return server_version

    def answered(self, peer: Peer) -> None:
        """The answer to the client's hello is written."""

    def request(self, peer: Peer, message: Message) -> Message | None:
        """What the gateway is to read instead; None to lose it."""
        return message

    def serving(self, peer: Peer, message: Message) -> None:
        """The gateway begins to do what the request asks for; all it says until ``served`` is the answer."""

    def served(self, peer: Peer, message: Message) -> None:
        """The gateway has done what the request asked for."""

    def reply(self, peer: Peer, message: Message) -> tuple[Message, ...]:
        """What the client is to be told instead."""
        return (message,)

    def framed(self, peer: Peer, message: Message, frame: bytes) -> bytes:
        """The bytes that are to stand for one message, length prefix included."""
        return frame

    def sent(self, peer: Peer, message: Message) -> None:
        """The gateway has told the client this, whatever ``reply`` made of it."""

    def output(self, peer: Peer, data: bytes) -> bytes:
        """The bytes that really go out now; asked also when there are no new ones."""
        return data

    def hears(self, peer: Peer, kind: str) -> bool:
        """Whether subscriptions of this kind are told what the world does."""
        return True

    def advance(self, now_ns: int) -> None:
        """The world has come to ``now_ns`` and every subscription was told."""

    def closed(self, peer: Peer) -> None:
        """The connection has ended."""
