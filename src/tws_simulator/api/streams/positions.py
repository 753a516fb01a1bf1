"""Position subscriptions: all positions once, then those that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tws_simulator.api.accounts.account_books import held_contract
from tws_simulator.api.accounts.books import Books
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.values import Values
from tws_simulator.world.accounts.records import Position

KIND: Final = "positions"
MULTI_KIND: Final = "positions of an account"

Shown = Callable[[str, Values, Position], Message]


class PositionStream:
    """Remembers which positions it has told, of each account; those closed today are told with 0 shares."""

    con_id: int | None = None

    def __init__(self, accounts: Sequence[str], books: Books, shown: Shown) -> None:
        self._accounts = accounts
        self._books = books
        self._shown = shown
        self._told: dict[tuple[str, int], Position] = {}
        self._bookings: dict[str, int] = {}

    def tell(self, moment: Moment) -> Iterator[Message]:
        yield from self.changes(moment.now_ns)

    def changes(self, now_ns: int) -> Iterator[Message]:
        for account in self._accounts:
            ledger = self._books[account]
            if self._bookings.get(account) == ledger.bookings:
                continue
            self._bookings[account] = ledger.bookings
            for held in ledger.positions():
                if self._told.get((account, held.con_id)) != held:
                    self._told[account, held.con_id] = held
                    yield self._shown(account, held_contract(held.con_id, now_ns), held)


def position(account: str, contract: Values, held: Position) -> Message:
    return message(
        "position", account=account, contract=contract, position=held.shares, avgCost=float(held.average_cost_usd)
    )


def position_multi(req_id: int) -> Shown:
    """Positions as one request for some accounts is told them; no account here has models."""

    def shown(account: str, contract: Values, held: Position) -> Message:
        return message(
            "positionMulti",
            reqId=req_id,
            account=account,
            contract=contract,
            position=held.shares,
            avgCost=float(held.average_cost_usd),
        )

    return shown
