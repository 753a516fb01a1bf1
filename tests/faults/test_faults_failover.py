"""Two gateways: the one fails in one way or another, the other is used, and nothing goes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.events import AlertChanged, LossCause, OrderIntended, OrderLapsed, OrderNotFound, SessionLost
from ibkr_adapter.requests import SendCancel, SendOrder, SubscribeQuotes
from tests.faults.gap_oracle import GapOracle
from tests.faults.pairs import became, do, incidents, logins, pair
from tests.faults.virtual_desk import VirtualDesk
from tws_simulator.faults.library import named
from tws_simulator.faults.reading import read_scenario

WELL = {"maintain_orders": False}
EVENING: dict[str, Any] = {"start": "2026-03-03 20:30", "tick_s": 1, "options": {**WELL, "always_open": False}}
"""An hour without ticks and without planned windows passes in a moment."""


REFUSES_OUR_ID = read_scenario(
    {
        "name": "refuses-our-id",
        "description": "Every login is refused with 326, for ever.",
        "step": [{"do": "refuse", "names": ["startApi"], "code": 326, "closing": True, "for_s": 100_000}],
    }
)


def goes_away(desk: VirtualDesk) -> None:
    do(desk, "port_down")
    do(desk, "reset")


def stays_silent(desk: VirtualDesk) -> None:
    desk.gateways["primary"].director.play(named("accepts-and-stays-silent"))
    do(desk, "reset")


def refuses_then_stays_silent(desk: VirtualDesk) -> None:
    desk.gateways["primary"].director.play(named("accepts-and-stays-silent"))
    do(desk, "port_down", for_s=2)
    do(desk, "close")


@pytest.mark.fault("B26")
@pytest.mark.parametrize("fails", [goes_away, stays_silent, refuses_then_stays_silent], ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", range(8))
def test_the_standby_greets_within_22_seconds_of_the_loss(seed: int, fails: Callable[[VirtualDesk], None]):
    """After three attempts at the first gateway, whatever chance makes of the delays between them."""
    desk = pair(seed=seed, **EVENING)
    desk.ready(quotes=False).run(61 + seed / 20)
    lost_ns = desk.now_ns
    fails(desk)
    assert "link" in desk.gate()
    desk.run_until(lambda: became(desk, "identifying", "secondary"), within_s=22)
    greeted_ns = desk.now_ns

    assert greeted_ns - lost_ns <= 22 * SECOND
    assert logins(desk) == ["primary"] * 4 + ["secondary"]
    desk.run_until(lambda: desk.link.ready, within_s=5)
    assert desk.gate() == ["standby"]


@pytest.mark.fault("B26")
def test_the_scenario_of_a_primary_that_is_down_moves_the_desk_with_its_streams():
    """All quotes flow from the standby, each with one gap; orders do not go there unless the file says so."""
    desk = pair("primary-down", options=WELL)
    oracle = GapOracle(desk)
    desk.ready().run(60)

    assert desk.link.gateway.name == "secondary"
    assert sorted(desk.engine.market.proven) == ["QQQ", "SPY"]
    assert len(desk.sent(SubscribeQuotes)) == 4
    assert len(desk.gaps) == 2
    oracle.check()
    assert not desk.replies[desk.place()].accepted
    assert desk.sent(SendOrder) == []


@pytest.mark.fault("B27")
def test_two_gateways_that_are_down_are_tried_in_turn_and_are_one_incident():
    """At most a minute apart, one alert however long it lasts, and it is over by itself when one of them is back."""
    desk = pair("primary-down", "primary-down", **EVENING)
    desk.run(40 * 60)
    tried = desk.opens[3:]
    apart = [later - earlier for (earlier, _), (later, _) in pairwise(tried)]
    assert logins(desk)[:5] == ["primary"] * 4 + ["secondary"]
    assert all(one != other for (_, one), (_, other) in pairwise(tried))
    assert max(apart) <= 60 * SECOND
    assert min(apart[-20:]) >= 48 * SECOND
    assert [(alert.key, alert.severity) for alert in incidents(desk)] == [("link/down", "critical")]
    assert desk.resolved("link/down") == []

    do(desk, "port_up", gateway="secondary")
    desk.run_until(lambda: desk.link.ready, within_s=125)
    desk.run(40)

    assert len(desk.raised("link/down")) == len(desk.resolved("link/down")) == 1
    assert desk.link.gateway.name == "secondary"


@pytest.mark.fault("B27")
def test_an_outage_with_two_causes_has_no_all_clear_before_its_end():
    """The port of the one is closed, the other refuses our client id: each is told, and none is over before ready."""
    desk = pair("primary-down", REFUSES_OUR_ID, **EVENING)
    desk.ready(quotes=False).run(30 * 60)
    told = [alert for alert in desk.told(AlertChanged) if alert.key in ("link/down", "client_id/326")]
    assert {alert.key for alert in told} == {"link/down", "client_id/326"}
    assert all(alert.raised for alert in told)
    assert not desk.link.ready

    do(desk, "port_up")
    desk.run_until(lambda: desk.link.ready, within_s=200)
    desk.run(12 * 60)
    assert [desk.story(key) for key in ("link/down", "client_id/326")] == [[True, False]] * 2


@pytest.mark.fault("B27")
def test_what_ib_had_lost_is_not_well_because_nobody_can_ask():
    """1100, told; then the gateway is gone for half an hour: it ends when a session says so, and not before."""
    desk = VirtualDesk(**EVENING).ready(quotes=False)
    do(desk, "link_lost")
    desk.run(90)
    assert desk.story("upstream/lost") == [True]
    do(desk, "port_down")
    do(desk, "close")
    desk.run(30 * 60)
    assert desk.story("upstream/lost") == [True]


@pytest.mark.fault("B27")
def test_with_both_down_no_order_waits_for_either():
    """Each is refused when it comes; none is sent when a gateway is back."""
    desk = pair("primary-down", "primary-down", tick_s=1, trading=True)
    desk.ready(quotes=False).run(20)
    refused = [desk.replies[desk.place()] for _ in range(3)]
    do(desk, "port_up", gateway="secondary")
    desk.run_until(lambda: desk.gate() == [], within_s=125)
    desk.run(60)

    assert not any(reply.accepted for reply in refused)
    assert desk.sent(SendOrder) == []
    assert desk.gateways["secondary"].placements == []


@pytest.mark.fault("B28")
def test_the_return_of_the_first_gateway_changes_nothing():
    """One move in an hour, one session with each; that the standby is in use stays known."""
    desk = pair("primary-returns", **EVENING)
    desk.ready(quotes=False).run(60 * 60)

    assert logins(desk) == ["primary"] * 4 + ["secondary"]
    assert len(became(desk, "ready")) == 2
    assert desk.link.gateway.name == "secondary"
    assert len(desk.raised("link/standby")) == 1
    assert desk.resolved("link/standby") == []


@pytest.mark.fault("B28")
def test_one_loss_of_the_standby_is_retried_at_the_standby():
    """Though the first gateway would answer by then."""
    desk = pair("primary-returns", **EVENING)
    desk.ready(quotes=False).run(5 * 60)
    do(desk, "close", gateway="secondary")
    desk.run_until(lambda: desk.link.ready, within_s=5)

    assert logins(desk)[-2:] == ["secondary", "secondary"]


@pytest.mark.fault("B29")
def test_a_session_that_lives_on_is_ended_before_the_next_one_begins():
    """The gateway is silent and refuses newcomers: our side is closed first, and never are two sessions open."""
    desk = pair("primary-lives-on", options=WELL)
    first = desk.gateways["primary"].core.state
    second = desk.gateways["secondary"].core.state
    together: list[int] = []
    desk.stepped.append(lambda: together.append(len(first.sessions) + len(second.sessions)))
    desk.ready().run(120)

    [lost] = [e for e in desk.journal if isinstance(e, SessionLost) and e.gateway == "primary" and e.epoch == 1]
    assert lost.cause is LossCause.ASKED
    assert all(at_ns >= lost.ts_recv_ns for at_ns, _ in desk.opens[1:])
    assert max(together) == 1
    assert desk.link.gateway.name == "secondary"


@pytest.mark.fault("B29")
def test_orders_of_two_gateways_do_not_mix():
    """What rests at the first keeps its risk and is not cancelled at the second; no id serves twice."""
    desk = pair("primary-lives-on", trading=True).ready()
    resting = [desk.place(quantity=shares, limit_price=below(desk)) for shares in (1, 2, 3)]
    desk.run(2)
    orders = desk.engine.ledger.orders
    assert [orders.of(key).state for key in resting] == ["working"] * 3
    desk.run_until(lambda: desk.gate() == [] and desk.link.gateway.name == "secondary", within_s=60)
    desk.run(5)

    elsewhere = [desk.place(), desk.place(quantity=4, limit_price=below(desk))]
    desk.run(120)

    assert [orders.of(key).state for key in elsewhere] == ["filled", "working"]
    assert all(orders.of(key).at_risk for key in resting)
    desk.cancel(resting[0])
    desk.run(5)
    assert desk.sent(SendCancel) == []
    intents = [event for event in desk.journal if isinstance(event, OrderIntended)]
    assert [(event.gateway, event.order_key) for event in intents] == [
        *(("primary", key) for key in resting),
        *(("secondary", key) for key in elsewhere),
    ]
    ids = [event.order_id for event in intents]
    assert ids == sorted(set(ids))
    assert [len(desk.gateways[name].placements) for name in ("primary", "secondary")] == [3, 2]
    assert [event for event in desk.journal if isinstance(event, OrderNotFound | OrderLapsed)] == []


def below(desk: VirtualDesk) -> Decimal:
    """A price at which nothing is bought soon."""
    bid = desk.engine.market.quotes()["SPY"].bid
    assert bid is not None
    return (Decimal(str(bid)) * 97 / 100).quantize(Decimal("0.01"))


@pytest.mark.fault("B29")
def test_an_order_in_flight_when_the_primary_falls_silent_stays_in_question():
    """It may work there: the second gateway's lists prove nothing of it, and it is sent to nobody again."""
    desk = pair("primary-lives-on", trading=True).ready()
    desk.run_until(lambda: desk.now_ns - desk.opens[0][0] >= 5 * SECOND, within_s=6)
    key = desk.place()
    desk.run_until(lambda: desk.link.gateway.name == "secondary" and desk.gate() == [], within_s=60)
    desk.run(5 * 60)

    order = desk.engine.ledger.orders.of(key)
    assert order is not None
    assert order.at_risk
    assert len(desk.sent(SendOrder)) == 1
    assert desk.gateways["secondary"].placements == []
    assert desk.now_ns - desk.opens[0][0] > 5 * MINUTE
