"""Option chains, matching symbols, price rules, venues, and who the user is."""

from __future__ import annotations

from collections.abc import Iterator

from tws_simulator.api.notices.reference import UNKNOWN_CONTRACT, bad_bbo_exchange, bad_market_rule
from tws_simulator.api.refused import Refused
from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.api.streams.option_quotes import BBO_EXCHANGE as OPTIONS_BBO_EXCHANGE
from tws_simulator.api.streams.quotes import BBO_EXCHANGE
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.values import Values
from tws_simulator.world.instruments.listing import VENUE_LETTERS, Listing
from tws_simulator.world.instruments.price_rules import MARKET_RULES
from tws_simulator.world.instruments.universe import everything, find
from tws_simulator.world.options import chains as option_chains
from tws_simulator.world.options.chains import OPTION_VENUE_LETTERS, OptionClass
from tws_simulator.world.time.calendar import new_york_date

_SAMPLES_MAX = 16
# As captured for AAPL; funds were captured with the last two of these.
_DERIVATIVES_OF_SHARES = ["CFD", "OPT", "IOPT", "WAR", "BAG"]
_DERIVATIVES_OF_FUNDS = ["OPT", "BAG"]
_BOND_ISSUERS = {"AAPL": ("Apple Inc", "e1432232")}
_COMPONENTS = {BBO_EXCHANGE: VENUE_LETTERS, OPTIONS_BBO_EXCHANGE: OPTION_VENUE_LETTERS}
# What a paper account without subscriptions has: captured.
_NEWS_PROVIDERS = (
    ("BRFG", "Briefing.com General Market Columns"),
    ("BRFUPDN", "Briefing.com Analyst Actions"),
    ("DJNL", "Dow Jones Newsletters"),
)
# Whose rows carry market makers ("Deep2"), and whose do not; in IB's words.
_DEPTH_VENUES = (
    ("ARCA", "STK", "Deep"), ("NASDAQ", "STK", "Deep2"), ("NYSE", "STK", "Deep"), ("AMEX", "STK", "Deep"),
    ("BATS", "STK", "Deep"), ("BYX", "STK", "Deep"), ("BEX", "STK", "Deep"), ("DRCTEDGE", "STK", "Deep"),
    ("EDGEA", "STK", "Deep"), ("IEX", "STK", "Deep"), ("MEMX", "STK", "Deep"), ("PEARL", "STK", "Deep"),
    ("NYSENAT", "STK", "Deep"), ("PSX", "STK", "Deep"), ("CHX", "STK", "Deep"), ("IDEALPRO", "CASH", "Deep"),
    ("CME", "FUT", "Deep"),
)  # fmt: skip


def _req_sec_def_opt_params(gateway: GatewayState, session: Session, request: Message) -> None:
    """One message for each exchange and trading class, then the end: seen in captures.

    Of a stock the exchange must be empty: it is there for options on futures.
    """
    underlying = find(request.get("underlyingSymbol", ""), request.get("underlyingConId"))
    if underlying is None or underlying.sec_type != request.get("underlyingSecType", ""):
        raise Refused(UNKNOWN_CONTRACT)
    only = request.get("futFopExchange", "")
    for kind in option_chains.classes_of(underlying.symbol):
        parameters = _parameters(gateway, kind, underlying)
        for exchange in kind.exchanges:
            if only in ("", exchange):
                told = {"reqId": request.req_id, "exchange": exchange, **parameters}
                session.send(message("securityDefinitionOptionParameter", **told))
    session.send(message("securityDefinitionOptionParameterEnd", reqId=request.req_id))


def _parameters(gateway: GatewayState, kind: OptionClass, underlying: Listing) -> Values:
    today = new_york_date(gateway.now_ns)
    days = [option_chains.last_trade_day(kind, expiry) for expiry in option_chains.expirations(kind, today)]
    return {
        "underlyingConId": underlying.con_id,
        "tradingClass": kind.name,
        "multiplier": str(kind.multiplier),
        "expirations": [f"{day:%Y%m%d}" for day in days],
        "strikes": list(option_chains.all_strikes(kind, today)),
    }


def _req_matching_symbols(gateway: GatewayState, session: Session, request: Message) -> None:
    """IB asks clients to wait a second between two of these; a request that comes sooner gets no answer.

    What a gateway does with it is not documented; programs report that the answer did not come.
    """
    if gateway.quotas.takes_symbols(session, gateway.now_ns):
        samples = list(_samples(request.get("pattern", "").strip().upper()))[:_SAMPLES_MAX]
        session.send(message("symbolSamples", reqId=request.req_id, contractDescriptions=samples))


def _samples(pattern: str) -> Iterator[Values]:
    """The symbol itself first, then symbols that begin so, then names in which it stands; bonds by their issuer."""
    if not pattern:
        return
    known = everything()
    exact = [listing for listing in known if listing.symbol == pattern]
    beginning = [listing for listing in known if listing.symbol.startswith(pattern) and listing not in exact]
    naming = [each for each in known if pattern in each.long_name.upper() and each not in (*exact, *beginning)]
    for listing in (*exact, *beginning, *naming):
        if listing.sec_type in ("STK", "IND", "CASH"):
            yield _sample(listing)
        if listing.symbol in _BOND_ISSUERS:
            name, issuer = _BOND_ISSUERS[listing.symbol]
            yield {"contract": {"secType": "BOND", "description": name, "issuerId": issuer}}


def _sample(listing: Listing) -> Values:
    return {
        "contract": {
            "conId": listing.con_id,
            "symbol": listing.symbol,
            "secType": listing.sec_type,
            "primaryExch": listing.primary_exchange or listing.valid_exchanges[0],
            "currency": listing.currency,
            "description": listing.long_name,
        },
        "derivativeSecTypes": _derivatives(listing),
    }


def _derivatives(listing: Listing) -> list[str]:
    match listing.stock_type, listing.sec_type:
        case "COMMON", _:
            return _DERIVATIVES_OF_SHARES
        case "ETF", _:
            return _DERIVATIVES_OF_FUNDS
        case _, "IND":
            return ["OPT"]
    return []


def _req_market_rule(gateway: GatewayState, session: Session, request: Message) -> None:
    rule = request.get("marketRuleId", 0)
    steps = MARKET_RULES.get(rule)
    if steps is None:
        raise Refused(bad_market_rule(rule))
    increments = [{"lowEdge": low_edge, "increment": increment} for low_edge, increment in steps]
    session.send(message("marketRule", marketRuleId=rule, priceIncrements=increments))


def _req_smart_components(gateway: GatewayState, session: Session, request: Message) -> None:
    """Only for a code that a tickReqParams told."""
    code = request.get("bboExchange", "")
    letters = _COMPONENTS.get(code)
    if letters is None:
        raise Refused(bad_bbo_exchange(code))
    components = [
        # Bit 0 goes out as an absent number: seen in captures.
        {"exchange": venue, "exchangeLetter": letter} | ({"bitNumber": bit} if bit else {})
        for bit, (venue, letter) in enumerate(letters.items())
    ]
    session.send(message("smartComponents", reqId=request.req_id, smartComponents=components))


def _req_mkt_depth_exchanges(gateway: GatewayState, session: Session, request: Message) -> None:
    described = [
        {"exchange": exchange, "secType": sec_type, "serviceDataType": service}
        for exchange, sec_type, service in _DEPTH_VENUES
    ]
    session.send(message("mktDepthExchanges", depthMarketDataDescriptions=described))


def _req_user_info(gateway: GatewayState, session: Session, request: Message) -> None:
    """No white branding: the customer is IB's own."""
    session.send(message("userInfo", reqId=request.req_id, whiteBrandingId=""))


def _req_soft_dollar_tiers(gateway: GatewayState, session: Session, request: Message) -> None:
    session.send(message("softDollarTiers", reqId=request.req_id, softDollarTiers=[]))


def _req_family_codes(gateway: GatewayState, session: Session, request: Message) -> None:
    """Of an account that belongs to no family: captured."""
    session.send(message("familyCodes", familyCodes=[{"accountId": "*", "familyCode": ""}]))


def _req_news_providers(gateway: GatewayState, session: Session, request: Message) -> None:
    providers = [{"providerCode": code, "providerName": name} for code, name in _NEWS_PROVIDERS]
    session.send(message("newsProviders", newsProviders=providers))


HANDLERS: dict[str, Handler] = {
    "reqSecDefOptParams": _req_sec_def_opt_params,
    "reqMatchingSymbols": _req_matching_symbols,
    "reqMarketRule": _req_market_rule,
    "reqSmartComponents": _req_smart_components,
    "reqMktDepthExchanges": _req_mkt_depth_exchanges,
    "reqUserInfo": _req_user_info,
    "reqSoftDollarTiers": _req_soft_dollar_tiers,
    "reqFamilyCodes": _req_family_codes,
    "reqNewsProviders": _req_news_providers,
}
