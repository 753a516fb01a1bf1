"""Brackets, groups, stops and immediate orders, as ib_async and ib_insync see them."""

from __future__ import annotations

import pytest

from tests.conformance.other_clients import OtherClient, filled

every_version = pytest.mark.parametrize("server_version", [157, 163, 176, 178])

AAPL = 265598


@every_version
async def test_a_bracket_waits_for_its_parent(client: OtherClient) -> None:
    """Children are held while the parent rests, and end with it."""
    price = round(client.price(AAPL) * 0.5)
    bracket = client.ib.bracketOrder("BUY", 5, price, price * 3, price // 2)
    trades = [client.ib.placeOrder(client.stock_by_name("AAPL"), order) for order in bracket]
    await client.until(lambda: [each.orderStatus.status for each in trades[:2]] == ["Submitted", "PreSubmitted"])
    await client.until(lambda: trades[2].orderStatus.status == "PreSubmitted")
    assert all(each.orderStatus.parentId == trades[0].order.orderId for each in trades[1:])
    assert [each.orderStatus.whyHeld for each in trades[1:]] == ["child", "child,trigger"]
    client.ib.cancelOrder(trades[0].order)
    for trade in trades:
        await client.told(202, trade.order.orderId)
        assert trade.orderStatus.status == "Cancelled"


async def test_a_filled_parent_sets_its_children_free(client: OtherClient) -> None:
    """The limit goes to the book, the stop waits for its trigger; when one is filled the other is cancelled."""
    price = client.price(AAPL)
    bracket = client.ib.bracketOrder("BUY", 5, round(price * 1.1), round(price * 2), round(price * 0.5))
    trades = [client.ib.placeOrder(client.stock_by_name("AAPL"), order) for order in bracket]
    parent, take_profit, _ = trades
    await client.until(lambda: parent.orderStatus.status == "Filled")
    await client.until(lambda: take_profit.orderStatus.status == "Submitted")
    take_profit.order.lmtPrice = round(price * 0.9)
    client.ib.placeOrder(take_profit.contract, take_profit.order)
    await client.until(lambda: all(trade.isDone() for trade in trades))
    assert [trade.orderStatus.status for trade in trades] == ["Filled", "Filled", "Cancelled"]


async def test_one_fill_cancels_the_others_of_its_group(client: OtherClient) -> None:
    """OCA type 1."""
    resting = client.api.LimitOrder("BUY", 5, 10.0)
    marketable = client.api.LimitOrder("BUY", 5, round(client.price(AAPL) * 1.1))
    client.ib.oneCancelsAll([resting, marketable], f"group-{client.client_id}", 1)
    trades = [client.ib.placeOrder(client.stock_by_name("AAPL"), order) for order in (resting, marketable)]
    await client.until(lambda: all(trade.isDone() for trade in trades))
    assert [trade.orderStatus.status for trade in trades] == ["Cancelled", "Filled"]
    await filled(client, "SELL", 5)


async def test_a_stop_waits_for_its_trigger(client: OtherClient) -> None:
    """PreSubmitted, held for the trigger."""
    stop = client.api.StopOrder("SELL", 5, round(client.price(AAPL) * 0.5))
    trade = client.ib.placeOrder(client.stock_by_name("AAPL"), stop)
    await client.until(lambda: trade.orderStatus.status == "PreSubmitted")
    assert trade.orderStatus.whyHeld == "trigger"
    client.ib.cancelOrder(trade.order)
    await client.told(202, trade.order.orderId)


async def test_a_stop_that_triggers_is_filled(client: OtherClient) -> None:
    """As a market order is."""
    stop = client.api.StopOrder("BUY", 5, round(client.price(AAPL) * 0.5))
    trade = client.ib.placeOrder(client.stock_by_name("AAPL"), stop)
    await client.until(lambda: trade.orderStatus.status == "Filled")


async def test_an_immediate_order_does_not_rest(client: OtherClient) -> None:
    """IOC far below the market: cancelled at once, nothing filled."""
    trade = client.ib.placeOrder(client.stock_by_name("AAPL"), client.api.LimitOrder("BUY", 5, 10.0, tif="IOC"))
    await client.until(lambda: trade.isDone())
    assert (trade.orderStatus.status, trade.orderStatus.filled) == ("Cancelled", 0)
