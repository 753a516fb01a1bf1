"""What an account is worth and what its positions tie up, as its summary tells it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts.holding import Holding
from tws_simulator.world.accounts.records import ZERO

# IB's usual rates for large liquid stocks in a Reg T margin account; a real account's differ by stock and by day.
INITIAL_MARGIN: Final = Decimal("0.25")
MAINTENANCE_MARGIN: Final = Decimal("0.25")
REG_T_MARGIN: Final = Decimal("0.50")
BUYING_POWER_LEVERAGE: Final = 4

_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, kw_only=True, slots=True)
class Margins:
    """What the account is worth and what its positions tie up, in USD."""

    equity_usd: Decimal
    gross_usd: Decimal
    initial_usd: Decimal
    maintenance_usd: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class SummaryRow:
    """One line of an account summary; ``currency`` is empty for values that are not money."""

    tag: str
    value: str
    currency: str


def margins(
    cash_usd: Decimal,
    holdings: Collection[Holding],
    marks: Mapping[int, Decimal],
    con_id: int = 0,
    units: Decimal = ZERO,
) -> Margins:
    """As things are, or as they would be with ``units`` more (or, negative, fewer) of one instrument."""
    others = [holding for holding in holdings if holding.con_id != con_id]
    gross_usd = sum((abs(holding.units) * holding.mark(marks) for holding in others), ZERO)
    changed = next((holding for holding in holdings if holding.con_id == con_id), None)
    if changed is not None:
        gross_usd += abs(changed.units + units) * changed.mark(marks)
    elif units:
        gross_usd += abs(units) * marks[con_id]
    return Margins(
        equity_usd=cash_usd + sum((holding.value_usd(marks) for holding in holdings), ZERO),
        gross_usd=gross_usd,
        initial_usd=gross_usd * INITIAL_MARGIN,
        maintenance_usd=gross_usd * MAINTENANCE_MARGIN,
    )


def summary(now: Margins, *, cash_usd: Decimal, day_equity_usd: Decimal) -> list[SummaryRow]:
    """Every account summary tag, sorted."""
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
        "PreviousDayEquityWithLoanValue": day_equity_usd,
        "RegTEquity": now.equity_usd,
        "RegTMargin": now.gross_usd * REG_T_MARGIN,
        "SMA": now.equity_usd - now.gross_usd * REG_T_MARGIN,
        "SettledCash": cash_usd,
        "TotalCashValue": cash_usd,
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


def _ratio(part: Decimal, whole: Decimal, step: str) -> str:
    return str((part / whole).quantize(Decimal(step))) if whole else "0"
