"""How far the present session has come: the states of the link, and what may follow what."""

from __future__ import annotations

from enum import Enum


class LinkState(Enum):
    DOWN = "down"
    CONNECTING = "connecting"
    IDENTIFYING = "identifying"
    RECONCILING = "reconciling"
    READY = "ready"
    SUSPECT = "suspect"
    HALTED = "halted"


TRANSITIONS: dict[LinkState, frozenset[LinkState]] = {
    LinkState.DOWN: frozenset({LinkState.CONNECTING}),
    LinkState.CONNECTING: frozenset({LinkState.IDENTIFYING, LinkState.DOWN}),
    LinkState.IDENTIFYING: frozenset({LinkState.RECONCILING, LinkState.DOWN, LinkState.HALTED}),
    LinkState.RECONCILING: frozenset({LinkState.READY, LinkState.DOWN, LinkState.HALTED}),
    LinkState.READY: frozenset({LinkState.SUSPECT, LinkState.DOWN, LinkState.HALTED}),
    LinkState.SUSPECT: frozenset({LinkState.READY, LinkState.DOWN, LinkState.HALTED}),
    LinkState.HALTED: frozenset(),
}

OPEN = frozenset({LinkState.IDENTIFYING, LinkState.RECONCILING, LinkState.READY, LinkState.SUSPECT})
RECONCILED = frozenset({LinkState.READY, LinkState.SUSPECT})
