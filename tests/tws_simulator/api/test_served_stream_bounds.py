"""How many subscriptions one client may have, and what they are charged for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names
from tws_simulator.api.limits.quotas import DEPTHS_OF_ONE_MAX
from tws_simulator.api.limits.window import Window
from tws_simulator.api.session import STREAMS_MAX

SYMBOLS = ("AAPL", "AMZN", "MSFT", "NVDA")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("reqPnL", {}),
        ("reqPnLSingle", {"conId": 756733}),
        ("reqAccountUpdatesMulti", {"ledgerAndNLV": True}),
        ("reqPositionsMulti", {}),
    ],
)
def test_the_subscriptions_of_a_client_are_bounded(name: str, asked: dict[str, Any]) -> None:
    """One too many is refused with the id of its request; after a cancel there is room again."""
    core = gateway_core(lines_max=0)
    client = ScriptedClient(core)
    asked = {**asked, "account": core.state.world.first_account}
    for req_id in range(STREAMS_MAX):
        assert not [code for _, code in codes(client.ask(name, reqId=req_id, **asked)) if code == 321]
    told = client.ask(name, reqId=STREAMS_MAX, **asked)
    assert codes(told) == [(STREAMS_MAX, 321)]
    assert names(told) == ["error"]
    assert len(client.session.streams) == STREAMS_MAX
    client.ask(name.replace("req", "cancel", 1), reqId=7)
    assert not [code for _, code in codes(client.ask(name, reqId=STREAMS_MAX, **asked)) if code == 321]


def test_the_depth_subscriptions_to_one_instrument_are_bounded() -> None:
    """For all clients together; another instrument has room of its own."""
    core = gateway_core()
    clients = ScriptedClient(core, 1), ScriptedClient(core, 2)
    depth = {"contract": AAPL, "numRows": 60, "isSmartDepth": True}
    for req_id in range(DEPTHS_OF_ONE_MAX):
        assert codes(clients[req_id % 2].ask("reqMktDepth", reqId=req_id, **depth)) == [(req_id, 2152)]
    assert codes(clients[0].ask("reqMktDepth", reqId=100, **depth)) == [(100, 309)]
    spy = {"symbol": "SPY", "secType": "STK", "currency": "USD", "exchange": "SMART"}
    assert codes(clients[0].ask("reqMktDepth", reqId=100, **{**depth, "contract": spy})) == [(100, 2152)]


def test_market_data_lines_have_their_own_limit() -> None:
    """A client that may have many lines may have them all, and may begin anew what runs already."""
    client = ScriptedClient(gateway_core(lines_max=STREAMS_MAX + 1))
    for req_id in range(STREAMS_MAX + 1):
        client.ask("reqMktData", reqId=req_id, contract=AAPL)
    assert len(client.session.streams) == STREAMS_MAX + 1
    assert codes(client.ask("reqMktData", reqId=9_999, contract=AAPL)) == [(9_999, 101)]
    for _ in range(2):
        assert names(client.ask("reqPositions"))[-1] == "positionEnd"


def test_searching_for_symbols_leaves_the_ticks_alone() -> None:
    """Each has its own pause, and each client its own."""
    core = gateway_core(tick_by_tick_max=1)
    client, other = ScriptedClient(core, 1), ScriptedClient(core, 2)
    assert names(client.ask("reqMatchingSymbols", reqId=1, pattern="AAPL")) == ["symbolSamples"]
    assert names(client.ask("reqMatchingSymbols", reqId=2, pattern="AAPL")) == []
    assert names(other.ask("reqMatchingSymbols", reqId=2, pattern="AAPL")) == ["symbolSamples"]
    assert not codes(client.ask("reqTickByTickData", reqId=3, contract=AAPL, tickType="Last"))
    core.advance(core.state.now_ns + SECOND)
    client.replies()
    assert names(client.ask("reqMatchingSymbols", reqId=4, pattern="AAPL"))[-1] == "symbolSamples"


def test_a_window_forgets_what_is_exactly_so_old() -> None:
    """And counts what is a nanosecond younger."""
    window: Window[str] = Window(10)
    window.add(0, "a")
    window.add(5, "b")
    window.add(5, "a")
    assert (window.count(9), window.times(9, "a")) == (3, 2)
    assert (window.count(10), window.times(10, "a")) == (2, 1)
    assert (window.count(15), window.times(15, "a"), len(window)) == (0, 0, 0)
