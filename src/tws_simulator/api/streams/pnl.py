"""Profit and loss of an account or of one position: at once, then about every second while it changes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message, message
from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.world import World

KIND: Final = "profit"
SINGLE_KIND: Final = "profit of a position"
_INTERVAL_NS: Final = 1_000_000_000


class PnlStream:
    """``realizedPnL`` is absent, which text writes as IB's largest number, until something was closed."""

    con_id: int | None = None

    def __init__(self, req_id: int, ledger: Ledger, world: World) -> None:
        self._req_id = req_id
        self._ledger = ledger
        self._world = world
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
        profit = self._ledger.pnl(self._world.marks())
        return message(
            "pnl",
            reqId=self._req_id,
            dailyPnL=float(profit.daily_usd),
            unrealizedPnL=float(profit.unrealized_usd),
            realizedPnL=_number(profit.realized_usd),
        )


class PnlSingleStream(PnlStream):
    """Silent about an instrument that is not held, until it is."""

    def __init__(self, req_id: int, ledger: Ledger, world: World, con_id: int) -> None:
        super().__init__(req_id, ledger, world)
        self.con_id = con_id

    def _row(self) -> Message | None:
        profit = self._ledger.pnl_single(self.con_id or 0, self._world.marks())
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
