"""Lines of an index: it has a level, and nobody to trade it with."""

from __future__ import annotations

from tests.tws_simulator.scripted_client import SECOND, ScriptedClient, gateway_core, names, of
from tws_simulator.api.streams.ticks import Tick

SPX = {"symbol": "SPX", "secType": "IND", "currency": "USD", "exchange": "CBOE"}
SPY = {"symbol": "SPY", "secType": "STK", "currency": "USD", "exchange": "SMART"}
CALL = {
    "symbol": "SPX",
    "secType": "OPT",
    "currency": "USD",
    "exchange": "SMART",
    "localSymbol": "SPXW  261218C06400000",
}
MODEL = 13


def test_an_index_moves_with_the_fund_that_holds_it() -> None:
    """Ten times the middle of SPY, which is also what its options see; last, close, high and low, and nothing else."""
    client = ScriptedClient(gateway_core())
    told = client.ask("reqMktData", reqId=1, contract=SPX)
    assert {each["tickType"] for each in of(told, "tickPrice")} == {Tick.LAST, Tick.CLOSE, Tick.HIGH, Tick.LOW}
    assert not of(told, "tickSize")
    client.ask("reqMktData", reqId=2, contract=CALL)
    client.core.advance(client.core.state.now_ns + 20 * SECOND)
    later = client.replies()
    world = client.core.state.world
    quote = world.quote(756733)
    levels = [each["price"] for each in of(later, "tickPrice") if each["reqId"] == 1 and each["tickType"] == Tick.LAST]
    assert levels[-1] == round((quote.bid + quote.ask) * 5, 4)
    seen = [each["undPrice"] for each in of(later, "tickOptionComputation") if each["tickType"] == MODEL]
    assert seen[-1] == levels[-1]


def test_the_level_stays_between_the_high_and_the_low() -> None:
    """For twenty minutes; neither of them ever gives way."""
    core = gateway_core()
    client = ScriptedClient(core)
    shown = {}
    for _ in range(20):
        for tick in of(client.replies() or client.ask("reqMktData", reqId=1, contract=SPX), "tickPrice"):
            kind, price = Tick(tick["tickType"]), tick["price"]
            assert price >= shown.get(kind, price) if kind is Tick.HIGH else True
            assert price <= shown.get(kind, price) if kind is Tick.LOW else True
            shown[kind] = price
        assert shown[Tick.LOW] <= shown[Tick.LAST] <= shown[Tick.HIGH]
        core.advance(core.state.now_ns + 60 * SECOND)


def test_a_snapshot_of_an_index_is_complete_at_once() -> None:
    client = ScriptedClient(gateway_core())
    told = client.ask("reqMktData", reqId=1, contract=SPX, snapshot=True)
    assert names(told)[-1] == "tickSnapshotEnd"
    assert not client.session.streams
