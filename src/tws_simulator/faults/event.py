"""What happened that a fault may be waiting for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from tws_simulator.api.peer import Peer
from tws_simulator.wire.row import Message

EventKind = Literal[
    "connection", "handshake", "started", "disconnection", "request", "served", "reply", "fill", "bytes_written"
]
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)
MESSAGE_KINDS = frozenset({"request", "served", "reply"})
"""Kinds of which a trigger names the message."""


@dataclass(frozen=True, slots=True)
class Event:
    """``total_bytes`` counts what was written to the connection so far."""

    kind: EventKind
    peer: Peer
    message: Message | None = None
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Cause:
    """The client and the message because of which a fault happens; neither for one that only time brought about."""

    peer: Peer | None = None
    message: Message | None = None


BY_ITSELF = Cause()
