"""Profit and loss of an account and of a position, as a client is told them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.wire.row import Message

SPY = 756733


def _subscribed(client: ScriptedClient) -> list[Message]:
    account = client.core.state.world.first_account
    return client.ask("reqPnL", reqId=1, account=account, modelCode="") + client.ask(
        "reqPnLSingle", reqId=2, account=account, modelCode="", conId=SPY
    )


@pytest.mark.parametrize("version", [151, 176, 200, 209, 226])
def test_the_first_rows_come_at_once(version: int) -> None:
    """What the ledger says; realised profit is not told before something was closed."""
    core = gateway_core()
    told = _subscribed(ScriptedClient(core, newest=version))
    assert names(told) == ["pnl", "pnlSingle"]
    account, single = told
    profit = core.state.world.first_ledger.pnl(core.state.world.marks())
    assert account["dailyPnL"] == pytest.approx(float(profit.daily_usd))
    assert account["unrealizedPnL"] == single["unrealizedPnL"] == pytest.approx(float(profit.unrealized_usd))
    assert "realizedPnL" not in account.values
    assert "realizedPnL" not in single.values
    assert single["position"] == Decimal(100)
    assert single["value"] == pytest.approx(float(profit.value_usd))


def test_an_unset_realised_profit_is_the_largest_number_in_text() -> None:
    """1.7976931348623157E308, which clients know."""
    client = ScriptedClient(gateway_core(), newest=200)
    client.send_bytes(b"")
    payload = client.codec.encode_reply(_subscribed(client)[0])
    assert payload.endswith(b"\x001.7976931348623157E308\x00")


def test_rows_come_about_every_second_while_the_market_moves() -> None:
    """Not more often, however finely time passes."""
    core = gateway_core()
    client = ScriptedClient(core)
    _subscribed(client)
    for _ in range(200):
        core.advance(core.state.now_ns + SECOND // 10)
    told = client.replies()
    assert 10 <= len(of(told, "pnl")) <= 20
    assert 10 <= len(of(told, "pnlSingle")) <= 20
    assert of(told, "pnlSingle")[-1]["value"] == pytest.approx(100 * core.state.world.quote(SPY).last, rel=1e-3)


def test_a_contract_that_is_not_held_has_no_rows_until_it_is() -> None:
    """And no refusal."""
    core = gateway_core()
    client = ScriptedClient(core)
    account = core.state.world.first_account
    assert client.ask("reqPnLSingle", reqId=3, account=account, modelCode="", conId=265598) == []
    core.advance(core.state.now_ns + 5 * SECOND)
    assert client.replies() == []
    buy = {"action": "BUY", "totalQuantity": Decimal(5), "orderType": "MKT", "tif": "DAY", "transmit": True}
    client.ask("placeOrder", orderId=1, contract=AAPL, order=buy)
    row = client.until(lambda reply: reply.name == "pnlSingle")[-1]
    assert (row["reqId"], row["position"]) == (3, Decimal(5))


def test_cancelled_rows_do_not_come_and_ids_are_taken_once() -> None:
    """102 for an id in use, 300 for one that is not."""
    core = gateway_core()
    client = ScriptedClient(core)
    _subscribed(client)
    assert codes(_subscribed(client)) == [(1, 102), (2, 102)]
    assert client.ask("cancelPnL", reqId=1) == client.ask("cancelPnLSingle", reqId=2) == []
    assert codes(client.ask("cancelPnL", reqId=1)) == [(1, 300)]
    assert codes(client.ask("cancelPnLSingle", reqId=2)) == [(2, 300)]
    core.advance(core.state.now_ns + 30 * SECOND)
    assert client.replies() == []
