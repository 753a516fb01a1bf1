"""The simulated account's books: cash, positions and profit, exact, with a record of everything that was received."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import Final

from tws_simulator.world.instruments.universe import find

OPENING_CASH_USD: Final = Decimal("1000000.00")
OPENING_SPY_SHARES: Final = 100

# IB's usual rates for large liquid stocks in a Reg T margin account; a real account's differ by stock and by day.
INITIAL_MARGIN: Final = Decimal("0.25")
MAINTENANCE_MARGIN: Final = Decimal("0.25")
REG_T_MARGIN: Final = Decimal("0.50")
BUYING_POWER_LEVERAGE: Final = 4

RECORDS_MAX: Final = 1_000_000  # of executions and of placements each: an oracle that forgets would be none

ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")
_COST_STEP: Final = Decimal("0.00000001")


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One fill as execDetails tells it. ``side`` is BOT or SLD; ``liquidity`` 1 added, 2 removed.

    A price is of one unit, of which a share (or contract) has ``multiplier``.
    """

    exec_id: str
    perm_id: int
    client_id: int
    order_id: int
    order_ref: str
    account: str
    con_id: int
    symbol: str
    exchange: str
    side: str
    shares: Decimal
    price: Decimal
    cum_qty: Decimal
    avg_price: Decimal
    liquidity: int
    ts_ns: int
    sec_type: str = "STK"
    multiplier: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Commission:
    """What a fill cost; ``realized_pnl_usd`` is None when the fill closed nothing."""

    exec_id: str
    commission_usd: Decimal
    currency: str
    realized_pnl_usd: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Shares held (negative = short) and the money paid for them, commissions included, as IB counts cost."""

    con_id: int
    symbol: str
    shares: Decimal
    cost_usd: Decimal
    multiplier: int = 1

    @property
    def average_cost_usd(self) -> Decimal:
        """Per share or contract; 0 for a closed position, as IB reports it."""
        return self.cost_usd / self.shares if self.shares else ZERO


class PlacementKind(Enum):
    """What the exchange made of a placeOrder message."""

    NEW = "new"
    MODIFY = "modify"
    IGNORED = "ignored"
    WHAT_IF = "what-if"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """One placeOrder message as received, whatever became of it."""

    ts_ns: int
    client_id: int
    order_id: int
    order_ref: str
    con_id: int
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None
    kind: PlacementKind


@dataclass(frozen=True, kw_only=True, slots=True)
class SummaryRow:
    """One line of an account summary; ``currency`` is empty for values that are not money."""

    tag: str
    value: str
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pnl:
    """Profit in USD; ``realized_usd`` is None until something was closed today."""

    daily_usd: Decimal
    unrealized_usd: Decimal
    realized_usd: Decimal | None
    value_usd: Decimal
    shares: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Margins:
    """What the account is worth and what its positions tie up, in USD."""

    equity_usd: Decimal
    gross_usd: Decimal
    initial_usd: Decimal
    maintenance_usd: Decimal


class LedgerFull(Exception):
    """As many records as the ledger may keep are kept; restart the simulator."""


class Ledger:
    """Cash, positions and commissions always add up to where the account started.

    cash = opening cash - sum of (signed shares x price x multiplier) - commissions, and
    cash + cost of positions = opening cash + opening cost + realised profit; both to the last digit.
    Where a partial close splits a cost unevenly, the rounding (1e-8) stays in the position.
    """

    account: str
    cash_usd: Decimal
    executions: list[Execution]
    commissions: dict[str, Commission]
    placements: list[Placement]

    def __init__(
        self,
        account: str,
        cash_usd: Decimal = OPENING_CASH_USD,
        positions: Iterable[Position] = (),
        records_max: int = RECORDS_MAX,
    ) -> None:
        self.account = account
        self._records_max = records_max
        self.cash_usd = cash_usd
        self.executions = []
        self.commissions = {}
        self.placements = []
        self._holdings = {position.con_id: _Holding(position) for position in positions}
        self._day_equity_usd = cash_usd + sum((holding.cost_usd for holding in self._holdings.values()), ZERO)

    def apply(self, execution: Execution, commission_usd: Decimal) -> Commission:
        """Book one fill and answer with its commission report; an exec_id can be booked once."""
        assert execution.exec_id not in self.commissions, f"{execution.exec_id} booked twice"
        if len(self.executions) >= self._records_max:
            raise LedgerFull
        holding = self._holdings.get(execution.con_id)
        if holding is None:
            empty = Position(
                con_id=execution.con_id,
                symbol=execution.symbol,
                shares=ZERO,
                cost_usd=ZERO,
                multiplier=execution.multiplier,
            )
            holding = self._holdings[execution.con_id] = _Holding(empty)
        signed = execution.shares if execution.side == "BOT" else -execution.shares
        self.cash_usd -= signed * execution.price * execution.multiplier + commission_usd
        report = Commission(
            exec_id=execution.exec_id,
            commission_usd=commission_usd,
            currency="USD",
            realized_pnl_usd=holding.trade(signed, execution.price * execution.multiplier, commission_usd),
        )
        self.executions.append(execution)
        self.commissions[execution.exec_id] = report
        return report

    def record(self, placement: Placement) -> None:
        """Remember a placeOrder message; every one, refused ones and repeats included."""
        if len(self.placements) >= self._records_max:
            raise LedgerFull
        self.placements.append(placement)

    def placements_by_ref(self, kind: PlacementKind | None = None) -> dict[str, int]:
        """How often each order_ref was received (of one kind, or of any)."""
        return Counter(placement.order_ref for placement in self.placements if kind in (None, placement.kind))

    def placements_by_id(self, kind: PlacementKind | None = None) -> dict[tuple[int, int], int]:
        """How often each (client_id, order_id) was received (of one kind, or of any)."""
        return Counter(
            (placement.client_id, placement.order_id) for placement in self.placements if kind in (None, placement.kind)
        )

    def position(self, con_id: int) -> Position | None:
        """None for an instrument that was not held today."""
        holding = self._holdings.get(con_id)
        return holding.position() if holding else None

    def positions(self) -> list[Position]:
        """By symbol; one that was closed today stays, with 0 shares, until the day ends, as at IB."""
        return sorted((holding.position() for holding in self._holdings.values()), key=lambda position: position.symbol)

    def margins(
        self, marks: Mapping[int, Decimal], con_id: int = 0, shares: Decimal = ZERO, multiplier: int = 1
    ) -> Margins:
        """As things are, or as they would be with ``shares`` more (or, negative, fewer) of one instrument."""
        held = {holding.con_id: holding.shares * holding.multiplier for holding in self._holdings.values()}
        equity_usd = self.cash_usd + sum((holding.value_usd(marks) for holding in self._holdings.values()), ZERO)
        if shares:
            held[con_id] = held.get(con_id, ZERO) + shares * multiplier
        gross_usd = sum((abs(count) * self._mark(each, marks) for each, count in held.items()), ZERO)
        return Margins(
            equity_usd=equity_usd,
            gross_usd=gross_usd,
            initial_usd=gross_usd * INITIAL_MARGIN,
            maintenance_usd=gross_usd * MAINTENANCE_MARGIN,
        )

    def summary(self, marks: Mapping[int, Decimal]) -> list[SummaryRow]:
        """Every account summary tag, sorted; one moment's rows agree with each other."""
        now = self.margins(marks)
        available = now.equity_usd - now.initial_usd
        excess = now.equity_usd - now.maintenance_usd
        money = {
            "AccruedCash": ZERO,
            "AvailableFunds": available,
            "BuyingPower": max(available, ZERO) * BUYING_POWER_LEVERAGE,
            "EquityWithLoanValue": now.equity_usd,
            "ExcessLiquidity": excess,
            "FullAvailableFunds": available,
            "FullExcessLiquidity": excess,
            "FullInitMarginReq": now.initial_usd,
            "FullMaintMarginReq": now.maintenance_usd,
            "GrossPositionValue": now.gross_usd,
            "InitMarginReq": now.initial_usd,
            "LookAheadAvailableFunds": available,
            "LookAheadExcessLiquidity": excess,
            "LookAheadInitMarginReq": now.initial_usd,
            "LookAheadMaintMarginReq": now.maintenance_usd,
            "MaintMarginReq": now.maintenance_usd,
            "NetLiquidation": now.equity_usd,
            "PreviousDayEquityWithLoanValue": self._day_equity_usd,
            "RegTEquity": now.equity_usd,
            "RegTMargin": now.gross_usd * REG_T_MARGIN,
            "SMA": now.equity_usd - now.gross_usd * REG_T_MARGIN,
            "SettledCash": self.cash_usd,
            "TotalCashValue": self.cash_usd,
        }
        plain = {
            "AccountType": "INDIVIDUAL",
            "Cushion": _ratio(excess, now.equity_usd, "0.000001"),
            "DayTradesRemaining": "-1",  # IB's word for "no limit"
            "Leverage": _ratio(now.gross_usd, now.equity_usd, "0.01"),
            "LookAheadNextChange": "0",
        }
        rows = [SummaryRow(tag=tag, value=str(usd.quantize(_CENT)), currency="USD") for tag, usd in money.items()]
        rows += [SummaryRow(tag=tag, value=value, currency="") for tag, value in plain.items()]
        return sorted(rows, key=lambda row: row.tag)

    def pnl(self, marks: Mapping[int, Decimal]) -> Pnl:
        """Of the whole account; ``shares`` is 0."""
        each = [holding.pnl(marks) for holding in self._holdings.values()]
        realized = [pnl.realized_usd for pnl in each if pnl.realized_usd is not None]
        return Pnl(
            daily_usd=sum((pnl.daily_usd for pnl in each), ZERO),
            unrealized_usd=sum((pnl.unrealized_usd for pnl in each), ZERO),
            realized_usd=sum(realized, ZERO) if realized else None,
            value_usd=sum((pnl.value_usd for pnl in each), ZERO),
            shares=ZERO,
        )

    def pnl_single(self, con_id: int, marks: Mapping[int, Decimal]) -> Pnl | None:
        """Of one position; None for an instrument that was not held today."""
        holding = self._holdings.get(con_id)
        return holding.pnl(marks) if holding else None

    def start_day(self, marks: Mapping[int, Decimal]) -> None:
        """Daily profit counts from here; positions that were closed are forgotten."""
        self._day_equity_usd = self.margins(marks).equity_usd
        self._holdings = {con_id: holding for con_id, holding in self._holdings.items() if holding.shares}
        for holding in self._holdings.values():
            holding.start_day(marks)

    def __repr__(self) -> str:
        held = " ".join(f"{position.symbol} {position.shares}" for position in self.positions() if position.shares)
        return f"<Ledger {self.account} cash {self.cash_usd:.2f} USD {held or 'flat'} fills {len(self.executions)}>"

    def _mark(self, con_id: int, marks: Mapping[int, Decimal]) -> Decimal:
        holding = self._holdings.get(con_id)
        return holding.mark(marks) if holding else marks[con_id]


class _Holding:
    """One instrument's position and its day."""

    def __init__(self, position: Position) -> None:
        self.con_id = position.con_id
        self.symbol = position.symbol
        self.shares = position.shares
        self.cost_usd = position.cost_usd
        self.multiplier = position.multiplier
        self._day_value_usd = position.cost_usd
        self._day_flow_usd = ZERO
        self._realized_usd: Decimal | None = None

    def trade(self, signed: Decimal, price: Decimal, commission_usd: Decimal) -> Decimal | None:
        """Change the position by ``signed`` shares; the realised profit, or None when nothing was closed."""
        self._day_flow_usd -= signed * price + commission_usd
        if self.shares * signed >= 0:
            self.shares += signed
            self.cost_usd += signed * price + commission_usd
            return None
        closed = min(abs(signed), abs(self.shares))
        closed_signed = closed.copy_sign(signed)
        commission_closed_usd = _part(commission_usd, closed, abs(signed))
        cost_closed_usd = _part(self.cost_usd, closed, abs(self.shares))
        realized_usd = -closed_signed * price - commission_closed_usd - cost_closed_usd
        self.cost_usd += (signed - closed_signed) * price + commission_usd - commission_closed_usd - cost_closed_usd
        self.shares += signed
        self._realized_usd = (self._realized_usd or ZERO) + realized_usd
        return realized_usd

    def start_day(self, marks: Mapping[int, Decimal]) -> None:
        self._day_value_usd = self.value_usd(marks)
        self._day_flow_usd = ZERO
        self._realized_usd = None

    def mark(self, marks: Mapping[int, Decimal]) -> Decimal:
        """The market's price; average cost for an instrument that has none."""
        mark = marks.get(self.con_id)
        return self.position().average_cost_usd / self.multiplier if mark is None else mark

    def value_usd(self, marks: Mapping[int, Decimal]) -> Decimal:
        mark = marks.get(self.con_id)
        return self.cost_usd if mark is None else self.shares * self.multiplier * mark

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


def account_for(seed: int, number: int = 0) -> str:
    """A paper account's name, "DU" and seven digits, the same for the same seed everywhere.

    The accounts of one user follow each other.
    """
    digest = int.from_bytes(blake2b(b"account %d" % seed, digest_size=8).digest(), "big")
    return f"DU{1_000_000 + (digest + number) % 9_000_000}"


def opening_positions() -> list[Position]:
    """100 SPY at its reference price, so that positions and profit show from the first second."""
    spy = find("SPY")
    assert spy is not None
    cost_usd = OPENING_SPY_SHARES * Decimal(str(spy.reference_price))
    return [Position(con_id=spy.con_id, symbol=spy.symbol, shares=Decimal(OPENING_SPY_SHARES), cost_usd=cost_usd)]


def _part(usd: Decimal, shares: Decimal, of_shares: Decimal) -> Decimal:
    return usd if shares == of_shares else (usd * shares / of_shares).quantize(_COST_STEP)


def _ratio(part: Decimal, whole: Decimal, step: str) -> str:
    return str((part / whole).quantize(Decimal(step))) if whole else "0"
