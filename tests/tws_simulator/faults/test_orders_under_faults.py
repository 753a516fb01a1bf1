"""What befalls an order from outside is told as one story: statuses, lists, executions, commissions and books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.faults.played import MARKET, RESTING, Played, place
from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, codes, names, of
from tws_simulator.faults.reading import BadScenario, read_action, read_scenario
from tws_simulator.wire.row import Message

HELD = {"when": {"request": "placeOrder"}, "do": "hold_order"}
TWIN = {"when": {"served": "placeOrder"}, "do": "twin_order"}


def does(played: Played, client: ScriptedClient, **action: Any) -> list[Message]:
    played.director.do(read_action(action))
    return client.replies()


def states(messages: list[Message]) -> list[tuple[str, Decimal, Decimal]]:
    return [(each["status"], each["filled"], each["remaining"]) for each in of(messages, "orderStatus")]


def executions(messages: list[Message]) -> list[dict[str, Any]]:
    return [each["execution"] for each in of(messages, "execDetails")]


def listed(client: ScriptedClient) -> list[tuple[int, str]]:
    """Permanent id and status of each open order."""
    told = of(client.ask("reqOpenOrders"), "openOrder")
    return [(each["order"]["permId"], each["orderState"]["status"]) for each in told]


def ours(played: Played) -> Decimal:
    position = played.ledger.position(AAPL["conId"])
    return Decimal(0) if position is None else position.shares


def test_a_fill_from_outside_is_counted_by_its_order() -> None:
    """Execution, pair, pair with the commission, report, as of any fill; the order works on with what is left."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, orderRef="mine")
    told = does(played, client, do="fill", order_ref="mine", shares=2)
    pair = ["openOrder", "orderStatus"]
    assert names(told) == ["execDetails", *pair, *pair, "commissionAndFeesReport"]
    assert states(told) == [("Submitted", 2, 3)] * 2
    again = client.ask("reqOpenOrders")
    assert states(again) == [("Submitted", 2, 3)]
    told = place(client, RESTING, orderRef="mine", lmtPrice=500.0)
    assert [each["cumQty"] for each in executions(told)][-1] == ours(played) == 5
    assert states(told)[-1] == ("Filled", 5, 0)


def test_an_order_gets_no_more_than_it_has_left() -> None:
    """Of two fills of four shares the second is of one; after that nothing is filled, told or booked."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, orderRef="mine")
    told = does(played, client, do="fill", order_ref="mine", shares=4, count=3)
    assert [each["shares"] for each in executions(told)] == [4, 1]
    assert states(told)[-1] == ("Filled", 5, 0)
    assert does(played, client, do="fill", order_ref="mine") == []
    assert ours(played) == 5


def test_only_a_forced_fill_goes_beyond_the_order() -> None:
    """The order itself then says that more is filled than it had; the completed order too."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, orderRef="mine")
    told = does(played, client, do="fill", order_ref="mine", shares=7, force=True)
    assert states(told)[-1] == ("Filled", 7, 0)
    told = does(played, client, do="fill", order_ref="mine", shares=3, force=True)
    assert [each["cumQty"] for each in executions(told)] == [10]
    assert states(told)[-1] == ("Filled", 10, 0)
    completed = of(client.ask("reqCompletedOrders", apiOnly=False), "completedOrder")
    assert [each["order"]["filledQuantity"] for each in completed] == [10]
    assert ours(played) == 10


def test_a_fill_that_is_not_told_shows_where_a_client_asks() -> None:
    """Nothing is said live; lists of executions and orders know it."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, orderRef="mine")
    assert does(played, client, do="fill", order_ref="mine", told=False) == []
    assert [each["cumQty"] for each in executions(client.ask("reqExecutions", reqId=1))] == [1]
    assert states(client.ask("reqOpenOrders")) == [("Submitted", 1, 4)]


def test_a_fill_from_outside_ends_the_others_of_its_group() -> None:
    """As any fill does, and they are told of it though the fill itself is not."""
    played = Played.of()
    client = played.client()
    for number in (1, 2):
        place(client, RESTING, order_id=number, orderRef=f"mine {number}", ocaGroup="one", ocaType=1)
    told = does(played, client, do="fill", order_ref="mine 1", shares=5, told=False)
    assert [(each["orderId"], each["status"]) for each in of(told, "orderStatus")] == [(2, "Cancelled")]


def test_the_commission_of_a_fill_can_come_first_or_never() -> None:
    """The order of the rest stays."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, orderRef="mine")
    before = names(does(played, client, do="fill", order_ref="mine", commission="before"))
    assert before[:2] == ["commissionAndFeesReport", "execDetails"]
    never = names(does(played, client, do="fill", order_ref="mine", commission="never"))
    assert "commissionAndFeesReport" not in never
    assert never[0] == "execDetails"


def test_working_orders_are_all_filled() -> None:
    """Those of every client that wait for nothing, each with at most what it has left; else nothing is bought."""
    played = Played.of()
    first, second = played.client(1), played.client(2)
    assert does(played, first, do="fill", whose="working", shares=3) == []
    assert ours(played) == 0
    place(first, RESTING)
    place(first, RESTING, order_id=2, parentId=1, action="SELL", lmtPrice=900.0)
    place(second, RESTING, totalQuantity=2)
    played.director.do(read_action({"do": "fill", "whose": "working", "shares": 3}))
    assert [each["shares"] for each in executions(first.replies() + second.replies())] == [3, 2]


def test_fills_some_at_a_time_need_time_between() -> None:
    """Said when the scenario is read."""
    with pytest.raises(BadScenario, match="every_s must be more than 0"):
        read_scenario({"name": "mine", "step": [{"do": "fill", "count": 9, "at_once": 3, "every_s": 0.0}]})


def test_a_held_order_is_an_order_like_any_other() -> None:
    """Listed under the permanent id that it keeps; cancelled once, it never comes back."""
    played = Played.of({**HELD, "for_s": 30})
    client = played.client()
    told = place(client, MARKET)
    [(perm_id, status)] = listed(client)
    assert (perm_id, status) == (of(told, "openOrder")[0]["order"]["permId"], "Inactive")
    cancelled = client.ask("cancelOrder", orderId=1)
    assert (states(cancelled), codes(cancelled)) == ([("Cancelled", 0, 5)], [(1, 202)])
    assert played.pass_s(60, client) == []
    assert listed(client) == []
    assert ours(played) == 0


def test_a_held_order_that_is_let_go_trades() -> None:
    """Under the same permanent id, from PreSubmitted on."""
    played = Played.of({**HELD, "for_s": 30, "status": "PendingSubmit"})
    client = played.client()
    told = place(client, MARKET) + played.pass_s(29, client)
    assert states(told) == [("PendingSubmit", 0, 5)]
    told += played.pass_s(2, client)
    assert [status for status, _, _ in states(told)][:3] == ["PendingSubmit", "PreSubmitted", "Submitted"]
    assert len({each["permId"] for each in of(told, "orderStatus")}) == 1
    assert ours(played) == 5


def test_a_working_order_that_is_held_leaves_the_book() -> None:
    """Its price may be reached: it does not trade, and new terms leave it held."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, orderRef="mine")
    assert states(does(played, client, do="hold_order", order_ref="mine")) == [("Inactive", 0, 5)]
    assert states(place(client, RESTING, orderRef="mine", lmtPrice=500.0)) == [("Inactive", 0, 5)]
    assert ours(played) == 0


def test_no_order_is_held_when_the_scenario_is_over() -> None:
    """No fault is left."""
    played = Played.of(HELD)
    client = played.client()
    place(client, MARKET)
    played.director.stop()
    assert states(client.replies())[-1] == ("Filled", 5, 0)


def test_a_twin_is_an_order_of_its_own() -> None:
    """Told and listed under its own permanent id; a fill of one leaves the other as it is."""
    played = Played.of({**TWIN, "filled_after_s": 1})
    client = played.client()
    told = place(client, RESTING)
    first, *_, second = (each["permId"] for each in of(told, "orderStatus"))
    assert [each["permId"] for each in of(told, "orderStatus")] == [first, first, second, second]
    assert {perm_id for perm_id, _ in listed(client)} == {first, second}
    fill = executions(played.pass_s(2, client))[0]
    assert (fill["permId"], fill["orderId"], fill["cumQty"]) == (second, 1, 5)
    assert listed(client) == [(first, "Submitted")]


@pytest.mark.parametrize("request_name", ["cancelOrder", "reqGlobalCancel"])
def test_a_cancel_ends_both_twins(request_name: str) -> None:
    """Cancelled and 202 for each, and the second is not filled later."""
    played = Played.of({**TWIN, "filled_after_s": 1})
    client = played.client()
    place(client, RESTING)
    both = {perm_id for perm_id, _ in listed(client)}
    extra = {"orderId": 1} if request_name == "cancelOrder" else {}
    told = client.ask(request_name, **extra)
    assert {each["permId"] for each in of(told, "orderStatus")} == both
    assert codes(told) == [(1, 202)] * 2
    assert listed(client) == []
    assert played.pass_s(5, client) == []


def test_a_twin_can_be_cancelled_after_the_first_was_filled() -> None:
    """By the id that they share."""
    played = Played.of(TWIN)
    client = played.client()
    place(client, RESTING, orderRef="mine")
    does(played, client, do="fill", order_ref="mine", shares=5)
    assert states(client.ask("cancelOrder", orderId=1)) == [("Cancelled", 0, 5)]
    assert listed(client) == []


def test_the_execution_that_caused_a_correction_is_corrected() -> None:
    """The first of four fills, though others came since; what was paid for them stays told."""
    played = Played.of({"when": {"fill": 1, "after_s": 3}, "do": "correct", "price_by": 0.01})
    client = played.client()
    told = place(client, MARKET, totalQuantity=2_000)
    told += played.pass_s(5, client)
    fills = executions(told)
    assert len(fills) > 2, "the first is not the latest"
    base = fills[0]["execId"].rpartition(".")[0]
    assert fills[-1]["execId"] == f"{base}.02"
    assert fills[-1]["cumQty"] == fills[0]["cumQty"]
    assert fills[-1]["avgPrice"] == fills[-1]["price"] == pytest.approx(fills[0]["price"] + 0.01)


def test_a_correction_costs_what_its_execution_cost_and_realises_nothing() -> None:
    """Commissions by execution, each counted once, sum up to what was paid; a purchase makes no profit."""
    played = Played.of({"when": {"fill": 1, "after_s": 3}, "do": "correct", "price_by": 0.01})
    client = played.client()
    told = place(client, MARKET) + played.pass_s(5, client)
    reports = of(told, "commissionAndFeesReport")
    by_execution = {each["execId"].rpartition(".")[0]: each["commissionAndFees"] for each in reports}
    assert len(reports) == len(by_execution) + 1
    assert sum(by_execution.values()) == pytest.approx(0.35)
    assert all(each.get("realizedPNL") is None for each in reports)
    assert played.ledger.pnl(played.core.state.world.marks()).realized_usd is None
    position = played.ledger.position(AAPL["conId"])
    paid = sum(each["price"] * float(each["shares"]) for each in executions(client.ask("reqExecutions", reqId=1)))
    assert position is not None
    assert float(position.cost_usd) == pytest.approx(paid + 0.35)
