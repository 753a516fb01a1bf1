"""Who is at the other end of a connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Peer:
    """``connection`` counts the connections since the gateway started, from 1; ``client_id`` is -1 before START_API."""

    connection: int
    client_id: int = -1
