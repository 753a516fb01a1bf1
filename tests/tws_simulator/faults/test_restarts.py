"""A gateway that restarts loses what only it had, and remembers the latest order ids badly."""

from __future__ import annotations

from tests.tws_simulator.faults.played import RESTING, Played, place
from tests.tws_simulator.scripted_client import ScriptedClient, codes, of
from tws_simulator.api.link import End
from tws_simulator.faults.actions.sessions import LinkBack, LinkLost, Restart, SetBackIds
from tws_simulator.faults.library import named
from tws_simulator.wire.row import Message


def back(played: Played, client: ScriptedClient) -> ScriptedClient:
    """The client of the same id, after the port has opened again."""
    assert client.session.link.end is End.CLOSE
    played.core.disconnect(client.session)
    played.pass_s(60)
    assert played.core.state.door.is_open
    return played.client()


def order_id(told: list[Message]) -> int:
    return int(of(told, "nextValidId")[0]["orderId"])


def test_an_order_never_transmitted_does_not_survive_a_restart() -> None:
    """It was nowhere but in the gateway: it is in no list, and a cancel does not find it."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, order_id=1)
    place(client, RESTING, order_id=2, transmit=False)
    played.director.do(Restart())
    client = back(played, client)
    listed = of(client.greeting, "openOrder") + of(client.ask("reqOpenOrders"), "openOrder")
    assert [each["orderId"] for each in listed] == [1, 1]
    assert codes(client.ask("cancelOrder", orderId=2)) == [(2, 10147)]
    assert of(client.ask("reqCompletedOrders", apiOnly=False), "completedOrder") == []


def test_orders_that_wait_for_the_link_do_not_survive_a_restart() -> None:
    """They had not reached the broker."""
    played = Played.of()
    client = played.client()
    played.director.do(LinkLost())
    place(client, RESTING)
    played.director.do(Restart())
    client = back(played, client)
    played.director.do(LinkBack())
    assert of(client.replies() + client.ask("reqOpenOrders"), "openOrder") == []


def test_the_order_id_of_a_greeting_is_never_below_one() -> None:
    """Also of a client that never placed anything."""
    played = Played(named("restart-now"))
    played.pass_s(5)
    assert order_id(played.client(3).greeting) == 1


def test_only_the_first_greeting_after_a_restart_is_set_back() -> None:
    """reqIds is answered truly, and so is the next greeting: the gateway has counted on meanwhile."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, order_id=10)
    played.director.do(Restart(ids_back=4))
    client = back(played, client)
    assert order_id(client.greeting) == 7
    assert order_id(client.ask("reqIds", numIds=1)) == 11
    played.core.disconnect(client.session)
    assert order_id(played.client().greeting) == 11


def test_a_set_back_is_undone_when_no_fault_is_left() -> None:
    """Stopping the scenario leaves nothing behind."""
    played = Played.of()
    client = played.client()
    place(client, RESTING, order_id=10)
    played.core.disconnect(client.session)
    played.director.do(SetBackIds(by=4))
    played.director.stop()
    assert order_id(played.client().greeting) == 11
