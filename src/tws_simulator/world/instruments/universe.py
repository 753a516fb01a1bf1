"""The instruments the simulated gateway knows.

Prices, volatilities and volumes are round numbers near those of 2026: plausible starting points for a made-up market,
not data.

``LISTINGS`` are what the market quotes unless it is told otherwise: each costs the generator time in every slot, and
their order is part of what a seed means. ``UNQUOTED`` can be looked up and described all the same, and quoted when a
world is asked to.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final

from tws_simulator.world.instruments.companies import INDUSTRIES, ISINS
from tws_simulator.world.instruments.listing import US_CENTRAL, Listing

EXCHANGE_ALIASES: Final[dict[str, str]] = {"ISLAND": "NASDAQ"}


def _fund(con_id: int, symbol: str, long_name: str, exchange: str, **model: float) -> Listing:
    market_name = "NMS" if exchange == "NASDAQ" else symbol
    return _listing(con_id, symbol, long_name, exchange, market_name, "ETF", "fund", model)


def _share(con_id: int, symbol: str, long_name: str, sector: str, exchange: str = "NASDAQ", **model: float) -> Listing:
    market_name = "NMS" if exchange == "NASDAQ" else symbol.replace(" ", "")
    return _listing(con_id, symbol, long_name, exchange, market_name, "COMMON", sector, model)


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
        industry=INDUSTRIES.get(symbol, ("", "", "")),
        isin=ISINS.get(symbol, ""),
    )


def _currency_pair(con_id: int, base: str, quote: str, long_name: str, price: float) -> Listing:
    """The price increment is the one captured in a tickReqParams of EUR.USD."""
    return Listing(
        con_id=con_id,
        symbol=base,
        currency=quote,
        local_name=f"{base}.{quote}",
        long_name=long_name,
        primary_exchange="",
        market_name=f"{base}.{quote}",
        stock_type="",
        sector="currency",
        reference_price=price,
        volatility=0.08,
        average_volume=0,
        beta=0.0,
        sec_type="CASH",
        min_tick="0.00001",
        valid_exchanges=("IDEALPRO",),
        order_types=("ACTIVETIM", "AD", "DAY", "GTC", "IOC", "LMT", "MKT", "STP", "TRAIL", "WHATIF"),
        market_rule=239,
    )


def _index(con_id: int, symbol: str, long_name: str, price: float, volatility: float) -> Listing:
    return Listing(
        con_id=con_id,
        symbol=symbol,
        long_name=long_name,
        primary_exchange="",
        market_name=symbol,
        stock_type="",
        sector="index",
        reference_price=price,
        volatility=volatility,
        average_volume=0,
        beta=1.0,
        sec_type="IND",
        valid_exchanges=("CBOE",),
        order_types=(),
        time_zone=US_CENTRAL,
        market_rule=1,
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

UNQUOTED: Final[tuple[Listing, ...]] = (
    # The conIds of IBM, EUR.USD and ESZ6 are documented like those above, SPX by IB's samples; the others are IB's
    # public contract ids, unconfirmed by any capture here.
    _share(8314, "IBM", "INTL BUSINESS MACHINES CORP", "software", "NYSE",
           price=290.0, volatility=0.24, millions=4, beta=0.8, spread=4),
    _share(498843743, "GE", "GE AEROSPACE", "industry", "NYSE",
           price=300.0, volatility=0.28, millions=5, beta=1.1, spread=4),
    _share(9599491, "F", "FORD MOTOR CO", "cars", "NYSE",
           price=12.0, volatility=0.32, millions=60, beta=1.2, spread=1),
    _share(1520593, "JPM", "JPMORGAN CHASE & CO", "banks", "NYSE",
           price=300.0, volatility=0.23, millions=9, beta=1.1, spread=3),
    _share(8894, "KO", "COCA-COLA CO/THE", "food", "NYSE",
           price=70.0, volatility=0.15, millions=15, beta=0.5, spread=1),
    _share(6459, "DIS", "WALT DISNEY CO/THE", "internet", "NYSE",
           price=115.0, volatility=0.26, millions=8, beta=1.0, spread=1),
    _share(4391, "AMD", "ADVANCED MICRO DEVICES", "hardware",
           price=165.0, volatility=0.48, millions=50, beta=1.8, spread=1),
    _share(270639, "INTC", "INTEL CORP", "hardware",
           price=25.0, volatility=0.45, millions=90, beta=1.3, spread=1),
    _share(15124833, "NFLX", "NETFLIX INC", "internet",
           price=1200.0, volatility=0.32, millions=3, beta=1.1, spread=40),
    _share(10098, "BAC", "BANK OF AMERICA CORP", "banks", "NYSE",
           price=50.0, volatility=0.25, millions=35, beta=1.2, spread=1),
    _share(13824, "WMT", "WALMART INC", "food", "NYSE",
           price=100.0, volatility=0.20, millions=15, beta=0.7, spread=1),
    _share(13977, "XOM", "EXXON MOBIL CORP", "energy", "NYSE",
           price=112.0, volatility=0.23, millions=14, beta=0.7, spread=1),
    _share(4762, "BA", "BOEING CO/THE", "industry", "NYSE",
           price=220.0, volatility=0.33, millions=7, beta=1.2, spread=4),
    _share(268084, "CSCO", "CISCO SYSTEMS INC", "hardware",
           price=68.0, volatility=0.22, millions=18, beta=0.9, spread=1),
    _share(444857009, "PLTR", "PALANTIR TECHNOLOGIES INC-A", "software",
           price=160.0, volatility=0.60, millions=60, beta=1.9, spread=2),
    _share(313130367, "AVGO", "BROADCOM INC", "hardware",
           price=300.0, volatility=0.42, millions=20, beta=1.6, spread=3),
    _share(72063691, "BRK B", "BERKSHIRE HATHAWAY INC-CL B", "banks", "NYSE",
           price=490.0, volatility=0.16, millions=4, beta=0.7, spread=5),
    _fund(73128548, "DIA", "SS SPDR DJIA ETF TRUST", "ARCA",
          price=450.0, volatility=0.15, millions=4, beta=0.9, spread=2),
    _fund(51529211, "GLD", "SPDR GOLD SHARES", "ARCA",
          price=310.0, volatility=0.16, millions=10, beta=0.1, spread=1),
    _fund(15547841, "TLT", "ISHARES 20+ YEAR TREASURY BD", "NASDAQ",
          price=88.0, volatility=0.14, millions=35, beta=0.0, spread=1),
    _fund(39039301, "SLV", "ISHARES SILVER TRUST", "ARCA",
          price=35.0, volatility=0.28, millions=18, beta=0.2, spread=1),
    _fund(43652089, "HYG", "ISHARES IBOXX HIGH YLD CORP", "ARCA",
          price=80.0, volatility=0.07, millions=35, beta=0.3, spread=1),
    _fund(4215220, "XLF", "FINANCIAL SELECT SECTOR SPDR", "ARCA",
          price=53.0, volatility=0.18, millions=35, beta=1.0, spread=1),
    _fund(136155102, "VOO", "VANGUARD S&P 500 ETF", "ARCA",
          price=590.0, volatility=0.16, millions=6, beta=1.0, spread=2),
    # Their conIds are made up, so that a client can fill half of its market data lines.
    _share(910000001, "CRM", "SALESFORCE INC", "software", "NYSE",
           price=255.0, volatility=0.32, millions=7, beta=1.3, spread=4),
    _share(910000002, "ORCL", "ORACLE CORP", "software", "NYSE",
           price=230.0, volatility=0.38, millions=12, beta=1.3, spread=4),
    _share(910000003, "ADBE", "ADOBE INC", "software",
           price=355.0, volatility=0.32, millions=4, beta=1.2, spread=6),
    _share(910000004, "QCOM", "QUALCOMM INC", "hardware",
           price=165.0, volatility=0.34, millions=9, beta=1.3, spread=3),
    _share(910000005, "TXN", "TEXAS INSTRUMENTS INC", "hardware",
           price=180.0, volatility=0.30, millions=6, beta=1.1, spread=4),
    _share(910000006, "MU", "MICRON TECHNOLOGY INC", "hardware",
           price=170.0, volatility=0.52, millions=22, beta=1.7, spread=4),
    _share(910000007, "PEP", "PEPSICO INC", "food",
           price=145.0, volatility=0.18, millions=6, beta=0.5, spread=2),
    _share(910000008, "MCD", "MCDONALD'S CORP", "food", "NYSE",
           price=305.0, volatility=0.17, millions=3, beta=0.5, spread=5),
    _share(910000009, "NKE", "NIKE INC -CL B", "food", "NYSE",
           price=70.0, volatility=0.34, millions=12, beta=1.1, spread=1),
    _share(910000010, "HD", "HOME DEPOT INC", "food", "NYSE",
           price=400.0, volatility=0.22, millions=3, beta=1.0, spread=6),
    _share(910000011, "V", "VISA INC-CLASS A SHARES", "banks", "NYSE",
           price=345.0, volatility=0.19, millions=6, beta=0.9, spread=4),
    _share(910000012, "MA", "MASTERCARD INC - A", "banks", "NYSE",
           price=575.0, volatility=0.20, millions=3, beta=0.9, spread=8),
    _share(910000013, "UNH", "UNITEDHEALTH GROUP INC", "food", "NYSE",
           price=345.0, volatility=0.36, millions=8, beta=0.6, spread=6),
    _share(910000014, "PFE", "PFIZER INC", "food", "NYSE",
           price=25.0, volatility=0.24, millions=40, beta=0.5, spread=1),
    _share(910000015, "CVX", "CHEVRON CORP", "energy", "NYSE",
           price=157.0, volatility=0.22, millions=8, beta=0.7, spread=2),
    _currency_pair(12087792, "EUR", "USD", "European Monetary Union Euro", 1.16),
    _currency_pair(12087797, "GBP", "USD", "British pound", 1.34),
    _index(416904, "SPX", "S&P 500 Stock Index", 6400.0, 0.16),
    _index(13455763, "VIX", "CBOE Volatility Index", 16.0, 0.90),
    Listing(con_id=515416632, symbol="ES", local_name="ESZ6", long_name="E-mini S&P 500", primary_exchange="",
            market_name="ES", stock_type="", sector="index", reference_price=6420.0, volatility=0.16,
            average_volume=1_500_000, beta=1.0, sec_type="FUT", min_tick="0.25", valid_exchanges=("CME", "QBALGO"),
            order_types=("ACTIVETIM", "AD", "LMT", "MKT", "STP", "TRAIL", "WHATIF"), time_zone=US_CENTRAL,
            market_rule=67, expiry=date(2026, 12, 18), multiplier=50, underlying_con_id=11004968),
)  # fmt: skip

_EVERYTHING: Final = (*LISTINGS, *UNQUOTED)
_BY_SYMBOL: Final = {listing.symbol: listing for listing in _EVERYTHING}
_BY_CON_ID: Final = {listing.con_id: listing for listing in _EVERYTHING}


def everything() -> tuple[Listing, ...]:
    """All instruments but options, the quoted ones first."""
    return _EVERYTHING


def named(symbols: Iterable[str]) -> tuple[Listing, ...]:
    """The stocks and funds of these symbols, in this order; ValueError for a symbol that nobody lists as such."""
    found = []
    for symbol in symbols:
        listing = _BY_SYMBOL.get(symbol)
        if listing is None or listing.sec_type != "STK":
            raise ValueError(f"no stock or fund is called {symbol!r}")
        found.append(listing)
    return tuple(dict.fromkeys(found))


def find(symbol: str | None = None, con_id: int | None = None) -> Listing | None:
    """The listing that has every property asked for; None when none has, or nothing was asked."""
    if con_id:
        listing = _BY_CON_ID.get(con_id)
        return listing if listing is None or not symbol or listing.symbol == symbol else None
    return _BY_SYMBOL.get(symbol) if symbol else None


def listing(con_id: int) -> Listing:
    """The one with this number, which is known to be listed."""
    found = _BY_CON_ID.get(con_id)
    assert found is not None, f"{con_id} is not listed"
    return found


def listing_named(symbol: str) -> Listing:
    """The one with this symbol, which is known to be listed."""
    found = _BY_SYMBOL.get(symbol)
    assert found is not None, f"{symbol} is not listed"
    return found


def canonical_exchange(name: str) -> str:
    """One name for one venue: ISLAND is what older gateways call NASDAQ."""
    return EXCHANGE_ALIASES.get(name, name)


def trades_at(listing: Listing, exchange: str) -> bool:
    """Whether ``exchange`` (or an alias of it, or "" for any) lists the instrument."""
    return exchange == "" or canonical_exchange(exchange) in listing.valid_exchanges
