"""One instrument in an account: its position and its day."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts.records import ZERO, Pnl, Position

_COST_STEP: Final = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Trade:
    """``signed`` shares or contracts, each at ``price_usd`` (that of all its units), and what the broker took."""

    signed: Decimal
    price_usd: Decimal
    commission_usd: Decimal


class Holding:
    """The day's trades are kept, for one of them may turn out to have been another: the day is then counted again."""

    def __init__(self, position: Position) -> None:
        self.con_id = position.con_id
        self.symbol = position.symbol
        self.shares = position.shares
        self.cost_usd = position.cost_usd
        self.multiplier = position.multiplier
        self._trades: dict[str, Trade] = {}
        self._day_shares = position.shares
        self._day_cost_usd = position.cost_usd
        self._day_value_usd = position.cost_usd
        self._day_flow_usd = ZERO
        self._realized_usd: Decimal | None = None

    def trade(self, trade_id: str, trade: Trade) -> Decimal | None:
        """Change the position; the realised profit, or None when nothing was closed."""
        self._trades[trade_id] = trade
        return self._count(trade)

    def trade_instead(self, wrong_id: str, trade_id: str, trade: Trade) -> Decimal | None:
        """As if this trade had been made in place of another of today; KeyError for one of another day."""
        if wrong_id not in self._trades:
            raise KeyError(wrong_id)
        self._trades = dict(
            (trade_id, trade) if each_id == wrong_id else (each_id, each) for each_id, each in self._trades.items()
        )
        self.shares, self.cost_usd = self._day_shares, self._day_cost_usd
        self._day_flow_usd, self._realized_usd = ZERO, None
        return {each_id: self._count(each) for each_id, each in self._trades.items()}[trade_id]

    def start_day(self, marks: Mapping[int, Decimal]) -> None:
        self._trades.clear()
        self._day_shares, self._day_cost_usd = self.shares, self.cost_usd
        self._day_value_usd = self.value_usd(marks)
        self._day_flow_usd = ZERO
        self._realized_usd = None

    @property
    def units(self) -> Decimal:
        """What a price is of: shares, or ``multiplier`` to each contract."""
        return self.shares * self.multiplier

    def mark(self, marks: Mapping[int, Decimal]) -> Decimal:
        """The market's price; average cost for an instrument that has none."""
        mark = marks.get(self.con_id)
        return self.position().average_cost_usd / self.multiplier if mark is None else mark

    def value_usd(self, marks: Mapping[int, Decimal]) -> Decimal:
        mark = marks.get(self.con_id)
        return self.cost_usd if mark is None else self.units * mark

    def position(self) -> Position:
        return Position(
            con_id=self.con_id,
            symbol=self.symbol,
            shares=self.shares,
            cost_usd=self.cost_usd,
            multiplier=self.multiplier,
        )

    def pnl(self, marks: Mapping[int, Decimal]) -> Pnl:
        value_usd = self.value_usd(marks)
        return Pnl(
            daily_usd=value_usd + self._day_flow_usd - self._day_value_usd,
            unrealized_usd=value_usd - self.cost_usd,
            realized_usd=self._realized_usd,
            value_usd=value_usd,
            shares=self.shares,
        )

    def _count(self, trade: Trade) -> Decimal | None:
        signed, price_usd, commission_usd = trade.signed, trade.price_usd, trade.commission_usd
        self._day_flow_usd -= signed * price_usd + commission_usd
        if self.shares * signed >= 0:
            self.shares += signed
            self.cost_usd += signed * price_usd + commission_usd
            return None
        closed = min(abs(signed), abs(self.shares))
        closed_signed = closed.copy_sign(signed)
        commission_closed_usd = _part(commission_usd, closed, abs(signed))
        cost_closed_usd = _part(self.cost_usd, closed, abs(self.shares))
        realized_usd = -closed_signed * price_usd - commission_closed_usd - cost_closed_usd
        self.cost_usd += (signed - closed_signed) * price_usd + commission_usd - commission_closed_usd - cost_closed_usd
        self.shares += signed
        self._realized_usd = (self._realized_usd or ZERO) + realized_usd
        return realized_usd


def _part(usd: Decimal, shares: Decimal, of_shares: Decimal) -> Decimal:
    return usd if shares == of_shares else (usd * shares / of_shares).quantize(_COST_STEP)
