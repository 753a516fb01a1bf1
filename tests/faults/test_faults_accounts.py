"""Accounts that are not ours in the middle of a session or at the standby, and what a standby changes for the rest."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.requests import SendOrder
from tests.faults.pairs import do, pair
from tests.faults.virtual_desk import VirtualDesk

SYMBOLS = ("SPY", "QQQ", "IWM", "AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA")


@pytest.mark.fault("B19")
@pytest.mark.parametrize("how", ["instead", "besides ours", "at a reconnect"])
def test_a_live_account_in_mid_session_stops_a_paper_desk_for_good(how: str):
    """With an order working: not a byte follows, no connection is made again, and somebody is told at once."""
    desk = VirtualDesk().ready()
    assert desk.replies[desk.place()].accepted
    desk.run(2)
    own = desk.gateways["primary"].core.state.world.first_account
    told = {"accountsList": f"{own},U7654321" if how == "besides ours" else "U7654321"}
    if how == "at a reconnect":
        do(desk, "replace", names=["managedAccounts"], set=told)
        do(desk, "close")
        desk.run_until(lambda: desk.link.halted, within_s=5)
    else:
        do(desk, "inject", name="managedAccounts", values=told)
    assert desk.link.halted
    [alert] = desk.raised("link/halted")
    assert (alert.severity, alert.ts_recv_ns) == ("critical", desk.now_ns)
    assert "U7654321" in alert.text

    sends, opens = len(desk.sends), len(desk.opens)
    desk.run(10 * 60)
    assert not desk.replies[desk.place()].accepted
    assert (len(desk.sends), len(desk.opens)) == (sends, opens)
    assert desk.open_sessions == []
    assert desk.link.halted
    assert desk.resolved("link/halted") == []


@pytest.mark.fault("B19")
@pytest.mark.parametrize("accounts", ["DU7777777", "{own},DU7777777"])
def test_a_list_of_paper_accounts_that_changes_in_mid_session_stops_the_desk(accounts: str):
    """Another than the configured one, and one more."""
    own = VirtualDesk().gateways["primary"].core.state.world.first_account
    desk = VirtualDesk(document={"environments": {"development": {"account": own}}}).ready()
    do(desk, "inject", name="managedAccounts", values={"accountsList": accounts.format(own=own)})

    assert desk.link.halted
    assert [alert.severity for alert in desk.raised("link/halted")] == ["critical"]
    desk.run(60)
    assert not desk.replies[desk.place()].accepted
    assert desk.sent(SendOrder) == []
    assert len(desk.opens) == 1


@pytest.mark.fault("B19")
def test_a_list_without_accounts_in_mid_session_costs_no_session():
    """The gateway is asked, and names ours again: the gate was shut for a moment, and nothing else happened."""
    desk = VirtualDesk().ready()
    shut: list[str] = []
    desk.heard.append(lambda told: shut.extend(desk.gate()))
    do(desk, "inject", name="managedAccounts", values={"accountsList": ""})
    desk.run(60)

    assert "accounts" in shut
    assert desk.gate() == []
    assert len(desk.opens) == 1
    assert desk.raised("link/halted") == desk.raised("link/accounts") == []


@pytest.mark.fault("B19")
def test_a_standby_with_a_live_account_is_no_way_out():
    """The accounts are checked at whichever gateway is used."""
    desk = pair("primary-down", "another-account", trading=True).ready()
    desk.run(60)

    assert desk.link.halted
    assert desk.link.gateway.name == "secondary"
    assert not desk.replies[desk.place()].accepted
    assert desk.sent(SendOrder) == []


@pytest.mark.fault("B17")
def test_three_sessions_without_an_order_id_are_three_failed_attempts():
    """Then the standby is used, which names one."""
    desk = pair("order-id-never-comes")
    desk.run_until(lambda: desk.link.ready, within_s=45)

    assert desk.link.gateway.name == "secondary"
    assert desk.sent(SendOrder) == []


@pytest.mark.fault("B20")
def test_no_second_complaint_comes_within_the_hour():
    """All lines and the session are lost again and again, at a gateway that refuses what is above its limit."""
    desk = VirtualDesk(
        "pacing-refused",
        start="2026-03-03 21:00",
        tick_s=5,
        document={"instruments": [{"symbol": symbol} for symbol in SYMBOLS]},
        options={"symbols": SYMBOLS, "always_open": False},
    )
    counts = desk.engine.notebook.counts
    desk.run_until(lambda: counts.get(100), within_s=5)
    told_ns = desk.now_ns
    for _ in range(6):
        do(desk, "link_back", data="lost")
        desk.run(5 * 60)
        do(desk, "close")
        desk.run(5 * 60)

    assert desk.now_ns - told_ns >= 60 * MINUTE
    assert counts[100] == 1
    assert desk.most_in_a_second() <= desk.settings.pacing.messages_max
    assert desk.raised("pacing/violated") == []
    assert len(desk.engine.market.proven) == len(SYMBOLS)


@pytest.mark.fault("B21")
def test_a_standby_is_not_used_because_of_complaints():
    """The first gateway is left alone for its minute, and asked again when that is over."""
    desk = pair("three-strikes").ready()
    desk.run_until(lambda: not desk.link.ready, within_s=3)
    lost_ns = desk.now_ns
    desk.run_until(lambda: desk.link.ready, within_s=75)

    assert desk.now_ns - lost_ns >= 60 * SECOND
    assert desk.link.gateway.name == "primary"
    assert [sent for sent in desk.sends if lost_ns <= sent.at_ns < lost_ns + 60 * SECOND] == []
