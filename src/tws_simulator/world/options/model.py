"""What an option is worth, after Black and Scholes, with a constant rate, dividend yields and a drawn smile.

European exercise is assumed for all: the premium of early exercise is left out. Theta is per calendar day, vega per
point of volatility (0.01), as IB quotes them. Numbers are rounded to nine places: the last bits of exp and log differ
between C libraries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from tws_simulator.world.instruments.price_rules import price_increment
from tws_simulator.world.options.chains import Option, Right
from tws_simulator.world.time.units import DAY_NS

RATE: Final = 0.04  # of riskless dollars a year, continuously compounded
DIVIDEND_YIELDS: Final[Mapping[str, float]] = {
    "SPY": 0.012,
    "SPX": 0.012,
    "QQQ": 0.006,
    "AAPL": 0.004,
    "MSFT": 0.007,
}

_YEAR_NS: Final = 365 * DAY_NS
_SHORTEST_YEARS: Final = 1 / (365 * 24 * 60)
_SKEW: Final = 0.10  # of volatility, at one standard deviation below the forward
_CURVATURE: Final = 0.04
_VOLATILITY_RANGE: Final = (0.01, 5.0)
_PLACES: Final = 9
_STEPS_MAX: Final = 60
_MISS_MAX: Final = 1e-11
_SPREAD_SHARE: Final = 0.008
_SIZES_MAX: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Computation:
    """A price and its sensitivities. None is what cannot be computed."""

    implied_volatility: float | None
    price: float | None
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    pv_dividend: float | None
    under_price: float


@dataclass(frozen=True, kw_only=True, slots=True)
class OptionQuote:
    """All a level-one subscriber is told of an option; prices on its grid, sizes and volumes in contracts."""

    bid: float
    ask: float
    bid_size: int
    ask_size: int
    close: float
    volume: int
    open_interest: int
    model: Computation


def years_left(contract: Option, now_ns: int) -> float:
    """At least a minute, so that the formulas stay finite on the last day."""
    return max((contract.settles_ns - now_ns) / _YEAR_NS, _SHORTEST_YEARS)


def dividend_yield(symbol: str) -> float:
    return DIVIDEND_YIELDS.get(symbol, 0.0)


def smile(base: float, spot: float, strike: float, years: float) -> float:
    """Volatility by strike: dearer below the forward, a little dearer far above it."""
    distance = math.log(strike / spot) / (base * math.sqrt(max(years, 1 / 52)))
    distance = max(-4.0, min(4.0, distance))
    return round(base * (1 - _SKEW * distance / 2 + _CURVATURE * distance * distance), _PLACES)


def black_scholes(
    right: Right, spot: float, strike: float, years: float, volatility: float, paid: float, rate: float = RATE
) -> float:
    """The price alone; ``paid`` is the dividend yield."""
    d1, d2 = _moneyness(spot, strike, years, volatility, rate - paid)
    sign = 1 if right == "C" else -1
    forward, discount = spot * math.exp(-paid * years), math.exp(-rate * years)
    return sign * (forward * _normal(sign * d1) - strike * discount * _normal(sign * d2))


def evaluate(contract: Option, spot: float, volatility: float, now_ns: int) -> Computation:
    """Everything at a given volatility of the underlying and a given spot price."""
    years, paid = years_left(contract, now_ns), dividend_yield(contract.symbol)
    strike, sign = contract.strike, 1 if contract.right == "C" else -1
    d1, d2 = _moneyness(spot, strike, years, volatility, RATE - paid)
    grown, discount, density = math.exp(-paid * years), math.exp(-RATE * years), _density(d1)
    decay = -spot * grown * density * volatility / (2 * math.sqrt(years))
    carry = sign * (paid * spot * grown * _normal(sign * d1) - RATE * strike * discount * _normal(sign * d2))
    return Computation(
        implied_volatility=round(volatility, _PLACES),
        price=round(max(black_scholes(contract.right, spot, strike, years, volatility, paid), 0.0), _PLACES),
        delta=round(sign * grown * _normal(sign * d1), _PLACES),
        gamma=round(grown * density / (spot * volatility * math.sqrt(years)), _PLACES),
        vega=round(spot * grown * density * math.sqrt(years) / 100, _PLACES),
        theta=round((decay + carry) / 365, _PLACES),
        pv_dividend=round(spot * (1 - grown), _PLACES),
        under_price=spot,
    )


def implied(contract: Option, spot: float, price: float, now_ns: int) -> Computation:
    """The sensitivities at the volatility that a price implies; nothing but the price when none does."""
    years, paid = years_left(contract, now_ns), dividend_yield(contract.symbol)
    volatility = _volatility_of(contract, spot, price, years, paid)
    if volatility is None:
        return Computation(
            implied_volatility=None,
            price=price,
            delta=None,
            gamma=None,
            vega=None,
            theta=None,
            pv_dividend=None,
            under_price=spot,
        )
    return replace(evaluate(contract, spot, volatility, now_ns), price=price)


def _volatility_of(contract: Option, spot: float, price: float, years: float, paid: float) -> float | None:
    """Newton's steps, halving the bracket where a step would leave it."""
    low, high = _VOLATILITY_RANGE

    def miss(volatility: float) -> float:
        return black_scholes(contract.right, spot, contract.strike, years, volatility, paid) - price

    if not miss(low) < 0 < miss(high):
        return None
    tried = contract.underlying.volatility
    for _ in range(_STEPS_MAX):
        off = miss(tried)
        if abs(off) < _MISS_MAX * spot or high - low < _MISS_MAX:
            break
        low, high = (low, tried) if off > 0 else (tried, high)
        d1, _ = _moneyness(spot, contract.strike, years, tried, RATE - paid)
        slope = spot * math.exp(-paid * years) * _density(d1) * math.sqrt(years)
        step = tried - off / slope if slope > _MISS_MAX else low
        tried = step if low < step < high else (low + high) / 2
    return tried


def model(contract: Option, spot: float, now_ns: int) -> Computation:
    """What the gateway's own model says: evaluated on the smile."""
    base = contract.underlying.volatility
    return evaluate(contract, spot, smile(base, spot, contract.strike, years_left(contract, now_ns)), now_ns)


def quote(contract: Option, spot: float, close_spot: float, now_ns: int) -> OptionQuote:
    """Market makers around the model. Sizes, volume and open interest are made up from the contract alone."""
    computed = model(contract, spot, now_ns)
    worth = computed.price or 0.0
    tick = tick_size(contract, worth)
    half = max(tick, worth * _SPREAD_SHARE)
    near = math.exp(-abs(contract.strike / spot - 1) * 12)
    draws = blake2b(contract.local_symbol.encode(), digest_size=4).digest()
    return OptionQuote(
        bid=round(max(math.floor((worth - half) / tick), 0) * tick, 2),
        ask=round(max(math.ceil((worth + half) / tick), 1) * tick, 2),
        bid_size=1 + draws[0] * _SIZES_MAX // 256,
        ask_size=1 + draws[1] * _SIZES_MAX // 256,
        close=_on_grid(contract, model(contract, close_spot, now_ns).price or 0.0),
        volume=int(near * draws[2] * 20),
        open_interest=int(near * draws[3] * 120) + draws[2],
        model=computed,
    )


def tick_size(contract: Option, price: float) -> float:
    return price_increment(contract.option_class.market_rule, price)


def _on_grid(contract: Option, price: float) -> float:
    tick = tick_size(contract, price)
    return round(max(round(price / tick), 1) * tick, 2)


def _moneyness(spot: float, strike: float, years: float, volatility: float, drift: float) -> tuple[float, float]:
    spread = volatility * math.sqrt(years)
    d1 = (math.log(spot / strike) + (drift + volatility * volatility / 2) * years) / spread
    return d1, d1 - spread


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
