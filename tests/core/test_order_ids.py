"""Order ids only go up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.alerts import AlertSeverity
from ibkr_adapter.core.trading.order_ids import OrderIds
from ibkr_adapter.events import AlertChanged, LossCause, NextValidId
from ibkr_adapter.instruments import Instrument
from tests.core.world import A, B, World, echoed


def test_the_next_id_is_above_all_that_were_used_named_or_seen():
    """The highest of them wins, whoever brought it."""
    ids = OrderIds()
    ids.named_next(100)
    assert ids.take() == 100
    ids.seen(500)
    assert ids.take() == 501
    ids.named_next(300)
    assert ids.take() == 502


def test_a_gateway_that_goes_back_is_not_followed():
    """After a reset it may say 38099 where 38103 was used: our mark stays, and the step back is told."""
    ids = OrderIds()
    ids.named_next(38103)
    ids.take()

    assert not ids.named_next(38099)

    assert ids.take() == 38104


def test_a_step_back_of_the_gateway_is_counted():
    """The operator sees it among the counters."""
    world = World().ready()
    world.place()
    world.place("k2", market=True)

    world.tell(world.named(NextValidId, order_id=5))

    assert world.engine.snapshot(world.now_ns).counters["order_ids_went_back"] == 1


def test_a_greeting_that_goes_back_is_one_warning_and_not_followed():
    """B15: 38103, then 38099: told once for each session that begins so, and the next order is above all before."""
    world = World().ready()
    world.say(echoed("k9", 38102))
    world.next_id = 38099
    world.reconnect()

    [alert] = [alert for alert in world.told(AlertChanged) if alert.key == "order_ids/went_back"]
    assert alert.text == "the gateway names 38099 as next order id and had named 38103 before"
    assert world.engine.ledger.order_ids.take() == 38103
    world.wait(6 * MINUTE)
    assert [a.raised for a in world.told(AlertChanged) if a.key == "order_ids/went_back"] == [True, False]


def test_what_others_use_is_no_step_back():
    """Next ids are per client: that of another client is higher as a rule, and ours is greeted with its own."""
    ids = OrderIds()
    ids.greeted(11, 1)
    ids.seen_of_others(5000)
    ids.greeted(11, 2)

    assert list(ids.conditions(2)) == []
    assert ids.last == 5000


def test_a_next_id_among_those_of_requests_leaves_none_until_it_is_reset():
    """B16: any id below would be refused, and none above is ours to use."""
    ids = OrderIds()
    ids.named_next(11)
    ids.named_next(2_147_483_600)

    assert ids.used_up
    assert [(c.key, c.severity) for c in ids.conditions(1)] == [("order_ids/used_up", AlertSeverity.CRITICAL)]

    ids.named_next(12)

    assert not ids.used_up
    assert ids.take() == 12


def test_the_pinned_subscriptions_id_is_skipped():
    """9001 belongs to depth, and errors name ids without saying whose they are."""
    ids = OrderIds()
    ids.named_next(9000)

    assert [ids.take(), ids.take()] == [9000, 9002]


@pytest.mark.parametrize("order_id", [1_000_000_000, 2_147_483_647, -1, -7])
def test_ids_out_of_our_range_do_not_move_the_mark(order_id: int):
    """Manual orders have negative ids; ids of requests are not ids of orders."""
    ids = OrderIds()
    ids.named_next(11)

    ids.seen(order_id)

    assert ids.take() == 11


def test_the_ids_of_other_clients_push_ours_up():
    """IB wants a new id above every id seen on any order."""
    world = World().ready()
    world.say(echoed("", order_id=400, client_id=7, perm_id=99, instrument=Instrument(symbol="IBM")))

    outcome = world.place()

    assert outcome is not None
    assert outcome.order_id == 401


def test_used_ids_survive_a_restart():
    """The journal is the mark: a gateway that forgot does not make us reuse an id."""
    world = World().ready()
    world.place()
    later = world.restarted()
    later.next_id = 1
    later.ready()

    outcome = later.place("k2", sell=True)

    assert outcome is not None
    assert outcome.order_id == 12


def test_another_gateway_names_ids_of_its_own():
    """After a failover it counts lower, and nobody is told; our own mark goes on over both."""
    world = World(gateways=(A, B)).ready()
    world.place()
    world.next_id = 3
    while world.engine.link.gateway.name == "a":
        world.lose(LossCause.REFUSED)
        world.wait(60 * SECOND)
    world.connect()
    world.wait(SECOND)

    assert world.engine.link.gateway.name == "b"
    assert [alert.key for alert in world.told(AlertChanged) if alert.key == "order_ids/went_back"] == []
    assert world.engine.ledger.order_ids.take() == 12


@pytest.mark.parametrize(("later", "told"), [(3, False), (2, True)])
def test_a_gateway_is_held_against_what_it_named_itself(later: int, told: bool):
    """In an earlier session, or an earlier life: the journal says with which gateway."""
    ids = OrderIds()
    for gateway, order_id in (("a", 50), ("b", 3), ("a", 50), ("b", later)):
        ids.session_opened(gateway)
        ids.greeted(order_id, 7)

    assert bool(list(ids.conditions(7))) is told


@given(st.lists(st.tuples(st.sampled_from(["take", "named", "seen"]), st.integers(-10, 20_000))))
def test_no_id_is_ever_given_twice(steps: list[tuple[str, int]]):
    """Whatever the gateway names and whoever is seen, what we take strictly grows and is never reserved."""
    ids = OrderIds()
    taken = []
    for step, number in steps:
        if step == "take":
            taken.append(ids.take())
        elif step == "named":
            ids.named_next(number)
        else:
            ids.seen(number)

    assert all(earlier < later for earlier, later in pairwise(taken))
    assert 9001 not in taken
