"""The accounts' books as the gateway knows them: the broker's own, or, while it has no link to it, the last it saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.world import World


class Books(Mapping[str, Ledger]):
    """By account. Ask again for each look: a ledger that was asked for earlier may not be the one that counts now."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last_seen: dict[str, Ledger] | None = None
        self._last_marks: dict[int, Decimal] = {}

    def __getitem__(self, account: str) -> Ledger:
        return (self._world.ledgers if self._last_seen is None else self._last_seen)[account]

    def __iter__(self) -> Iterator[str]:
        return iter(self._world.ledgers)

    def __len__(self) -> int:
        return len(self._world.ledgers)

    def marks(self) -> dict[int, Decimal]:
        """Last price of every instrument, for valuing positions."""
        return self._world.marks() if self._last_seen is None else self._last_marks

    def freeze(self) -> None:
        """Stay as they are now, whatever is booked from here on."""
        self._last_marks = self._world.marks()
        self._last_seen = {account: ledger.copy() for account, ledger in self._world.ledgers.items()}

    def thaw(self) -> None:
        self._last_seen = None
        self._last_marks = {}
