"""Who stands behind a listing: its industry as IB files it, and its ISIN.

The rows of AAPL and TSLA are captured. ISINs are public; the other industries are our own filing in the same words.
"""

from typing import Final

_SOFTWARE: Final = ("Technology", "Software", "Applications Software")
_CHIPS: Final = ("Technology", "Semiconductors", "Electronic Compo-Semicon")
_INTERNET: Final = ("Communications", "Internet", "Web Portals/ISP")
_BANK: Final = ("Financial", "Banks", "Diversified Banking Inst")
_AEROSPACE: Final = ("Industrial", "Aerospace/Defense", "Aerospace/Defense")

INDUSTRIES: Final[dict[str, tuple[str, str, str]]] = {
    "AAPL": ("Technology", "Computers", "Computers"),
    "TSLA": ("Consumer, Cyclical", "Auto Manufacturers", "Auto-Cars/Light Trucks"),
    "F": ("Consumer, Cyclical", "Auto Manufacturers", "Auto-Cars/Light Trucks"),
    "MSFT": _SOFTWARE,
    "PLTR": _SOFTWARE,
    "GOOG": _INTERNET,
    "GOOGL": _INTERNET,
    "META": _INTERNET,
    "NFLX": ("Communications", "Internet", "Internet Content-Entmnt"),
    "AMZN": ("Communications", "Internet", "E-Commerce/Products"),
    "NVDA": _CHIPS,
    "AMD": _CHIPS,
    "INTC": _CHIPS,
    "AVGO": _CHIPS,
    "IBM": ("Technology", "Computers", "Computer Services"),
    "CSCO": ("Communications", "Telecommunications", "Networking Products"),
    "DIS": ("Communications", "Media", "Multimedia"),
    "KO": ("Consumer, Non-cyclical", "Beverages", "Beverages-Non-alcoholic"),
    "WMT": ("Consumer, Cyclical", "Retail", "Retail-Discount"),
    "XOM": ("Energy", "Oil&Gas", "Oil Comp-Integrated"),
    "JPM": _BANK,
    "BAC": _BANK,
    "GE": _AEROSPACE,
    "BA": _AEROSPACE,
    "BRK B": ("Financial", "Insurance", "Reinsurance"),
}

ISINS: Final[dict[str, str]] = {
    "SPY": "US78462F1030",
    "QQQ": "US46090E1038",
    "IWM": "US4642876555",
    "AAPL": "US0378331005",
    "MSFT": "US5949181045",
    "GOOG": "US02079K1079",
    "GOOGL": "US02079K3059",
    "AMZN": "US0231351067",
    "NVDA": "US67066G1040",
    "META": "US30303M1027",
    "TSLA": "US88160R1014",
    "IBM": "US4592001014",
    "GE": "US3696043013",
    "F": "US3453708600",
    "JPM": "US46625H1005",
    "KO": "US1912161007",
    "DIS": "US2546871060",
    "AMD": "US0079031078",
    "INTC": "US4581401001",
    "NFLX": "US64110L1061",
    "BAC": "US0605051046",
    "WMT": "US9311421039",
    "XOM": "US30231G1022",
    "BA": "US0970231058",
    "CSCO": "US17275R1023",
    "PLTR": "US69608A1088",
    "AVGO": "US11135F1012",
    "BRK B": "US0846707026",
}
