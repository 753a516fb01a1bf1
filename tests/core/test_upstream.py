"""A gateway without IB, over several sessions: how long it is borne, and when it is believed again."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.link.link import LinkState
from ibkr_adapter.core.link.upstream_patience import WELL_NS
from ibkr_adapter.core.link.upstream_probe import AGAIN_NS, LOST_FOR_LONG_NS
from ibkr_adapter.events import AlertChanged, LinkChanged
from ibkr_adapter.requests import RequestAllOpenOrders, RequestContractDetails
from ibkr_adapter.snapshot import AlertView
from tests.core.world import A, B, World

FARM_OK = "Market data farm connection is OK:usfarm"


def lost_ib(**changes: object) -> World:
    """Ready for a while, then 1100; what only IB could answer is not answered from then on."""
    world = World(**changes).ready()
    world.wait(2 * MINUTE)
    world.silent.add(RequestContractDetails)
    world.notice(1100)
    return world


def ib_is_back(world: World) -> None:
    """Without a word: it answers the next question."""
    world.silent.discard(RequestContractDetails)
    world.wait(AGAIN_NS)
    world.settle()


def next_session(world: World) -> None:
    """The session that we ended, or that ended, is followed by another; it says nothing of IB."""
    world.lose()
    while world.engine.link.state is not LinkState.CONNECTING:
        world.wait(SECOND)
    world.open()
    world.identify()
    world.settle()


def tried(world: World) -> list[str]:
    return [change.gateway for change in world.told(LinkChanged) if change.state == "connecting"]


def until_closed(world: World, within_ns: int) -> int:
    """Moment by moment until a session is to be ended; how long that took, or the whole time."""
    from_ns, closes = world.now_ns, len(world.closes)
    while len(world.closes) == closes and world.now_ns - from_ns < within_ns:
        world.wait(SECOND)
    return world.now_ns - from_ns


# --- How long it is borne --------------------------------------------------------------------------------------------


def test_recycled_once_and_left_after_its_time_although_each_session_hears_1100_anew():
    """300 s and 600 s: one new session at the gateway, then the standby, and both counted from the first 1100."""
    world = lost_ib(gateways=(A, B), upstream_recycle_ns=5 * MINUTE, upstream_failover_ns=10 * MINUTE)
    lost_ns = world.now_ns
    until_closed(world, 6 * MINUTE)
    assert world.now_ns - lost_ns == 5 * MINUTE
    next_session(world)
    world.notice(1100)
    until_closed(world, 6 * MINUTE)
    assert world.now_ns - lost_ns == 10 * MINUTE
    next_session(world)

    assert tried(world) == ["a", "a", "b"]
    world.wait(60 * MINUTE)
    assert len(world.closes) == 2


def test_left_after_its_time_although_no_session_lasts_so_long():
    """Failover alone, and a gateway whose sessions end every six minutes: the outage is the gateway's."""
    world = lost_ib(gateways=(A, B), upstream_failover_ns=10 * MINUTE)
    world.wait(6 * MINUTE)
    next_session(world)
    world.notice(1100)
    until_closed(world, 6 * MINUTE)
    next_session(world)

    assert tried(world) == ["a", "a", "b"]


def test_a_session_that_begins_behind_the_time_may_say_how_it_is_before_it_is_ended():
    """The time was over while no session stood: the next has ten seconds, and an answer of IB is enough."""
    world = lost_ib(gateways=(A, B), upstream_failover_ns=2 * MINUTE)
    world.wait(2 * MINUTE - SECOND)
    world.silent.discard(RequestContractDetails)
    next_session(world)
    assert world.gate() == []
    world.wait(10 * MINUTE)

    assert world.closes == []


def test_the_time_begins_anew_with_another_outage():
    """Back for a minute is back; only what was lost again at once was never back."""
    world = lost_ib(upstream_recycle_ns=5 * MINUTE)
    world.wait(4 * MINUTE)
    world.notice(1102)
    world.wait(MINUTE)
    world.notice(1100)
    assert until_closed(world, 10 * MINUTE) == 5 * MINUTE


def test_a_greeting_of_farms_before_the_1100_does_not_begin_the_time_anew():
    """A gateway that greets with farms from memory and with 1100 then is in the same outage."""
    world = lost_ib(upstream_recycle_ns=5 * MINUTE)
    world.wait(4 * MINUTE)
    next_session(world)
    world.notice(2104, text=FARM_OK)
    world.wait(WELL_NS // 2)
    world.notice(1100)
    assert until_closed(world, 10 * MINUTE) < MINUTE


def test_of_a_gateway_that_was_left_the_time_is_forgotten():
    """Back at it, it has its whole time again: else two gateways without IB would be changed in a loop."""
    world = lost_ib(gateways=(A, B), upstream_failover_ns=5 * MINUTE)
    until_closed(world, 6 * MINUTE)
    next_session(world)
    world.notice(1100)
    assert until_closed(world, 10 * MINUTE) == 5 * MINUTE
    next_session(world)
    world.notice(1100)
    assert until_closed(world, 10 * MINUTE) >= 5 * MINUTE - SECOND
    assert tried(world) == ["a", "b", "a"]


# --- When it is believed again ---------------------------------------------------------------------------------------


def test_a_new_session_that_hears_1100_stays_closed_until_1102():
    """The gateway repeats it to newcomers: farms that are well do not lift it."""
    world = lost_ib()
    next_session(world)
    assert world.gate() == ["upstream"]
    world.notice(1100)
    world.notice(2104, text=FARM_OK)
    world.wait(MINUTE)
    assert world.gate() == ["upstream"]
    world.notice(1102)
    world.settle()
    assert world.gate() == []


@pytest.mark.parametrize("code", [1101, 1102])
def test_one_word_for_ib_opens_a_new_session(code: int):
    """And what was asked in doubt is asked again."""
    world = lost_ib()
    next_session(world)
    assert world.engine.link.ready
    assert world.gate() == ["upstream"]
    lists = len(world.requests(RequestAllOpenOrders))

    world.notice(code)
    world.settle()

    assert world.gate() == []
    assert world.engine.planes.upstream == "connected"
    assert len(world.requests(RequestAllOpenOrders)) == lists + 1


@pytest.mark.parametrize("code", [2104, 2106, 2158])
def test_a_farm_that_is_well_speaks_for_itself(code: int):
    """Orders go another way than its data: a gateway may greet with its farms, and keep an order until IB is back."""
    world = lost_ib()
    next_session(world)
    world.notice(code, text=FARM_OK)
    world.wait(10 * MINUTE)

    assert world.gate() == ["upstream"]


def test_an_answer_of_ib_opens_a_new_session():
    """Asked twice a minute about a contract that nobody asked for before; its answer is nobody's details."""
    world = lost_ib()
    next_session(world)
    world.wait(5 * AGAIN_NS)
    probes = [r for r in world.requests(RequestContractDetails) if r.instrument.symbol != "SPY"]
    assert len(probes) == len({r.instrument.symbol for r in probes}) == 6
    assert world.gate() == ["upstream"]
    lists = len(world.requests(RequestAllOpenOrders))

    ib_is_back(world)

    assert world.gate() == []
    assert world.engine.planes.upstream == "connected"
    assert len(world.requests(RequestAllOpenOrders)) == lists + 1
    assert set(world.engine.market.contracts.unknown) == set()


def test_an_error_is_no_answer_of_ib():
    """A gateway without IB does not know the contract, and may say so itself."""
    world = lost_ib()
    next_session(world)
    world.notice(200, world.requests(RequestContractDetails)[-1].req_id, "No security definition has been found")
    world.settle()

    assert world.gate() == ["upstream"]


def test_a_service_that_starts_during_an_outage_doubts_its_gateway():
    """An earlier life raised the alert and did not end it."""
    alert = AlertView(key="upstream/lost", severity="critical", text="", remedy="", since_ns=0, raised=True)
    world = World(open_alerts=(alert,))
    world.silent.add(RequestContractDetails)
    world.ready()
    assert world.gate() == ["upstream"]
    ib_is_back(world)
    assert world.gate() == []


# --- When nobody says that it is back --------------------------------------------------------------------------------


def test_an_answer_of_ib_behind_a_1100_that_nobody_ended_makes_a_new_session():
    """Five minutes it is believed; then IB answers, although it is said to be lost."""
    world = lost_ib()
    world.silent.discard(RequestContractDetails)

    assert until_closed(world, 10 * MINUTE) == LOST_FOR_LONG_NS
    next_session(world)
    assert world.gate() == []


def test_a_gateway_that_is_lost_for_good_keeps_its_session():
    """It does not answer, so nothing contradicts it."""
    world = lost_ib()
    world.wait(60 * MINUTE)
    assert world.closes == []


def test_silence_opens_nothing_and_is_told():
    """Lists are answered, no tick comes, nothing is said of IB: closed for as long as that lasts, and one alert."""
    world = lost_ib()
    next_session(world)
    world.wait(60 * MINUTE)

    assert world.gate() == ["upstream"]
    assert world.engine.snapshot(world.now_ns).upstream == "doubted"
    assert world.engine.snapshot(world.now_ns).proven == ()
    told = [alert for alert in world.told(AlertChanged) if alert.key == "upstream/lost"]
    assert [alert.raised for alert in told] == [True]


def test_data_that_goes_on_coming_opens_nothing():
    """Ticks are of a farm, and no farm takes orders."""
    world = lost_ib()
    next_session(world)
    for second in range(60):
        world.tell(world.price(1, 500.0 + second / 100))
        world.wait(SECOND)
    world.settle()

    assert world.gate() == ["upstream"]


def test_another_gateway_is_not_doubted_and_the_first_one_still_is():
    """What one gateway lost says nothing of the other; back at the first, it has to show that it is well."""
    world = lost_ib(gateways=(A, B), upstream_failover_ns=5 * MINUTE)
    until_closed(world, 6 * MINUTE)
    next_session(world)
    world.quote()
    assert (world.engine.link.gateway.name, world.gate()) == ("b", [])

    while world.engine.link.gateway.name == "b":
        world.lose()
        world.wait(MINUTE)
    world.open()
    world.identify()
    world.settle()
    assert "upstream" in world.gate()
