"""A gateway that answers the time and nothing else, lists without ends, and lists into which live updates mix."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import ExecutionReported, OrderLapsed, OrderNotFound
from ibkr_adapter.requests import RequestCurrentTime, RequestExecutions, SendCancel, SendOrder
from tests.faults.gap_oracle import GapOracle
from tests.faults.pairs import do, incidents, logins, pair
from tests.faults.virtual_desk import VirtualDesk
from tws_simulator.faults.library import named


@pytest.mark.fault("B31")
def test_a_gateway_that_answers_only_the_time_is_left_within_thirty_seconds():
    """Its clock goes on being asked and told until then; the next session is one that answers."""
    desk = VirtualDesk("zombie")
    oracle = GapOracle(desk)
    desk.ready().run_until(lambda: not desk.gateways["primary"].core.state.running(), within_s=40)
    zombie_ns = desk.opens[0][0] + 2 * SECOND
    assert desk.now_ns - zombie_ns <= 30 * SECOND
    assert len(desk.sent(RequestCurrentTime)) >= 4
    assert "link" in desk.gate()

    desk.gateways["primary"].director.stop()
    desk.run_until(lambda: desk.gate() == [], within_s=20)
    desk.run(5)
    assert len(desk.gaps) == 2
    oracle.check()


@pytest.mark.fault("B31")
@pytest.mark.parametrize("seed", range(5))
def test_one_that_is_a_zombie_from_its_greeting_on_is_given_up_for_the_standby(seed: int):
    """Each session that tells the time and no more is a failed attempt."""
    desk = pair("zombie", seed=seed)
    desk.ready().run_until(lambda: desk.link.gateway.name == "secondary" and desk.link.ready, within_s=90)

    assert logins(desk).count("secondary") == 1


@pytest.mark.fault("B31")
def test_a_quiet_night_is_no_zombie():
    """Without a tick for an hour the gateway answers what it is asked: one session, no alert."""
    options = {"maintain_orders": False, "always_open": False}
    desk = VirtualDesk(start="2026-03-03 20:30", tick_s=1, options=options).ready(quotes=False)
    desk.run(3600)

    assert len(desk.opens) == 1
    assert incidents(desk) == []


@pytest.mark.fault("B32")
def test_an_order_that_lists_without_ends_do_not_name_is_not_given_up():
    """It rests at the gateway, the next session's lists have no ends: the gate stays closed, nothing is cancelled."""
    desk = VirtualDesk().ready()
    key = desk.place(limit_price=below(desk))
    desk.run(2)
    desk.gateways["primary"].director.play(named("end-markers-missing"))
    do(desk, "drop", names=["openOrder", "orderStatus"], for_s=300, lists=True)
    do(desk, "close")
    asked = len(desk.sent(RequestExecutions))
    gates: set[bool] = set()
    desk.stepped.append(lambda: gates.add(desk.gate() == []))
    desk.run(300)

    order = desk.engine.ledger.orders.of(key)
    assert order is not None
    assert order.at_risk
    assert gates == {False}
    assert len(desk.sent(RequestExecutions)) >= asked + 5
    assert [event for event in desk.journal if isinstance(event, OrderNotFound | OrderLapsed)] == []
    assert desk.sent(SendCancel) == []
    assert len(desk.sent(SendOrder)) == 1
    assert desk.raised("link/unready") or desk.raised("link/down")

    desk.gateways["primary"].director.stop()
    desk.run_until(lambda: desk.gate() == [], within_s=120)
    desk.run(60)
    assert order.state == "working"


@pytest.mark.fault("B33")
@pytest.mark.parametrize("seed", range(10))
def test_both_books_agree_whatever_happens_while_lists_come(seed: int):
    """Orders are placed, filled and cancelled while lists end late: states, fills and positions agree in the end."""
    chance = random.Random(seed)
    desk = VirtualDesk("snapshot-among-live-updates", seed=seed).ready()
    keys: list[str] = []
    for number in range(12):
        symbol = chance.choice(["SPY", "QQQ"])
        if chance.random() < 0.5:
            keys.append(desk.place(symbol, number + 1))
        else:
            keys.append(desk.place(symbol, number + 1, limit_price=below(desk, symbol)))
        desk.run(chance.choice((0, 0.25, 1)))
        if chance.random() < 0.4:
            desk.cancel(chance.choice(keys))
        if number % 4 == 3:
            do(desk, chance.choice(("close", "reset", "link_back")))
            desk.run_until(lambda: desk.gate() == [] and flowing(desk), within_s=60)
    desk.run(45)

    ledger = desk.gateways["primary"].core.state.world.first_ledger
    assert desk.engine.ledger.orders.questioned == []
    executions = [event for event in desk.journal if isinstance(event, ExecutionReported)]
    assert sorted(each.exec_id for each in executions) == sorted(each.exec_id for each in ledger.executions)
    bought: dict[int, Decimal] = {}
    for each in ledger.executions:
        bought[each.order_id] = bought.get(each.order_id, Decimal(0)) + each.shares
    placed = 0
    for key in keys:
        order = desk.engine.ledger.orders.of(key)
        if order is not None:
            placed += 1
            assert order.filled == bought.get(order.order_id, 0)
            assert order.state in ("filled", "cancelled", "working")
            assert (order.state == "filled") is (order.filled == order.terms.quantity)
    assert placed > len(keys) / 2
    theirs = {position.symbol: position.shares for position in ledger.positions()}
    assert {name: shares for name, shares in desk.held.items() if shares} == {k: v for k, v in theirs.items() if v}


def flowing(desk: VirtualDesk) -> bool:
    return sorted(desk.engine.market.proven) == ["QQQ", "SPY"]


def below(desk: VirtualDesk, symbol: str = "SPY") -> Decimal:
    """A price at which nothing is bought soon."""
    bid = desk.engine.market.quotes()[symbol].bid
    assert bid is not None
    return (Decimal(str(bid)) * 97 / 100).quantize(Decimal("0.01"))
