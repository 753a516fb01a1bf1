"""What an account number says of its account, and whether the accounts of a login are those that are meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence

_PAPER_PREFIX = "D"
_LIVE_PREFIXES = ("U", "F", "I")


def account_kind(account: str) -> str:
    """``paper`` or ``live`` by IB's prefix: D… is paper; U… live, F… and I… live advisor and broker.

    Anything else is ``unknown``, which is the kind of no environment: it is refused everywhere.
    """
    if account.startswith(_PAPER_PREFIX):
        return "paper"
    return "live" if account.startswith(_LIVE_PREFIXES) else "unknown"


def mismatch(found: Sequence[str], expected: Collection[str], kind: str) -> str:
    """Why a login with these accounts must not be used; empty if it may.

    ``expected``: exactly these, where any are given; one more is a login that somebody else meant. ``kind`` of the
    environment: what is not live is paper.
    """
    shown = ", ".join(found)
    if expected and set(expected) != set(found):
        return f"accounts {shown} are not the expected {', '.join(expected)}"
    wrong = [account for account in found if account_kind(account) != ("live" if kind == "live" else "paper")]
    return f"account {', '.join(wrong)} is not a {kind} account" if wrong else ""
