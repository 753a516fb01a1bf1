"""What an account number says of its account."""

from __future__ import annotations

_PAPER_PREFIX = "D"
_LIVE_PREFIXES = ("U", "F", "I")


def account_kind(account: str) -> str:
    """``paper`` or ``live`` by IB's prefix: D… is paper; U… live, F… and I… live advisor and broker.

    Anything else is ``unknown``, which is the kind of no environment: it is refused everywhere.
    """
    if account.startswith(_PAPER_PREFIX):
        return "paper"
    return "live" if account.startswith(_LIVE_PREFIXES) else "unknown"
