"""Account updates, positions by account, several accounts: as a client is told them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.api.core import GatewayCore
from tws_simulator.wire.row import Message

MARKET: dict[str, Any] = {
    "action": "BUY",
    "totalQuantity": Decimal(5),
    "orderType": "MKT",
    "tif": "DAY",
    "transmit": True,
    "outsideRth": True,
}


def _with_accounts(count: int, **options: Any) -> GatewayCore:
    core = gateway_core(accounts=count, **options)
    assert len(core.state.world.accounts) == count
    return core


def _values(told: list[Message]) -> dict[tuple[str, str], str]:
    return {(row["key"], row.get("currency", "")): row["value"] for row in of(told, "updateAccountValue")}


def _text(told: list[Message]) -> str:
    (error,) = of(told, "error")
    return str(error["errorMsg"])


@pytest.mark.parametrize("version", [151, 176, 200, 226])
def test_a_download_has_values_then_the_portfolio_then_an_end(version: int) -> None:
    """Values sorted by key; each position is followed by the time, and one more time comes before the end."""
    core = gateway_core()
    client = ScriptedClient(core, newest=version)
    told = client.ask("reqAccountUpdates", subscribe=True, acctCode=core.state.world.first_account)
    count = len(of(told, "updateAccountValue"))
    assert names(told)[count:] == ["updatePortfolio", "updateAccountTime", "updateAccountTime", "accountDownloadEnd"]
    keys = [row["key"] for row in told[:count]]
    assert keys == sorted(keys)
    assert count > 100
    assert told[-1]["accountName"] == core.state.world.first_account
    assert told[-2]["timeStamp"] == "11:30"


def test_a_download_is_the_ledger() -> None:
    """Money in dollars and again in the base currency; flags without currency."""
    core = gateway_core()
    world = core.state.world
    told = ScriptedClient(core).ask("reqAccountUpdates", subscribe=True, acctCode="")
    values = _values(told)
    summary = {row.tag: row.value for row in world.first_ledger.summary(world.marks())}
    assert values["NetLiquidation", "USD"] == summary["NetLiquidation"]
    assert values["BuyingPower", "USD"] == summary["BuyingPower"]
    assert values["TotalCashBalance", "USD"] == values["TotalCashBalance", "BASE"] == summary["TotalCashValue"]
    assert values["AccountCode", ""] == world.first_account
    assert values["AccountReady", ""] == "true"
    assert ("Currency", "BASE") in values
    (row,) = of(told, "updatePortfolio")
    assert (row["contract"]["symbol"], row["contract"]["exchange"], row["position"]) == ("SPY", "ARCA", Decimal(100))
    assert row["marketValue"] == pytest.approx(100 * row["marketPrice"])
    assert row["unrealizedPNL"] == pytest.approx((row["marketPrice"] - row["averageCost"]) * 100)
    assert row["realizedPNL"] == 0


def test_a_fill_is_told_at_once_and_the_market_every_three_minutes() -> None:
    """Only what changed; no end marker again."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqAccountUpdates", subscribe=True, acctCode="")
    core.advance(core.state.now_ns + 100 * SECOND)
    assert of(client.replies(), "updateAccountValue") == []
    client.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET)
    told = client.until(lambda reply: reply.name == "updatePortfolio" and reply["contract"]["symbol"] == "AAPL")
    assert ("TotalCashBalance", "USD") in _values(told)
    assert ("AccountCode", "") not in _values(told)
    client.replies()
    core.advance(core.state.now_ns + 178 * SECOND)
    assert of(client.replies(), "updateAccountValue") == []
    core.advance(core.state.now_ns + 2 * SECOND)
    told = client.replies()
    assert ("UnrealizedPnL", "USD") in _values(told)
    assert of(told, "accountDownloadEnd") == []


def test_unsubscribing_is_answered_by_2100() -> None:
    """Once, without a request id; then nothing more comes."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqAccountUpdates", subscribe=True, acctCode="")
    told = client.ask("reqAccountUpdates", subscribe=False, acctCode="")
    assert codes(told) == [(-1, 2100)]
    assert _text(told) == "API client has been unsubscribed from account data."
    assert client.ask("reqAccountUpdates", subscribe=False, acctCode="") == []
    core.advance(core.state.now_ns + 200 * SECOND)
    assert client.replies() == []


def test_an_unknown_account_is_refused() -> None:
    """321 for each request that names one."""
    client = ScriptedClient(gateway_core())
    told = client.ask("reqAccountUpdates", subscribe=True, acctCode="DU1")
    assert codes(told) == [(-1, 321)]
    assert "Invalid account code 'DU1'." in _text(told)
    assert codes(client.ask("reqAccountUpdatesMulti", reqId=7, account="DU1", modelCode="")) == [(7, 321)]
    assert codes(client.ask("reqPositionsMulti", reqId=7, account="DU1", modelCode="")) == [(7, 321)]
    assert codes(client.ask("reqPnL", reqId=7, account="DU1", modelCode="")) == [(7, 321)]
    assert codes(client.ask("reqPnLSingle", reqId=7, account="DU1", modelCode="", conId=265598)) == [(7, 321)]
    assert codes(client.ask("reqAccountSummary", reqId=7, group="Mine", tags="SMA")) == [(7, 321)]


def test_updates_under_a_request_id() -> None:
    """The same values with the id; ledgerAndNLV leaves only what is told for each currency; 102 and 300 for bad ids."""
    core = gateway_core()
    client = ScriptedClient(core)
    account = core.state.world.first_account
    told = client.ask("reqAccountUpdatesMulti", reqId=7, account=account, modelCode="", ledgerAndNLV=False)
    rows = of(told, "accountUpdateMulti")
    assert names(told) == ["accountUpdateMulti"] * len(rows) + ["accountUpdateMultiEnd"]
    assert {(row["reqId"], row["account"]) for row in rows} == {(7, account)}
    light = client.ask("reqAccountUpdatesMulti", reqId=8, account=account, modelCode="", ledgerAndNLV=True)
    assert 0 < len(light) < len(told) / 2
    assert codes(client.ask("reqAccountUpdatesMulti", reqId=8, account=account, modelCode="")) == [(8, 102)]
    core.advance(core.state.now_ns + 181 * SECOND)
    assert {row["reqId"] for row in of(client.replies(), "accountUpdateMulti")} == {7, 8}
    assert client.ask("cancelAccountUpdatesMulti", reqId=7) == []
    assert codes(client.ask("cancelAccountUpdatesMulti", reqId=7)) == [(7, 300)]


def test_positions_of_one_account() -> None:
    """An end with the id, then what changes."""
    core = gateway_core()
    client = ScriptedClient(core)
    told = client.ask("reqPositionsMulti", reqId=9, account=core.state.world.first_account, modelCode="")
    assert names(told) == ["positionMulti", "positionMultiEnd"]
    assert (told[0]["reqId"], told[0]["contract"]["symbol"], told[0]["position"]) == (9, "SPY", Decimal(100))
    client.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET)
    pushed = client.until(lambda reply: reply.name == "positionMulti")[-1]
    assert (pushed["contract"]["symbol"], pushed["position"]) == ("AAPL", Decimal(5))
    assert client.ask("cancelPositionsMulti", reqId=9) == []
    assert codes(client.ask("cancelPositionsMulti", reqId=9)) == [(9, 300)]


def test_a_position_closed_today_is_told_with_zero() -> None:
    """To who asks afterwards, too."""
    core = gateway_core()
    client = ScriptedClient(core)
    sell = {**MARKET, "action": "SELL", "totalQuantity": Decimal(100)}
    spy = {**AAPL, "conId": 756733, "symbol": "SPY"}
    client.ask("placeOrder", orderId=1, contract=spy, order=sell)
    core.advance(core.state.now_ns + 60 * SECOND)
    (row,) = of(client.ask("reqPositions"), "position")
    assert (row["contract"]["symbol"], row["position"], row["avgCost"]) == ("SPY", Decimal(0), 0.0)


def test_managed_accounts_are_listed_with_commas() -> None:
    """One alone; several each with a comma behind, as a login with several accounts is told."""
    (one,) = ScriptedClient(gateway_core()).ask("reqManagedAccts")
    assert "," not in one["accountsList"]
    core = _with_accounts(3)
    (several,) = ScriptedClient(core).ask("reqManagedAccts")
    assert several["accountsList"] == "".join(f"{account}," for account in core.state.world.accounts)
    assert core.state.world.first_account == one["accountsList"]


def test_several_accounts_are_told_apart() -> None:
    """Summaries and positions of all of them, or of one that is named."""
    core = _with_accounts(2)
    client, (first, second) = ScriptedClient(core), core.state.world.accounts
    rows = of(client.ask("reqAccountSummary", reqId=1, group="All", tags="NetLiquidation,SMA"), "accountSummary")
    assert [(row["account"], row["tag"]) for row in rows] == [
        (first, "NetLiquidation"),
        (first, "SMA"),
        (second, "NetLiquidation"),
        (second, "SMA"),
    ]
    rows = of(client.ask("reqAccountSummary", reqId=2, group=second, tags="SMA"), "accountSummary")
    assert [row["account"] for row in rows] == [second]
    assert {row["account"] for row in of(client.ask("reqPositions"), "position")} <= {first, second}
    assert {
        row["account"] for row in of(client.ask("reqPositionsMulti", reqId=3, account=second), "positionMulti")
    } <= {second}
    rows = of(client.ask("reqAccountUpdatesMulti", reqId=4, account=""), "accountUpdateMulti")
    assert {row["account"] for row in rows} == {first, second}


def test_another_account_ends_the_updates_of_the_first() -> None:
    """2100, and the download of the other."""
    core = _with_accounts(2)
    client, (first, second) = ScriptedClient(core), core.state.world.accounts
    assert client.ask("reqAccountUpdates", subscribe=True, acctCode=first)[-1]["accountName"] == first
    told = client.ask("reqAccountUpdates", subscribe=True, acctCode=second)
    assert codes(told) == [(-1, 2100)]
    assert told[-1]["accountName"] == second


@pytest.mark.parametrize(
    ("tag", "currencies"),
    [("$LEDGER", {"BASE"}), ("$LEDGER:USD", {"USD"}), ("$LEDGER:ALL", {"BASE", "USD"}), ("$LEDGER:EUR", set())],
)
def test_ledger_tags_tell_each_currency(tag: str, currencies: set[str]) -> None:
    """Cash and values under their own tags, in the currency column of the row."""
    told = ScriptedClient(gateway_core()).ask("reqAccountSummary", reqId=1, group="All", tags=tag)
    rows = of(told, "accountSummary")
    assert {row["currency"] for row in rows} == currencies
    assert told[-1].name == "accountSummaryEnd"
    if currencies:
        assert {"CashBalance", "NetLiquidationByCurrency", "ExchangeRate"} <= {row["tag"] for row in rows}


def test_summaries_can_come_twice() -> None:
    """Rows and end, as a paper account did."""
    client = ScriptedClient(gateway_core(double_summaries=True))
    told = client.ask("reqAccountSummary", reqId=1, group="All", tags="SMA,Cushion")
    assert names(told) == ["accountSummary"] * 4 + ["accountSummaryEnd"] * 2
    assert told[0] == told[1]


def test_the_rows_of_the_currencies_add_up() -> None:
    """Cash and stocks are what the account is worth."""
    core = gateway_core()
    core.advance(core.state.now_ns + 60 * SECOND)
    values = _values(ScriptedClient(core).ask("reqAccountUpdates", subscribe=True, acctCode=""))
    cash, stocks = Decimal(values["CashBalance", "USD"]), Decimal(values["StockMarketValue", "USD"])
    assert cash + stocks == Decimal(values["NetLiquidationByCurrency", "USD"])
    assert values["NetLiquidationByCurrency", "USD"] == values["NetLiquidation", "USD"]
