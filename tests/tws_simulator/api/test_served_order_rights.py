"""Whose orders are whose: the master client, client 0 and the gateway's own screen, accounts, read-only gateways."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.official.official_client import NEWEST, connected
from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, codes, gateway_core, names, of
from tws_simulator import Gateway, GatewayCore, running_gateway
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION
from tws_simulator.world.orders.tickets import OrderTicket

PAIR = ["openOrder", "orderStatus"]
READ_ONLY = "Error validating request.-'aa' : cause - The API interface is currently in Read-Only mode."


def _place(client: ScriptedClient, order_id: int, **values: Any) -> list[Any]:
    plain = {"action": "BUY", "totalQuantity": Decimal(5), "orderType": "LMT", "lmtPrice": 10.0, "tif": "DAY"}
    return client.ask("placeOrder", orderId=order_id, contract=AAPL, order={**plain, "transmit": True, **values})


def _type_on_the_screen(core: GatewayCore) -> None:
    ticket = OrderTicket(
        client_id=0,
        order_id=0,
        con_id=AAPL["conId"],
        symbol="AAPL",
        action="BUY",
        order_type="LMT",
        quantity=Decimal(5),
        limit_price=Decimal(10),
    )
    core.state.deliver(core.state.world.exchange.place_manually(ticket, core.state.now_ns))


def test_the_master_client_is_told_of_everybodys_orders_and_fills() -> None:
    """With their owners' ids; errors stay with the owner, and nobody else is told."""
    core = gateway_core(master_client_id=9)
    owner, master, other = (ScriptedClient(core, client_id) for client_id in (1, 9, 2))
    told = _place(owner, 1, orderType="MKT")
    seen = master.replies()
    assert [each.name for each in seen] == [each.name for each in told]
    assert {status["clientId"] for status in of(seen, "orderStatus")} == {1}
    _place(owner, 2)
    assert codes(owner.ask("cancelOrder", orderId=2)) == [(2, 202)]
    assert codes(master.replies()) == []
    assert other.replies() == []


@pytest.mark.parametrize("server_version", [176, 200, 226])
def test_orders_of_the_screen_are_bound_by_client_0(server_version: int) -> None:
    """Seen by all as client 0's order 0; bound they have a negative id, and that client may cancel them."""
    core = gateway_core(server_version=server_version)
    zero, other = ScriptedClient(core, 0), ScriptedClient(core, 1)
    _type_on_the_screen(core)
    assert zero.replies() == other.replies() == []
    seen = other.ask("reqAllOpenOrders")
    assert [(each["orderId"], each["order"].get("clientId", 0)) for each in of(seen, "openOrder")] == [(0, 0)]
    told = zero.ask("reqAutoOpenOrders", autoBind=True)
    assert names(told) == ["orderBound", *PAIR]
    assert (told[0]["clientId"], told[0]["orderId"]) == (0, -1)
    assert told[0]["permId"] == told[2]["permId"]
    _type_on_the_screen(core)
    assert [each["orderId"] for each in of(zero.replies(), "orderBound")] == [-2]
    assert names(zero.ask("cancelOrder", orderId=-1)) == ["orderStatus", "error"]
    zero.ask("reqAutoOpenOrders", autoBind=False)
    _type_on_the_screen(core)
    assert zero.replies() == []
    assert names(zero.ask("reqOpenOrders")) == ["orderBound", *PAIR, *PAIR, *PAIR, "openOrderEnd"]


def test_completed_orders_of_the_api_only() -> None:
    """Those of the screen are left out when asked to."""
    core = gateway_core()
    client = ScriptedClient(core, 1)
    _place(client, 1, orderType="MKT")
    _type_on_the_screen(core)
    client.ask("reqGlobalCancel")
    assert len(of(client.ask("reqCompletedOrders", apiOnly=False), "completedOrder")) == 2
    assert len(of(client.ask("reqCompletedOrders", apiOnly=True), "completedOrder")) == 1


def test_a_read_only_gateway_takes_no_orders() -> None:
    """321 to whatever would place, cancel or number one; the text is captured."""
    client = ScriptedClient(gateway_core(read_only=True))
    told = _place(client, 1) + client.ask("cancelOrder", orderId=1)
    told += client.ask("reqGlobalCancel") + client.ask("reqIds", numIds=1)
    assert codes(told) == [(1, 321), (1, 321), (-1, 321), (-1, 321)]
    assert {each["errorMsg"] for each in told} == {READ_ONLY}
    assert names(client.ask("reqOpenOrders")) == ["openOrderEnd"]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_read_only_gateway_binds_no_orders(*, wanted: bool) -> None:
    """321 to client 0, and no orderBound: the orders of the screen stay what they are."""
    core = gateway_core(read_only=True)
    zero = ScriptedClient(core, 0)
    _type_on_the_screen(core)
    told = zero.ask("reqAutoOpenOrders", autoBind=wanted)
    assert codes(told) == [(-1, 321)]
    assert told[0]["errorMsg"] == READ_ONLY
    assert of(zero.ask("reqOpenOrders"), "orderBound") == []
    assert [each["orderId"] for each in of(zero.ask("reqAllOpenOrders"), "openOrder")] == [0]


def test_orders_name_one_of_several_accounts() -> None:
    """The echo, the fill and the commission are of the account named; of the first where none is."""
    core = gateway_core(accounts=2)
    first, second = core.state.world.accounts
    client = ScriptedClient(core)
    told = _place(client, 1, orderType="MKT", account=second) + _place(client, 2, orderType="MKT")
    assert [each["order"]["account"] for each in of(told, "openOrder")] == [second] * 4 + [first] * 4
    assert [each["execution"]["acctNumber"] for each in of(told, "execDetails")] == [second, first]
    asked = client.ask("reqExecutions", reqId=1, executionFilter={"acctCode": second})
    assert names(asked) == ["execDetails", "commissionAndFeesReport", "execDetailsEnd"]
    assert codes(_place(client, 3, account="DU0000000")) == [(3, 321)]


def test_what_is_only_quoted_is_not_traded() -> None:
    """An option has a model behind its quote, and no book; an index nothing to buy; a currency would need leverage."""
    core = gateway_core()
    client = ScriptedClient(core)
    order = {"action": "BUY", "totalQuantity": Decimal(1), "orderType": "MKT", "tif": "DAY", "transmit": True}
    option = {"secType": "OPT", "symbol": "SPY", "exchange": "SMART", "currency": "USD", "right": "C"}
    details = client.ask("reqContractDetails", reqId=1, contract={**option, "lastTradeDateOrContractMonth": "202612"})
    listed = of(details, "contractDetails") or of(
        client.until(lambda each: each.name == "contractDetails"), "contractDetails"
    )
    con_id = listed[0]["contract"]["conId"]
    told = client.ask("placeOrder", orderId=1, contract={"conId": con_id, "exchange": "SMART"}, order=order)
    assert codes(told) == [(1, 201)]
    euro = {"symbol": "EUR", "secType": "CASH", "exchange": "IDEALPRO", "currency": "USD"}
    told = client.ask("placeOrder", orderId=2, contract=euro, order={**order, "totalQuantity": Decimal(100_000)})
    assert names(told) == [*PAIR, "error"]
    assert told[2]["errorMsg"] == "Order rejected - reason:FX trade would expose account to currency leverage."


def test_dates_and_conditions_come_back_in_exchange_time() -> None:
    """Whatever zone they were written in; a good-till-cancelled order gets an end of its own."""
    client = ScriptedClient(gateway_core(server_version=226))
    condition = {"type": 3, "isMore": True, "time": "20261122-20:48:09", "isConjunctionConnection": True}
    told = _place(client, 1, tif="GTD", goodTillDate="20261122-20:44:45", conditions=[condition])
    echo = of(told, "openOrder")[0]["order"]
    assert echo["goodTillDate"] == "20261122 15:44:45 US/Eastern"
    assert echo["conditions"][0]["time"] == "20261122 15:48:09 US/Eastern"
    told = _place(client, 2, tif="GTC", goodAfterTime="20261122 14:00:00 US/Eastern")
    echo = of(told, "openOrder")[0]["order"]
    assert echo["goodAfterTime"] == "20261122 14:00:00 US/Eastern"
    assert echo["autoCancelDate"] == "20270331 20:00:00 GMT"


def test_prices_of_stops_are_echoed_as_they_stand() -> None:
    """A stop as auxPrice and trailStopPrice; by percent without auxPrice; a trailing limit's limit is computed."""
    client = ScriptedClient(gateway_core())
    told = _place(client, 1, action="SELL", orderType="STP", auxPrice=15.53, lmtPrice=None)
    echo = of(told, "openOrder")[0]["order"]
    assert (echo["lmtPrice"], echo["auxPrice"], echo["trailStopPrice"]) == (0.0, 15.53, 15.53)
    told = _place(client, 2, action="SELL", orderType="TRAIL", trailingPercent=2.0, trailStopPrice=15.0, lmtPrice=None)
    echo = of(told, "openOrder")[0]["order"]
    assert (echo.get("auxPrice"), echo["trailingPercent"], echo["trailStopPrice"]) == (None, 2.0, 15.0)
    trail = {"auxPrice": 1.0, "trailStopPrice": 20.0, "lmtPriceOffset": 0.05, "lmtPrice": None}
    told = _place(client, 3, action="SELL", orderType="TRAIL LIMIT", **trail)
    echo = of(told, "openOrder")[0]["order"]
    assert (echo["lmtPrice"], echo["auxPrice"], echo["trailStopPrice"]) == (19.95, 1.0, 20.0)
    assert {status["whyHeld"] for status in of(told, "orderStatus")} == {"trigger"}


@pytest.mark.wire
@pytest.mark.parametrize("server_version", [176, 200, min(NEWEST, NEWEST_SERVER_VERSION)])
def test_the_official_client_is_told_of_bound_orders(server_version: int) -> None:
    """orderBound, in text and as protobuf."""
    with (
        running_gateway(Gateway(seed=7, server_version=server_version)) as gateway,
        connected(gateway.port, 0) as client,
    ):
        client.wait_for("nextValidId")
        gateway.call(lambda inside: _type_on_the_screen(inside.core))
        client.reqAutoOpenOrders(True)
        perm_id, client_id, order_id = client.wait_for("orderBound")
        assert (client_id, order_id) == (0, -1)
        assert client.wait_for("orderStatus")[5] == perm_id
