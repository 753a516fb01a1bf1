"""A gateway that has forgotten the latest order ids, as after some restarts."""

from __future__ import annotations

FIRST_ORDER_ID = 1
_CLIENTS_MAX = 1_000


class Setback:
    """Each client is greeted once with an id that is ``by`` lower than it was to be, and never below 1."""

    def __init__(self, by: int) -> None:
        self._by = by
        self._greeted: set[int] = set()

    def next_order_id(self, client_id: int, order_id: int) -> int:
        """What the greeting says; beyond a thousand clients, the truth."""
        if client_id in self._greeted or len(self._greeted) >= _CLIENTS_MAX:
            return order_id
        self._greeted.add(client_id)
        return max(FIRST_ORDER_ID, order_id - self._by)
