"""An account's values as account updates tell them, and the part that is told for each currency.

Keys are those of captured account downloads. The simulated accounts hold US dollars only, so the rows of the base
currency say the same as those in dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.margin import SummaryRow
from tws_simulator.world.accounts.records import ZERO

BASE: Final = "BASE"
CURRENCY: Final = "USD"
_CENT: Final = Decimal("0.01")
_WITHOUT_SEGMENT: Final = frozenset(
    {"BuyingPower", "DayTradesRemaining", "LookAheadNextChange", "SMA", "SettledCash", "Leverage"}
)
_NOT_IN_DOWNLOADS: Final = frozenset({"Leverage", "SettledCash"})
_EMPTY_POCKETS: Final = (
    "AccruedDividend", "Billable", "Guarantee", "IncentiveCoupons", "IndianStockHaircut", "NetLiquidationUncertainty",
    "NLVAndMarginInReview", "PASharesValue", "PhysicalCertificateValue", "PostExpirationExcess", "PostExpirationMargin",
    "TotalDebitCardPendingCharges",
)  # fmt: skip
_NOTHING_HELD: Final = (
    "CorporateBondValue", "Cryptocurrency", "FundValue", "FutureOptionValue", "FuturesPNL", "FxCashBalance",
    "IssuerOptionValue", "MoneyMarketFundValue", "MutualFundValue", "NetDividend", "OptionMarketValue", "TBillValue",
    "TBondValue", "WarrantValue",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """``currency`` is empty for what is not money."""

    key: str
    value: str
    currency: str = ""


def download(account: str, ledger: Ledger, marks: Mapping[int, Decimal]) -> list[Value]:
    """Everything that account updates tell, sorted by key."""
    rows = ledger.summary(marks)
    values = [
        Value(key="AccountCode", value=account),
        Value(key="AccountReady", value="true"),
        Value(key="SegmentTitle-S", value="US Securities"),
        Value(key="TradingType-S", value="STKNOPT"),
        Value(key="WhatIfPMEnabled", value="true"),
        *(Value(key=f"DayTradesRemainingT+{day}", value="-1") for day in range(1, 5)),
        *(Value(key=pocket, value="0.00", currency=CURRENCY) for pocket in _EMPTY_POCKETS),
        *(_plain(row, "") for row in rows if row.tag not in _NOT_IN_DOWNLOADS),
        *(_plain(row, "-S") for row in rows if row.tag not in _WITHOUT_SEGMENT and row.tag != "AccountType"),
        *in_currencies(account, ledger, marks, "ALL"),
    ]
    return sorted(values, key=lambda value: (value.key, value.currency))


def in_currencies(account: str, ledger: Ledger, marks: Mapping[int, Decimal], currency: str) -> list[Value]:
    """``currency`` is USD, BASE, or ALL for both; another has no rows."""
    cash, profit = ledger.cash_usd, ledger.pnl(marks)
    money = {
        "AccruedCash": ZERO,
        "CashBalance": cash,
        "NetLiquidationByCurrency": cash + profit.value_usd,
        "RealizedPnL": profit.realized_usd or ZERO,
        "StockMarketValue": profit.value_usd,
        "TotalCashBalance": cash,
        "UnrealizedPnL": profit.unrealized_usd,
        **dict.fromkeys(_NOTHING_HELD, ZERO),
    }
    told: list[Value] = []
    for each in (BASE, CURRENCY):
        if currency not in (each, "ALL"):
            continue
        told += [Value(key=key, value=str(usd.quantize(_CENT)), currency=each) for key, usd in money.items()]
        told += [
            Value(key="AccountOrGroup", value=account, currency=each),
            Value(key="Currency", value=each, currency=each),
            Value(key="ExchangeRate", value="1.00", currency=each),
            Value(key="RealCurrency", value=each, currency=each),
        ]
    return sorted(told, key=lambda value: (value.key, value.currency))


def _plain(row: SummaryRow, segment: str) -> Value:
    return Value(key=row.tag + segment, value=row.value, currency=row.currency)
