"""How fast a gateway may be spoken to, and how much of it the login may see at once."""

from __future__ import annotations

from ibkr_adapter.config.model import Pacing
from ibkr_adapter.errors import ConfigurationError

MESSAGES_MIN = 10
"""Fewer a second, and a session that has lists and streams to ask for is not ready in time."""

LINES_MIN = 100
"""Nobody has fewer. Source: TWS API, "Market data lines"."""

_MOST = {"lines": 10_000, "depth": 60, "tick_by_tick": 500}


def pacing_of(pacing: Pacing, instruments: int, warnings: list[str]) -> Pacing:
    """Source of the rule: TWS API, "Pacing limitations": half as many messages a second as lines."""
    allowed = max(pacing.lines, LINES_MIN) // 2
    for key, most in _MOST.items():
        if not 0 <= getattr(pacing, key) <= most:
            raise ConfigurationError(f"pacing.{key}", f"must be from 0 to {most}", remedy="100 lines, 3, 5 are usual")
    if pacing.messages_max < MESSAGES_MIN:
        raise ConfigurationError(
            "pacing.messages_max", f"must be at least {MESSAGES_MIN} a second", remedy="45 is usual"
        )
    if pacing.messages_reserved < 1:
        raise ConfigurationError(
            "pacing.messages_reserved", "must be at least 1", remedy="a cancel must never wait for anything else"
        )
    if pacing.messages_max + pacing.messages_reserved > allowed:
        raise ConfigurationError(
            "pacing.messages_max",
            f"with messages_reserved it is {pacing.messages_max + pacing.messages_reserved} a second, IB allows"
            f" {allowed} for {pacing.lines} lines",
            remedy=f"at most {max(MESSAGES_MIN, allowed - pacing.messages_reserved)}, or the true number of lines",
        )
    if not 1 <= pacing.messages_burst <= pacing.messages_max:
        raise ConfigurationError(
            "pacing.messages_burst", "must be from 1 to messages_max", remedy="5 in a tenth of a second is usual"
        )
    if instruments > pacing.lines:
        warnings.append(f"pacing.lines: {instruments} instruments for {pacing.lines} lines: the last ones wait")
    return pacing
