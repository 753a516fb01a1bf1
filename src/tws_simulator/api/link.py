"""How the sockets are to behave: said here by whoever wants a fault, done by the server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class End(Enum):
    CLOSE = "close"  # FIN after what is written
    RESET = "reset"  # RST at once
    VANISH = "vanish"  # neither: the socket stays open and nobody is there any more


@dataclass(slots=True)
class Link:
    """Of one connection. What is written leaves in segments of ``segment_sizes`` in turn, or at once."""

    reads: bool = True
    writes: bool = True
    segment_sizes: tuple[int, ...] = ()
    segment_pause_s: float = 0.0
    end: End | None = None


@dataclass(slots=True)
class Door:
    """Of the listener: a closed one refuses connections as a port does on which nothing listens."""

    is_open: bool = True
