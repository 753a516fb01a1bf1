"""What is traded, in our terms. IB's ``Contract`` exists only inside ``tws/``."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

_ALIASES = {"ISLAND": "NASDAQ"}
"""One venue, two names: which one a gateway returns depends on its compatibility setting."""

_OPTIONS = frozenset({"OPT", "FOP"})
_TOLD_BY_ROUTE = frozenset({"STK", "CASH"})
_TOLD_BY_KIND = frozenset({"IND", "CFD", "CRYPTO", "CMDTY"})
_STRIKE_DIGITS = 8


class Instrument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tradable thing, and how to find it at IB.

    ``con_id`` is IB's number for the contract once contract details have told it; ``None`` before. ``expiry`` is
    ``YYYYMMDD``, or ``YYYYMM`` where only the month is known; ``right`` is C, P or empty. ``multiplier`` is how many of
    the underlying one contract stands for. ``trading_class`` has to be given where it is not the symbol and there is
    an expiry: SPXW is no SPX.
    """

    symbol: str
    primary_exchange: str = ""
    sec_type: str = "STK"
    exchange: str = "SMART"
    currency: str = "USD"
    con_id: int | None = None
    expiry: str = ""
    strike: Decimal | None = None
    right: str = ""
    multiplier: Decimal | None = None
    trading_class: str = ""

    @property
    def key(self) -> str:
        """What it is called in every key and stream; two instruments that IB tells apart never share one.

        The bare symbol for US stocks and ETFs; the OCC symbol without padding for US options (``SPY261218C00600000``);
        else root, terms, exchange and currency, joined by dots (``ES.20261218.CME.USD``, ``EUR.IDEALPRO.USD``). What
        these leave open has its kind behind them (``SPX.CBOE.USD.IND``), and at last IB's number (bonds, combinations).
        """
        if self.sec_type == "STK" and self.currency == "USD":
            return self.symbol
        if self.sec_type == "OPT" and self.currency == "USD" and (occ := self._occ_symbol()):
            return occ
        terms = (self.expiry, self.right, "" if self.strike is None else f"{self.strike.normalize():f}")
        parts = [self._root, *filter(None, terms), self.exchange, self.currency]
        if self.sec_type in _TOLD_BY_ROUTE or (self.sec_type in {"FUT", *_OPTIONS} and self.expiry):
            return ".".join(parts)
        parts.append(self.sec_type)
        if self.sec_type not in _TOLD_BY_KIND and self.con_id is not None:
            parts.append(str(self.con_id))
        return ".".join(parts)

    @property
    def _root(self) -> str:
        """The trading class of what expires: a stock's is its market tier (NMS) and names nothing."""
        return self.trading_class if self.trading_class and self.expiry else self.symbol

    def _occ_symbol(self) -> str:
        """Root, yymmdd, C or P, the strike in thousandths; empty where the terms do not fit."""
        if self.strike is None or len(self.expiry) != 8 or self.right not in ("C", "P"):
            return ""
        thousandths = self.strike * 1000
        if thousandths != int(thousandths) or not 0 < thousandths < 10**_STRIKE_DIGITS:
            return ""
        return f"{self._root}{self.expiry[2:]}{self.right}{int(thousandths):0{_STRIKE_DIGITS}}"


def venue(exchange: str) -> str:
    """The name we use for a venue that IB calls by several."""
    return _ALIASES.get(exchange, exchange)
