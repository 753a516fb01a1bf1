"""Orders and executions, as a client is told them; what the exchange decides is tested with the exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, START_NS, ScriptedClient, codes, gateway_core, names, of

PAIR = ["openOrder", "orderStatus"]


def _order(**values: Any) -> dict[str, Any]:
    plain = {"action": "BUY", "totalQuantity": Decimal(5), "orderType": "MKT", "tif": "DAY", "transmit": True}
    return {**plain, **values}


def _place(client: ScriptedClient, order_id: int, **values: Any) -> list[Any]:
    return client.ask("placeOrder", orderId=order_id, contract=AAPL, order=_order(**values))


@pytest.mark.parametrize("server_version", [176, 200, 206, 226])
def test_a_market_order_is_told_in_the_captured_order(server_version: int) -> None:
    """Accepted, working, executed (request id -1), filled, filled with its commission, and the report last."""
    client = ScriptedClient(gateway_core(server_version=server_version))
    told = _place(client, 1, orderRef="mine")
    assert names(told) == [*PAIR, *PAIR, "execDetails", *PAIR, *PAIR, "commissionAndFeesReport"]
    assert [status["status"] for status in of(told, "orderStatus")] == ["PreSubmitted", "Submitted", "Filled", "Filled"]
    execution = of(told, "execDetails")[0]
    assert execution["reqId"] == -1
    assert (execution["execution"]["side"], execution["execution"]["orderRef"]) == ("BOT", "mine")
    assert execution["execution"]["time"] == "20261122 11:30:00 US/Eastern"
    report = told[-1]
    assert report["execId"] == execution["execution"]["execId"]
    assert "realizedPNL" not in report.values


def test_the_echo_repeats_what_was_sent_and_adds_what_the_server_fills_in() -> None:
    """Defaults as captured: ocaType 3, clearingIntent IB, a trail price one above the limit."""
    core = gateway_core()
    sent = {"orderType": "LMT", "lmtPrice": 10.0, "orderRef": "mine", "displaySize": 0, "modelCode": "m"}
    echo = of(_place(ScriptedClient(core), 1, **sent), "openOrder")[0]["order"]
    assert (echo["account"], echo["orderRef"], echo["modelCode"]) == (core.state.world.first_account, "mine", "m")
    assert (echo["ocaType"], echo["clearingIntent"], echo["adjustedOrderType"]) == (3, "IB", "None")
    assert (echo["lmtPrice"], echo["trailStopPrice"], echo["auxPrice"]) == (10.0, 11.0, 0.0)
    assert not {"transmit", "displaySize", "softDollarTier"} & echo.keys()


def test_a_cancel_is_told_by_a_status_and_then_202() -> None:
    """Nothing filled, all remaining; the error is stamped in whole seconds."""
    client = ScriptedClient(gateway_core())
    _place(client, 1, orderType="LMT", lmtPrice=10.0)
    told = client.ask("cancelOrder", orderId=1)
    assert names(told) == ["orderStatus", "error"]
    assert (told[0]["status"], told[0]["filled"], told[0]["remaining"]) == ("Cancelled", Decimal(0), Decimal(5))
    assert (told[1]["errorCode"], told[1]["errorMsg"]) == (202, "Order Canceled - reason:")
    assert told[1]["errorTime"] % 1000 == 0


def test_a_discarded_order_is_told_so_in_milliseconds() -> None:
    """Its 202 is not the usual one: that has whole seconds, as captured, and this the time it is."""
    core = gateway_core()
    client = ScriptedClient(core)
    core.advance(START_NS + 446_000_000)
    _place(client, 1, orderType="LMT", lmtPrice=10.0, transmit=False)
    told = client.ask("cancelOrder", orderId=1)
    [discarded] = [each for each in of(told, "error") if each["errorCode"] == 202]
    assert discarded["errorMsg"] == "Order Canceled - reason:Order was discarded."
    assert discarded["errorTime"] == START_NS // 1_000_000 + 446
    _place(client, 2, orderType="LMT", lmtPrice=10.0)
    [cancelled] = of(client.ask("cancelOrder", orderId=2), "error")
    assert cancelled["errorTime"] == START_NS // 1_000_000


def test_cancelling_what_is_not_there() -> None:
    """10147 for an id nobody here used, also when another client did; 10148 for a finished order."""
    core = gateway_core()
    owner, other = ScriptedClient(core, 1), ScriptedClient(core, 2)
    _place(owner, 1, orderType="LMT", lmtPrice=10.0)
    assert codes(other.ask("cancelOrder", orderId=1)) == [(1, 10147)]
    owner.ask("cancelOrder", orderId=1)
    assert codes(owner.ask("cancelOrder", orderId=1)) == [(1, 10148)]


def test_a_change_is_echoed_with_its_new_terms() -> None:
    """Same id, same permId."""
    client = ScriptedClient(gateway_core())
    first = of(_place(client, 1, orderType="LMT", lmtPrice=10.0), "openOrder")[0]["order"]
    changed = of(_place(client, 1, orderType="LMT", lmtPrice=11.0), "openOrder")[0]["order"]
    assert (changed["lmtPrice"], changed["permId"]) == (11.0, first["permId"])


def test_an_order_id_that_is_too_low_is_refused() -> None:
    """103, and nothing is placed."""
    core = gateway_core()
    client = ScriptedClient(core)
    _place(client, 5, orderType="LMT", lmtPrice=10.0)
    assert codes(_place(client, 3, orderType="LMT", lmtPrice=10.0)) == [(3, 103)]
    assert len(core.state.world.exchange.open_orders()) == 1


@pytest.mark.parametrize("server_version", [151, 176, 200])
def test_an_empty_time_in_force_is_the_preset_in_text(server_version: int) -> None:
    """ib_insync and ib_async leave it empty; the echo says DAY."""
    client = ScriptedClient(gateway_core(server_version=server_version))
    told = _place(client, 1, tif="", orderType="LMT", lmtPrice=10.0)
    assert codes(told) == []
    assert {echo["order"]["tif"] for echo in of(told, "openOrder")} == {"DAY"}


def test_an_empty_time_in_force_is_refused_in_protobuf() -> None:
    """10052, as seen in captures of server version 225."""
    told = _place(ScriptedClient(gateway_core(server_version=225)), 1, tif="")
    assert codes(told) == [(1, 10052)]


def test_an_order_for_an_unknown_contract_is_refused_under_its_own_id() -> None:
    """200 with the order's id; the official client reports it as the order's error."""
    client = ScriptedClient(gateway_core())
    told = client.ask("placeOrder", orderId=9, contract={**AAPL, "conId": 1}, order=_order())
    assert codes(told) == [(9, 200)]


def test_a_what_if_is_answered_by_one_echo_with_margins() -> None:
    """No status, no execution, and the account is untouched."""
    core = gateway_core()
    told = _place(ScriptedClient(core), 1, whatIf=True)
    assert names(told) == ["openOrder"]
    state = told[0]["orderState"]
    assert told[0]["order"]["whatIf"] is True
    assert state["initMarginAfter"] == pytest.approx(state["initMarginBefore"] + state["initMarginChange"])
    assert state["commissionAndFees"] > 0
    assert core.state.world.first_ledger.executions == []


def test_open_orders_of_one_client_and_of_all() -> None:
    """Own orders for reqOpenOrders; everybody's, with their owners' ids and in no order, for reqAllOpenOrders."""
    core = gateway_core()
    one, two = ScriptedClient(core, 1), ScriptedClient(core, 2)
    _place(one, 1, orderType="LMT", lmtPrice=10.0)
    _place(two, 1, orderType="LMT", lmtPrice=10.0)
    assert names(one.ask("reqOpenOrders")) == [*PAIR, "openOrderEnd"]
    everybody = one.ask("reqAllOpenOrders")
    assert names(everybody) == [*PAIR, *PAIR, "openOrderEnd"]
    assert {status["clientId"] for status in of(everybody, "orderStatus")} == {1, 2}
    assert names(ScriptedClient(core, 3).ask("reqOpenOrders")) == ["openOrderEnd"]


def test_only_client_zero_binds_orders() -> None:
    """It gets no end marker; any other client gets 321."""
    core = gateway_core()
    assert ScriptedClient(core, 0).ask("reqAutoOpenOrders", autoBind=True) == []
    assert codes(ScriptedClient(core, 1).ask("reqAutoOpenOrders", autoBind=True)) == [(-1, 321)]


def test_executions_come_first_then_commissions_then_the_end() -> None:
    """Other clients' fills too, unless the filter names one."""
    core = gateway_core()
    one, two = ScriptedClient(core, 1), ScriptedClient(core, 2)
    _place(one, 1)
    _place(two, 1, action="SELL")
    told = one.ask("reqExecutions", reqId=8, executionFilter={})
    assert names(told) == ["execDetails"] * 2 + ["commissionAndFeesReport"] * 2 + ["execDetailsEnd"]
    assert {row["reqId"] for row in told if row.name.startswith("exec")} == {8}
    mine = one.ask("reqExecutions", reqId=9, executionFilter={"clientId": 2})
    assert [row["execution"]["clientId"] for row in of(mine, "execDetails")] == [2]
    sold = one.ask("reqExecutions", reqId=9, executionFilter={"side": "SELL"})
    assert [row["execution"]["side"] for row in of(sold, "execDetails")] == ["SLD"]


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("20261122 11:29:59", 1),
        ("20261122 11:30:01", 0),
        ("20261122 11:30:01 US/Eastern", 0),
        ("20261122-16:29:59", 1),
        ("20261122-16:30:01", 0),
    ],
)
def test_executions_since_a_time(since: str, found: int) -> None:
    """New York's clock with a blank, UTC with a dash."""
    client = ScriptedClient(gateway_core())
    _place(client, 1)
    told = client.ask("reqExecutions", reqId=8, executionFilter={"time": since})
    assert len(of(told, "execDetails")) == found
    assert told[-1].name == "execDetailsEnd"


def test_a_day_without_executions_is_just_an_end() -> None:
    """So that a client need not wait."""
    told = ScriptedClient(gateway_core()).ask("reqExecutions", reqId=8, executionFilter={})
    assert names(told) == ["execDetailsEnd"]


def test_completed_orders_are_told_with_how_they_ended() -> None:
    """A stray status of what was cancelled, then filled and cancelled ones in no order, then one end marker."""
    client = ScriptedClient(gateway_core())
    _place(client, 1)
    _place(client, 2, orderType="LMT", lmtPrice=10.0)
    client.ask("cancelOrder", orderId=2)
    told = client.ask("reqCompletedOrders", apiOnly=False)
    assert names(told) == ["orderStatus", "completedOrder", "completedOrder", "completedOrdersEnd"]
    states = [row["orderState"] for row in told[1:3]]
    assert {state["completedStatus"] for state in states} == {"Filled Size: 5", "Cancelled by Trader"}
    assert {state["completedTime"] for state in states} == {"20261122 11:30:00 US/Eastern"}


def test_fills_of_a_client_that_is_away_are_kept_for_later() -> None:
    """Nobody is told; reqExecutions tells after the reconnect."""
    core = gateway_core()
    client = ScriptedClient(core)
    quote = core.state.world.quote(AAPL["conId"])
    _place(client, 1, orderType="LMT", lmtPrice=quote.bid)
    core.disconnect(client.session)
    for step in range(1, 2000):
        core.advance(START_NS + step * 1_000_000_000)
        if core.state.world.first_ledger.executions:
            break
    back = ScriptedClient(core)
    assert len(of(back.ask("reqExecutions", reqId=1, executionFilter={}), "execDetails")) == len(
        core.state.world.first_ledger.executions
    )
    assert core.state.world.first_ledger.executions


def test_a_global_cancel_ends_the_orders_of_everybody_and_tells_their_owners() -> None:
    """Each owner gets Cancelled and 202."""
    core = gateway_core()
    one, two = ScriptedClient(core, 1), ScriptedClient(core, 2)
    _place(one, 1, orderType="LMT", lmtPrice=10.0)
    _place(two, 1, orderType="LMT", lmtPrice=10.0)
    assert names(one.ask("reqGlobalCancel")) == ["orderStatus", "error"]
    assert names(two.replies()[-2:]) == ["orderStatus", "error"]
    assert core.state.world.exchange.open_orders() == []
