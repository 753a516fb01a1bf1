"""A desk with two gateways, each behind a login of its own."""

from __future__ import annotations

from typing import Any

from ibkr_adapter.events import AlertChanged
from tests.faults.virtual_desk import VirtualDesk
from tws_simulator.faults.reading import read_action
from tws_simulator.faults.scenario import Scenario


def pair(
    scenario: Scenario | str | None = None,
    standby: Scenario | str | None = None,
    *,
    trading: bool = False,
    **given: Any,
) -> VirtualDesk:
    """``primary`` plays ``scenario`` and ``secondary`` ``standby``; ``trading``: orders may go to the standby too."""
    document = {
        "environments": {"development": {"gateway": "primary", "standby": "secondary"}},
        "gateways": {
            "primary": {"port": 4002, "username": "one"},
            "secondary": {"port": 4003, "username": "two", "trading": trading},
        },
    }
    return VirtualDesk(scenario, standby=standby, document=document, **given)


def do(desk: VirtualDesk, action: str, *, gateway: str = "primary", **values: Any) -> None:
    """A fault of the simulator now, as ``tws-simulator do`` names it."""
    desk.gateways[gateway].director.do(read_action({"do": action, **values}))
    desk.settle()


def incidents(desk: VirtualDesk) -> list[AlertChanged]:
    """All alerts that were raised, but for those about how the gateway is set up."""
    return [alert for alert in desk.raised() if not alert.key.startswith("gateway/")]


def logins(desk: VirtualDesk) -> list[str]:
    """The gateways that were tried, in order."""
    return [gateway for _, gateway in desk.opens]


def became(desk: VirtualDesk, state: str, gateway: str = "") -> list[int]:
    """The moments at which the link entered this state, at this gateway or at any."""
    return [c.ts_recv_ns for c in desk.states if c.state == state and gateway in ("", c.gateway)]
