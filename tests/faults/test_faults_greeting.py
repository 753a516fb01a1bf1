"""What a gateway says at the start of a session, or says again, and what it says of our pace."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.requests import RequestIds, SendOrder
from tests.faults.virtual_desk import VirtualDesk
from tws_simulator.world.instruments.universe import everything

MINUTE_NS = 60 * SECOND


@pytest.mark.fault("B17")
def test_a_gateway_that_names_no_order_id_is_asked_three_times_and_left():
    """Three questions in ten seconds, then a new connection after growing pauses; the gate stays closed."""
    desk = VirtualDesk("order-id-never-comes")
    desk.run(60)

    asked_ns = [sent.at_ns for sent in desk.sends if isinstance(sent.request, RequestIds)]
    attempts_ns = [at_ns for at_ns, _ in desk.opens]
    for begun_ns, next_ns in pairwise(attempts_ns):
        assert len([at_ns for at_ns in asked_ns if begun_ns <= at_ns < next_ns]) == 3
        assert next_ns - begun_ns >= 10 * SECOND
    assert len(attempts_ns) >= 4
    assert "link" in desk.gate()
    assert not desk.replies[desk.place()].accepted
    assert desk.sent(SendOrder) == []
    assert desk.raised("link/down")


@pytest.mark.fault("B18")
def test_order_ids_that_come_unasked_only_ever_raise_our_mark():
    """5000, 1, 5000 in the middle of a session: no id twice, none lower than one before."""
    desk = VirtualDesk("order-id-unasked").ready()
    keys = []
    for shares in range(1, 9):
        keys.append(desk.place(quantity=shares))
        desk.run(0.75)

    assert all(desk.replies[key].accepted for key in keys)
    ids = [placement.order_id for placement in desk.gateways["primary"].placements]
    assert len(ids) == len(keys)
    assert all(later > earlier for earlier, later in pairwise(ids))
    assert ids[0] < 5000 <= ids[-1]
    assert len(desk.opens) == 1


@pytest.mark.fault("B19")
def test_a_live_account_in_a_paper_environment_stops_the_desk_for_good():
    """Critical at once; nothing is asked and nothing is sent, and no connection is made again."""
    desk = VirtualDesk("another-account")
    desk.run(600)

    [alert] = desk.raised("link/halted")
    assert alert.severity == "critical"
    assert "U7654321" in alert.text
    assert desk.link.halted
    assert desk.sends == []
    assert len(desk.opens) == 1
    assert not desk.replies[desk.place()].accepted
    assert desk.gateways["primary"].placements == []


@pytest.mark.fault("B19")
def test_accounts_that_are_not_exactly_the_expected_ones_stop_the_desk():
    """A paper account, but not the one that is configured."""
    desk = VirtualDesk(accounts_expected=("DU7777777",))
    desk.run(60)

    assert desk.link.halted
    assert desk.raised("link/halted")
    assert desk.sends == []


@pytest.mark.fault("B19")
def test_accounts_may_come_behind_the_order_id():
    """Real gateways send both orders: the session is ready when both are known."""
    desk = VirtualDesk("accounts-after-ids").ready()

    assert desk.replies[desk.place()].accepted
    assert desk.gate() == []


def many(scenario: str) -> VirtualDesk:
    """Thirty instruments: more messages at the start than the scenario lets pass."""
    symbols = tuple(each.symbol for each in everything() if each.sec_type == "STK")[:30]
    document = {"instruments": [{"symbol": symbol} for symbol in symbols]}
    return VirtualDesk(scenario, document=document, options={"symbols": symbols})


@pytest.mark.fault("B20")
def test_a_complaint_about_our_pace_halves_it_for_a_minute():
    """At most half as much in any second of the next minute, no second complaint, and all data in the end."""
    desk = many("pacing-refused")
    full = desk.engine.pacing.limit(desk.now_ns)
    desk.run_until(lambda: complaints(desk), within_s=10)
    told_ns = desk.now_ns
    halved = desk.engine.pacing.limit(told_ns)
    desk.run_until(lambda: len(desk.engine.market.proven) == 30, within_s=90)

    assert halved <= full / 2
    within = [sent.at_ns for sent in desk.sends if told_ns < sent.at_ns < told_ns + MINUTE_NS]
    assert max(sum(1 for at in within if start <= at < start + SECOND) for start in within) <= full / 2
    desk.run(120)
    assert complaints(desk) == 1
    assert desk.engine.pacing.limit(desk.now_ns) == full
    assert len(desk.opens) == 1


@pytest.mark.fault("B21")
def test_after_three_complaints_and_the_end_of_the_session_a_minute_passes():
    """The gateway has thrown us out for our pace: nobody comes back at once, and somebody is told."""
    desk = VirtualDesk("three-strikes").ready()
    desk.run_until(lambda: not desk.link.ready, within_s=5)
    lost_ns = desk.now_ns
    assert desk.raised("pacing/violated")

    desk.run_until(lambda: desk.link.ready, within_s=70)

    assert desk.opens[1][0] - lost_ns >= MINUTE_NS
    assert len(desk.opens) == 2
    desk.run(120)
    assert desk.gate() == []
    assert len(desk.opens) == 2


def complaints(desk: VirtualDesk) -> int:
    return desk.engine.snapshot(desk.now_ns).counters.get("notice.100", 0)
