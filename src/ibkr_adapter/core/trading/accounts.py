"""Account values and positions as the broker states them."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ibkr_adapter.accounts import account_kind
from ibkr_adapter.events import AccountValue, PositionReported
from ibkr_adapter.snapshot import AccountView


class Accounts:
    """The last statement of each value and of each position. Nothing is computed here."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, tuple[str, str]]] = {}
        self._as_of_ns: dict[str, int] = {}
        self._positions: dict[tuple[str, str], PositionReported] = {}
        self._unstated: set[tuple[str, str]] = set()

    def value(self, event: AccountValue) -> bool:
        """True if it is new or changed: the paper account has been seen to send every row twice."""
        values = self._values.setdefault(event.account, {})
        self._as_of_ns[event.account] = event.ts_recv_ns
        stated = (event.value, event.currency)
        changed = values.get(event.tag) != stated
        values[event.tag] = stated
        return changed

    def position(self, event: PositionReported) -> bool:
        """True if it is new or changed. A closed position is stated as zero, and kept as that."""
        identity = _identity(event)
        self._unstated.discard(identity)
        known = self._positions.get(identity)
        self._positions[identity] = event
        return known is None or (known.quantity, known.average_cost) != (event.quantity, event.average_cost)

    def expect_positions(self) -> None:
        """A new session will state every position; until it has, those of the last one stand."""
        self._unstated = set(self._positions)

    def doubt_positions(self) -> None:
        """2151: the gateway does not have them yet, so an empty list would not mean flat."""
        self._unstated.clear()

    def all_stated(self, now_ns: int) -> tuple[PositionReported, ...]:
        """The list is complete: what it did not name is not held any more, and is stated as zero."""
        gone = tuple(
            replace(self._positions[identity], quantity=Decimal(0), average_cost=0.0, ts_recv_ns=now_ns)
            for identity in sorted(self._unstated)
            if self._positions[identity].quantity
        )
        self._unstated.clear()
        for position in gone:
            self._positions[_identity(position)] = position
        return gone

    def views(self) -> tuple[AccountView, ...]:
        return tuple(
            AccountView(
                account=account, kind=account_kind(account), values=dict(values), as_of_ns=self._as_of_ns.get(account)
            )
            for account, values in self._values.items()
        )

    @property
    def positions(self) -> tuple[PositionReported, ...]:
        return tuple(self._positions.values())


def _identity(position: PositionReported) -> tuple[str, str]:
    return position.account, position.instrument.key
