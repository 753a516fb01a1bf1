"""Profit and loss of an account or of one position: at once, then about every second while it changes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tws_simulator.api.accounts.books import Books
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message

KIND: Final = "profit"
SINGLE_KIND: Final = "profit of a position"
_INTERVAL_NS: Final = 1_000_000_000


class PnlStream:
    """``realizedPnL`` is absent, which text writes as IB's largest number, until something was closed."""

    con_id: int | None = None

    def __init__(self, req_id: int, account: str, books: Books) -> None:
        self._req_id = req_id
        self._account = account
        self._books = books
        self._due_ns = 0
        self._told: Message | None = None

    def tell(self, moment: Moment) -> Iterator[Message]:
        if moment.now_ns >= self._due_ns:
            yield from self.changes(moment.now_ns)

    def changes(self, now_ns: int) -> Iterator[Message]:
        self._due_ns = now_ns + _INTERVAL_NS
        row = self._row()
        if row is not None and row != self._told:
            self._told = row
            yield row

    def _row(self) -> Message | None:
        profit = self._books[self._account].pnl(self._books.marks())
        return message(
            "pnl",
            reqId=self._req_id,
            dailyPnL=float(profit.daily_usd),
            unrealizedPnL=float(profit.unrealized_usd),
            realizedPnL=_number(profit.realized_usd),
        )


class PnlSingleStream(PnlStream):
    """Silent about an instrument that is not held, until it is."""

    def __init__(self, req_id: int, account: str, books: Books, con_id: int) -> None:
        super().__init__(req_id, account, books)
        self.con_id = con_id

    def _row(self) -> Message | None:
        profit = self._books[self._account].pnl_single(self.con_id or 0, self._books.marks())
        if profit is None:
            return None
        return message(
            "pnlSingle",
            reqId=self._req_id,
            position=profit.shares,
            dailyPnL=float(profit.daily_usd),
            unrealizedPnL=float(profit.unrealized_usd),
            realizedPnL=_number(profit.realized_usd),
            value=float(profit.value_usd),
        )


def _number(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)
