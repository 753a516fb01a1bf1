"""The simulated gateway's instruments."""

import pytest

from tws_simulator.world.instruments.listing import VENUE_LETTERS
from tws_simulator.world.instruments.price_rules import MARKET_RULES
from tws_simulator.world.instruments.universe import (
    LISTINGS,
    UNQUOTED,
    canonical_exchange,
    everything,
    find,
    named,
    trades_at,
)


def test_documented_contract_ids():
    """The conIds that captured frames and IB's samples show are the ones we list."""
    assert {listing.symbol: listing.con_id for listing in LISTINGS if listing.symbol in ("AAPL", "SPY", "TSLA")} == {
        "AAPL": 265598,
        "SPY": 756733,
        "TSLA": 76792991,
    }


def test_every_listing_is_found_by_symbol_and_by_con_id():
    """Symbols and conIds are unique and lead to the same listing."""
    assert len({listing.con_id for listing in LISTINGS}) == len(LISTINGS) == 11
    for listing in LISTINGS:
        assert find(listing.symbol) is find(con_id=listing.con_id) is find(listing.symbol, listing.con_id) is listing


def test_a_symbol_that_contradicts_the_con_id_finds_nothing():
    """Both must match when both are given; a conId of 0 means that none was given."""
    assert find("AAPL", 756733) is None
    assert find("AAPL", 0) is find("AAPL")
    assert find("ZZZNONE") is None
    assert find() is None


def test_primary_exchanges():
    """SPY and IWM are listed on ARCA, the others on NASDAQ."""
    assert {listing.symbol for listing in LISTINGS if listing.primary_exchange == "ARCA"} == {"SPY", "IWM"}
    assert {listing.primary_exchange for listing in LISTINGS} == {"ARCA", "NASDAQ"}


def test_island_is_nasdaq():
    """Either name of the venue reaches the same place, as gateways differ in which they use."""
    tsla = find("TSLA")
    assert tsla is not None
    assert canonical_exchange("ISLAND") == "NASDAQ" == canonical_exchange("NASDAQ")
    assert trades_at(tsla, "ISLAND")
    assert trades_at(tsla, "SMART")
    assert trades_at(tsla, "")
    assert not trades_at(tsla, "IDEALPRO")


def test_every_venue_of_a_listing_has_its_letter():
    """A client can decode the exchange of every trade."""
    venues = {venue for listing in LISTINGS for venue in listing.valid_exchanges} - {"SMART"}
    assert venues <= VENUE_LETTERS.keys()
    assert len(set(VENUE_LETTERS.values())) == len(VENUE_LETTERS) == 20


def test_what_is_not_quoted_can_be_looked_up():
    """About thirty stocks and funds in all, with currencies, indexes and a future; no id or name is used twice."""
    known = everything()
    assert known == (*LISTINGS, *UNQUOTED)
    assert len({listing.con_id for listing in known}) == len({listing.local_symbol for listing in known}) == len(known)
    assert sum(listing.sec_type == "STK" for listing in known) >= 30
    assert {listing.sec_type for listing in known} == {"STK", "CASH", "IND", "FUT"}
    for listing in known:
        assert find(con_id=listing.con_id) is listing
        assert listing.market_rule in MARKET_RULES


def test_documented_contract_ids_of_what_is_not_quoted():
    """Seen in captured frames."""
    assert {listing.local_symbol: listing.con_id for listing in UNQUOTED if listing.symbol in ("IBM", "EUR", "ES")} == {
        "IBM": 8314,
        "EUR.USD": 12087792,
        "ESZ6": 515416632,
    }


def test_symbols_name_the_stocks_that_shall_trade():
    """In the order given, once each; others are refused."""
    assert [listing.symbol for listing in named(["TSLA", "IBM", "TSLA"])] == ["TSLA", "IBM"]
    assert named([]) == ()
    for wrong in ("NOSUCH", "SPX", "EUR", ""):
        with pytest.raises(ValueError, match="no stock or fund"):
            named([wrong])


def test_isins_have_the_right_check_digit():
    """The last digit follows from the others, so that a slip of the pen would show."""
    isins = [listing.isin for listing in everything() if listing.isin]
    assert len(isins) > 20
    for isin in isins:
        digits = [int(digit) for digit in "".join(str(int(letter, 36)) for letter in isin)]
        doubled = [digit * 2 if place % 2 else digit for place, digit in enumerate(reversed(digits))]
        assert sum(number // 10 + number % 10 for number in doubled) % 10 == 0, isin
