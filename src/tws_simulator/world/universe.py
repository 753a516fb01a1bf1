"""The instruments the simulated gateway knows.

Prices, volatilities and volumes are round numbers near those of 2026: plausible starting points for a made-up market,
not data.
"""

from dataclasses import dataclass
from typing import Final

SMART: Final = "SMART"

# Venue -> its letter in ticks 32, 33 and 84; position = bit number, both as in a captured smartComponents (sv 225).
VENUE_LETTERS: Final[dict[str, str]] = {
    "AMEX": "A", "BEX": "B", "NYSENAT": "C", "FINRA": "D", "ISE": "I", "EDGEA": "J", "DRCTEDGE": "K", "CHX": "M",
    "ARCA": "P", "NASDAQ": "Q", "IEX": "V", "T24X": "G", "PSX": "X", "BYX": "Y", "BATS": "Z", "NYSE": "N", "LTSE": "L",
    "MEMX": "U", "PEARL": "H", "TXSE": "F",
}  # fmt: skip
EXCHANGE_ALIASES: Final[dict[str, str]] = {"ISLAND": "NASDAQ"}

US_EASTERN: Final = "US/Eastern"
VALID_EXCHANGES: Final = (
    SMART, "AMEX", "NYSE", "CHX", "ARCA", "NASDAQ", "DRCTEDGE", "BEX", "BATS", "EDGEA", "BYX", "IEX", "PEARL",
    "NYSENAT", "LTSE", "MEMX", "PSX",
)  # fmt: skip
ORDER_TYPES: Final = ("DAY", "GTC", "IOC", "LMT", "MKT", "WHATIF")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """One stock or fund as the gateway describes it, with what the market model needs to quote it.

    ``volatility`` is annual (0.25 = 25 %); ``beta`` is the sensitivity to the common factor; ``spread_ticks`` the
    usual distance of bid and ask.
    """

    con_id: int
    symbol: str
    long_name: str
    primary_exchange: str
    market_name: str
    stock_type: str
    sector: str
    reference_price: float
    volatility: float
    average_volume: int
    beta: float
    spread_ticks: int = 1
    sec_type: str = "STK"
    currency: str = "USD"
    min_tick: str = "0.01"
    valid_exchanges: tuple[str, ...] = VALID_EXCHANGES
    order_types: tuple[str, ...] = ORDER_TYPES
    time_zone: str = US_EASTERN

    @property
    def trading_class(self) -> str:
        return self.market_name

    @property
    def local_symbol(self) -> str:
        return self.symbol


def _fund(con_id: int, symbol: str, long_name: str, exchange: str, **model: float) -> Listing:
    return _listing(
        con_id, symbol, long_name, exchange, "NMS" if exchange == "NASDAQ" else symbol, "ETF", "fund", model
    )


def _share(con_id: int, symbol: str, long_name: str, sector: str, **model: float) -> Listing:
    return _listing(con_id, symbol, long_name, "NASDAQ", "NMS", "COMMON", sector, model)


def _listing(
    con_id: int,
    symbol: str,
    long_name: str,
    exchange: str,
    market_name: str,
    stock_type: str,
    sector: str,
    model: dict[str, float],
) -> Listing:
    return Listing(
        con_id=con_id,
        symbol=symbol,
        long_name=long_name,
        primary_exchange=exchange,
        market_name=market_name,
        stock_type=stock_type,
        sector=sector,
        reference_price=model["price"],
        volatility=model["volatility"],
        average_volume=int(model["millions"] * 1_000_000),
        beta=model["beta"],
        spread_ticks=int(model["spread"]),
    )


# The conIds of AAPL, SPY and TSLA are documented: they stand in captured frames and in IB's own samples. The others
# are IB's public contract ids for these listings, but no capture here confirms them.
LISTINGS: Final[tuple[Listing, ...]] = (
    _fund(756733, "SPY", "SS SPDR S&P 500 ETF TRUST-US", "ARCA",
          price=640.0, volatility=0.16, millions=75, beta=1.0, spread=1),
    _fund(320227571, "QQQ", "INVESCO QQQ TRUST SERIES 1", "NASDAQ",
          price=570.0, volatility=0.20, millions=50, beta=1.2, spread=1),
    _fund(9579970, "IWM", "ISHARES RUSSELL 2000 ETF", "ARCA",
          price=230.0, volatility=0.22, millions=35, beta=1.1, spread=1),
    _share(265598, "AAPL", "APPLE INC", "hardware",
           price=230.0, volatility=0.27, millions=55, beta=1.1, spread=1),
    _share(272093, "MSFT", "MICROSOFT CORP", "software",
           price=510.0, volatility=0.25, millions=22, beta=1.0, spread=3),
    _share(208813720, "GOOG", "ALPHABET INC-CL C", "internet",
           price=205.0, volatility=0.29, millions=24, beta=1.1, spread=2),
    _share(208813719, "GOOGL", "ALPHABET INC-CL A", "internet",
           price=204.0, volatility=0.29, millions=34, beta=1.1, spread=1),
    _share(3691937, "AMZN", "AMAZON.COM INC", "internet",
           price=228.0, volatility=0.30, millions=42, beta=1.2, spread=1),
    _share(4815747, "NVDA", "NVIDIA CORP", "hardware",
           price=178.0, volatility=0.42, millions=190, beta=1.7, spread=1),
    _share(107113386, "META", "META PLATFORMS INC-CLASS A", "internet",
           price=750.0, volatility=0.32, millions=13, beta=1.3, spread=8),
    _share(76792991, "TSLA", "TESLA INC", "cars",
           price=330.0, volatility=0.55, millions=90, beta=1.9, spread=4),
)  # fmt: skip

_BY_SYMBOL: Final = {listing.symbol: listing for listing in LISTINGS}
_BY_CON_ID: Final = {listing.con_id: listing for listing in LISTINGS}


def find(symbol: str | None = None, con_id: int | None = None) -> Listing | None:
    """The listing that has every property asked for; None when none has, or nothing was asked."""
    if con_id:
        listing = _BY_CON_ID.get(con_id)
        return listing if listing is None or not symbol or listing.symbol == symbol else None
    return _BY_SYMBOL.get(symbol) if symbol else None


def canonical_exchange(name: str) -> str:
    """One name for one venue: ISLAND is what older gateways call NASDAQ."""
    return EXCHANGE_ALIASES.get(name, name)


def trades_at(listing: Listing, exchange: str) -> bool:
    """Whether ``exchange`` (or an alias of it, or "" for any) lists the instrument."""
    return exchange == "" or canonical_exchange(exchange) in listing.valid_exchanges
