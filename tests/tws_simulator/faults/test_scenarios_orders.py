"""Each scenario of the topic "orders" does to a client what it says, and the ledger stays the truth."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.faults.played import MARKET, RESTING, Played, Proofs, place
from tests.tws_simulator.scripted_client import AAPL, SECOND, START_NS, ScriptedClient, codes, names, of
from tws_simulator.wire.row import Message

PROOFS = Proofs()
AT_2359_NS = START_NS + (12 * 3600 + 29 * 60 + 30) * SECOND  # 23:59:30 in New York


def statuses(messages: list[Message]) -> list[str]:
    return [each["status"] for each in of(messages, "orderStatus")]


def shares(played: Played) -> Decimal:
    position = played.ledger.position(AAPL["conId"])
    return position.shares if position is not None else Decimal(0)


def bought(messages: list[Message]) -> Decimal:
    """By the latest revision of each execution, as a client counts."""
    latest = {each["execution"]["execId"].rpartition(".")[0]: each["execution"]["shares"] for each in _fills(messages)}
    return sum(latest.values(), Decimal(0))


def _last_status(messages: list[Message]) -> tuple[str, Decimal, Decimal]:
    last = of(messages, "orderStatus")[-1]
    return last["status"], last["filled"], last["remaining"]


def _fills(messages: list[Message]) -> list[Message]:
    return of(messages, "execDetails")


def traded(played: Played, seconds: float = 10) -> tuple[ScriptedClient, list[Message]]:
    client = played.client()
    return client, place(client, MARKET) + played.pass_s(seconds, client)


def open_orders(client: ScriptedClient) -> list[Message]:
    return of(client.ask("reqOpenOrders"), "openOrder")


@PROOFS.of("order-never-acknowledged-but-works")
def order_never_acknowledged_but_works(played: Played) -> None:
    client = played.client()
    assert place(client, RESTING) == []
    played.pass_s(31)
    assert len(open_orders(client)) == 1


@PROOFS.of("order-dropped-silently")
def order_dropped_silently(played: Played) -> None:
    client = played.client()
    assert place(client, RESTING) == []
    assert open_orders(client) == []
    assert played.ledger.placements == []
    assert place(client, RESTING, order_id=2), "only the first"


@PROOFS.of("acknowledgement-after-five-minutes")
def acknowledgement_after_five_minutes(played: Played) -> None:
    client = played.client()
    assert place(client, RESTING) == []
    assert not statuses(played.pass_s(299, client))
    assert "Submitted" in statuses(played.pass_s(3, client))


@PROOFS.of("statuses-out-of-order")
def statuses_out_of_order(played: Played) -> None:
    _, told = traded(played)
    assert statuses(told)[0] == "Filled"
    assert "PreSubmitted" in statuses(told)[1:]


@PROOFS.of("statuses-fifty-times")
def statuses_fifty_times(played: Played) -> None:
    told = place(played.client(), RESTING)
    assert statuses(told) == ["PreSubmitted"] * 50 + ["Submitted"] * 50


@PROOFS.of("execution-before-order")
def execution_before_order(played: Played) -> None:
    _, told = traded(played)
    assert names(told).index("execDetails") < names(told).index("openOrder")


@PROOFS.of("execution-of-unknown-order")
def execution_of_unknown_order(played: Played) -> None:
    client = played.client()
    execution = _fills(played.pass_s(3, client))[0]["execution"]
    assert (execution["orderId"], execution["clientId"]) == (0, 0)
    assert shares(played) == 100


@PROOFS.of("execution-twice")
def execution_twice(played: Played) -> None:
    _, told = traded(played)
    ids = [each["execution"]["execId"] for each in _fills(told)]
    assert len(ids) == 2 * len(set(ids))
    assert bought(told) == shares(played) == 5


@PROOFS.of("execution-corrected")
def execution_corrected(played: Played) -> None:
    client, told = traded(played)
    first, corrected = _fills(told)[0]["execution"], _fills(told)[-1]["execution"]
    assert corrected["execId"] == first["execId"][:-1] + "2"
    assert corrected["price"] == pytest.approx(first["price"] + 0.01)
    assert bought(told) == shares(played) == 5
    listed = [each["execution"]["execId"] for each in _fills(client.ask("reqExecutions", reqId=1))]
    assert corrected["execId"] in listed
    assert first["execId"] not in listed


@PROOFS.of("execution-busted")
def execution_busted(played: Played) -> None:
    _, told = traded(played)
    assert _fills(told)[-1]["execution"]["shares"] == 0
    assert bought(told) == shares(played) < 5


@PROOFS.of("commission-before-execution")
def commission_before_execution(played: Played) -> None:
    _, told = traded(played)
    assert names(told).index("commissionAndFeesReport") < names(told).index("execDetails")


@PROOFS.of("commission-never")
def commission_never(played: Played) -> None:
    _, told = traded(played)
    assert "execDetails" in names(told)
    assert "commissionAndFeesReport" not in names(told)


@PROOFS.of("overfill")
def overfill(played: Played) -> None:
    _, told = traded(played)
    assert _fills(told)[-1]["execution"]["cumQty"] == 10
    assert bought(told) == shares(played) == 10
    assert _last_status(told) == ("Filled", 10, 0)


@PROOFS.of("fill-after-cancelled")
def fill_after_cancelled(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    told = client.ask("cancelOrder", orderId=1) + played.pass_s(2, client)
    assert bought(told) == shares(played) == 1
    assert _last_status(told) == ("Cancelled", 1, 4)


@PROOFS.of("cancel-ignored")
def cancel_ignored(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    assert client.ask("cancelOrder", orderId=1) == client.ask("reqGlobalCancel") == []
    assert len(open_orders(client)) == 1


@PROOFS.of("cancel-done-in-silence")
def cancel_done_in_silence(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    assert "Cancelled" not in statuses(client.ask("cancelOrder", orderId=1))
    assert open_orders(client) == []


@PROOFS.of("cancel-refused")
def cancel_refused(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    told = [codes(client.ask("cancelOrder", orderId=1)) for _ in range(4)]
    assert told == [[(1, 10148)], [(1, 10147)], [(1, 161)], [(1, 135)]]
    assert len(open_orders(client)) == 1


@PROOFS.of("cancel-races-fill")
def cancel_races_fill(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    told = client.ask("cancelOrder", orderId=1)
    assert names(told).index("execDetails") < names(told).index("orderStatus")
    assert bought(told) == shares(played) == 1
    assert _last_status(told) == ("Cancelled", 1, 4)


@PROOFS.of("modify-refused")
def modify_refused(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    assert codes(place(client, RESTING, lmtPrice=11.0)) == [(1, 105)]
    assert codes(place(client, RESTING, lmtPrice=11.0)) == [(1, 104)]
    assert open_orders(client)[0]["order"]["lmtPrice"] == 10.0


@PROOFS.of("two-orders-under-one-id")
def two_orders_under_one_id(played: Played) -> None:
    client = played.client()
    told = place(client, RESTING)
    elder = of(told, "openOrder")[0]["order"]["permId"]
    told += played.pass_s(12, client)
    echoes = of(told, "openOrder") + open_orders(client)
    assert {each["orderId"] for each in echoes} == {1}
    assert len({each["order"]["permId"] for each in echoes}) == len(open_orders(client)) == 2
    assert len({each["permId"] for each in of(told, "orderStatus")}) == 2
    assert bought(played.pass_s(33, client)) == shares(played) == 5
    assert [each["order"]["permId"] for each in open_orders(client)] == [elder]


@PROOFS.of("modify-never-acknowledged")
def modify_never_acknowledged(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    assert place(client, RESTING, lmtPrice=11.0) == []
    played.pass_s(61)
    assert open_orders(client)[0]["order"]["lmtPrice"] == 11.0


@PROOFS.of("modify-lost")
def modify_lost(played: Played) -> None:
    client = played.client()
    place(client, RESTING)
    assert place(client, RESTING, lmtPrice=11.0) == []
    assert open_orders(client)[0]["order"]["lmtPrice"] == 10.0


@PROOFS.of("duplicate-order-id")
def duplicate_order_id(played: Played) -> None:
    client = played.client()
    assert codes(place(client, RESTING)) == [(1, 103)]
    assert statuses(place(client, RESTING, order_id=2))


@PROOFS.of("order-refusals")
def order_refusals(played: Played) -> None:
    client = played.client()
    told = [place(client, RESTING, order_id=number) for number in range(1, 6)]
    assert [codes(each)[0] for each in told] == [(1, 201), (2, 110), (3, 10318), (4, 202), (5, 399)]
    assert [bool(statuses(each)) for each in told] == [False, False, False, False, True]


@PROOFS.of("order-inactive")
def order_inactive(played: Played) -> None:
    client = played.client()
    told = place(client, RESTING)
    assert statuses(told) == ["Inactive"]
    assert [each["orderState"]["status"] for each in open_orders(client)] == ["Inactive"]
    told += played.pass_s(31, client)
    assert statuses(told)[-1] == "Submitted"
    assert len({each["permId"] for each in of(told, "orderStatus")}) == 1


@PROOFS.of("pending-submit-forever")
def pending_submit_forever(played: Played) -> None:
    client = played.client()
    told = place(client, MARKET) + played.pass_s(100, client)
    assert statuses(told) == ["PendingSubmit"]
    assert [each["order"]["permId"] for each in open_orders(client)] == [of(told, "orderStatus")[0]["permId"]]
    cancelled = client.ask("cancelOrder", orderId=1)
    assert (statuses(cancelled), codes(cancelled)) == (["Cancelled"], [(1, 202)])
    assert open_orders(client) == []
    assert shares(played) == 0


@PROOFS.of("missing-parent")
def missing_parent(played: Played) -> None:
    client = played.client()
    assert statuses(place(client, RESTING))
    assert codes(place(client, RESTING, order_id=2, parentId=1, action="SELL")) == [(2, 10006)]


@PROOFS.of("manual-order")
def manual_order(played: Played) -> None:
    client = played.client()
    played.pass_s(5, client)
    executions = [each["execution"] for each in _fills(client.ask("reqExecutions", reqId=1))]
    assert {each["clientId"] for each in executions} == {0, 99}
    assert shares(played) == 30


@PROOFS.of("position-without-executions")
def position_without_executions(played: Played) -> None:
    client = played.client()
    played.pass_s(2)
    assert _fills(client.ask("reqExecutions", reqId=1)) == []
    held = {each["contract"]["symbol"]: each["position"] for each in of(client.ask("reqPositions"), "position")}
    assert held["AAPL"] == shares(played) == 100


@PROOFS.of("outage-over-midnight", AT_2359_NS)
def outage_over_midnight(played: Played) -> None:
    client = played.client()
    place(client, RESTING, totalQuantity=300)
    played.pass_s(28)
    assert [each["execution"]["orderId"] for each in _fills(played.client(3).ask("reqExecutions", reqId=1))] == [1]
    assert not played.core.state.door.is_open
    played.pass_s(13)
    assert played.core.state.door.is_open
    assert names(played.client(2).ask("reqExecutions", reqId=1)) == ["execDetailsEnd"]
    assert shares(played) == 100


@PROOFS.of("ten-thousand-executions")
def ten_thousand_executions(played: Played) -> None:
    assert len(_fills(played.client().ask("reqExecutions", reqId=1))) == 10_000


@PROOFS.of("ten-thousand-small-fills")
def ten_thousand_small_fills(played: Played) -> None:
    client = played.client()
    told = place(client, RESTING, totalQuantity=10_000)
    assert len(_fills(told)) == 100, "at a time"
    told += played.pass_s(30, client)
    assert len(_fills(told)) == 10_000
    assert bought(told) == shares(played) == 10_000
    assert _last_status(told) == ("Filled", 10_000, 0)
    assert open_orders(client) == []


@PROOFS.of("orders-queued-while-offline")
def orders_queued_while_offline(played: Played) -> None:
    client = played.client()
    played.pass_s(5, client)
    assert place(client, MARKET) == []
    assert played.ledger.placements == []
    played.core.disconnect(client.session)
    played.pass_s(65)
    assert shares(played) == 5, "bought though the client has left"


@pytest.mark.parametrize("name", PROOFS.by_name)
def test_a_client_sees_what_the_scenario_says(name: str) -> None:
    """See the scenario's description."""
    PROOFS.check(name)
