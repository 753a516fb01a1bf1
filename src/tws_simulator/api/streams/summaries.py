"""Account summary subscriptions: all rows once, then the rows that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tws_simulator.api.accounts.account_values import BASE, in_currencies
from tws_simulator.api.accounts.books import Books
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message

KIND: Final = "account summary"
LEDGER: Final = "$LEDGER"

_Row = tuple[str, str, str, str]
"""Account, tag, value, currency."""


class SummaryStream:
    """Remembers what one request was told, and looks for changes every ``interval_ns``.

    ``tags`` are tags of the ledger's summary, or ``$LEDGER``, ``$LEDGER:ALL`` and ``$LEDGER:`` with a currency.
    """

    con_id: int | None = None

    def __init__(
        self, req_id: int, books: Books, accounts: Sequence[str], tags: frozenset[str], interval_ns: int
    ) -> None:
        self._req_id = req_id
        self._books = books
        self._accounts = accounts
        self._tags = tags
        self._currencies = [_currency(tag) for tag in sorted(tags) if tag.startswith(LEDGER)]
        self._interval_ns = interval_ns
        self._due_ns = 0
        self._told: dict[tuple[str, str, str], str] = {}

    def tell(self, moment: Moment) -> Iterator[Message]:
        if moment.now_ns >= self._due_ns:
            yield from self.changes(moment.now_ns)

    def changes(self, now_ns: int) -> Iterator[Message]:
        self._due_ns = now_ns + self._interval_ns
        for account, tag, value, currency in self._rows():
            key = (account, tag, currency)
            if self._told.get(key) != value:
                self._told[key] = value
                yield message(
                    "accountSummary", reqId=self._req_id, account=account, tag=tag, value=value, currency=currency
                )

    def _rows(self) -> Iterator[_Row]:
        marks = self._books.marks()
        for account in self._accounts:
            ledger = self._books[account]
            for row in ledger.summary(marks):
                if row.tag in self._tags:
                    yield account, row.tag, row.value, row.currency
            for currency in self._currencies:
                for value in in_currencies(account, ledger, marks, currency):
                    yield account, value.key, value.value, value.currency


def _currency(tag: str) -> str:
    return tag.removeprefix(LEDGER).removeprefix(":") or BASE
