"""Each scenario of the topic "session" does to a client what it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tws_simulator.faults.played import RESTING, Played, Proofs, place
from tests.tws_simulator.scripted_client import AAPL, SECOND, START_NS, ScriptedClient, codes, names, of
from tws_simulator.api.link import End
from tws_simulator.api.session import SessionState
from tws_simulator.wire.row import Message

PROOFS = Proofs()
AT_0444_NS = START_NS + (16 * 3600 + 44 * 60 - 30 * 60 + 3600) * SECOND  # 04:44:00 of the next day in New York
AT_0504_NS = AT_0444_NS + 20 * 60 * SECOND


def told_codes(messages: list[Message]) -> list[int]:
    return [code for _, code in codes(messages)]


def ticks(messages: list[Message]) -> list[Message]:
    return [each for each in messages if each.name in ("tickPrice", "tickSize", "tickString")]


def with_line(played: Played, client_id: int = 1) -> ScriptedClient:
    client = played.client(client_id)
    assert ticks(client.ask("reqMktData", reqId=7, contract=AAPL))
    return client


@PROOFS.of("link-lost-data-kept")
def link_lost_data_kept(played: Played) -> None:
    client = with_line(played)
    before = played.pass_s(5, client)
    assert ticks(before)
    assert told_codes(before) == [1100]
    during = played.pass_s(10, client)
    assert not ticks(during)
    assert told_codes(during) == [1102]
    assert ticks(played.pass_s(5, client))


@PROOFS.of("link-lost-data-lost")
def link_lost_data_lost(played: Played) -> None:
    client = with_line(played)
    assert told_codes(played.pass_s(15, client)) == [1100, 1101]
    assert not ticks(played.pass_s(10, client))
    assert ticks(client.ask("reqMktData", reqId=7, contract=AAPL)), "the id is free again"


@PROOFS.of("link-never-back")
def link_never_back(played: Played) -> None:
    client = with_line(played)
    assert told_codes(played.pass_s(300, client)) == [1100]


@PROOFS.of("link-lost-a-hundred-times")
def link_lost_a_hundred_times(played: Played) -> None:
    client = played.client()
    assert told_codes(played.pass_s(15, client)) == [1100] * 100 + [1102]


@PROOFS.of("link-back-without-loss")
def link_back_without_loss(played: Played) -> None:
    client = played.client()
    assert told_codes(played.pass_s(11, client)) == [1101, 1102, 1100]


def at_the_ask(played: Played) -> dict[str, Any]:
    """More than is offered there, so that the first fill is not the last."""
    ask = played.core.state.world.quote(AAPL["conId"]).ask
    return {**RESTING, "lmtPrice": ask, "totalQuantity": 10_000}


@PROOFS.of("fills-during-outage")
def fills_during_outage(played: Played) -> None:
    client = played.client()
    place(client, at_the_ask(played))
    told = played.pass_s(30, client)
    assert told_codes(told).count(1102) == 1
    live = len(of(told, "execDetails"))
    assert live <= 1
    assert len(of(client.ask("reqExecutions", reqId=1), "execDetails")) == len(played.ledger.executions) >= 2


@PROOFS.of("fills-told-during-outage")
def fills_told_during_outage(played: Played) -> None:
    client = played.client()
    told = place(client, at_the_ask(played)) + played.pass_s(30, client)
    at = next(index for index, each in enumerate(told) if each.get("errorCode") == 1100)
    assert "execDetails" in names(told[at:])


@PROOFS.of("farms-break")
def farms_break(played: Played) -> None:
    client = with_line(played)
    played.pass_s(5, client)
    broken = played.pass_s(9.75, client)
    assert not ticks(broken)
    assert told_codes(broken) == [2119]
    mended = played.pass_s(4, client)
    assert told_codes(mended) == [2104]
    assert ticks(mended)
    assert told_codes(played.pass_s(30, client)) == [2105, 2106, 2157, 2158]


@PROOFS.of("farms-inactive")
def farms_inactive(played: Played) -> None:
    client = played.client()
    assert told_codes(played.pass_s(6, client)) == [2107, 2108, 2108]


@PROOFS.of("farm-fine-but-no-data")
def farm_fine_but_no_data(played: Played) -> None:
    client = with_line(played)
    played.pass_s(5, client)
    silent = played.pass_s(59, client)
    assert told_codes(silent) == [2104]
    assert not ticks(silent)
    assert ticks(played.pass_s(5, client))


@PROOFS.of("broker-unreachable-2110")
def broker_unreachable_2110(played: Played) -> None:
    client = with_line(played)
    assert told_codes(played.pass_s(20, client)) == [2110]
    assert ticks(played.pass_s(5, client))


@PROOFS.of("socket-port-changed")
def socket_port_changed(played: Played) -> None:
    client = played.client()
    assert told_codes(played.pass_s(2, client)) == [1300]
    assert client.session.link.end is End.CLOSE


@PROOFS.of("client-id-in-use")
def client_id_in_use(played: Played) -> None:
    refused = played.client()
    assert told_codes(refused.greeting) == [326]
    assert refused.session.state is SessionState.CLOSED
    played.pass_s(61)
    assert "nextValidId" in names(played.client().greeting)


@PROOFS.of("client-id-stolen")
def client_id_stolen(played: Played) -> None:
    client = played.client()
    assert "nextValidId" in names(client.greeting)
    played.pass_s(2)
    assert client.session.link.end is End.CLOSE
    assert told_codes(played.client().greeting) == [326]


@PROOFS.of("order-id-goes-back")
def order_id_goes_back(played: Played) -> None:
    first = played.client()
    place(first, RESTING, order_id=10)
    assert of(first.ask("reqIds", numIds=1), "nextValidId")[0]["orderId"] == 11
    played.core.disconnect(first.session)
    assert of(played.client().greeting, "nextValidId")[0]["orderId"] == 7


@PROOFS.of("order-id-jumps")
def order_id_jumps(played: Played) -> None:
    assert of(played.client().greeting, "nextValidId")[0]["orderId"] == 1_000_001


@PROOFS.of("order-id-near-its-end")
def order_id_near_its_end(played: Played) -> None:
    assert of(played.client().greeting, "nextValidId")[0]["orderId"] == 2_147_483_600


@PROOFS.of("order-id-never-comes")
def order_id_never_comes(played: Played) -> None:
    client = played.client()
    assert "nextValidId" not in names(client.greeting + client.ask("reqIds", numIds=1))


@PROOFS.of("order-id-unasked")
def order_id_unasked(played: Played) -> None:
    client = played.client()
    assert [each["orderId"] for each in of(played.pass_s(5, client), "nextValidId")] == [5000, 1, 5000]


@PROOFS.of("another-account")
def another_account(played: Played) -> None:
    assert of(played.client().greeting, "managedAccounts")[0]["accountsList"] == "U7654321"


@PROOFS.of("accounts-after-ids")
def accounts_after_ids(played: Played) -> None:
    assert names(played.client().greeting)[:2] == ["nextValidId", "managedAccounts"]


@PROOFS.of("pacing-refused")
def pacing_refused(played: Played) -> None:
    client = played.client()
    told = [code for _ in range(12) for code in told_codes(client.ask("reqIds", numIds=1))]
    assert told == [100]
    burst = [code for _ in range(50) for code in told_codes(client.ask("reqIds", numIds=1))]
    assert set(burst) == {100}, "and the gateway's own limit refuses what is too much"


@PROOFS.of("three-strikes")
def three_strikes(played: Played) -> None:
    client = played.client()
    assert told_codes(played.pass_s(2, client)) == [100] * 3
    assert client.session.link.end is End.CLOSE


def restarts(played: Played, clock: str) -> None:
    client = played.client()
    place(client, RESTING, order_id=10, tif="GTC")
    played.pass_to(clock)
    assert client.session.link.end is End.CLOSE
    assert not played.core.state.door.is_open
    played.core.disconnect(client.session)
    played.pass_s(61)
    assert played.core.state.door.is_open


@PROOFS.of("daily-restart", AT_0444_NS)
def daily_restart(played: Played) -> None:
    restarts(played, "04:45:00")
    assert of(played.client().greeting, "nextValidId")[0]["orderId"] == 7


@PROOFS.of("restart-now")
def restart_now(played: Played) -> None:
    assert not played.core.state.door.is_open
    played.pass_s(5)
    assert played.core.state.door.is_open


@PROOFS.of("restart-late-and-twice", AT_0504_NS)
def restart_late_and_twice(played: Played) -> None:
    restarts(played, "05:05:00")
    played.pass_to("05:15:00")
    assert not played.core.state.door.is_open


@PROOFS.of("restart-that-never-returns", AT_0444_NS)
def restart_that_never_returns(played: Played) -> None:
    played.pass_to("04:45:00")
    played.pass_s(180)
    assert not played.core.state.door.is_open


@PROOFS.of("weekly-login")
def weekly_login(played: Played) -> None:
    assert not played.core.state.door.is_open
    played.pass_s(600)
    assert played.core.state.door.is_open


@PROOFS.of("orders-lost-at-restart", AT_0444_NS)
def orders_lost_at_restart(played: Played) -> None:
    client = played.client()
    place(client, RESTING, order_id=1)
    played.pass_to("04:44:59")
    while played.core.state.now_ns < AT_0444_NS + 59_900_000_000:
        played.core.advance(played.core.state.now_ns + SECOND // 20)
    assert place(client, RESTING, order_id=2) == []
    played.pass_to("04:45:00")
    assert client.session.link.end is End.CLOSE
    assert len(played.ledger.placements) == 1


@PROOFS.of("primary-down")
def primary_down(played: Played) -> None:
    client = played.client()
    played.pass_s(5)
    assert client.session.link.end is End.RESET
    played.pass_s(300)
    assert not played.core.state.door.is_open


@PROOFS.of("primary-returns")
def primary_returns(played: Played) -> None:
    played.pass_s(5)
    assert not played.core.state.door.is_open
    played.pass_s(60)
    assert played.core.state.door.is_open


@PROOFS.of("primary-lives-on")
def primary_lives_on(played: Played) -> None:
    client = played.client()
    played.pass_s(5)
    assert not client.session.link.writes
    assert not played.core.state.door.is_open
    place(client, RESTING)
    played.pass_s(60)
    assert client.session.link.writes


@PROOFS.of("competing-session")
def competing_session(played: Played) -> None:
    client = with_line(played)
    assert codes(played.pass_s(5, client)) == [(7, 10197)]
    assert not ticks(played.pass_s(29, client))
    assert codes(client.ask("reqMktData", reqId=8, contract=AAPL)) == [(8, 10197)]
    played.pass_s(1)
    assert ticks(played.pass_s(5, client))


@PROOFS.of("zombie")
def zombie(played: Played) -> None:
    client = with_line(played)
    played.pass_s(2, client)
    assert names(client.ask("reqCurrentTime")) == ["currentTime"]
    assert client.ask("reqPositions") == []
    assert played.pass_s(5, client) == []


@PROOFS.of("end-markers-missing")
def end_markers_missing(played: Played) -> None:
    client = played.client()
    assert "positionEnd" not in names(client.ask("reqPositions"))
    assert client.ask("reqOpenOrders") == []
    assert client.ask("reqExecutions", reqId=1) == []


@PROOFS.of("snapshot-among-live-updates")
def snapshot_among_live_updates(played: Played) -> None:
    client = played.client()
    assert client.ask("reqExecutions", reqId=1) == []
    told = names(played.pass_s(4, client))
    assert told.index("execDetails") < told.index("execDetailsEnd")


@pytest.mark.parametrize("name", PROOFS.by_name)
def test_a_client_sees_what_the_scenario_says(name: str) -> None:
    """See the scenario's description."""
    PROOFS.check(name)
