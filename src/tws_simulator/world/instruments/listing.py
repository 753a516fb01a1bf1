"""What one instrument other than an option is: a stock, a fund, a currency pair, an index or a future."""

from dataclasses import dataclass
from datetime import date
from typing import Final

SMART: Final = "SMART"

# Venue -> its letter in ticks 32, 33 and 84; position = bit number, both as in a captured smartComponents (sv 225).
VENUE_LETTERS: Final[dict[str, str]] = {
    "AMEX": "A", "BEX": "B", "NYSENAT": "C", "FINRA": "D", "ISE": "I", "EDGEA": "J", "DRCTEDGE": "K", "CHX": "M",
    "ARCA": "P", "NASDAQ": "Q", "IEX": "V", "T24X": "G", "PSX": "X", "BYX": "Y", "BATS": "Z", "NYSE": "N", "LTSE": "L",
    "MEMX": "U", "PEARL": "H", "TXSE": "F",
}  # fmt: skip

US_EASTERN: Final = "US/Eastern"
US_CENTRAL: Final = "US/Central"
VALID_EXCHANGES: Final = (
    SMART, "AMEX", "NYSE", "CHX", "ARCA", "NASDAQ", "DRCTEDGE", "BEX", "BATS", "EDGEA", "BYX", "IEX", "PEARL",
    "NYSENAT", "LTSE", "MEMX", "PSX",
)  # fmt: skip
# As captured for AAPL (sv 200).
_ORDER_TYPES: Final = """
    ACTIVETIM AD ADDONT ADJUST ALERT ALGO ALLOC AON AVGCOST BASKET BENCHPX CASHQTY COND CONDORDER DARKONLY DARKPOLL DAY
    DEACT DEACTDIS DEACTEOD DIS DUR GAT GTC GTD GTT HID IBKRATS ICE IMB IOC LIT LMT LOC MIDPX MIT MKT MOC MTL NGCOMB
    NODARK NONALGO OCA OPG OPGREROUT PEGBENCH PEGMID POSTATS POSTONLY PREOPGRTH PRICECHK REL REL2MID RELPCTOFS RPI RTH
    SCALE SCALEODD SCALERST SIZECHK SNAPMID SNAPMKT SNAPREL STP STPLMT SWEEP TRAIL TRAILLIT TRAILLMT TRAILMIT WHATIF
"""
ORDER_TYPES: Final = tuple(_ORDER_TYPES.split())
PENNY_RULE: Final = 26


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """One instrument as the gateway describes it, with what the market model needs to quote it.

    ``volatility`` is annual (0.25 = 25 %); ``beta`` is the sensitivity to the common factor; ``spread_ticks`` the
    usual distance of bid and ask. ``market_rule`` is the number under which price increments are asked for.
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
    market_rule: int = PENNY_RULE
    local_name: str = ""
    expiry: date | None = None
    multiplier: int | None = None
    underlying_con_id: int = 0
    industry: tuple[str, str, str] = ("", "", "")
    isin: str = ""

    @property
    def ticks_per_usd(self) -> int:
        return round(1 / float(self.min_tick))

    @property
    def trading_class(self) -> str:
        return self.market_name

    @property
    def local_symbol(self) -> str:
        return self.local_name or self.symbol
