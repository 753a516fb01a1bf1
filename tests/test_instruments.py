"""One name for one instrument: what IB tells apart never shares a key."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.instruments import Instrument

CALL = Instrument(
    symbol="SPY", sec_type="OPT", expiry="20261218", strike=Decimal(600), right="C", multiplier=Decimal(100)
)


@pytest.mark.parametrize(
    ("instrument", "key"),
    [
        (Instrument(symbol="SPY", primary_exchange="ARCA", con_id=756733, trading_class="SPY"), "SPY"),
        (Instrument(symbol="QQQ", trading_class="NMS"), "QQQ"),
        (Instrument(symbol="SHOP", currency="CAD"), "SHOP.SMART.CAD"),
        (CALL, "SPY261218C00600000"),
        (msgspec.structs.replace(CALL, right="P", strike=Decimal("612.5")), "SPY261218P00612500"),
        (msgspec.structs.replace(CALL, symbol="SPX", trading_class="SPXW"), "SPXW261218C00600000"),
        (msgspec.structs.replace(CALL, strike=Decimal("0.00625")), "SPY.20261218.C.0.00625.SMART.USD"),
        (msgspec.structs.replace(CALL, exchange="EUREX", currency="EUR"), "SPY.20261218.C.600.EUREX.EUR"),
        (Instrument(symbol="ES", sec_type="FUT", exchange="CME", expiry="20261218"), "ES.20261218.CME.USD"),
        (Instrument(symbol="EUR", sec_type="CASH", exchange="IDEALPRO"), "EUR.IDEALPRO.USD"),
        (Instrument(symbol="SPX", sec_type="IND", exchange="CBOE"), "SPX.CBOE.USD.IND"),
        (Instrument(symbol="SPY", sec_type="CFD"), "SPY.SMART.USD.CFD"),
        (Instrument(symbol="IBM", sec_type="BOND", con_id=28812380), "IBM.SMART.USD.BOND.28812380"),
    ],
)
def test_the_key_is_the_name_that_people_know(instrument: Instrument, key: str) -> None:
    """US stocks by their symbol, US options as the OCC writes them, everything else spelled out."""
    assert instrument.key == key


ROOTS = st.sampled_from(["SPY", "SPX", "SPXW", "ES", "EUR", "BRK B", "C", "P"])
EXPIRIES = st.sampled_from(["20261218", "20261219", "20271218", "202612"])
STRIKES = st.decimals("0.0005", "120000", places=4)
US_OPTIONS = st.builds(
    Instrument,
    symbol=ROOTS,
    sec_type=st.just("OPT"),
    expiry=EXPIRIES,
    strike=STRIKES,
    right=st.sampled_from("CP"),
    trading_class=st.sampled_from(["", "SPX1"]),
)
OTHERS = st.builds(
    Instrument,
    symbol=ROOTS,
    sec_type=st.sampled_from(["OPT", "FOP"]),
    exchange=st.sampled_from(["EUREX", "CME"]),
    currency=st.just("EUR"),
    expiry=EXPIRIES,
    strike=STRIKES,
    right=st.sampled_from("CP"),
) | st.builds(
    Instrument,
    symbol=ROOTS,
    sec_type=st.just("FUT"),
    exchange=st.sampled_from(["EUREX", "CME"]),
    currency=st.sampled_from(["USD", "EUR"]),
    expiry=EXPIRIES,
)
UNDATED = st.builds(
    Instrument,
    symbol=ROOTS,
    sec_type=st.sampled_from(["STK", "IND", "CFD", "CRYPTO"]),
    exchange=st.sampled_from(["SMART", "CBOE"]),
    currency=st.sampled_from(["USD", "EUR"]),
) | st.builds(Instrument, symbol=ROOTS, sec_type=st.just("BOND"), con_id=st.integers(1, 3))


def identity(instrument: Instrument) -> tuple[object, ...]:
    """What IB tells instruments apart by; the route of a US stock or option is none of it."""
    us = instrument.currency == "USD" and instrument.sec_type in ("STK", "OPT")
    dated = bool(instrument.expiry)
    return (
        (instrument.trading_class or instrument.symbol) if dated else instrument.symbol,
        "OPT" if instrument.sec_type == "FOP" else instrument.sec_type,  # one exchange lists one of the two
        "" if us else instrument.exchange,
        instrument.currency,
        instrument.expiry,
        instrument.strike,
        instrument.right,
        instrument.con_id,
    )


@given(st.lists(US_OPTIONS | OTHERS | UNDATED, min_size=2, max_size=30))
def test_distinct_instruments_have_distinct_keys(instruments: list[Instrument]) -> None:
    """A shared key would let one option's position overwrite another's."""
    assert len({each.key for each in instruments}) == len({identity(each) for each in instruments})


@given(US_OPTIONS | OTHERS | UNDATED)
def test_an_instrument_survives_the_journal(instrument: Instrument) -> None:
    """Terms are written as they were given, decimals without a float in between."""
    assert msgspec.json.decode(msgspec.json.encode(instrument), type=Instrument) == instrument


def test_a_line_of_an_older_journal_is_still_read() -> None:
    """Terms that a line does not name are those of a stock."""
    line = b'{"symbol":"SPY","primary_exchange":"ARCA","con_id":756733}'
    assert msgspec.json.decode(line, type=Instrument) == Instrument(
        symbol="SPY", primary_exchange="ARCA", con_id=756733
    )
