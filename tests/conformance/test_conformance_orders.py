"""Orders as ib_async and ib_insync see them."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Connect
from tests.conformance.other_clients import OtherClient, filled, resting, statuses

every_version = pytest.mark.parametrize("server_version", [157, 163, 176, 178])

AAPL = 265598


@every_version
async def test_a_limit_order_rests(client: OtherClient) -> None:
    """Submitted, nothing filled, all remaining, with a permanent id."""
    trade = await resting(client)
    status = trade.orderStatus
    assert (status.filled, status.remaining, status.avgFillPrice) == (0, 5, 0)
    assert status.permId > 0
    assert status.clientId == client.client_id
    assert statuses(trade) in (["PendingSubmit", "Submitted"], ["PendingSubmit", "PreSubmitted", "Submitted"])
    assert client.ib.openTrades() == [trade]


@every_version
async def test_an_order_can_be_changed(client: OtherClient) -> None:
    """The same id again with other terms: the echo has them, and the permanent id stays."""
    trade = await resting(client)
    permanent = trade.orderStatus.permId
    echoes: list[tuple[float, float]] = []
    client.ib.openOrderEvent += lambda echo: echoes.append((echo.order.lmtPrice, echo.order.totalQuantity))
    trade.order.lmtPrice, trade.order.totalQuantity = 11.0, 7
    client.ib.placeOrder(trade.contract, trade.order)
    await client.until(lambda: (11.0, 7) in echoes and trade.orderStatus.remaining == 7)
    assert trade.orderStatus.permId == permanent
    assert trade.orderStatus.status == "Submitted"
    assert client.codes(trade.order.orderId) == []


@every_version
async def test_a_cancel_is_confirmed(client: OtherClient) -> None:
    """Status Cancelled, all remaining, then 202."""
    trade = await resting(client)
    client.ib.cancelOrder(trade.order)
    await client.told(202, trade.order.orderId)
    assert (trade.orderStatus.status, trade.orderStatus.filled, trade.orderStatus.remaining) == ("Cancelled", 0, 5)
    assert trade.isDone()
    assert client.ib.openTrades() == []


@every_version
async def test_a_market_order_is_filled(client: OtherClient) -> None:
    """The execution comes before the status Filled, and the commission after the execution."""
    told: list[str] = []
    client.ib.execDetailsEvent += lambda trade, fill: told.append("execution")
    client.ib.commissionReportEvent += lambda trade, fill, report: told.append("commission")
    client.ib.orderStatusEvent += lambda trade: told.append(trade.orderStatus.status)
    trade = await filled(client, orderRef="conformance")
    assert told.index("execution") < told.index("Filled")
    assert told.index("execution") < told.index("commission")
    status = trade.orderStatus
    assert (status.filled, status.remaining) == (5, 0)
    assert abs(status.avgFillPrice / client.price(AAPL) - 1) < 0.02
    assert sum(fill.execution.shares for fill in trade.fills) == 5
    execution = trade.fills[-1].execution
    assert (execution.side, execution.cumQty, execution.orderRef) == ("BOT", 5, "conformance")
    assert (execution.acctNumber, execution.clientId) == (client.gateway.account, client.client_id)
    assert (execution.orderId, execution.permId) == (trade.order.orderId, status.permId)
    report = trade.fills[-1].commissionReport
    assert (report.execId, report.currency) == (execution.execId, "USD")
    assert report.commission > 0


async def test_the_position_follows_the_fill(client: OtherClient) -> None:
    """By as many shares as were bought; and back when they are sold."""

    def shares() -> float:
        return sum(each.position for each in client.ib.positions() if each.contract.conId == AAPL)

    before = shares()
    await filled(client, quantity=3)
    await client.until(lambda: shares() == before + 3)
    await filled(client, "SELL", quantity=3)
    await client.until(lambda: shares() == before)


async def test_a_closing_trade_realizes_a_profit_or_loss(client: OtherClient) -> None:
    """Told with the commission of the sale, not of the purchase."""
    bought = await filled(client, quantity=2)
    sold = await filled(client, "SELL", quantity=2)
    assert all(fill.commissionReport.realizedPNL == 0 for fill in bought.fills)
    assert any(fill.commissionReport.realizedPNL != 0 for fill in sold.fills)


@every_version
async def test_open_orders_are_listed(client: OtherClient) -> None:
    """Own ones, with the terms they were placed on."""
    trades = [await resting(client, price) for price in (10.0, 11.0, 12.0)]
    listed = await client.within(client.ib.reqOpenOrdersAsync())
    prices = {each.order.orderId: each.order.lmtPrice for each in listed}
    assert prices == {trade.order.orderId: trade.order.lmtPrice for trade in trades}


async def test_open_orders_of_others_are_listed_when_asked(client: OtherClient, connect: Connect) -> None:
    """With the client id of their owner; but they cannot be cancelled by another: 10147."""
    trade = await resting(client)
    other = await connect()
    listed = await other.within(other.ib.reqAllOpenOrdersAsync())
    (found,) = [each for each in listed if each.order.permId == trade.order.permId]
    assert (found.order.clientId, found.order.orderId) == (client.client_id, trade.order.orderId)
    other.ib.client.cancelOrder(trade.order.orderId, "")
    await other.told(10147, trade.order.orderId)
    await client.answered()
    assert trade.orderStatus.status == "Submitted"


async def test_orders_are_found_again_after_a_reconnect(client: OtherClient, connect: Connect) -> None:
    """Same permanent id, same terms, still working; and a cancel reaches it."""
    trade = await resting(client, 12.5)
    await client.disconnect()
    again = await connect(client.client_id)
    (found,) = again.ib.openTrades()
    assert (found.order.permId, found.order.lmtPrice) == (trade.order.permId, 12.5)
    again.ib.cancelOrder(found.order)
    await again.told(202, found.order.orderId)


@every_version
async def test_executions_can_be_asked_for_again(client: OtherClient) -> None:
    """Each with its commission, the same as it was told live."""
    trade = await filled(client)
    wanted = client.api.ExecutionFilter(clientId=client.client_id)
    fills = await client.within(client.ib.reqExecutionsAsync(wanted))
    assert {fill.execution.execId for fill in fills} == {fill.execution.execId for fill in trade.fills}
    assert all(fill.execution.time.tzinfo is not None for fill in fills)


async def test_executions_of_before_are_told_on_connecting(client: OtherClient, connect: Connect) -> None:
    """With their commissions."""
    trade = await filled(client)
    await client.disconnect()
    again = await connect(client.client_id)
    told = {fill.execution.execId: fill.commissionReport for fill in again.ib.fills()}
    assert all(told[fill.execution.execId].commission > 0 for fill in trade.fills)


@every_version
async def test_a_global_cancel_ends_all(client: OtherClient) -> None:
    """202 for each."""
    trades = [await resting(client, price) for price in (10.0, 11.0)]
    client.ib.reqGlobalCancel()
    for trade in trades:
        await client.told(202, trade.order.orderId)
        assert trade.orderStatus.status == "Cancelled"


async def test_what_was_never_placed_cannot_be_cancelled(client: OtherClient) -> None:
    """10147."""
    client.ib.client.cancelOrder(987654, "")
    _, _, text = await client.told(10147, 987654)
    assert text.startswith("OrderId 987654 that needs to be cancelled is not found.")


async def test_a_done_order_cannot_be_cancelled(client: OtherClient) -> None:
    """161 or 10148, depending on what it was."""
    trade = await filled(client)
    client.ib.client.cancelOrder(trade.order.orderId, "")
    await client.until(lambda: set(client.codes(trade.order.orderId)) & {161, 10148})


async def test_an_order_for_the_unknown_is_refused(client: OtherClient) -> None:
    """200 with the order's id; the client takes the order for cancelled."""
    trade = client.ib.placeOrder(client.stock_by_name("NOSUCH"), client.api.MarketOrder("BUY", 1))
    await client.told(200, trade.order.orderId)
    assert trade.isDone()


async def test_a_price_between_the_steps_is_refused(client: OtherClient) -> None:
    """110."""
    trade = client.ib.placeOrder(client.stock_by_name("AAPL"), client.api.LimitOrder("BUY", 1, 10.12345))
    await client.told(110, trade.order.orderId)


@every_version
async def test_what_an_order_would_do_can_be_asked(client: OtherClient) -> None:
    """Margin before, after and the change, and a commission; no order comes of it."""
    order = client.api.MarketOrder("BUY", 100)
    state = await client.within(client.ib.whatIfOrderAsync(client.stock_by_name("AAPL"), order))
    before, change, after = (float(getattr(state, f"initMargin{part}")) for part in ("Before", "Change", "After"))
    assert change > 0
    assert abs(before + change - after) < 0.02
    assert abs(float(state.maintMarginAfter)) < 1e12
    assert 0 < state.commission < 100
    assert await client.within(client.ib.reqOpenOrdersAsync()) == []


async def test_completed_orders_are_listed(client: OtherClient) -> None:
    """The filled and the cancelled."""
    bought, cancelled = await filled(client), await resting(client)
    client.ib.cancelOrder(cancelled.order)
    await client.told(202, cancelled.order.orderId)
    completed = await client.within(client.ib.reqCompletedOrdersAsync(False))
    status = {trade.order.permId: trade.orderStatus.status for trade in completed}
    assert status[bought.orderStatus.permId] == "Filled"
    assert status[cancelled.orderStatus.permId] == "Cancelled"
