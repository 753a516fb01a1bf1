"""Nights as a gateway lives them: restarts that are planned, late, doubled, endless, and the login of a Sunday."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.events import FrameSent
from ibkr_adapter.requests import SendOrder
from tests.faults.gap_oracle import GapOracle
from tests.faults.pairs import became, do, incidents, logins, pair
from tests.faults.virtual_desk import VirtualDesk, new_york
from tws_simulator.faults.reading import read_scenario

NIGHTS = ["2026-03-05", "2026-03-08", "2026-11-01", "2026-11-26"]
"""An ordinary one, both changes of the clock, Thanksgiving."""

WELL: dict[str, Any] = {"options": {"maintain_orders": False}}
QUIET: dict[str, Any] = {"tick_s": 1, "options": {"maintain_orders": False, "always_open": False}}
"""Where data does not matter a market with hours passes faster."""

NOBODY_LOGS_IN = read_scenario(
    {"name": "nobody-logs-in", "description": "The port is closed for good.", "step": [{"do": "port_down"}]}
)


def minutes(desk: VirtualDesk, until: str) -> Iterator[str]:
    """Let the night pass, with an order each minute; what became of each."""
    end_ns = new_york(until)
    while desk.now_ns < end_ns:
        reply = desk.replies[desk.place(quantity=1 + len(desk.replies) % 50)]
        yield "sent" if reply.accepted else reply.reasons[0].code
        desk.run(60)


def port_opens(desk: VirtualDesk, gateway: str = "primary") -> None:
    """To the moment at which the gateway's port, now closed, takes connections again."""
    door = desk.gateways[gateway].core.state.door
    desk.run_until(lambda: not door.is_open, within_s=3600)
    desk.run_until(lambda: door.is_open, within_s=3600)


@pytest.mark.fault("B22", "F10")
@pytest.mark.parametrize("day", NIGHTS)
def test_the_daily_restart_is_expected(day: str):
    """Nobody is told, the desk is ready five seconds after the port opens, and its loss is one gap of each stream."""
    desk = VirtualDesk("daily-restart", start=f"{day} 04:43", tick_s=0.5, **WELL)
    oracle = GapOracle(desk)
    desk.ready()
    port_opens(desk)
    assert 0 <= desk.now_ns - new_york(f"{day} 04:46") <= SECOND
    assert desk.run_until(lambda: desk.link.ready, within_s=60) <= 5
    desk.run(90)

    assert incidents(desk) == []
    assert len(became(desk, "ready")) == 2
    assert len(desk.gaps) == 2
    oracle.check()


@pytest.mark.fault("B22", "F10")
@pytest.mark.parametrize("day", NIGHTS[:3])
def test_no_order_is_sent_from_a_minute_before_the_window_to_its_end(day: str):
    """The gate closes at 04:44 on the wall, on days of 23 and 25 hours too, and no frame of an order leaves."""
    desk = VirtualDesk("daily-restart", start=f"{day} 04:40", tick_s=10, **WELL)
    desk.ready()
    sunday = day in ("2026-03-08", "2026-11-01")
    replies = list(minutes(desk, f"{day} 05:35"))

    assert replies[:4] == (["restart_window"] * 4 if sunday else ["sent"] * 4)
    assert set(replies[4:49]) <= {"restart_window", "link"}
    closed_ns, opened_ns = new_york(f"{day} 04:44"), new_york(f"{day} 05:30")
    frames = [event.ts_recv_ns for event in desk.journal if isinstance(event, FrameSent)]
    sent = [sent.at_ns for sent in desk.sends if isinstance(sent.request, SendOrder)]
    assert [ns for ns in (*frames, *sent) if closed_ns <= ns < opened_ns] == []
    placed = [
        placement for placement in desk.gateways["primary"].placements if closed_ns <= placement.ts_ns < opened_ns
    ]
    assert placed == []
    if sunday:
        assert sent == [], "the window of the login goes on until noon"
    else:
        assert replies[-1] == "sent"


@pytest.mark.fault("B23")
@pytest.mark.parametrize("day", NIGHTS)
@pytest.mark.parametrize("standby", [False, True], ids=["alone", "with a standby"])
def test_a_restart_that_is_late_and_comes_twice_is_no_failure(day: str, standby: bool):
    """At 05:05 and 05:15: nobody is told, no failover begins, and each time the desk is ready within five seconds."""
    make = pair if standby else VirtualDesk
    desk = make("restart-late-and-twice", start=f"{day} 05:04", tick_s=1, **WELL)
    oracle = GapOracle(desk)
    desk.ready()
    for _ in range(2):
        port_opens(desk)
        assert desk.run_until(lambda: desk.link.ready, within_s=60) <= 5
    desk.run(60)

    assert incidents(desk) == []
    assert set(logins(desk)) == {"primary"}
    assert len(desk.gaps) == 4
    oracle.check()


@pytest.mark.fault("B24")
@pytest.mark.parametrize("day", ["2026-03-05", "2026-11-26"])
def test_a_gateway_that_does_not_come_back_is_told_after_ten_minutes(day: str):
    """Not sooner, once, and it is over when somebody has logged in; every five seconds it was tried."""
    desk = VirtualDesk("restart-that-never-returns", start=f"{day} 04:44", **QUIET)
    desk.ready(quotes=False).run_until(lambda: incidents(desk), within_s=15 * 60)

    lost_ns = new_york(f"{day} 04:45")
    assert [alert.key for alert in incidents(desk)] == ["link/down"]
    assert 10 * MINUTE <= desk.now_ns - lost_ns <= 10 * MINUTE + 30 * SECOND
    assert len([at_ns for at_ns, _ in desk.opens if lost_ns < at_ns <= lost_ns + 10 * MINUTE]) >= 118

    do(desk, "port_up")
    desk.run_until(lambda: desk.link.ready, within_s=60)
    desk.run(45)
    assert len(desk.raised("link/down")) == len(desk.resolved("link/down")) == 1


@pytest.mark.fault("B24")
@pytest.mark.parametrize("day", ["2026-03-05", "2026-11-26"])
def test_with_a_standby_the_desk_moves_when_the_window_is_over(day: str):
    """The page comes after ten minutes; not a single attempt there before 05:30, then within 22 seconds."""
    desk = pair("restart-that-never-returns", start=f"{day} 04:44", **QUIET)
    desk.ready(quotes=False)
    desk.run((new_york(f"{day} 05:30") - 1 - desk.now_ns) / SECOND)
    assert set(logins(desk)) == {"primary"}
    assert [alert.key for alert in incidents(desk)] == ["link/down"]
    assert incidents(desk)[0].ts_recv_ns - new_york(f"{day} 04:55") <= 30 * SECOND
    desk.run_until(lambda: desk.link.ready, within_s=22)

    assert desk.link.gateway.name == "secondary"
    assert {alert.key for alert in incidents(desk)} == {"link/down", "link/standby"}
    assert [alert.severity for alert in desk.raised("link/standby")] == ["critical"]
    desk.run(60)
    assert len(desk.resolved("link/down")) == 1


@pytest.mark.fault("B24")
@pytest.mark.parametrize("day", ["2026-03-05", "2026-11-26"])
def test_a_slow_restart_does_not_cost_the_gateway_that_trades(day: str):
    """Away from 04:45 to 04:57: told after ten minutes, back at the primary, and orders go there at 05:30."""
    desk = pair("restart-that-never-returns", start=f"{day} 04:44", **QUIET)
    desk.ready(quotes=False)
    desk.run((new_york(f"{day} 04:57") - desk.now_ns) / SECOND)
    do(desk, "port_up")
    assert desk.run_until(lambda: desk.link.ready, within_s=60) <= 5
    desk.run((new_york(f"{day} 05:31") - desk.now_ns) / SECOND)

    assert set(logins(desk)) == {"primary"}
    assert [alert.key for alert in incidents(desk)] == ["link/down"]
    assert len(desk.resolved("link/down")) == 1
    assert "standby" not in desk.gate()


@pytest.mark.fault("B24", "F10")
@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-11-22"])
@pytest.mark.parametrize("standby", [False, True], ids=["alone", "with a standby"])
def test_on_a_sunday_the_login_is_waited_for(day: str, standby: bool):
    """A service that starts first waits in peace, says for what, and is ready five seconds after the login."""
    make = pair if standby else VirtualDesk
    desk = make("weekly-login", start=f"{day} 07:00", **QUIET)
    desk.run(5 * 60)
    assert "sunday_login" in str(desk.engine.snapshot(desk.now_ns).gate)
    assert desk.engine.snapshot(desk.now_ns).link.excuse == "sunday_login"
    port_opens(desk)
    assert desk.run_until(lambda: desk.link.ready, within_s=60) <= 5
    desk.run(60)

    assert incidents(desk) == []
    assert set(logins(desk)) == {"primary"}


@pytest.mark.fault("B24", "F10")
@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_a_login_that_nobody_makes_is_told_before_the_week_begins(day: str):
    """At noon on the wall; a standby is used then, and not a minute before."""
    desk = pair(NOBODY_LOGS_IN, start=f"{day} 11:50", **QUIET)
    desk.run((new_york(f"{day} 12:00") - 1 - desk.now_ns) / SECOND)
    assert set(logins(desk)) == {"primary"}
    assert incidents(desk) == []
    desk.run_until(lambda: desk.link.ready, within_s=22)

    assert desk.link.gateway.name == "secondary"
    assert "link/down" in [alert.key for alert in incidents(desk)]


@pytest.mark.fault("B25")
def test_an_order_lost_in_a_restart_nobody_planned_is_in_question_and_never_sent_again():
    """Lists find in the end that it is not there; its id, to which the gateway goes back, serves no other order."""
    unplanned = {"gateways": {"primary": {"port": 4002, "windows": []}}}
    desk = VirtualDesk("orders-lost-at-restart", start="2026-03-05 04:44", tick_s=0.05, document=unplanned, **WELL)
    desk.ready()
    desk.run((new_york("2026-03-05 04:45") - desk.now_ns) / SECOND - 0.1)
    lost = desk.place()
    desk.run_until(lambda: "link" in desk.gate(), within_s=1)
    order = desk.engine.ledger.orders.of(lost)
    assert order is not None
    assert order.state == "in_doubt"
    desk.run_until(lambda: order.state == "not_found", within_s=180)
    later = desk.place(quantity=7)
    desk.run(5)

    first, second = desk.sent(SendOrder)
    assert second.order_id > first.order_id
    assert [placement.order_id for placement in desk.gateways["primary"].placements] == [second.order_id]
    assert desk.engine.ledger.orders.of(later).state == "filled"


@pytest.mark.fault("B25")
def test_just_before_a_planned_restart_no_order_is_taken():
    """In the last 200 milliseconds the gate has been closed for a minute."""
    desk = VirtualDesk("orders-lost-at-restart", start="2026-03-05 04:44", **WELL).ready()
    desk.run((new_york("2026-03-05 04:45") - desk.now_ns) / SECOND - 0.1)

    assert "restart_window" in [reason.code for reason in desk.replies[desk.place()].reasons]
    assert desk.sent(SendOrder) == []
