"""Which instrument a client's contract means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any, TypeVar

from tws_simulator.api.notices.reference import NO_SECURITY_TYPE, UNKNOWN_CONTRACT, ambiguous
from tws_simulator.api.refused import Refused
from tws_simulator.wire.values import Values
from tws_simulator.world.instruments.listing import SMART, Listing
from tws_simulator.world.instruments.universe import everything, find, trades_at
from tws_simulator.world.options import chains as option_chains
from tws_simulator.world.options.chains import Option, OptionClass

Instrument = Listing | Option
_Found = TypeVar("_Found", bound=Instrument)

_OPTION = "OPT"
_RIGHTS = {"C": "C", "CALL": "C", "P": "P", "PUT": "P"}


def resolve(contract: Mapping[str, Any]) -> Listing:
    """The one instrument other than an option; refused when there is none, or several."""
    return _only(_listings(contract), contract)


def resolve_any(contract: Mapping[str, Any], today: date) -> Instrument:
    """The one instrument, options included."""
    return _only(list(islice(search(contract, today), 2)), contract)


def search(contract: Mapping[str, Any], today: date) -> Iterator[Instrument]:
    """All instruments that have every property asked for; maybe none."""
    if contract.get("secType") == _OPTION or contract.get("conId", 0) >= option_chains.FIRST_CON_ID:
        return _options(contract, today)
    return iter(_listings(contract))


def _only(found: list[_Found], contract: Mapping[str, Any]) -> _Found:
    if not found:
        raise Refused(UNKNOWN_CONTRACT)
    if len(found) > 1:
        raise Refused(ambiguous(contract.get("symbol") or contract.get("localSymbol", "")))
    return found[0]


def _listings(contract: Mapping[str, Any]) -> list[Listing]:
    if not contract.get("conId") and not contract.get("secType"):
        raise Refused(NO_SECURITY_TYPE)
    if con_id := contract.get("conId"):
        listing = find(con_id=con_id)
        return [listing] if listing is not None and _fits(listing, contract) else []
    if not any(contract.get(name) for name in ("symbol", "localSymbol", "secId")):
        return []
    return [listing for listing in everything() if _fits(listing, contract)]


def _fits(listing: Listing, contract: Mapping[str, Any]) -> bool:
    asked = {
        "symbol": listing.symbol,
        "secType": listing.sec_type,
        "currency": listing.currency,
        "localSymbol": listing.local_symbol,
        "tradingClass": listing.trading_class,
        "multiplier": listing.multiplier or contract.get("multiplier"),
    }
    return (
        all(contract.get(name) in (None, "", 0, value) for name, value in asked.items())
        and (contract.get("secIdType") != "ISIN" or contract.get("secId") == listing.isin)
        and (listing.expiry is None or _is_asked(listing.expiry, listing.expiry, contract))
        and trades_at(listing, contract.get("exchange", ""))
        and trades_at(listing, contract.get("primaryExch", ""))
    )


def _options(contract: Mapping[str, Any], today: date) -> Iterator[Option]:
    if con_id := contract.get("conId"):
        candidates = _or_nothing(option_chains.by_con_id(con_id, today))
    elif local_symbol := contract.get("localSymbol"):
        candidates = _or_nothing(option_chains.by_local_symbol(local_symbol, today))
    else:
        candidates = _of_classes(contract, today)
    for option in candidates:
        if _option_fits(option, contract):
            yield option


def _or_nothing(option: Option | None) -> Iterator[Option]:
    if option is not None:
        yield option


def _of_classes(contract: Mapping[str, Any], today: date) -> Iterator[Option]:
    """Only the expiries and strikes asked for are looked at."""
    strike = contract.get("strike", 0.0)
    for kind in option_chains.classes_of(contract.get("symbol", "")):
        if contract.get("tradingClass") not in (None, "", kind.name):
            continue
        for expiry in option_chains.expirations(kind, today):
            if _is_asked(option_chains.last_trade_day(kind, expiry), expiry, contract):
                yield from _of_expiry(kind, expiry, strike, today)


def _of_expiry(kind: OptionClass, expiry: date, strike: float, today: date) -> Iterator[Option]:
    for listed in option_chains.strikes(kind, expiry, today):
        if not strike or strike == listed:
            yield Option(option_class=kind, expiry=expiry, strike=listed, right="C")
            yield Option(option_class=kind, expiry=expiry, strike=listed, right="P")


def _option_fits(option: Option, contract: Mapping[str, Any]) -> bool:
    kind = option.option_class
    asked = {
        "symbol": option.symbol,
        "secType": _OPTION,
        "currency": "USD",
        "localSymbol": option.local_symbol,
        "tradingClass": kind.name,
        "multiplier": kind.multiplier,
        "strike": option.strike,
    }
    return (
        all(contract.get(name) in (None, "", 0, value) for name, value in asked.items())
        and _RIGHTS.get(contract.get("right", "").upper(), option.right) == option.right
        and _is_asked(option.last_trade_day, option.expiry, contract)
        and contract.get("exchange", "") in ("", *kind.exchanges)
    )


def _is_asked(last_trade_day: date, expiry: date, contract: Mapping[str, Any]) -> bool:
    """A day means the last of trading, a month the one in which the contract expires."""
    asked = contract.get("lastTradeDateOrContractMonth", "")
    return not asked or asked in (f"{last_trade_day:%Y%m%d}", f"{expiry:%Y%m}")


def described(instrument: Instrument, exchange: str = SMART) -> Values:
    """The contract as the gateway repeats it in orders, executions and details."""
    values = {
        "conId": instrument.con_id,
        "symbol": instrument.symbol,
        "strike": 0.0,
        "exchange": exchange,
        "localSymbol": instrument.local_symbol,
        "tradingClass": instrument.trading_class,
    }
    if isinstance(instrument, Option):
        return {
            **values,
            "secType": _OPTION,
            "currency": "USD",
            "lastTradeDateOrContractMonth": f"{instrument.last_trade_day:%Y%m%d}",
            "strike": instrument.strike,
            "right": instrument.right,
            "multiplier": float(instrument.option_class.multiplier),
        }
    values |= {"secType": instrument.sec_type, "currency": instrument.currency}
    if instrument.expiry is not None:
        values["lastTradeDateOrContractMonth"] = f"{instrument.expiry:%Y%m%d}"
    if instrument.multiplier is not None:
        values["multiplier"] = float(instrument.multiplier)
    return values
