"""How far one session has come: its state, and its traffic in numbers."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class State(Enum):
    """Whether the handshake is still to come, done, or never will be; READY is a matter of the core."""

    NEW = "new"
    CONNECTING = "connecting"
    OPEN = "open"
    LOST = "lost"


class Counters(Struct):
    """Written by the network thread, ``requests_dropped`` by whoever performs; a copy may be read anywhere.

    ``frames_unknown`` have an id the official client does not know, ``frames_unwanted`` one that we do not ask for,
    ``frames_malformed`` ended the session. ``requests_dropped`` came when the session was already over.
    """

    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    frames_unknown: int = 0
    frames_unwanted: int = 0
    frames_malformed: int = 0
    frames_empty: int = 0
    requests_dropped: int = 0
    last_inbound_ns: int | None = None
