"""The simulated gateway's instruments."""

from tws_simulator.world.universe import LISTINGS, VENUE_LETTERS, canonical_exchange, find, trades_at


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
