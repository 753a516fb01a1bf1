"""A session and the simulated gateway, written from separate notes about the same protocol, understand each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from ibkr_adapter import events, requests
from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.tws.session import Session
from tests.tws.scripted_gateway import PATIENCE_S, SPY, VERSIONS, Inbox, session
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway

pytestmark = [pytest.mark.wire, pytest.mark.parametrize("version", VERSIONS)]


@contextmanager
def talking(version: int, **kind: bool) -> Iterator[tuple[GatewayThread, Session, Inbox]]:
    """A session that was told its ids and accounts."""
    inbox = Inbox()
    with running_gateway(Gateway(seed=7, server_version=version, tick_interval_s=0.02, **kind)) as simulated:
        subject = session(simulated.port, inbox)
        subject.start()
        inbox.until(events.NextValidId)
        inbox.until(events.ManagedAccounts)
        try:
            yield simulated, subject, inbox
        finally:
            subject.close("done")
            inbox.until(events.SessionLost)
            assert subject.join(PATIENCE_S)


def order(inbox: Inbox, account: str, **changes: object) -> requests.SendOrder:
    order_ref = str(changes.pop("order_ref", "019b-key"))
    fields = {"instrument": SPY, "action": "BUY", "order_type": "MKT", "quantity": Decimal(10), "account": account}
    terms = OrderTerms(**(fields | changes))  # type: ignore[arg-type]  # the changes are a test's own
    return requests.SendOrder(order_id=inbox.of(events.NextValidId)[-1].order_id, order_ref=order_ref, terms=terms)


def test_the_evening_of_a_session_is_downloaded(version: int) -> None:
    """Everything a session asks for on its way to READY is answered and ends with its marker."""
    with talking(version) as (simulated, subject, inbox):
        for request in (
            requests.RequestCurrentTime(),
            requests.RequestAllOpenOrders(),
            requests.RequestExecutions(req_id=1_000_000_001),
            requests.RequestCompletedOrders(),
            requests.RequestPositions(),
            requests.RequestAccountSummary(req_id=1_000_000_002, tags=("NetLiquidation", "BuyingPower")),
        ):
            subject.perform(request)
        inbox.until(events.BrokerTime)
        inbox.until(events.OpenOrdersEnd)
        inbox.until(events.ExecutionsEnd)
        inbox.until(events.CompletedOrdersEnd)
        inbox.until(events.PositionsEnd)
        inbox.until(events.AccountSummaryEnd)
        assert inbox.of(events.ManagedAccounts)[0].accounts == (simulated.account,)
        values = inbox.of(events.AccountValue)
        assert {value.tag for value in values} == {"NetLiquidation", "BuyingPower"}
        assert all(Decimal(value.value) > 0 and value.account == simulated.account for value in values)
        held = {position.instrument.symbol: position.quantity for position in inbox.of(events.PositionReported)}
        known = simulated.call(lambda gateway: gateway.ledger.positions())
        assert sorted(held.values()) == sorted(position.shares for position in known)


def test_contract_details_describe_what_was_asked(version: int) -> None:
    """Number, smallest tick, hours and venues of a listed share."""
    with talking(version) as (_, subject, inbox):
        subject.perform(requests.RequestContractDetails(req_id=1_000_000_003, instrument=SPY))
        inbox.until(events.ContractsEnd)
        (described,) = inbox.of(events.ContractDescribed)
        assert described.instrument.con_id == 756733
        assert described.instrument.primary_exchange == "ARCA"
        assert described.min_tick == Decimal("0.01")
        assert "SMART" in described.valid_exchanges
        assert described.time_zone
        assert described.trading_hours


def test_an_unknown_symbol_is_a_notice_for_the_request(version: int) -> None:
    """Code 200 carries the id of what was asked."""
    with talking(version) as (_, subject, inbox):
        wanted = Instrument(symbol="NOSUCH")
        subject.perform(requests.RequestContractDetails(req_id=1_000_000_004, instrument=wanted))
        while not any(notice.code == 200 for notice in inbox.of(events.NoticeReceived)):
            inbox.until(events.NoticeReceived, len(inbox.of(events.NoticeReceived)) + 1)
        assert [notice.req_id for notice in inbox.of(events.NoticeReceived) if notice.code == 200] == [1_000_000_004]


def test_quotes_stream(version: int) -> None:
    """Data type, parameters, bid and ask with sizes, and the trade ticks that were asked for."""
    with talking(version) as (_, subject, inbox):
        subject.perform(requests.SubscribeQuotes(req_id=1_000_000_005, instrument=SPY, generic_ticks="233"))
        inbox.until(events.DataTypeReported)
        inbox.until(events.TickParameters)
        while not {1, 2} <= {tick.field for tick in inbox.of(events.PriceTick)}:
            inbox.until(events.PriceTick, len(inbox.of(events.PriceTick)) + 1)
        inbox.until(events.TextTick)
        bid = next(tick for tick in inbox.of(events.PriceTick) if tick.field == 1)
        assert bid.price is not None
        assert bid.req_id == 1_000_000_005
        assert {0, 3} <= {tick.field for tick in inbox.of(events.SizeTick)}
        subject.perform(requests.CancelQuotes(req_id=1_000_000_005))


def test_a_market_order_fills_once(version: int) -> None:
    """From the bytes we handed over to execution, commission and position; the ledger is the judge."""
    with talking(version) as (simulated, subject, inbox):
        subject.perform(order(inbox, simulated.account))
        sent = inbox.until(events.FrameSent)
        fill = inbox.until(events.ExecutionReported)
        commission = inbox.until(events.CommissionReported)
        while not any(status.status == "Filled" for status in inbox.of(events.OrderStatusReported)):
            inbox.until(events.OrderStatusReported, len(inbox.of(events.OrderStatusReported)) + 1)
        assert (fill.order_id, fill.client_id, fill.order_ref) == (sent.order_id, 1, "019b-key")
        assert (fill.side, fill.account) == ("BOT", simulated.account)
        assert fill.ts_event_ns is not None
        assert commission.exec_id in {execution.exec_id for execution in inbox.of(events.ExecutionReported)}
        assert commission.commission > 0
        assert sum(execution.quantity for execution in inbox.of(events.ExecutionReported)) == 10
        echoed = inbox.of(events.OpenOrderReported)[-1]
        assert (echoed.order_ref, echoed.action, echoed.order_type) == ("019b-key", "BUY", "MKT")
        assert echoed.limit_price is None
        assert simulated.call(lambda gateway: gateway.ledger.placements_by_ref()) == {"019b-key": 1}


def test_a_resting_order_is_cancelled(version: int) -> None:
    """Both frames are reported, and the broker says Cancelled."""
    with talking(version) as (simulated, subject, inbox):
        placed = order(inbox, simulated.account, order_type="LMT", limit_price=Decimal("1.25"))
        subject.perform(placed)
        echo = inbox.until(events.OpenOrderReported)
        assert echo.limit_price == Decimal("1.25")
        subject.perform(requests.SendCancel(order_id=placed.order_id))
        while not any(status.status == "Cancelled" for status in inbox.of(events.OrderStatusReported)):
            inbox.until(events.OrderStatusReported, len(inbox.of(events.OrderStatusReported)) + 1)
        assert [sent.cancel for sent in inbox.of(events.FrameSent)] == [False, True]
        subject.perform(requests.RequestCompletedOrders())
        inbox.until(events.CompletedOrdersEnd)
        (completed,) = inbox.of(events.CompletedOrderReported)
        assert completed.order_ref == "019b-key"
        assert completed.perm_id == echo.perm_id


def test_a_gateway_that_dies_is_a_lost_session(version: int) -> None:
    """Cut from the other side: one SessionLost, closed or reset."""
    inbox = Inbox()
    with running_gateway(Gateway(seed=7, server_version=version)) as simulated:
        subject = session(simulated.port, inbox)
        subject.start()
        inbox.until(events.NextValidId)
        simulated.call(lambda gateway: gateway.disconnect_all())
        assert inbox.until(events.SessionLost).cause in (events.LossCause.CLOSED, events.LossCause.RESET)
        assert subject.join(PATIENCE_S)
