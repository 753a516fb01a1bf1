"""What the core makes of the lease between machines."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.alerts import AlertSeverity
from ibkr_adapter.core.link.link import LinkState
from ibkr_adapter.events import AlertChanged, ClientIdRefused, LeaseChanged
from ibkr_adapter.requests import SendCancel, SendOrder
from tests.core.world import World


def told(world: World, *, held: bool, epoch: int = 1, lost: bool = False, detail: str = "words") -> None:
    world.tell(LeaseChanged(ts_recv_ns=world.now_ns, held=held, epoch=epoch, lost=lost, detail=detail))


def shared() -> World:
    """A world whose client id is shared and at present ours."""
    world = World(lease_required=True)
    told(world, held=True)
    return world.ready()


def test_who_stands_by_makes_no_connection_and_no_alarm() -> None:
    """It waits for as long as it takes, says who has the client id, and connects as soon as it is ours."""
    world = World(lease_required=True)
    told(world, held=False, detail="held by desk-b")
    world.wait(3_600 * SECOND)
    assert world.opens == []
    assert world.engine.snapshot(world.now_ns).lease.detail == "held by desk-b"
    assert not [alert for alert in world.told(AlertChanged) if alert.key.startswith("lease")]

    told(world, held=True)

    assert world.opens == [1]


def test_without_the_lease_nothing_is_placed_and_everything_cancelled() -> None:
    """Doubt closes the gate at once; the session stands, and what works can be cancelled."""
    world = shared()
    order = world.working("k1")
    told(world, held=False, detail="Redis does not answer")

    assert "lease" in world.gate()
    world.place("k2", sell=True)
    assert [reason.code for reason in world.replies["c-k2"].reasons] == ["lease"]
    outcome = world.cancel("k1")
    assert outcome is not None
    assert outcome.accepted
    assert [request.order_id for request in world.requests(SendCancel)] == [order.order_id]
    assert world.engine.link.ready
    world.wait(2 * SECOND)
    alert = world.told(AlertChanged)[-1]
    assert (alert.key, alert.severity, alert.raised) == ("lease/lost", AlertSeverity.CRITICAL, True)


def test_a_doubt_of_a_moment_closes_the_gate_and_wakes_nobody() -> None:
    """A Redis that is back within two seconds is no incident."""
    world = shared()
    told(world, held=False)
    world.wait(1 * SECOND)
    told(world, held=True)
    world.wait(60 * SECOND)
    assert not [alert for alert in world.told(AlertChanged) if alert.key.startswith("lease")]


def test_a_standby_that_sees_nothing_says_so() -> None:
    """It would take over from nobody: that is told after half a minute, and ends when Redis is back."""
    world = World(lease_required=True)
    world.tell(LeaseChanged(ts_recv_ns=world.now_ns, held=False, epoch=0, detail="Redis is away", blind=True))
    world.wait(29 * SECOND)
    assert world.told(AlertChanged) == []
    world.wait(2 * SECOND)
    assert [(alert.key, alert.raised) for alert in world.told(AlertChanged)] == [("lease/blind", True)]
    told(world, held=False, detail="held by desk-b")
    world.wait(60 * SECOND)
    assert not world.told(AlertChanged)[-1].raised


def test_a_placement_on_its_way_to_the_disk_is_held_back() -> None:
    """The second look sees the lease that the first one had."""
    world = shared()
    world.disk_works = False
    world.place("k1")
    told(world, held=False)
    world.disk_works = True
    world.settle()
    assert world.requests(SendOrder) == []
    assert [reason.code for reason in world.replies["c-k1"].reasons] == ["lease"]


def test_a_doubt_that_passes_opens_the_gate_again() -> None:
    """The same session goes on, under the epoch that it is told."""
    world = shared()
    told(world, held=False)
    told(world, held=True, epoch=2)
    assert world.gate() == []
    assert world.engine.snapshot(world.now_ns).lease.epoch == 2


@pytest.mark.fault("B12")
def test_a_session_that_ends_in_doubt_is_not_followed_by_another() -> None:
    """Who lost its session while the lease was not its own stays out until it is."""
    world = shared()
    told(world, held=False)
    world.lose()
    opened = len(world.opens)
    world.wait(600 * SECOND)
    assert len(world.opens) == opened
    told(world, held=True, epoch=3)
    world.wait(1 * SECOND)
    assert len(world.opens) == opened + 1


@pytest.mark.fault("B13")
def test_a_lease_that_another_took_ends_the_session_for_good() -> None:
    """It is closed at once, and nothing is cancelled on the way out: those orders are the other's now."""
    world = shared()
    sent = len(world.sent)
    told(world, held=False, epoch=2, lost=True, detail="desk-b took it")
    assert world.closes == [(1, "the lease is lost: desk-b took it")]
    world.lose()
    world.wait(600 * SECOND)
    assert world.engine.link.state is LinkState.DOWN
    assert world.opens == [1]
    assert len(world.sent) == sent
    assert world.engine.left


def test_every_change_of_the_lease_is_journaled() -> None:
    """And a journal that holds them is recovered like any other."""
    world = shared()
    told(world, held=False)
    told(world, held=True, epoch=2)
    assert [(event.held, event.epoch) for event in world.facts(LeaseChanged)] == [(True, 1), (False, 1), (True, 2)]
    world.settle()
    assert world.restarted(lease_required=True).engine.lease.held is False


@pytest.mark.fault("B11")
def test_a_refused_client_id_is_journaled_with_where_it_was_refused() -> None:
    """326, from which the table of uses is made."""
    world = World()
    world.open()
    world.notice(326, text="already in use")
    (refused,) = world.facts(ClientIdRefused)
    assert (refused.client_id, refused.gateway, refused.detail) == (1, "a", "already in use")
    assert refused.address == world.engine.link.gateway.address
