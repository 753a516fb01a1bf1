"""What a component may do at all: without a capability nothing of its kind is asked of the gateway."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.config import Capability
from ibkr_adapter.core.link.link import LinkState
from ibkr_adapter.effects import SummaryOwned
from ibkr_adapter.events import ManagedAccounts
from ibkr_adapter.requests import (
    CancelAccountSummary,
    Request,
    RequestAccountSummary,
    RequestContractDetails,
    RequestPositions,
    SendCancel,
    SendOrder,
    SetDataType,
    SubscribeQuotes,
)
from tests.core.world import World

ASKED_FOR: dict[Capability, set[type[Request]]] = {
    Capability.MARKET_DATA: {SetDataType, SubscribeQuotes},
    Capability.ACCOUNT: {RequestAccountSummary, RequestPositions},
    Capability.ORDERS: set(),
}


def connected(*capabilities: Capability) -> World:
    world = World(capabilities=frozenset(capabilities))
    world.connect()
    return world


@pytest.mark.parametrize("missing", list(Capability))
def test_what_a_component_may_not_do_is_never_asked(missing: Capability) -> None:
    """Each capability has requests of its own, and the session is ready without the others."""
    world = connected(*(set(Capability) - {missing}))

    asked = {type(request) for request in world.sent}
    wanted = set().union(*(kinds for capability, kinds in ASKED_FOR.items() if capability is not missing))
    assert wanted <= asked
    assert not asked & ASKED_FOR[missing]
    assert world.engine.link.ready


def test_an_account_watcher_is_ready_and_its_gate_says_why_it_stays_shut() -> None:
    """A risk manager sees account and positions; streams it has none, and orders it cannot send."""
    world = connected(Capability.ACCOUNT)

    picture = world.engine.snapshot(world.now_ns)
    assert picture.streams == ()
    assert "capability" in world.gate()


def test_the_gateway_restoring_its_streams_makes_nobody_subscribe() -> None:
    """1101 asks for every stream again, and there is none."""
    world = connected(Capability.ACCOUNT)

    world.notice(1101)
    world.reconnect()

    assert world.requests(SubscribeQuotes) == []


def test_who_only_trades_knows_its_contracts_and_has_its_own_price() -> None:
    """An emergency console has no market data: a limit order is held against its limit, one without is refused."""
    world = connected(Capability.ACCOUNT, Capability.ORDERS)
    assert world.requests(RequestContractDetails)

    placed = world.place("k1")
    assert placed is not None
    assert placed.accepted
    assert [order.order_ref for order in world.requests(SendOrder)] == ["k1"]
    world.place("k2", market=True)
    assert "reference" in [reason.code for reason in world.replies["c-k2"].reasons]
    world.place("k3", quantity=Decimal(900))
    assert [reason.code for reason in world.replies["c-k3"].reasons] == ["limit_notional"]
    cancelled = world.cancel("k1")
    assert cancelled is not None
    assert cancelled.accepted
    assert len(world.requests(SendCancel)) == 1


def test_the_summary_is_left_to_a_component_with_a_better_right() -> None:
    """It is cancelled when the other comes, not asked for in its presence, and asked for again when it is gone."""
    world = connected(Capability.ACCOUNT)
    assert len(world.requests(RequestAccountSummary)) == 1

    world.tell(SummaryOwned(component="risk_manager"))
    assert len(world.requests(CancelAccountSummary)) == 1
    world.reconnect()
    assert len(world.requests(RequestAccountSummary)) == 1
    world.tell(SummaryOwned(component=""))
    assert len(world.requests(RequestAccountSummary)) == 2


def test_a_component_for_paper_accounts_asks_nothing_of_a_live_one() -> None:
    """It is silent until the accounts are named, however long that takes, and unfit if one of them is live."""
    world = World(paper_only=True, capabilities=frozenset({Capability.MARKET_DATA, Capability.ACCOUNT}))
    world.open()
    world.wait(9 * SECOND)
    assert world.sent == []
    assert world.engine.unfit == ""

    world.tell(ManagedAccounts(ts_recv_ns=world.now_ns, epoch=world.engine.link.epoch, accounts=("DU1", "U1234567")))

    assert world.sent == []
    assert world.engine.link.state is LinkState.HALTED
    assert "U1234567 is not a paper account" in world.engine.unfit


def test_a_component_for_paper_accounts_works_with_them() -> None:
    """Once it knows that they are paper it asks like any other."""
    world = World(paper_only=True, capabilities=frozenset({Capability.MARKET_DATA, Capability.ACCOUNT}))
    world.connect()
    assert world.engine.link.ready
    assert world.engine.unfit == ""


@pytest.mark.parametrize(
    ("capabilities", "told", "owner"),
    [
        (frozenset(Capability), "", "execution"),
        (frozenset(Capability), "risk_manager", "risk_manager"),
        (frozenset({Capability.MARKET_DATA}), "risk_manager", ""),
    ],
)
def test_who_asks_for_the_account_summary_is_known(capabilities: frozenset[Capability], told: str, owner: str) -> None:
    """We, another, or, where accounts are none of our concern, nobody that we would know of."""
    world = World(capabilities=capabilities)
    world.connect()
    world.tell(SummaryOwned(component=told))
    assert world.engine.snapshot(world.now_ns).summary_owner == owner
