"""The ids that our requests bear, apart from those of orders.

Ids of requests and of orders share one number space in IB's error messages, so we part it: requests from
1,000,000,000 up, orders below. 9001 belongs to the pinned depth subscription and is neither.
"""

from __future__ import annotations

REQUEST_ID_FIRST = 1_000_000_000
RESERVED_IDS = frozenset({9001})


class ReqIdCounter:
    """Strictly increasing over the life of the process, never reused: a late answer finds nobody else at home."""

    def __init__(self) -> None:
        self._next = REQUEST_ID_FIRST

    def take(self) -> int:
        taken = self._next
        self._next += 1
        return taken
