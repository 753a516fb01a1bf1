"""What is said about market data: refusals, limits and notices."""

from __future__ import annotations

from collections.abc import Iterable

from tws_simulator.api.notices import Notice, invalid
from tws_simulator.world.instruments.listing import Listing

_ADDITIONAL = (
    "Requested market data requires additional subscription for API. See link in 'Market Data Connections' dialog for "
    "more details."
)
SHOWING_DELAYED = (10167, "Requested market data is not subscribed. Displaying delayed market data.")
REGULATORY_SNAPSHOT_FAILED = (0, "Internal server error")
TOO_MANY_LINES = (101, "Max number of tickers has been reached")
DEPTH_NOT_SUPPORTED = (10092, "Deep market data is not supported for this combination of security type/exchange")
DEPTH_HALTED = (316, "Market depth data has been HALTED. Please re-subscribe.")
DEPTH_RESET = (
    317,
    "Market depth data has been RESET. Please empty deep book contents before applying any new entries.",
)
TOO_MANY_TICK_BY_TICK = (10190, "Max number of tick-by-tick requests has been reached.")
BARS_TOO_FAST = (420, "Invalid Real-time Query:Historical data request pacing violation")
SNAPSHOT_WITH_GENERIC_TICKS = invalid("Snapshot market data subscription is not applicable to generic ticks")
NOT_MEASURABLE = invalid("Option price, volatility and underlying price must be positive")  # wording ours

# The venues whose whole book a depth subscription shows; of the others it shows the best prices.
DEPTH_VENUES = ("IEX", "BATS", "ARCA", "NASDAQ", "BEX", "NYSE")

_LIVE_REFUSALS = {
    354: "Requested market data is not subscribed.Delayed market data is available.{top}",
    10089: _ADDITIONAL + "Delayed market data is available.{top}",
    10168: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10186: "Requested market data is not subscribed. Delayed market data is not enabled.",
}
LIVE_REFUSAL_CODES = frozenset(_LIVE_REFUSALS)


def not_subscribed(listing: Listing, code: int = 10089) -> Notice:
    """One of several codes with which gateways refuse a live line."""
    return live_refusal(code, _market(listing, "TOP"))


def live_refusal(code: int, market: str = "") -> Notice:
    return code, _LIVE_REFUSALS[code].format(top=market)


def depth_not_subscribed(listing: Listing) -> Notice:
    return 354, f"Requested market data is not subscribed.{_market(listing, 'DEEP')}"


def tick_by_tick_not_subscribed(listing: Listing) -> Notice:
    return _no_ticks(f"{no_permissions(listing)}. {_ADDITIONAL}")


def tick_by_tick_not_supported(listing: Listing, kind: str) -> Notice:
    return _no_ticks(f"{kind} tick-by-tick requests are not supported for {listing.symbol}.")


def _no_ticks(cause: str) -> Notice:
    return 10189, f"Failed to request tick-by-tick data.{cause}"


def bars_not_subscribed(listing: Listing) -> Notice:
    return 420, f"Invalid Real-time Query:{no_permissions(listing)}. {_ADDITIONAL}"


def too_many_depths(depths_max: int) -> Notice:
    return 309, f"Max number ({depths_max}) of market depth requests has been reached"


def bad_generic_ticks(asked: str, sec_type: str, legal_ones: str) -> Notice:
    return 321, (
        f"Error validating request.-'bQ' : cause - Incorrect generic tick list of {asked}.  "
        f"Legal ones for ({sec_type}) are: {legal_ones}"
    )


def unknown_depth(req_id: int) -> Notice:
    return 310, f"Can't find the subscribed market depth with tickerId:{req_id}"


def smart_depth_venues(listing: Listing) -> Notice:
    """The venues that make up a SMART book."""
    venues = [venue for venue in listing.valid_exchanges if venue != "SMART"]
    deep = _list(venue for venue in DEPTH_VENUES if venue in venues)
    top = _list(venue for venue in venues if venue not in DEPTH_VENUES)
    return 2152, f"Exchanges - Depth: {deep}Top: {top}"


def _list(venues: Iterable[str]) -> str:
    return "".join(f"{_in_texts(venue)}; " for venue in venues)


def no_permissions(listing: Listing) -> str:
    """How refusals of all services go on."""
    return f"No market data permissions for {_in_texts(listing.primary_exchange)} {listing.sec_type}"


def _in_texts(venue: str) -> str:
    """NASDAQ goes by its older name in these texts."""
    return "ISLAND" if venue == "NASDAQ" else venue


def _market(listing: Listing, service: str) -> str:
    return f"{listing.symbol} {listing.primary_exchange}.{listing.market_name}/{service}/ALL"


# The wordings that follow are ours.


def bad_data_type(wanted: int) -> Notice:
    return invalid(f"Invalid market data type: {wanted}")


def bad_tick_by_tick_type(kind: str) -> Notice:
    return invalid(f"Invalid tick-by-tick type: {kind}")


def bad_bars(what: str) -> Notice:
    return invalid(f"Invalid what to show for real-time bars: {what}")


def bad_volatility(volatility: float) -> Notice:
    return invalid(f"Invalid volatility: {volatility}")
