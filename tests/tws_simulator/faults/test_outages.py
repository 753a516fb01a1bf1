"""Without a link to the broker a gateway answers from what it knew, and counts what it took itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tws_simulator.faults.played import MARKET, RESTING, Played, place
from tests.tws_simulator.scripted_client import ScriptedClient, codes, names, of
from tws_simulator.faults.actions import Action
from tws_simulator.faults.actions.executions import Transfer
from tws_simulator.faults.actions.sessions import LinkBack, LinkLost
from tws_simulator.wire.row import Message

LOST: dict[str, Any] = {"when": {"at_s": 5}, "do": "link_lost"}


def lost(**options: Any) -> tuple[Played, ScriptedClient]:
    """A client with a resting order, 5, and a second after the link is lost."""
    played = Played.of(LOST, **options)
    client = played.client()
    place(client, RESTING, order_id=5)
    played.pass_s(6, client)
    return played, client


def do(played: Played, action: Action, client: ScriptedClient) -> list[Message]:
    played.director.do(action)
    return client.replies()


def again(played: Played, client: ScriptedClient) -> ScriptedClient:
    played.core.disconnect(client.session)
    return played.client()


def rows(told: list[Message]) -> list[tuple[int, str]]:
    """By id: lists are in no order."""
    return sorted((each["orderId"], each["status"]) for each in of(told, "orderStatus"))


def limit(client: ScriptedClient, order_id: int) -> float:
    (echo,) = (each for each in of(client.ask("reqOpenOrders"), "openOrder") if each["orderId"] == order_id)
    return float(echo["order"]["lmtPrice"])


@pytest.mark.parametrize("request_name", ["reqOpenOrders", "reqAllOpenOrders"])
def test_orders_known_before_are_listed_during_an_outage(request_name: str) -> None:
    """The gateway has its own list of orders and does not ask the broker for it."""
    _, client = lost()
    assert names(client.ask(request_name)) == ["openOrder", "orderStatus", "openOrderEnd"]


def test_a_queued_order_is_listed_as_pending_submit_until_the_link_is_back() -> None:
    """It is in the gateway and nowhere else, without a permanent id."""
    played, client = lost()
    assert place(client, RESTING, order_id=6) == []
    told = client.ask("reqOpenOrders")
    assert rows(told) == [(5, "Submitted"), (6, "PendingSubmit")]
    (echo,) = (each for each in of(told, "openOrder") if each["orderId"] == 6)
    assert (echo["order"]["permId"], echo["orderState"]["status"]) == (0, "PendingSubmit")
    assert (6, "Submitted") in rows(do(played, LinkBack(), client))
    assert rows(client.ask("reqOpenOrders")) == [(5, "Submitted"), (6, "Submitted")]


def test_a_queued_order_is_changed_before_it_is_sent() -> None:
    """A second placeOrder with its id changes its terms in the list, and there is one order in the end."""
    played, client = lost()
    place(client, RESTING, order_id=6)
    place(client, RESTING, order_id=6, lmtPrice=11.0)
    assert limit(client, 6) == 11.0
    do(played, LinkBack(), client)
    assert limit(client, 6) == 11.0


@pytest.mark.parametrize("orders", ["queued", "lost"])
def test_ids_of_orders_taken_during_an_outage_are_not_offered_again(orders: str) -> None:
    """Else the next order would silently change the one that waits."""
    played = Played.of({**LOST, "orders": orders})
    client = played.client()
    played.pass_s(6, client)
    place(client, RESTING, order_id=9)
    client = again(played, client)
    assert of(client.greeting, "nextValidId")[0]["orderId"] == 10
    played.director.do(LinkBack())
    assert of(client.ask("reqIds", numIds=1), "nextValidId")[0]["orderId"] == 10


@pytest.mark.parametrize("code", [1100, 2110])
def test_a_newcomer_is_told_of_the_outage_and_of_no_farm(code: int) -> None:
    """The greeting names what is lost instead of farms that are fine."""
    played = Played.of({**LOST, "code": code})
    played.pass_s(6)
    assert codes(played.client(2).greeting) == [(-1, code)]
    played.director.do(LinkBack())
    assert codes(played.client(3).greeting) == [(-1, 2104), (-1, 2106), (-1, 2158)]


@pytest.mark.parametrize("server_version", [151, 176, 178, 193, 200, 225])
def test_a_queued_order_is_in_the_greeting(server_version: int) -> None:
    """Who connects again during the outage finds its order, in text as in protobuf."""
    played = Played.of(LOST, server_version=server_version)
    client = played.client()
    played.pass_s(6, client)
    place(client, RESTING, order_id=1)
    assert rows(again(played, client).greeting) == [(1, "PendingSubmit")]


def subscribed(client: ScriptedClient, account: str) -> None:
    client.ask("reqPositions")
    client.ask("reqAccountUpdates", subscribe=True, acctCode=account)
    client.ask("reqAccountSummary", reqId=1, group="All", tags="NetLiquidation,TotalCashValue")
    client.ask("reqPnL", reqId=2, account=account)


def test_nothing_the_gateway_cannot_know_is_told_during_an_outage() -> None:
    """Prices move and shares come and go: neither positions nor values nor profit follow, until the link is back."""
    played, client = lost()
    subscribed(client, played.ledger.account)
    played.director.do(Transfer(shares=5))
    assert played.pass_s(400, client) == []
    played.director.do(LinkBack())
    assert {"position", "pnl", "updatePortfolio", "accountSummary"} <= set(names(played.pass_s(400, client)))


def test_what_is_asked_for_during_an_outage_is_what_was() -> None:
    """Lists and new subscriptions show the books of the moment when the link was lost, and go on with the true ones."""
    played = Played.of({**LOST, "orders": "queued"})
    client = played.client()
    account = played.ledger.account
    best = played.core.state.world.quote(265598).bid
    place(client, RESTING, order_id=1, lmtPrice=round(best - 0.02, 2), totalQuantity=5)
    before = client.ask("reqPositions")
    played.pass_s(5, client)
    filled_in_the_dark(played, client)
    assert client.ask("reqPositions") == before
    assert names(client.ask("reqExecutions", reqId=3, executionFilter={})) == ["execDetailsEnd"]
    assert rows(client.ask("reqOpenOrders")) == [(1, "Submitted")]
    assert names(client.ask("reqCompletedOrders", apiOnly=False)) == ["completedOrdersEnd"]
    (pnl,) = client.ask("reqPnL", reqId=2, account=account)

    told = do(played, LinkBack(), client) + played.pass_s(2, client)
    assert codes(told) == [(-1, 1102)]
    assert rows(told) == [(1, "Filled")], "what became of the order"
    assert "execDetails" not in names(told)
    assert [each["position"] for each in of(told, "position")] == [5]
    assert of(told, "pnl")[0] != pnl
    executions = of(client.ask("reqExecutions", reqId=4, executionFilter={}), "execDetails")
    assert len(executions) == len(played.ledger.executions)


def filled_in_the_dark(played: Played, client: ScriptedClient) -> None:
    """Until the order, which rests just below the market, is filled; nobody is told."""
    for _ in range(600):
        assert played.pass_s(1, client) == []
        if sum(each.shares for each in played.ledger.executions) == 5:
            return
    raise AssertionError("the order did not fill")


def test_told_fills_are_in_all_lists_during_an_outage() -> None:
    """Where reports get through, lists and positions follow."""
    played = Played.of()
    client = played.client()
    played.director.do(LinkLost(fills_told=True, orders="working"))
    client.replies()
    told = place(client, MARKET) + played.pass_s(10, client)
    assert "execDetails" in names(told)
    assert "execDetails" in names(client.ask("reqExecutions", reqId=3, executionFilter={}))
