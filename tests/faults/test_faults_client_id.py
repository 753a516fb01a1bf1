"""Who we are at the gateway: its port, our client id, the lease of it, and the ids of our orders."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.events import ClientIdRefused, LeaseChanged, OrderIntended
from ibkr_adapter.requests import SendOrder
from tests.faults.pairs import incidents
from tests.faults.virtual_desk import VirtualDesk
from tws_simulator.faults.reading import read_scenario

MINUTE_NS = 60 * SECOND

RESTARTED_WITH_OLDER_IDS = read_scenario(
    {
        "name": "restarted-with-older-ids",
        "description": "A minute in, the connection ends, and the next greeting names an order id four lower.",
        "step": [
            {"when": {"connection": 2}, "do": "set_back_ids", "by": 4},
            {"when": {"at_s": 60}, "do": "close"},
        ],
    }
)


def told_lease(desk: VirtualDesk, *, held: bool, epoch: int = 1) -> None:
    detail = "held by one" if held else "Redis does not answer"
    desk.tell(LeaseChanged(ts_recv_ns=desk.now_ns, held=held, epoch=epoch, detail=detail))
    desk.settle()


def pauses_ns(desk: VirtualDesk) -> list[int]:
    """Between one attempt to connect and the next."""
    return [later - earlier for (earlier, _), (later, _) in pairwise(desk.opens)]


def placed(desk: VirtualDesk) -> list[tuple[int, str]]:
    """Order ids and references that the gateway was asked to place, in order."""
    return [(each.order_id, each.order_ref) for each in desk.gateways["primary"].placements]


@pytest.mark.fault("B10")
def test_a_port_that_the_gateway_names_is_told_and_never_followed():
    """1300: critical at once, with the words of the gateway; every attempt goes to the configured port."""
    desk = VirtualDesk("socket-port-changed").ready()
    start_ns = desk.now_ns
    desk.run_until(lambda: desk.raised("link/port_changed"), within_s=5)
    [alert] = desk.raised("link/port_changed")
    assert alert.severity == "critical"
    assert "7999" in alert.text

    desk.run(60)

    addresses = [change.detail for change in desk.states if change.state == "connecting"]
    assert len(addresses) == len(desk.opens) == 2
    assert set(addresses) == {"connecting to 127.0.0.1:4002"}
    assert desk.link.ready
    assert alert.ts_recv_ns - start_ns <= 5 * SECOND


@pytest.mark.fault("B11")
def test_a_client_id_in_use_is_tried_once_a_minute_and_told_at_once():
    """326 until the gateway has noticed that its client left: critical within five seconds, no other id is tried."""
    desk = VirtualDesk("client-id-in-use")
    start_ns = desk.now_ns
    desk.run_until(lambda: desk.link.ready, within_s=70)
    desk.run(60)

    assert min(pauses_ns(desk)) >= MINUTE_NS
    assert len(desk.opens) == 2
    [alert] = desk.raised("client_id/326")
    assert alert.severity == "critical"
    assert alert.ts_recv_ns - start_ns <= 5 * SECOND
    assert desk.resolved("client_id/326")
    assert {event.client_id for event in desk.journal if isinstance(event, ClientIdRefused)} == {desk.config.client_id}
    assert {change.state for change in desk.states if change.epoch == 1} == {"connecting", "identifying", "down"}


@pytest.mark.fault("B12")
def test_a_client_id_that_was_taken_from_us_is_not_fought_for():
    """Thrown out, then 326 for ten minutes: one attempt a minute; the second refusal is critical, with its cause."""
    desk = VirtualDesk("client-id-stolen").ready()
    desk.run_until(lambda: not desk.link.ready, within_s=5)
    lost_ns = desk.now_ns
    desk.run_until(lambda: desk.raised("client_id/326"), within_s=5)
    assert desk.raised("client_id/326")[0].severity == "warning", "it may be our own session, not given up yet"
    desk.run_until(lambda: len(desk.raised("client_id/326")) == 2, within_s=65)
    assert desk.raised("client_id/326")[1].severity == "critical"
    assert "by a program unknown to us" in desk.raised("client_id/326")[1].text

    desk.run_until(lambda: desk.link.ready, within_s=720)

    attempts = [at_ns for at_ns, _ in desk.opens if at_ns >= lost_ns]
    assert min(later - earlier for earlier, later in pairwise(attempts)) >= MINUTE_NS
    assert len(attempts) <= 12
    assert {alert.key for alert in incidents(desk)} == {"client_id/326"}, "one cause, one incident"
    assert desk.story("client_id/326") == [True]
    desk.run(40)
    assert desk.resolved("client_id/326")


@pytest.mark.fault("B12")
def test_after_326_nothing_is_attempted_while_the_lease_is_not_ours():
    """Where machines share the id: an attempt that falls due without the lease waits until it is held again."""
    desk = VirtualDesk("client-id-stolen", lease_required=True)
    desk.run(10)
    assert desk.opens == [], "nor at the start"
    told_lease(desk, held=True)
    desk.run_until(lambda: desk.raised("client_id/326"), within_s=10)
    told_lease(desk, held=False)
    attempts = len(desk.opens)

    desk.run(300)
    assert len(desk.opens) == attempts

    told_lease(desk, held=True, epoch=2)
    desk.run(90)
    assert len(desk.opens) > attempts
    assert min(pauses_ns(desk)[1:]) >= MINUTE_NS


@pytest.mark.fault("B15")
def test_a_gateway_whose_order_ids_go_back_is_told_of_and_not_followed():
    """No id is used twice: our own mark goes on, one warning says that the gateway's went back."""
    desk = VirtualDesk(RESTARTED_WITH_OLDER_IDS).ready()
    keys = [desk.place(quantity=shares) for shares in range(1, 7)]
    desk.run_until(lambda: len(desk.opens) == 2, within_s=70)
    desk.ready()
    keys += [desk.place(quantity=shares) for shares in range(11, 14)]
    desk.run(5)

    assert all(desk.replies[key].accepted for key in keys)
    ids = [order_id for order_id, _ in placed(desk)]
    assert len(ids) == len(set(ids)) == 9
    assert ids == sorted(ids)
    [alert] = desk.raised("order_ids/went_back")
    assert alert.severity == "warning"
    assert alert.text == f"the gateway names {ids[5] - 3} as next order id and had named {ids[5] + 1} before"


@pytest.mark.fault("B15")
def test_a_life_that_begins_with_older_ids_knows_its_own_from_the_journal():
    """The service starts anew, the gateway too, and names an id that was used: the first order is above all of them."""
    first = VirtualDesk().ready()
    for shares in range(1, 7):
        first.place(quantity=shares)
    first.run(5)
    used = [intent.order_id for intent in first.journal if isinstance(intent, OrderIntended)]

    second = VirtualDesk(journal=first.journal, start="2026-03-03 10:30").ready()
    second.place(quantity=20)
    second.run(2)

    assert [request.order_id for request in second.sent(SendOrder)] == [max(used) + 1]
    assert second.raised("order_ids/went_back")


@pytest.mark.fault("B16")
def test_order_ids_that_jump_are_followed():
    """A million higher: the next order has the id that the gateway named, and nobody is bothered."""
    desk = VirtualDesk("order-id-jumps").ready()
    keys = [desk.place(quantity=shares) for shares in (1, 2)]
    desk.run(5)

    assert all(desk.replies[key].accepted for key in keys)
    assert [order_id for order_id, _ in placed(desk)] == [1_000_001, 1_000_002]
    assert [alert.key for alert in desk.raised() if alert.key.startswith("order_ids/")] == []


@pytest.mark.fault("B16")
def test_near_the_end_of_order_ids_every_order_is_refused_and_somebody_told():
    """Fifty below 2**31: nothing overflows, nothing is sent with an id that the gateway would refuse."""
    desk = VirtualDesk("order-id-near-its-end").ready()
    key = desk.place()
    desk.run(30)

    assert "order_ids" in [reason.code for reason in desk.replies[key].reasons]
    assert desk.sent(SendOrder) == []
    assert placed(desk) == []
    [alert] = desk.raised("order_ids/used_up")
    assert alert.severity == "critical"
    assert "2147483600" in alert.text
