"""What market data is wanted, and of which instruments."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from ibkr_adapter.config.defaults import DEFAULT_SYMBOLS, INSTRUMENTS_MAX, PRIMARY_EXCHANGES
from ibkr_adapter.config.model import MarketDataSettings
from ibkr_adapter.config.typing import InstrumentTable, typed
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.instruments import Instrument, venue

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9 .-]{0,11}")
_EXCHANGE = re.compile(r"[A-Z0-9.]{1,16}")


def market_data_of(settings: MarketDataSettings, warnings: list[str]) -> MarketDataSettings:
    parts = [part.strip() for part in settings.generic_ticks.split(",")] if settings.generic_ticks.strip() else []
    for part in parts:
        if not re.fullmatch(r"[0-9]{1,4}", part):
            raise ConfigurationError(
                "market_data.generic_ticks", f"{part[:20]!a} is no tick number", remedy='for example "233,236"'
            )
    if "258" in parts:
        warnings.append(
            "market_data.generic_ticks: 258 asks for fundamental ratios, not for the time of the last trade, which"
            " comes without asking; left out"
        )
    kept = [part for part in dict.fromkeys(parts) if part != "258"]
    return replace(settings, generic_ticks=",".join(kept))


def instruments_of(tables: list[Any]) -> tuple[Instrument, ...]:
    if not tables:
        return tuple(Instrument(symbol=s, primary_exchange=PRIMARY_EXCHANGES[s]) for s in DEFAULT_SYMBOLS)
    if len(tables) > INSTRUMENTS_MAX:
        raise ConfigurationError(
            "instruments", f"{len(tables)} are more than {INSTRUMENTS_MAX}", remedy="IB allows that many lines"
        )
    result: dict[str, Instrument] = {}
    for index, table in enumerate(tables):
        path = f"instruments[{index}]"
        row = typed(InstrumentTable, table, path)
        if not _SYMBOL.fullmatch(row.symbol):
            raise ConfigurationError(f"{path}.symbol", f"{row.symbol[:20]!a} is no symbol", remedy="as SPY, BRK B")
        exchange = row.primary_exchange or PRIMARY_EXCHANGES.get(row.symbol, "")
        if exchange and not _EXCHANGE.fullmatch(exchange):
            raise ConfigurationError(f"{path}.primary_exchange", "not an exchange", remedy="as ARCA, NASDAQ, NYSE")
        if row.symbol in result:
            raise ConfigurationError(f"{path}.symbol", f"{row.symbol} is listed twice", remedy="remove one")
        result[row.symbol] = Instrument(symbol=row.symbol, primary_exchange=venue(exchange))
    return tuple(result.values())
