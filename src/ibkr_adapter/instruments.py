"""What is traded, in our terms. IB's ``Contract`` exists only inside ``tws/``."""

from __future__ import annotations

from msgspec import Struct

_ALIASES = {"ISLAND": "NASDAQ"}
"""One venue, two names: which one a gateway returns depends on its compatibility setting."""


class Instrument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tradable thing, and how to find it at IB.

    ``con_id`` is IB's number for the contract once contract details have told it; ``None`` before.
    """

    symbol: str
    primary_exchange: str = ""
    sec_type: str = "STK"
    exchange: str = "SMART"
    currency: str = "USD"
    con_id: int | None = None

    @property
    def key(self) -> str:
        """The bare symbol for US stocks and ETFs, else symbol.exchange.currency; used in every key and stream."""
        if self.sec_type == "STK" and self.currency == "USD":
            return self.symbol
        return f"{self.symbol}.{self.exchange}.{self.currency}"


def venue(exchange: str) -> str:
    """The name we use for a venue that IB calls by several."""
    return _ALIASES.get(exchange, exchange)
