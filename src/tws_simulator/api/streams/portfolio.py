"""Account updates: an account's values and valued positions, all once, then what changed.

Changes are told every three minutes, and at once after a fill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tws_simulator.api.accounts.account_books import held_contract
from tws_simulator.api.accounts.account_values import Value, download, in_currencies
from tws_simulator.api.accounts.books import Books
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.records import Pnl, Position
from tws_simulator.world.time.calendar import new_york_time

KIND: Final = "account updates"
MULTI_KIND: Final = "account updates of accounts"


class PortfolioStream:
    """The subscription of one client to one account; ``interval_ns`` is the pause between looks for changes."""

    con_id: int | None = None

    def __init__(self, account: str, books: Books, interval_ns: int) -> None:
        self.account = account
        self._books = books
        self._interval_ns = interval_ns
        self._due_ns = 0
        self._bookings = 0
        self._values: dict[tuple[str, str], str] = {}
        self._rows: dict[int, Message] = {}

    def tell(self, moment: Moment) -> Iterator[Message]:
        if moment.now_ns >= self._due_ns or self._ledger().bookings != self._bookings:
            yield from self.changes(moment.now_ns)

    def changes(self, now_ns: int) -> Iterator[Message]:
        """Values by key, then positions, each followed by the time."""
        self._due_ns = now_ns + self._interval_ns
        self._bookings = self._ledger().bookings
        told = False
        for value in download(self.account, self._ledger(), self._books.marks()):
            if self._values.get((value.key, value.currency)) != value.value:
                told = True
                self._values[value.key, value.currency] = value.value
                yield message(
                    "updateAccountValue",
                    key=value.key,
                    value=value.value,
                    currency=value.currency or None,
                    accountName=self.account,
                )
        for row in self._portfolio(now_ns):
            told = True
            yield row
            yield _time(now_ns)
        if told:
            yield _time(now_ns)

    def _portfolio(self, now_ns: int) -> Iterator[Message]:
        marks, ledger = self._books.marks(), self._ledger()
        for held in ledger.positions():
            profit = ledger.pnl_single(held.con_id, marks)
            assert profit is not None, "a position that was not held"
            row = self._row(held, profit, now_ns)
            if self._rows.get(held.con_id) != row:
                self._rows[held.con_id] = row
                yield row

    def _row(self, held: Position, profit: Pnl, now_ns: int) -> Message:
        mark = self._books.marks().get(held.con_id, held.average_cost_usd)
        return message(
            "updatePortfolio",
            contract=held_contract(held.con_id, now_ns),
            position=held.shares,
            marketPrice=float(mark),
            marketValue=float(profit.value_usd),
            averageCost=float(held.average_cost_usd),
            unrealizedPNL=float(profit.unrealized_usd),
            realizedPNL=float(profit.realized_usd or 0),
            accountName=self.account,
        )

    def _ledger(self) -> Ledger:
        return self._books[self.account]


class AccountUpdatesStream:
    """Values of one or several accounts under a request id; ``ledger_only`` leaves all but the currencies' rows out."""

    con_id: int | None = None

    def __init__(
        self, req_id: int, accounts: Sequence[str], books: Books, *, ledger_only: bool, interval_ns: int
    ) -> None:
        self._req_id = req_id
        self._accounts = accounts
        self._books = books
        self._ledger_only = ledger_only
        self._interval_ns = interval_ns
        self._due_ns = 0
        self._bookings = 0
        self._told: dict[tuple[str, str, str], str] = {}

    def tell(self, moment: Moment) -> Iterator[Message]:
        if moment.now_ns >= self._due_ns or self._count_bookings() != self._bookings:
            yield from self.changes(moment.now_ns)

    def changes(self, now_ns: int) -> Iterator[Message]:
        self._due_ns = now_ns + self._interval_ns
        self._bookings = self._count_bookings()
        for account in self._accounts:
            for value in self._values(account, self._books[account]):
                key = (account, value.key, value.currency)
                if self._told.get(key) != value.value:
                    self._told[key] = value.value
                    yield message(
                        "accountUpdateMulti",
                        reqId=self._req_id,
                        account=account,
                        key=value.key,
                        value=value.value,
                        currency=value.currency or None,
                    )

    def _values(self, account: str, ledger: Ledger) -> list[Value]:
        marks = self._books.marks()
        if self._ledger_only:
            return in_currencies(account, ledger, marks, "ALL")
        return download(account, ledger, marks)

    def _count_bookings(self) -> int:
        return sum(self._books[account].bookings for account in self._accounts)


def _time(now_ns: int) -> Message:
    return message("updateAccountTime", timeStamp=f"{new_york_time(now_ns):%H:%M}")
