"""What options are worth: textbook values, and what must hold at any price."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tws_simulator.world.instruments.price_rules import MARKET_RULES, price_increment
from tws_simulator.world.options import chains as option_chains
from tws_simulator.world.options import model as option_model
from tws_simulator.world.options.chains import Option, Right

NOW_NS = int(datetime(2026, 11, 23, 15, 0, tzinfo=UTC).timestamp()) * 1_000_000_000
TODAY = date(2026, 11, 23)
RATE = option_model.RATE


def _option(name: str, right: Right, strike: float, expiry: date = date(2026, 12, 18)) -> Option:
    found = option_chains.option(name, expiry, strike, right, TODAY)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("right", "spot", "strike", "years", "volatility", "paid", "rate", "price"),
    [
        ("C", 42.0, 40.0, 0.5, 0.20, 0.0, 0.10, 4.76),
        ("P", 42.0, 40.0, 0.5, 0.20, 0.0, 0.10, 0.81),
        ("C", 930.0, 900.0, 2 / 12, 0.20, 0.03, 0.08, 51.83),
    ],
)
def test_textbook_prices(
    right: Right, spot: float, strike: float, years: float, volatility: float, paid: float, rate: float, price: float
) -> None:
    """Hull's examples of a stock and of an index with a dividend yield."""
    found = option_model.black_scholes(right, spot, strike, years, volatility, paid, rate)
    assert found == pytest.approx(price, abs=0.005)


@given(
    spot=st.floats(20, 900),
    moneyness=st.floats(0.5, 2.0),
    years=st.floats(0.01, 3),
    volatility=st.floats(0.05, 2.0),
    paid=st.floats(0, 0.05),
)
def test_put_call_parity(spot: float, moneyness: float, years: float, volatility: float, paid: float) -> None:
    """A call less a put is the forward less the strike, whatever the volatility."""
    strike = spot * moneyness
    call = option_model.black_scholes("C", spot, strike, years, volatility, paid)
    put = option_model.black_scholes("P", spot, strike, years, volatility, paid)
    assert call - put == pytest.approx(
        spot * math.exp(-paid * years) - strike * math.exp(-RATE * years), abs=1e-8 * spot
    )


@pytest.mark.parametrize("right", ["C", "P"])
def test_sensitivities_are_the_slopes_of_the_price(right: Right) -> None:
    """Delta and gamma per dollar, vega per point of volatility, theta per day."""
    contract, spot, volatility = _option("SPY", right, 650.0), 640.0, 0.18
    found = option_model.evaluate(contract, spot, volatility, NOW_NS)

    def price(**change: Any) -> float:
        values = {"spot": spot, "volatility": volatility, "now_ns": NOW_NS, **change}
        worth = option_model.evaluate(contract, **values).price
        assert worth is not None
        return worth

    assert found.price is not None
    step, hour_ns = 0.01, 3_600_000_000_000
    up, down = price(spot=spot + step), price(spot=spot - step)
    assert found.delta == pytest.approx((up - down) / (2 * step), abs=1e-5)
    assert found.gamma == pytest.approx((up - 2 * found.price + down) / step**2, abs=1e-4)
    assert found.vega == pytest.approx((price(volatility=0.181) - price(volatility=0.179)) / 0.2, abs=1e-4)
    assert found.theta == pytest.approx((price(now_ns=NOW_NS + hour_ns) - found.price) * 24, abs=1e-3)


def test_a_price_implies_the_volatility_it_was_made_with() -> None:
    """And all sensitivities with it."""
    contract = _option("AAPL", "P", 225.0)
    made = option_model.evaluate(contract, 230.0, 0.31, NOW_NS)
    assert made.price is not None
    found = option_model.implied(contract, 230.0, made.price, NOW_NS)
    assert found.implied_volatility == pytest.approx(0.31, abs=1e-6)
    assert found.delta == pytest.approx(made.delta, abs=1e-6)


@pytest.mark.parametrize("price", [0.0001, 229.0, 1e6])
def test_a_price_that_no_volatility_explains_computes_nothing(price: float) -> None:
    """Below what exercise would pay, or above the stock itself."""
    found = option_model.implied(_option("AAPL", "C", 200.0), 230.0, price, NOW_NS)
    assert (found.implied_volatility, found.delta, found.price) == (None, None, price)


def test_far_strikes_are_dearer_than_the_money() -> None:
    """A smile that leans to the puts."""
    low, middle, high = (option_model.smile(0.16, 640.0, strike, 0.1) for strike in (560.0, 640.0, 720.0))
    assert low > middle == 0.16
    assert low > high > middle


@pytest.mark.parametrize("name", ["SPY", "AAPL", "SPX", "SPXW", "TSLA"])
def test_quotes_stand_on_the_grid_around_the_model(name: str) -> None:
    """Bid below, ask above, both whole steps of the class's rule; a worthless option has no bid."""
    kind = next(each for each in option_chains.CLASSES if each.name == name)
    spot = kind.underlying.reference_price * 1.01
    for option in list(option_chains.listed(kind, TODAY))[::37]:
        quote = option_model.quote(option, spot, spot, NOW_NS)
        assert quote.model.price is not None
        assert 0 <= quote.bid <= quote.model.price <= quote.ask
        assert quote.bid < quote.ask
        tick = option_model.tick_size(option, quote.model.price)
        for price in (quote.bid, quote.ask):
            assert round(price / tick, 6) == round(price / tick), option.local_symbol


def test_the_last_minute_is_worth_what_exercise_pays() -> None:
    """And afterwards: nothing divides by the time that is left."""
    contract = _option("SPY", "C", 640.0, TODAY)
    for now_ns in (contract.settles_ns - 1, contract.settles_ns, contract.settles_ns + 10**15):
        assert option_model.model(contract, 650.0, now_ns).price == pytest.approx(10.0, abs=0.05)
        assert option_model.model(contract, 630.0, now_ns).price == pytest.approx(0.0, abs=0.05)


def test_price_rules_start_at_zero_and_rise() -> None:
    """The increment of a price is that of the highest edge below it."""
    for steps in MARKET_RULES.values():
        assert steps[0][0] == 0.0
        assert list(steps) == sorted(steps)
    assert [price_increment(32, price) for price in (0.5, 2.99, 3.0, 50.0)] == [0.01, 0.01, 0.05, 0.05]
