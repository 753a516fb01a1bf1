"""Executions, corrections and transfers behind the exchange's back are of the account they belong to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tws_simulator.faults.played import MARKET, RESTING, Played, place
from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, of
from tws_simulator.control.answers import books_of
from tws_simulator.faults.director import OptionsDiffer
from tws_simulator.faults.reading import BadScenario, read_action, read_scenario
from tws_simulator.wire.row import Message

TWIN = {"when": {"served": "placeOrder"}, "do": "twin_order", "filled_after_s": 1}


def with_accounts(*steps: dict[str, Any], count: int = 3) -> Played:
    return Played.of(*steps, accounts=count)


def does(played: Played, client: ScriptedClient, **action: Any) -> list[Message]:
    played.director.do(read_action(action))
    return client.replies()


def held(played: Played) -> list[Decimal]:
    """AAPL of each account, in their order."""
    positions = [ledger.position(AAPL["conId"]) for ledger in played.core.state.world.ledgers.values()]
    return [Decimal(0) if position is None else position.shares for position in positions]


def executions(messages: list[Message]) -> list[dict[str, Any]]:
    return [each["execution"] for each in of(messages, "execDetails")]


def test_a_fill_is_of_the_account_of_its_order() -> None:
    """Booked and told there, at the venue the order names; the second one knows of the first."""
    played = with_accounts()
    second = played.core.state.world.accounts[1]
    client = played.client()
    place(client, RESTING, account=second, orderRef="mine")
    told = does(played, client, do="fill", order_ref="mine", shares=2, count=2)
    assert [(each["acctNumber"], each["cumQty"], each["avgPrice"]) for each in executions(told)] == [
        (second, 2, 10.0),
        (second, 4, 10.0),
    ]
    assert executions(does(played, client, do="fill", order_ref="mine", price=16.0))[0]["cumQty"] == 5
    assert held(played) == [0, 5, 0]
    listed = executions(client.ask("reqExecutions", reqId=1, executionFilter={"acctCode": second}))
    assert [each["avgPrice"] for each in listed] == [10.0, 10.0, pytest.approx(11.2)]


def test_an_order_of_which_nobody_knows_is_of_the_account_named() -> None:
    """By its number; positions are told as they change."""
    played = with_accounts()
    client = played.client()
    client.ask("reqPositions")
    for number in (1, 3):
        played.director.do(read_action({"do": "fill", "account": number, "shares": number}))
    played.director.do(read_action({"do": "transfer", "account": 2, "shares": -7}))
    assert held(played) == [1, -7, 3]
    told = {each["account"]: each["position"] for each in of(played.pass_s(1, client), "position")}
    assert list(told.values()) == held(played)


def test_an_order_placed_by_others_is_of_the_account_named() -> None:
    """It trades there."""
    played = with_accounts({"do": "place_order", "account": 2, "quantity": 4})
    played.pass_s(5)
    assert held(played) == [0, 4, 0]


def test_the_twin_of_an_order_fills_in_its_account() -> None:
    """As a whole, under its own permanent id."""
    played = with_accounts(TWIN)
    client = played.client()
    place(client, RESTING, account=played.core.state.world.accounts[2])
    assert executions(played.pass_s(2, client))[0]["cumQty"] == 5
    assert held(played) == [0, 0, 5]


def test_the_latest_execution_is_corrected_whatever_its_account() -> None:
    """Not the latest of the first account; and again under the next number."""
    played = with_accounts()
    client = played.client()
    for number, account in enumerate(played.core.state.world.accounts[:2], start=1):
        place(client, MARKET, order_id=number, account=account, totalQuantity=1)
        played.pass_s(5, client)
    for revision in ("02", "03"):
        corrected = executions(does(played, client, do="correct", price_by=1))[0]
        assert corrected["acctNumber"] == played.core.state.world.accounts[1]
        assert corrected["execId"].endswith(f".{revision}")
        assert corrected["avgPrice"] == corrected["price"]
    assert len(executions(client.ask("reqExecutions", reqId=1))) == 2
    assert held(played) == [1, 1, 0]


def test_a_poller_of_the_ledger_sees_each_record_once() -> None:
    """Corrections come behind what they correct: asking for what is new misses and repeats nothing."""
    played = with_accounts(count=1)
    client = played.client()
    seen: list[str] = []

    def poll() -> None:
        told = books_of(played.ledger, len(seen))
        seen.extend(each["exec_id"] for each in told["executions"])
        assert [each["exec_id"] for each in told["commissions"]] == [each["exec_id"] for each in told["executions"]]
        assert told["executions_total"] == len(seen)

    place(client, RESTING, orderRef="mine")
    for action in ({"do": "fill", "order_ref": "mine"}, {"do": "correct"}, {"do": "fill", "order_ref": "mine"}):
        played.director.do(read_action(action))
        poll()
    played.director.do(read_action({"do": "correct", "shares": 0}))
    poll()
    assert [exec_id[-2:] for exec_id in seen] == ["01", "02", "01", "02"]
    assert held(played) == [1]


def test_a_busted_trade_costs_nothing_and_leaves_nothing() -> None:
    """Cash and position are as before it, to the last digit."""
    played = with_accounts(count=1)
    before_usd = played.ledger.cash_usd
    played.director.do(read_action({"do": "fill", "shares": 5}))
    played.director.do(read_action({"do": "correct", "shares": 0}))
    assert (played.ledger.cash_usd, held(played)) == (before_usd, [0])


def test_an_account_that_the_gateway_has_not_is_refused_before_it_is_played() -> None:
    """Whether as a step or by hand; accounts are counted from 1."""
    with pytest.raises(OptionsDiffer, match="fill needs a gateway started with accounts = 4"):
        with_accounts({"when": {"at_s": 9}, "do": "fill", "account": 4})
    played = with_accounts()
    with pytest.raises(OptionsDiffer, match="accounts = 4"):
        played.director.do(read_action({"do": "transfer", "account": 4, "shares": 1}))
    with pytest.raises(BadScenario, match="counted from 1"):
        read_scenario({"name": "mine", "step": [{"do": "place_order", "account": 0}]})


def test_the_account_of_a_template_is_that_of_its_cause() -> None:
    """Where the message names one of ours; else the first."""
    step = {
        "when": {"request": "placeOrder", "every": True},
        "do": "inject",
        "name": "managedAccounts",
        "values": {"accountsList": "$ACCOUNT"},
    }
    played = with_accounts(step)
    accounts = played.core.state.world.accounts
    client = played.client()
    told = place(client, RESTING, account=accounts[2]) + place(client, RESTING, order_id=2)
    assert [each["accountsList"] for each in of(told, "managedAccounts")] == [accounts[2], accounts[0]]
