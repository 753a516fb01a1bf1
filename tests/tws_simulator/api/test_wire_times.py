"""Times as clients write them in orders, filters and requests for history, and as the gateway writes them back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tws_simulator.scripted_client import AAPL, START_NS, ScriptedClient, codes, gateway_core, of
from tws_simulator.api.wire_times import exchange_time, gateway_time, read_time

NOON = 1_787_601_645_000_000_000  # 2026-08-24 16:00:45 in New York
MARKET = {"action": "BUY", "orderType": "MKT", "totalQuantity": Decimal(5), "tif": "DAY", "transmit": True}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("20260824 16:00:45", "20260824 16:00:45"),
        ("20260824  16:00:45", "20260824 16:00:45"),
        ("20260824 16:00:45 US/Eastern", "20260824 16:00:45"),
        ("20260824 15:00:45 US/Central", "20260824 16:00:45"),
        ("20260824 21:00:45 Europe/London", "20260824 16:00:45"),
        ("20260825 05:00:45 Japan", "20260824 16:00:45"),
        ("20260824-20:00:45", "20260824 16:00:45"),
        ("20260824 20:00:45 GMT", "20260824 16:00:45"),
        ("16:00:45", "20260824 16:00:45"),
        ("16:00 US/Eastern", "20260824 16:00:00"),
        ("20260824", "20260824 23:59:59"),
        ("20260824 UTC", "20260824 19:59:59"),
        ("20260824 16:00:45 Japan/GMT", None),
        ("20261324 16:00:45", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_time_is_read_in_the_zone_it_names(text: str, meant: str | None) -> None:
    """Without a zone New York's is meant, without a date today's, and a day alone ends with its last second."""
    read_ns = read_time(text, NOON, day_means="its end")
    assert (None if read_ns is None else exchange_time(read_ns)) == (None if meant is None else f"{meant} US/Eastern")


def test_a_day_alone_is_a_time_only_where_it_may_be() -> None:
    """It may stand for its start or its end; in history it is none."""
    assert read_time("20260824", NOON) is None
    start_ns, end_ns = (read_time("20260824", NOON, day_means=means) for means in ("its start", "its end"))
    assert start_ns is not None
    assert end_ns == start_ns + 86_399 * 10**9


def test_older_clients_are_told_times_with_two_spaces_and_no_zone() -> None:
    assert gateway_time(NOON, 173) == "20260824  16:00:45"
    assert gateway_time(NOON, 174) == "20260824 16:00:45 US/Eastern"


def test_executions_tell_each_client_the_time_in_its_own_form() -> None:
    """Below server version 174 without a zone, as captured, whether asked for or told; a master client as it is."""
    core = gateway_core(server_version=226, master_client_id=2)
    old, master = ScriptedClient(core, 1, newest=173), ScriptedClient(core, 2, newest=200)
    told = old.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET)
    asked = old.ask("reqExecutions", reqId=1, executionFilter={})
    assert {each["execution"]["time"] for each in of(told + asked, "execDetails")} == {gateway_time(START_NS, 173)}
    assert {each["execution"]["time"] for each in of(master.replies(), "execDetails")} == {exchange_time(START_NS)}


def test_a_filter_that_names_a_day_begins_with_it() -> None:
    client = ScriptedClient(gateway_core())
    client.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET)
    for day, count in ("20261122", 1), ("20261123", 0):
        asked = client.ask("reqExecutions", reqId=1, executionFilter={"time": day})
        assert len(of(asked, "execDetails")) == count


def test_an_order_that_waits_for_a_time_nobody_can_read_is_refused() -> None:
    """It would be true at once otherwise."""
    client = ScriptedClient(gateway_core(server_version=200))
    for order_id, time in enumerate(("soon", "", "20261122 25:00:00"), start=1):
        condition = {"type": 3, "isMore": True, "time": time, "isConjunctionConnection": True}
        told = client.ask("placeOrder", orderId=order_id, contract=AAPL, order={**MARKET, "conditions": [condition]})
        assert codes(told) == [(order_id, 321)]
        assert len(told) == 1


@pytest.mark.parametrize(
    ("time", "count"),
    [
        ("20261122 17:29:59 Europe/Berlin", 1),
        ("20261122 17:30:01 Europe/Berlin", 0),
        ("20261122-16:29:59", 1),
        ("20261122-16:30:01", 0),
        ("20261122 11:29", 1),
        ("20260622 10:00", 1),
        ("11:31:00", 0),
    ],
)
def test_a_filter_of_executions_is_read_in_the_zone_it_names(time: str, count: int) -> None:
    """The one execution is of 11:30:00 in New York; seconds may be left out."""
    client = ScriptedClient(gateway_core())
    client.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET)
    asked = client.ask("reqExecutions", reqId=1, executionFilter={"time": time})
    assert len(of(asked, "execDetails")) == count
    assert asked[-1].name == "execDetailsEnd"


@pytest.mark.parametrize("time", ["rubbish", "20261122 25:00:00", "20261122 10:00:00 Mars/Base", "2026-11-22"])
@pytest.mark.parametrize("server_version", [176, 226])
def test_a_filter_of_executions_with_a_time_nobody_can_read_is_refused(time: str, server_version: int) -> None:
    """10314, and no end: neither all of them nor none."""
    client = ScriptedClient(gateway_core(server_version=server_version))
    client.ask("placeOrder", orderId=1, contract=AAPL, order=MARKET)
    told = client.ask("reqExecutions", reqId=1, executionFilter={"time": time})
    assert codes(told) == [(1, 10314)]
    assert len(told) == 1


@pytest.mark.parametrize("name", ["goodTillDate", "goodAfterTime"])
@pytest.mark.parametrize("tif", ["DAY", "GTC", "GTD"])
def test_a_time_of_an_order_that_nobody_can_read_is_refused(name: str, tif: str) -> None:
    """391 whatever the time in force: it would be passed over, or come back as it is, otherwise."""
    client = ScriptedClient(gateway_core())
    terms = {"goodTillDate": "20261231"} if tif == "GTD" else {}
    told = client.ask("placeOrder", orderId=1, contract=AAPL, order={**MARKET, **terms, "tif": tif, name: "rubbish"})
    assert codes(told) == [(1, 391)]
    assert len(told) == 1


@pytest.mark.parametrize("server_version", [151, 176, 226])
def test_times_of_orders_with_zones_come_back_in_exchange_time(server_version: int) -> None:
    """With a date or without one."""
    client = ScriptedClient(gateway_core(server_version=server_version))
    limit = {**MARKET, "orderType": "LMT", "lmtPrice": 10.0, "tif": "GTD"}
    times = {"goodTillDate": "23:10:00 Europe/Berlin", "goodAfterTime": "20261122 18:10:00 Europe/Berlin"}
    told = client.ask("placeOrder", orderId=1, contract=AAPL, order={**limit, **times})
    for echo in of(told, "openOrder"):
        assert echo["order"]["goodTillDate"] == "20261122 17:10:00 US/Eastern"
        assert echo["order"]["goodAfterTime"] == "20261122 12:10:00 US/Eastern"
    assert of(told, "openOrder")


def test_an_order_that_begins_at_a_time_nobody_can_read_is_refused() -> None:
    """It would work at once otherwise."""
    client = ScriptedClient(gateway_core(server_version=200))
    told = client.ask("placeOrder", orderId=1, contract=AAPL, order={**MARKET, "goodAfterTime": "later"})
    assert codes(told) == [(1, 391)]
    assert len(told) == 1
