"""Which options exist: chains from nothing but the date."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tws_simulator.world.instruments.universe import everything
from tws_simulator.world.options import chains as option_chains
from tws_simulator.world.options.chains import CLASSES, FIRST_CON_ID, Option, OptionClass
from tws_simulator.world.time.calendar import Calendar

SUNDAY = date(2026, 11, 22)
BY_NAME = {each.name: each for each in CLASSES}


def _expirations(name: str, today: date = SUNDAY) -> list[str]:
    return [f"{day:%Y%m%d}" for day in option_chains.expirations(BY_NAME[name], today)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("today", [SUNDAY, date(2026, 12, 18), date(2027, 1, 1), date(2026, 3, 30)])
def test_every_option_expires_on_an_exchange_day_from_today_on(kind: OptionClass, today: date) -> None:
    """Holidays and weekends have no expirations, and none is over; each class has some."""
    exchange = Calendar(always_open=False)
    expirations = option_chains.expirations(kind, today)
    assert expirations
    assert sorted(set(expirations)) == list(expirations)
    for expiry in expirations:
        assert exchange.day(expiry) is not None
        assert option_chains.last_trade_day(kind, expiry) >= today


def test_spy_has_dailies_weeklies_monthlies_and_quarterlies() -> None:
    """Two weeks of days but Thanksgiving, Fridays (Christmas on its eve), third Fridays, ends of quarters."""
    days = _expirations("SPY")
    assert days[:5] == ["20261123", "20261124", "20261125", "20261127", "20261130"]
    assert "20261126" not in days
    assert {"20261211", "20261224", "20261218", "20270115", "20261231", "20270331", "20280121"} <= set(days)
    assert "20261209" not in days, "no Wednesday beyond two weeks"


def test_a_third_friday_that_is_a_holiday_gives_way_to_thursday() -> None:
    """Juneteenth of 2026 is one, and is kept on the Friday before in 2027."""
    assert option_chains.third_friday(2026, 6) == date(2026, 6, 18)
    assert option_chains.third_friday(2026, 12) == date(2026, 12, 18)
    assert option_chains.third_friday(2027, 6) == date(2027, 6, 17)


def test_index_options_that_settle_in_the_morning_trade_until_the_day_before() -> None:
    """SPX of December 2026 expires on Friday 18th and is written with Thursday 17th; SPXW of the same day is not."""
    morning = option_chains.by_local_symbol("SPX   261218C06400000", SUNDAY)
    evening = option_chains.by_local_symbol("SPXW  261218C06400000", SUNDAY)
    assert morning is not None
    assert evening is not None
    assert (morning.expiry, morning.last_trade_day) == (date(2026, 12, 18), date(2026, 12, 17))
    assert evening.last_trade_day == evening.expiry == date(2026, 12, 18)
    assert morning.symbol == evening.symbol == "SPX"
    assert morning.settles_ns < evening.settles_ns


def test_a_local_symbol_pads_the_root_to_six() -> None:
    """As the options industry writes it; other spellings name nothing."""
    found = option_chains.by_local_symbol("SPY   261218C00640000", SUNDAY)
    assert found == Option(option_class=BY_NAME["SPY"], expiry=date(2026, 12, 18), strike=640.0, right="C")
    assert found is not None
    assert found.local_symbol == "SPY   261218C00640000"
    for wrong in ("SPY261218C00640000", "SPY   261318C00640000", "SPY   261218X00640000", "SPY   261218C00640001", ""):
        assert option_chains.by_local_symbol(wrong, SUNDAY) is None


def test_an_adjusted_class_has_one_strike() -> None:
    """As captured for AAPL."""
    adjusted = list(option_chains.listed(BY_NAME["2AAPL"], SUNDAY))
    assert {option.strike for option in adjusted} == {230.0}
    assert adjusted[0].local_symbol == "2AAPL 261218C00230000"
    assert adjusted[0].symbol == "AAPL"


def test_con_ids_are_unique_and_lead_back() -> None:
    """Of all options of a day; none is an id of IB, all are 32-bit numbers."""
    options = [option for kind in CLASSES for option in option_chains.listed(kind, SUNDAY)]
    con_ids = {option.con_id for option in options}
    assert len(con_ids) == len(options)
    assert max(listing.con_id for listing in everything()) < FIRST_CON_ID <= min(con_ids)
    assert max(con_ids) < 2**31 - 1
    for option in options[::97]:
        assert option_chains.by_con_id(option.con_id, SUNDAY) == option
        assert option_chains.by_local_symbol(option.local_symbol, SUNDAY) == option


@pytest.mark.parametrize("con_id", [0, 265598, FIRST_CON_ID, FIRST_CON_ID + 1, 2**31 - 1, FIRST_CON_ID + 2**29])
def test_other_numbers_lead_nowhere(con_id: int) -> None:
    """Also those that would describe an option that is not listed."""
    assert option_chains.by_con_id(con_id, SUNDAY) is None


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.name)
def test_what_is_listed_stays_listed_until_it_expires(kind: OptionClass) -> None:
    """Through a year and its turn: a held contract does not vanish before its last day of trading."""
    today = date(2026, 10, 1)
    before: set[Option] = set()
    for _ in range(120):
        listed = {
            Option(option_class=kind, expiry=expiry, strike=strike, right="C")
            for expiry in option_chains.expirations(kind, today)
            for strike in option_chains.strikes(kind, expiry, today)[:3]
        }
        lost = {option for option in before - listed if option.last_trade_day >= today}
        assert not {option for option in lost if option.strike not in option_chains.strikes(kind, option.expiry, today)}
        assert all(option.expiry in option_chains.expirations(kind, today) for option in lost)
        before = listed
        today += timedelta(days=1)


def test_strikes_surround_the_reference_price() -> None:
    """Every dollar near the money for near expiries, every fifth further out, and only that for far ones."""
    near = option_chains.strikes(BY_NAME["SPY"], date(2026, 12, 18), SUNDAY)
    far = option_chains.strikes(BY_NAME["SPY"], date(2027, 11, 19), SUNDAY)
    assert {639.0, 640.0, 641.0, 500.0, 800.0} <= set(near)
    assert 501.0 not in near
    assert set(far) < set(near)
    assert 641.0 not in far


def test_classes_of_an_underlying_begin_with_the_standard_one() -> None:
    """Seven underlyings have options; nothing else has."""
    assert [kind.name for kind in option_chains.classes_of("AAPL")] == ["AAPL", "2AAPL"]
    assert [kind.name for kind in option_chains.classes_of("SPX")] == ["SPX", "SPXW"]
    assert {kind.symbol for kind in CLASSES} == {"SPY", "QQQ", "AAPL", "NVDA", "TSLA", "MSFT", "SPX"}
    assert option_chains.classes_of("IBM") == ()
