"""Account values, positions and profit, as ib_async and ib_insync see them."""

from __future__ import annotations

import pytest

from tests.conformance.other_clients import OtherClient

every_version = pytest.mark.parametrize("server_version", [157, 163, 176, 178])

SPY = 756733


@every_version
async def test_the_summary_has_the_values_of_the_account(client: OtherClient) -> None:
    """All tags that the client asks for by itself, the money in the account's currency."""
    rows = await client.within(client.ib.accountSummaryAsync())
    values = {row.tag: row for row in rows}
    assert {row.account for row in rows} == {client.gateway.account}
    for tag in ("NetLiquidation", "TotalCashValue", "BuyingPower", "GrossPositionValue", "AvailableFunds"):
        assert float(values[tag].value) > 0
        assert values[tag].currency == "USD"
    assert values["AccountType"].value
    assert values["AccountType"].currency == ""


@every_version
async def test_positions_are_listed(client: OtherClient) -> None:
    """With shares and average cost."""
    positions = await client.within(client.ib.reqPositionsAsync())
    (spy,) = [each for each in positions if each.contract.conId == SPY]
    assert (spy.account, spy.contract.symbol, spy.position) == (client.gateway.account, "SPY", 100)
    assert abs(spy.avgCost / client.price(SPY) - 1) < 0.5


@every_version
async def test_account_values_come_on_connecting(client: OtherClient) -> None:
    """Those of reqAccountUpdates, which the clients ask for by themselves."""
    values = {row.tag: row for row in client.ib.accountValues(client.gateway.account) if row.currency == "USD"}
    assert float(values["NetLiquidation"].value) > 0
    assert float(values["BuyingPower"].value) > 0
    flags = {row.tag: row.value for row in client.ib.accountValues() if not row.currency}
    assert flags["AccountReady"] == "true"
    assert flags["AccountCode"] == client.gateway.account


@every_version
async def test_the_portfolio_is_valued(client: OtherClient) -> None:
    """Each position with its price, value and unrealized profit."""
    items = {each.contract.conId: each for each in client.ib.portfolio()}
    spy = items[SPY]
    assert spy.position == 100
    assert spy.account == client.gateway.account
    assert abs(spy.marketPrice / client.price(SPY) - 1) < 0.02
    assert abs(spy.marketValue - spy.marketPrice * spy.position) < 1
    assert abs(spy.unrealizedPNL - (spy.marketPrice - spy.averageCost) * spy.position) < 1
    assert spy.contract.primaryExchange == "ARCA"


async def test_account_updates_go_on(client: OtherClient) -> None:
    """After a trade the account is told anew."""
    cash = client.ib.accountValues()
    before = next(row.value for row in cash if (row.tag, row.currency) == ("TotalCashBalance", "USD"))
    trade = client.ib.placeOrder(client.stock("AAPL"), client.api.MarketOrder("BUY", 5))
    await client.until(lambda: trade.orderStatus.status == "Filled")

    def now() -> str:
        rows = client.ib.accountValues()
        return next(row.value for row in rows if (row.tag, row.currency) == ("TotalCashBalance", "USD"))

    await client.until(lambda: float(now()) < float(before))
    await client.until(lambda: any(item.contract.symbol == "AAPL" for item in client.ib.portfolio()))


@every_version
async def test_profit_is_told_and_goes_on(client: OtherClient) -> None:
    """Of the day, unrealized and realized; told again as the market moves."""
    pnl = client.ib.reqPnL(client.gateway.account)
    seen: list[float] = []
    client.ib.pnlEvent += lambda told: seen.append(told.unrealizedPnL)
    await client.until(lambda: len(set(seen)) >= 3)
    assert abs(pnl.dailyPnL) < 1e6
    assert abs(pnl.unrealizedPnL) < 1e6
    client.ib.cancelPnL(client.gateway.account)
    await client.answered()


@every_version
async def test_profit_of_one_position_is_told_and_goes_on(client: OtherClient) -> None:
    """With its size and its value."""
    pnl = client.ib.reqPnLSingle(client.gateway.account, "", SPY)
    seen: list[float] = []
    client.ib.pnlSingleEvent += lambda told: seen.append(told.value)
    await client.until(lambda: len(set(seen)) >= 3)
    assert pnl.position == 100
    assert abs(pnl.value / (100 * client.price(SPY)) - 1) < 0.02
    assert abs(pnl.unrealizedPnL) < 1e6
    client.ib.cancelPnLSingle(client.gateway.account, "", SPY)
    await client.answered()
