"""Each request becomes exactly the frame the official client would send."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ibkr_adapter import requests
from ibkr_adapter.commands import OrderTerms
from ibkr_adapter.errors import InvalidRequest, ReadOnlyClient
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import ORDER_REQUESTS, Request
from ibkr_adapter.tws.client import Client
from tests.tws.scripted_gateway import VERSIONS, frame

pytestmark = pytest.mark.wire

AAPL = Instrument(symbol="AAPL", primary_exchange="NASDAQ", con_id=265598)
ORDER = requests.SendOrder(
    order_id=5,
    order_ref="ref1",
    terms=OrderTerms(
        instrument=AAPL,
        action="BUY",
        order_type="LMT",
        quantity=Decimal(10),
        limit_price=Decimal("187.5"),
        account="DU1",
    ),
)
CONTRACT = "265598 AAPL STK _ _ _ _ SMART NASDAQ USD _ _"

HISTORY = requests.RequestHistory(
    req_id=1023,
    instrument=AAPL,
    duration="1800 S",
    bar_size="5 secs",
    what_to_show="BID_ASK",
    end_ns=1_787_603_024_999_999_999,
)

TEXT_200: list[tuple[Request, str]] = [
    (requests.RequestCurrentTime(), "49 1"),
    (requests.RequestIds(), "8 1 1"),
    (requests.RequestManagedAccounts(), "17 1"),
    (requests.SetDataType(data_type=3), "59 1 3"),
    (
        requests.SubscribeQuotes(req_id=1001, instrument=AAPL, generic_ticks="233,236"),
        f"1 11 1001 {CONTRACT} 0 233,236 0 0 _",
    ),
    (requests.CancelQuotes(req_id=1001), "2 2 1001"),
    (requests.SubscribeDepth(req_id=1020, instrument=AAPL, rows=10), f"10 5 1020 {CONTRACT} 10 1 _"),
    (requests.CancelDepth(req_id=1020), "11 1 1020 1"),
    (
        requests.SubscribeTickByTick(req_id=1021, instrument=AAPL, tick_type="AllLast"),
        f"97 1021 {CONTRACT} AllLast 0 0",
    ),
    (requests.CancelTickByTick(req_id=1021), "98 1021"),
    (requests.SubscribeBars(req_id=1022, instrument=AAPL), f"50 3 1022 {CONTRACT} 5 TRADES 0 _"),
    (requests.CancelBars(req_id=1022), "51 1 1022"),
    (HISTORY, f"20 1023 {CONTRACT} 0 20260824-20:23:44 5~secs 1800~S 1 BID_ASK 2 0 _"),
    (
        requests.RequestHistory(
            req_id=1024, instrument=AAPL, duration="1 D", bar_size="1 min", use_rth=False, keep_up_to_date=True
        ),
        f"20 1024 {CONTRACT} 0 _ 1~min 1~D 0 TRADES 2 1 _",
    ),
    (requests.CancelHistory(req_id=1023), "25 1 1023"),
    (requests.RequestMatchingSymbols(req_id=1025, pattern="AA"), "81 1025 AA"),
    (requests.RequestPnl(req_id=1026, account="DU1"), "92 1026 DU1 _"),
    (requests.CancelPnl(req_id=1026), "93 1026"),
    (requests.RequestContractDetails(req_id=1006, instrument=AAPL), f"9 8 1006 {CONTRACT} 0 _ _ _"),
    (
        requests.RequestAccountSummary(req_id=1008, tags=("NetLiquidation", "BuyingPower")),
        "62 1 1008 All NetLiquidation,BuyingPower",
    ),
    (requests.CancelAccountSummary(req_id=1008), "63 1 1008"),
    (requests.RequestPositions(), "61 1"),
    (requests.CancelPositions(), "64 1"),
    (requests.RequestAllOpenOrders(), "16 1"),
    (requests.RequestExecutions(req_id=1012), "7 3 1012 0 _ _ _ _ _ _ 2147483647 0"),
    (requests.RequestCompletedOrders(), "99 0"),
    (requests.SendCancel(order_id=5), "4 5 _ _ 2147483647"),
]
"""As captured from the unmodified official client; ``_`` is an empty field, ``~`` a space within one."""


def client(version: int, *, orders: bool = True) -> Client:
    subject = Client(client_id=7, orders=orders)
    subject.greeted(version, "")
    return subject


@pytest.mark.parametrize(("request_", "fields"), TEXT_200, ids=lambda value: type(value).__name__)
def test_text_requests_are_those_of_the_official_client(request_: Request, fields: str) -> None:
    """Field by field, at the last server version that is all text."""
    expected = "".join(("" if field == "_" else field.replace("~", " ")) + "\0" for field in fields.split(" "))
    assert client(200).frame(request_) == frame(expected.encode())


def test_an_order_in_text_carries_its_terms() -> None:
    """Account, reference, price and quantity stand where the gateway reads them."""
    fields = client(200).frame(ORDER)[4:].decode().split("\0")
    assert fields[:16] == ["3", "5", "265598", "AAPL", "STK", "", "", "", "", "SMART", "NASDAQ", "USD", "", "", "", ""]
    assert fields[16:28] == ["BUY", "10", "LMT", "187.5", "", "DAY", "", "DU1", "", "0", "ref1", "1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_request_can_be_encoded_at_every_version(version: int) -> None:
    """One frame each, its length right, whatever the protocol."""
    for request in [ORDER, *(request for request, _ in TEXT_200)]:
        made = client(version).frame(request)
        assert made == frame(made[4:])


def test_every_request_type_has_a_performer() -> None:
    """Nothing in the vocabulary is left without a way to the wire."""
    known = {type(request) for request, _ in TEXT_200} | {requests.SendOrder}
    known.add(requests.RequestGatewayConfiguration)  # not in text: tests/tws/test_gateway_configuration.py
    assert known == {kind for kind in Request.__subclasses__() if kind.__module__ == requests.__name__}


@pytest.mark.parametrize("request_", [ORDER, requests.SendCancel(order_id=5)], ids=lambda value: type(value).__name__)
def test_without_the_capability_there_is_no_performer(request_: Any) -> None:
    """Read-only is the absence of code that could send, not a check that could be forgotten."""
    reader = client(200, orders=False)
    assert not set(reader._performers) & set(ORDER_REQUESTS)
    with pytest.raises(ReadOnlyClient):
        reader.frame(request_)


def test_an_unknown_request_is_refused() -> None:
    """A request type somebody added without a performer."""

    class Novelty(Request, frozen=True, kw_only=True):
        pass

    with pytest.raises(InvalidRequest, match="Novelty"):
        client(200).frame(Novelty())


def test_bars_that_are_kept_up_to_date_have_no_end() -> None:
    """The gateway would answer with a code; here it is an error of whoever asks."""
    with pytest.raises(InvalidRequest, match="end_ns"):
        client(200).frame(msgspec.structs.replace(HISTORY, keep_up_to_date=True))


def test_what_the_encoder_reports_to_its_wrapper_is_raised() -> None:
    """A gateway too old for what is asked: the official client says so on the side, we raise."""
    with pytest.raises(InvalidRequest, match="refuses"):
        client(54).frame(requests.SetDataType(data_type=3))


def test_a_refused_request_leaves_no_trace_in_the_next() -> None:
    """The complaint about one request is not held against another."""
    subject = client(54)
    with pytest.raises(InvalidRequest):
        subject.frame(requests.SetDataType(data_type=3))
    assert subject.frame(requests.RequestCurrentTime()) == frame(b"49\x001\x00")
