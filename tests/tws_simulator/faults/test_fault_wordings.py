"""A fault's error reads as the gateway's own does."""

from __future__ import annotations

import pytest

from tests.tws_simulator.faults.played import RESTING, Played, place
from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, codes, of
from tws_simulator.faults import wordings
from tws_simulator.faults.reading import read_action
from tws_simulator.faults.wordings import wording
from tws_simulator.wire.row import Message


def text_of(messages: list[Message], code: int) -> str:
    return str(next(each["errorMsg"] for each in of(messages, "error") if each["errorCode"] == code))


def refused(name: str, code: int) -> ScriptedClient:
    return Played.of({"do": "refuse", "names": [name], "code": code}).client()


def test_a_cancellation_refused_by_a_fault_reads_as_one_refused_by_the_gateway() -> None:
    """With the order's id in the text."""
    plain = Played.of().client()
    expected = text_of(plain.ask("cancelOrder", orderId=5), 10147)
    assert text_of(refused("cancelOrder", 10147).ask("cancelOrder", orderId=5), 10147) == expected
    assert "OrderId 5 " in expected


def test_an_order_refused_by_a_fault_reads_as_one_refused_by_the_gateway() -> None:
    """The gateway's own refusal of a second order under the same id, and the fault's of the first."""
    plain = Played.of().client()
    place(plain, RESTING, order_id=2)
    expected = text_of(place(plain, RESTING, order_id=1), 103)
    assert text_of(place(refused("placeOrder", 103), RESTING), 103) == expected


def test_a_depth_slot_refused_by_a_fault_reads_as_one_refused_by_the_gateway() -> None:
    """310 names the id of the subscription that is not found."""
    plain = Played.of().client()
    expected = text_of(plain.ask("cancelMktDepth", reqId=9, isSmartDepth=True), 310)
    assert text_of(refused("cancelMktDepth", 310).ask("cancelMktDepth", reqId=9), 310) == expected


def test_what_is_told_unasked_repeats_the_id_of_its_cause() -> None:
    """As a filled order's does."""
    step = {"when": {"served": "placeOrder"}, "do": "tell", "code": 10148, "id": "$orderId"}
    told = place(Played.of(step).client(), RESTING, order_id=7)
    assert (7, 10148) in codes(told)
    assert text_of(told, 10148) == "OrderId 7 that needs to be cancelled cannot be cancelled, state: Filled."


def test_a_text_of_its_own_wins() -> None:
    """Also one with a value of the cause in it; a code without a wording says so."""
    played = Played.of()
    client = played.client()
    client.ask("reqMktData", reqId=1, contract=AAPL)
    played.director.do(read_action({"do": "tell", "code": 317, "text": "mine"}))
    played.director.do(read_action({"do": "tell", "code": 9_999}))
    told = client.replies()
    assert text_of(told, 317) == "mine"
    assert text_of(told, 9_999) == "Simulated message with code 9999"


@pytest.mark.parametrize("code", [*wordings._SAID, *wordings._SAID_OF_AN_ID])
def test_no_wording_of_the_gateway_is_repeated(code: int) -> None:
    """A code is in one of the tables only."""
    assert code not in wordings._NEVER_SAID
    assert wording(code, 1)
