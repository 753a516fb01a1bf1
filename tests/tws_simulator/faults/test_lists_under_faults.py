"""A list that a client asks for is whole, whatever is done to live reports."""

from __future__ import annotations

import pytest

from tests.tws_simulator.faults.played import MARKET, RESTING, Played, place
from tests.tws_simulator.scripted_client import names, of
from tws_simulator.faults.library import named

PAIR = ["openOrder", "orderStatus", "openOrderEnd"]
SILENT = ("order-never-acknowledged-but-works", "acknowledgement-after-five-minutes", "execution-before-order")


@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("request_name", ["reqOpenOrders", "reqAllOpenOrders"])
def test_a_silent_order_is_in_the_list_of_open_orders(name: str, request_name: str) -> None:
    """The end of a list says that nothing is missing: only live reports of the order are lost or late."""
    client = Played(named(name)).client()
    assert names(place(client, RESTING)) == []
    assert names(client.ask(request_name)) == PAIR


def test_a_silent_change_is_in_the_list_of_open_orders() -> None:
    """The new terms are listed although nothing was said about them."""
    client = Played(named("modify-never-acknowledged")).client()
    place(client, RESTING)
    assert place(client, RESTING, lmtPrice=11.0) == []
    (row,) = of(client.ask("reqOpenOrders"), "openOrder")
    assert row["order"]["lmtPrice"] == 11.0


def test_a_silent_order_is_in_the_greeting() -> None:
    """Who connects again is told of the order at once."""
    played = Played(named("order-never-acknowledged-but-works"))
    client = played.client()
    place(client, RESTING)
    played.core.disconnect(client.session)
    assert names(played.client().greeting)[:3] == PAIR


def test_a_live_report_of_another_client_is_no_row() -> None:
    """While one client's order is placed, what is said to another about it is live."""
    played = Played.of({"do": "drop", "names": ["openOrder", "orderStatus"]}, master_client_id=9)
    master, client = played.client(9), played.client(1)
    place(client, RESTING)
    assert master.replies() == []


def test_executions_asked_for_come_once_where_live_ones_are_lost() -> None:
    """Dropping executions drops the live ones; with lists = true also those asked for."""
    for lists, expected in ((False, 1), (True, 0)):
        played = Played.of({"do": "drop", "names": ["execDetails"], "lists": lists})
        client = played.client()
        place(client, MARKET, totalQuantity=1)
        assert "execDetails" not in names(played.pass_s(30, client))
        told = client.ask("reqExecutions", reqId=1, executionFilter={})
        assert len(of(told, "execDetails")) == expected
        assert names(told)[-1] == "execDetailsEnd"
