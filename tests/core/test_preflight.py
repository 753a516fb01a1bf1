"""What the gateway's own settings do to the gate, by what it says of them and by what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.alerts import AlertSeverity
from ibkr_adapter.core.link.link import LinkState
from ibkr_adapter.core.link.preflight import SERVER_VERSION_MIN
from ibkr_adapter.core.settings import GatewaySettings
from ibkr_adapter.effects import SendFailed
from ibkr_adapter.events import AlertChanged, GatewayConfigured, ManagedAccounts, NextValidId, SessionOpened
from ibkr_adapter.requests import RequestGatewayConfiguration, RequestIds
from ibkr_adapter.snapshot import PreflightView
from ibkr_adapter.windows import Window
from tests.core.world import World

LIVE = {"account_kind": "live", "environment": "production"}
READ_ONLY_321 = "Error validating request.-'aa' : cause - The API interface is currently in Read-Only mode."


class Desk(World):
    """A gateway of a server version that can be asked, on a live account unless said otherwise."""

    def __init__(self, *, server_version: int = SERVER_VERSION_MIN, **changes: Any) -> None:
        super().__init__(**{**LIVE, **changes})
        self.server_version = server_version
        self.account = "U1" if self.settings.account_kind == "live" else "DU1"

    def up(self) -> Desk:
        opened = self.named(
            SessionOpened,
            gateway=self.engine.link.gateway.name,
            client_id=1,
            server_version=self.server_version,
            connection_time="",
        )
        self.tell(opened)
        self.tell(self.named(NextValidId, order_id=11), self.named(ManagedAccounts, accounts=(self.account,)))
        self.settle()
        self.accounts = (self.account,)
        return self

    def configured(self, **flags: Any) -> Desk:
        (*_, asked) = self.requests(RequestGatewayConfiguration)
        self.tell(self.named(GatewayConfigured, req_id=asked.req_id, **flags))
        return self

    def view(self) -> PreflightView:
        return self.engine.snapshot(self.now_ns).preflight

    def alerts(self) -> dict[str, AlertSeverity]:
        return {condition.key: condition.severity for condition in self.engine.preflight.conditions(self.now_ns)}


def test_a_gateway_that_keeps_orders_gets_none_of_a_live_account() -> None:
    """It would send them late, when its connection is back."""
    desk = Desk().up().configured(maintains_orders=True)
    assert desk.view().maintains_orders == "on"
    assert "maintained_orders" in desk.gate()
    assert desk.alerts() == {"gateway/maintains_orders": AlertSeverity.CRITICAL}
    (reason,) = [r for r in desk.engine.trading.gate.reasons(desk.now_ns) if r.code == "maintained_orders"]
    assert "Maintain and resubmit orders" in reason.remedy


def test_on_paper_it_is_said_and_not_enforced() -> None:
    """A late order costs nothing there, and a new installation has the setting on."""
    desk = Desk(account_kind="paper", environment="development").up().configured(maintains_orders=True)
    assert "maintained_orders" not in desk.gate()
    assert desk.alerts() == {"gateway/maintains_orders": AlertSeverity.WARNING}


def test_a_gateway_that_keeps_none_is_fine() -> None:
    """Nothing is closed, nothing is said."""
    desk = Desk().up().configured(maintains_orders=False, read_only=False, rejects_above_rate=True)
    assert desk.gate() == []
    assert not desk.alerts()
    assert desk.view() == PreflightView(
        maintains_orders="ok",
        detail="the gateway does not maintain and resubmit orders",
        read_only=False,
        rejects_above_rate=True,
    )


def test_an_older_gateway_is_not_asked_and_is_unchecked() -> None:
    """Which is said, and is no finding against it."""
    desk = Desk(server_version=SERVER_VERSION_MIN - 1).up()
    assert not desk.requests(RequestGatewayConfiguration)
    assert desk.view().maintains_orders == "unchecked"
    assert "server version 218 does not tell" in desk.view().detail
    assert desk.gate() == []


@pytest.mark.parametrize("how", ["too old", "does not tell", "refuses", "does not answer"])
def test_a_live_desk_with_an_unchecked_gateway_is_told_of_it(how: str) -> None:
    """One standing warning over all sessions, with what to look at by hand; it ends when the gateway tells."""
    desk = Desk(server_version=SERVER_VERSION_MIN - (how == "too old")).up()
    match how:
        case "does not tell":
            desk.configured(maintains_orders=None)
        case "refuses":
            desk.notice(321, desk.requests(RequestGatewayConfiguration)[-1].req_id, "no such request")
        case "does not answer":
            desk.wait(10 * SECOND)
    assert desk.alerts() == {"gateway/unchecked": AlertSeverity.WARNING}
    (condition,) = desk.engine.preflight.conditions(desk.now_ns)
    assert "Maintain and resubmit orders" in condition.remedy
    desk.lose()
    desk.wait(120 * SECOND)
    assert desk.alerts() == {"gateway/unchecked": AlertSeverity.WARNING}
    desk.server_version = SERVER_VERSION_MIN
    desk.up().configured(maintains_orders=False)
    assert not desk.alerts()
    told = [alert.raised for alert in desk.told(AlertChanged) if alert.key == "gateway/unchecked"]
    desk.wait(30 * SECOND)
    assert told == [True]
    assert [a.raised for a in desk.told(AlertChanged) if a.key == "gateway/unchecked"] == [True, False]


@pytest.mark.parametrize("changes", [{"account_kind": "paper"}, {"trading": False}, {"capabilities": frozenset()}])
def test_nobody_is_told_of_an_unchecked_gateway_where_no_money_is_at_stake(changes: dict[str, Any]) -> None:
    """On paper, with trading off, or of a component that sends none it is shown, and no alert."""
    assert not Desk(server_version=SERVER_VERSION_MIN - 1, **changes).up().alerts()


NIGHT = Window(name="night", start_minute=4 * 60 + 45, minutes=45)


def at_night(window: Window | None = NIGHT) -> dict[str, Any]:
    return {"gateways": (GatewaySettings(name="a", address="a:1", windows=(window,) if window else ()),)}


@pytest.mark.parametrize("kind", ["paper", "live"])
def test_a_gateway_that_stops_outside_every_restart_window_is_told_of(kind: str) -> None:
    """The calendar would send orders into the restart and wake somebody; asked again until its time is another."""
    desk = Desk(account_kind=kind, **at_night()).up()
    desk.configured(maintains_orders=False, daily_stop="11:45 PM restart")
    assert desk.alerts() == {"gateway/daily_stop": AlertSeverity.WARNING}
    (condition,) = desk.engine.preflight.conditions(desk.now_ns)
    assert "daily at 11:45 PM restart" in condition.text
    assert "gateways.a.windows" in condition.remedy
    desk.lose()
    desk.wait(120 * SECOND)
    assert desk.alerts() == {"gateway/daily_stop": AlertSeverity.WARNING}
    desk.up()
    desk.wait(30 * SECOND)
    desk.configured(maintains_orders=False, daily_stop="04:45 AM restart")
    assert not desk.alerts()


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ("04:45 AM", at_night()),
        ("5:29 AM restart", at_night()),
        ("", at_night()),
        ("whenever", at_night()),
        ("11:45 PM", at_night(None) | {"account_kind": "simulated"}),
    ],
)
def test_a_stop_that_is_expected_or_unknown_is_no_finding(told: str, changes: dict[str, Any]) -> None:
    """A time in a window, none at all, none that can be read; a simulated gateway has no windows."""
    desk = Desk(**{"account_kind": "paper"} | changes).up()
    assert not desk.configured(maintains_orders=False, daily_stop=told).alerts()


def test_a_gateway_that_does_not_tell_is_unchecked() -> None:
    """A flag that is absent is not a flag that is off."""
    desk = Desk().up().configured(maintains_orders=None)
    assert desk.view().maintains_orders == "unchecked"
    assert "does not tell" in desk.view().detail


def test_a_gateway_that_does_not_answer_is_unchecked_after_ten_seconds() -> None:
    """Its answer, when it comes late, counts no more."""
    desk = Desk().up()
    (asked,) = desk.requests(RequestGatewayConfiguration)
    assert "not answered yet" in desk.view().detail
    desk.wait(10 * SECOND)
    assert "did not answer within 10 s" in desk.view().detail
    desk.configured(maintains_orders=True)
    assert desk.view().maintains_orders == "unchecked"
    assert len(desk.requests(RequestGatewayConfiguration)) == 1, asked


@pytest.mark.parametrize("by", ["the gateway", "our own client"])
def test_a_question_that_is_refused_leaves_it_unchecked(by: str) -> None:
    """With the words of the refusal."""
    desk = Desk().up()
    (asked,) = desk.requests(RequestGatewayConfiguration)
    if by == "the gateway":
        desk.notice(321, asked.req_id, "no such request")
    else:
        desk.tell(SendFailed(request=asked, detail="no such request"))
    assert desk.view().maintains_orders == "unchecked"
    assert "no such request" in desk.view().detail


def test_each_session_is_asked_anew_and_a_good_answer_forgotten() -> None:
    """Somebody may have changed the setting meanwhile."""
    desk = Desk().up().configured(maintains_orders=False)
    desk.lose()
    assert desk.view() == PreflightView(detail="no session")
    desk.wait(120 * SECOND)
    desk.up()
    assert len(desk.requests(RequestGatewayConfiguration)) == 2
    assert desk.view().maintains_orders == "unchecked"


def test_what_was_found_to_be_wrong_outlasts_the_session() -> None:
    """One incident over all sessions, and no order before the gateway has answered anew."""
    desk = Desk().up().configured(maintains_orders=True)
    for asked in (2, 3, 4):
        desk.lose()
        desk.wait(120 * SECOND)
        assert len(desk.requests(RequestGatewayConfiguration)) == asked - 1, "nobody is asked without a session"
        desk.up()
        assert desk.gate() == ["maintained_orders"]
        assert len(desk.requests(RequestGatewayConfiguration)) == asked
    told = [alert.raised for alert in desk.told(AlertChanged) if alert.key == "gateway/maintains_orders"]
    assert told == [True]

    desk.configured(maintains_orders=False)

    assert desk.gate() == []
    assert not desk.alerts()


def test_what_was_found_of_one_gateway_says_nothing_of_another() -> None:
    """Each login has settings of its own."""
    other = GatewaySettings(name="b", address="b:1")
    desk = Desk(gateways=(GatewaySettings(name="a", address="a:1"), other)).up().configured(maintains_orders=True)
    desk.lose()
    while desk.engine.link.gateway.name == "a":
        desk.wait(SECOND)
        if desk.engine.link.state is LinkState.CONNECTING:
            desk.lose()
    desk.wait(SECOND)
    desk.up()
    assert desk.view().maintains_orders == "unchecked"
    assert not desk.alerts()


def test_a_gateway_that_was_put_back_to_an_older_version_is_unchecked() -> None:
    """It cannot answer anew, so what its newer version had set must not close the gate for ever."""
    desk = Desk().up().configured(maintains_orders=True)
    desk.lose()
    desk.wait(120 * SECOND)
    desk.server_version = 200
    desk.up()
    assert desk.view().maintains_orders == "unchecked"
    assert desk.gate() == []


@pytest.mark.parametrize("kind", ["paper", "live"])
def test_a_read_only_gateway_closes_the_gate(kind: str) -> None:
    """It would refuse each order with 321; the setting that mends it is named once."""
    desk = Desk(account_kind=kind).up().configured(maintains_orders=False, read_only=True)
    assert desk.gate() == ["read_only"]
    assert desk.alerts() == {"gateway/read_only": AlertSeverity.WARNING}


def test_the_words_of_any_refusal_tell_that_the_gateway_is_read_only() -> None:
    """As far as it goes with gateways that cannot be asked; the next session begins with the question."""
    desk = Desk(server_version=200).up()
    assert desk.gate() == []
    desk.notice(321, -1, READ_ONLY_321)
    assert desk.gate() == ["read_only"]
    desk.lose()
    desk.wait(120 * SECOND)
    desk.up()
    assert desk.gate() == []


def test_a_component_without_orders_has_nothing_to_be_told() -> None:
    """The setting concerns those who send, so it is not even asked for."""
    desk = Desk(capabilities=frozenset()).up()
    assert not desk.requests(RequestGatewayConfiguration)
    assert "sends no orders" in desk.view().detail
    desk.notice(321, -1, READ_ONLY_321)
    assert not desk.alerts()


def test_a_setting_that_was_mended_opens_the_gate_within_half_a_minute() -> None:
    """Nobody has to connect anew: a gateway with a wrong setting is asked again."""
    desk = Desk().up().configured(maintains_orders=True)
    desk.wait(29 * SECOND)
    assert len(desk.requests(RequestGatewayConfiguration)) == 1
    desk.wait(SECOND)
    assert len(desk.requests(RequestGatewayConfiguration)) == 2
    assert "maintained_orders" in desk.gate()
    desk.configured(maintains_orders=False)
    assert "maintained_orders" not in desk.gate()
    desk.wait(120 * SECOND)
    assert len(desk.requests(RequestGatewayConfiguration)) == 2


def test_no_answer_is_no_evidence_that_it_was_mended() -> None:
    """The second question goes unanswered, or is refused: the gate stays closed."""
    desk = Desk().up().configured(maintains_orders=True)
    desk.wait(45 * SECOND)
    assert desk.view().maintains_orders == "on"
    desk.wait(15 * SECOND)
    (*_, third) = desk.requests(RequestGatewayConfiguration)
    desk.notice(321, third.req_id, "not now")
    assert "maintained_orders" in desk.gate()


def test_an_older_gateway_that_is_read_only_no_more_tells_the_next_order_id() -> None:
    """It refuses as long as it is, so that is what it is asked; one that was not asked for proves nothing."""
    desk = Desk(server_version=200).up()
    desk.notice(321, -1, READ_ONLY_321)
    desk.tell(desk.named(NextValidId, order_id=11))
    assert "read_only" in desk.gate()
    desk.silent.add(RequestIds)
    desk.wait(30 * SECOND)
    desk.notice(321, -1, READ_ONLY_321)
    assert "read_only" in desk.gate()
    desk.silent.clear()
    desk.wait(30 * SECOND)
    desk.settle()
    assert "read_only" not in desk.gate()
