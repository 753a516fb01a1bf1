"""What openOrder and completedOrder repeat of the message that placed or changed an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, gateway_core, of


def _place(client: ScriptedClient, order_id: int, **values: Any) -> list[Any]:
    plain = {"action": "BUY", "totalQuantity": Decimal(5), "orderType": "LMT", "lmtPrice": 10.0, "tif": "DAY"}
    return client.ask("placeOrder", orderId=order_id, contract=AAPL, order={**plain, "transmit": True, **values})


def _completed(client: ScriptedClient) -> dict[str, Any]:
    [row] = of(client.ask("reqCompletedOrders", apiOnly=False), "completedOrder")
    order: dict[str, Any] = row["order"]
    return order


def test_what_is_sent_for_a_filled_order_is_never_told() -> None:
    """The gateway ignores it in silence; the order is completed on the terms that it was filled on."""
    client = ScriptedClient(gateway_core())
    _place(client, 1, orderType="MKT", modelCode="first")
    assert _place(client, 1, orderType="MKT", modelCode="second") == []
    assert _completed(client)["modelCode"] == "first"


def test_a_change_that_is_refused_leaves_what_is_told() -> None:
    """Off the tick (110): the order works on with what was sent before."""
    client = ScriptedClient(gateway_core())
    _place(client, 1, modelCode="first")
    _place(client, 1, modelCode="second", lmtPrice=10.001)
    [echo] = of(client.ask("reqOpenOrders"), "openOrder")
    assert (echo["order"]["modelCode"], echo["order"]["lmtPrice"]) == ("first", 10.0)


def test_a_change_is_told_with_all_that_was_sent_with_it() -> None:
    """What the change leaves out is gone."""
    client = ScriptedClient(gateway_core())
    _place(client, 1, modelCode="first", hedgeParam="x")
    [echo] = of(_place(client, 1, modelCode="second", lmtPrice=11.0), "openOrder")
    assert echo["order"]["modelCode"] == "second"
    assert "hedgeParam" not in echo["order"]


def test_asking_what_if_of_a_working_order_changes_nothing() -> None:
    """The answer repeats the question; the order is told as before."""
    client = ScriptedClient(gateway_core())
    _place(client, 1, modelCode="first")
    [answer] = of(_place(client, 1, modelCode="second", whatIf=True), "openOrder")
    assert answer["order"]["modelCode"] == "second"
    [echo] = of(client.ask("reqOpenOrders"), "openOrder")
    assert echo["order"]["modelCode"] == "first"
