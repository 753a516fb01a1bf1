"""Account summary and positions, as a client is told them."""

from __future__ import annotations

from decimal import Decimal

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of

TAGS = "NetLiquidation,BuyingPower,TotalCashValue"
MARKET = {"action": "BUY", "totalQuantity": Decimal(5), "orderType": "MKT", "tif": "DAY", "transmit": True}


def test_a_summary_tells_the_tags_asked_for_and_ends() -> None:
    """Sorted by tag, not as asked."""
    core = gateway_core()
    told = ScriptedClient(core).ask("reqAccountSummary", reqId=1, group="All", tags=TAGS)
    assert names(told) == ["accountSummary"] * 3 + ["accountSummaryEnd"]
    assert [row["tag"] for row in told[:3]] == ["BuyingPower", "NetLiquidation", "TotalCashValue"]
    assert {row["account"] for row in told[:3]} == {core.state.world.first_account}
    assert told[0]["currency"] == "USD"


def test_after_that_only_changed_rows_are_told_and_not_at_once() -> None:
    """A real gateway looks again every three minutes."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqAccountSummary", reqId=1, group="All", tags="TotalCashValue,AccountType")
    bought = client.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET)
    assert of(bought, "accountSummary") == []
    core.advance(core.state.now_ns + 179 * SECOND)
    assert of(client.replies(), "accountSummary") == []
    core.advance(core.state.now_ns + SECOND)
    assert [row["tag"] for row in of(client.replies(), "accountSummary")] == ["TotalCashValue"]


def test_a_third_summary_is_refused() -> None:
    """322; after a cancel there is room again."""
    client = ScriptedClient(gateway_core())
    for req_id in (1, 2):
        client.ask("reqAccountSummary", reqId=req_id, group="All", tags=TAGS)
    assert codes(client.ask("reqAccountSummary", reqId=3, group="All", tags=TAGS)) == [(3, 322)]
    client.ask("cancelAccountSummary", reqId=1)
    assert client.ask("reqAccountSummary", reqId=3, group="All", tags=TAGS)[-1].name == "accountSummaryEnd"


def test_a_summary_of_nothing_known_is_refused() -> None:
    """321 for tags that do not exist, 300 for cancelling what was not asked."""
    client = ScriptedClient(gateway_core())
    assert codes(client.ask("reqAccountSummary", reqId=1, group="All", tags="NoSuchTag")) == [(1, 321)]
    assert codes(client.ask("cancelAccountSummary", reqId=1)) == [(1, 300)]


def test_positions_are_dumped_with_an_end_and_then_pushed() -> None:
    """A fill tells the new position to everybody who asked, also of another client's order."""
    core = gateway_core()
    watcher, trader = ScriptedClient(core, 1), ScriptedClient(core, 2)
    told = watcher.ask("reqPositions")
    assert names(told) == ["position", "positionEnd"]
    assert (told[0]["contract"]["symbol"], told[0]["position"]) == ("SPY", Decimal(100))
    trader.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET)
    core.advance(core.state.now_ns + SECOND)
    pushed = of(watcher.replies(), "position")
    assert [(row["contract"]["symbol"], row["position"]) for row in pushed] == [("AAPL", Decimal(5))]
    assert pushed[0]["avgCost"] > 0


def test_cancelled_positions_are_no_longer_pushed() -> None:
    """And cancelling is silent."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqPositions")
    assert client.ask("cancelPositions") == []
    assert of(client.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET), "position") == []
