"""Connecting, the greeting, time, ids and leaving, as ib_async and ib_insync see them."""

from __future__ import annotations

import asyncio
import logging
from types import ModuleType

import pytest

from tests.conformance.conftest import SPEED, START_NS, Connect
from tests.conformance.other_clients import WAIT_S_MAX, OtherClient
from tws_simulator import GatewayThread

every_version = pytest.mark.parametrize("server_version", [157, 163, 176, 178])


@every_version
async def test_the_version_agreed_is_the_newest_both_know(client: OtherClient, server_version: int) -> None:
    """Both clients take part from 157 on; ib_insync ends at 176 and ib_async at 178."""
    newest = {"ib_async": 178, "ib_insync": 176}[client.api.__name__]
    assert client.ib.client.serverVersion() == min(server_version, newest)
    assert client.ib.isConnected()


@every_version
async def test_all_that_is_asked_on_connecting_is_answered(
    connect: Connect, caplog: pytest.LogCaptureFixture, server_version: int
) -> None:
    """Positions, open and completed orders, account values for one and for many, executions: all with their ends."""
    caplog.set_level(logging.INFO)
    await connect()
    told = [record.getMessage() for record in caplog.records if record.name.endswith(".ib")]
    assert [text for text in told if "timed out" in text] == []
    assert "Synchronization complete" in told


async def test_the_clients_find_nothing_to_complain_of(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """No message that a client does not know, cannot parse, or cannot place: they log each as an error."""
    caplog.set_level(logging.WARNING)
    client = await connect()
    await client.answered()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("ib_")] == []


@every_version
async def test_the_farms_are_announced(client: OtherClient) -> None:
    """2104 for market data, 2106 for history, 2158 for definitions, all about no request."""
    for code in (2104, 2106, 2158):
        req_id, _, text = await client.told(code)
        assert req_id == -1
        assert "farm connection is OK:" in text


@every_version
async def test_the_gateway_tells_the_time(client: OtherClient) -> None:
    """In whole seconds, as the gateway's clock has it; it goes forward."""
    first = await client.within(client.ib.reqCurrentTimeAsync())
    now_ns = client.gateway.call(lambda inside: inside.core.state.now_ns)
    assert START_NS // 10**9 <= first.timestamp() <= now_ns // 10**9 + SPEED
    assert first.microsecond == 0


async def test_the_account_is_named(client: OtherClient) -> None:
    """Before anything else, or the client would not have connected."""
    assert client.ib.managedAccounts() == [client.gateway.account]


async def test_order_ids_are_counted_for_each_client(connect: Connect) -> None:
    """A client that never traded starts at 1, whatever another has used."""
    first = await connect()
    assert first.ib.client.getReqId() >= 1
    order = first.api.LimitOrder("BUY", 1, 10.0)
    first.ib.placeOrder(first.stock("AAPL"), order)
    await first.answered()
    await first.disconnect()
    again = await connect(first.client_id)
    assert again.ib.client.getReqId() > order.orderId
    again.ib.reqGlobalCancel()
    await again.told(202, order.orderId)


async def test_a_client_id_in_use_is_refused(client: OtherClient, api: ModuleType, gateway: GatewayThread) -> None:
    """326 and the end of that connection, before the account is named; the one who has the id goes on."""
    second = OtherClient(api, gateway)
    with pytest.raises((ConnectionError, TimeoutError)):
        await second.connect(client.client_id, 1.0)  # both clients sit out their time, although the socket is closed
    assert [code for _, code, _ in second.errors] == [326]
    await client.answered()


async def test_leaving_frees_the_client_id(client: OtherClient, connect: Connect) -> None:
    """The client is told that the connection is closed, and may come back under the same id."""
    left: list[bool] = []
    client.ib.disconnectedEvent += lambda: left.append(True)
    await client.disconnect()
    assert not client.ib.isConnected()
    again = await connect(client.client_id)
    assert again.ib.isConnected()


async def test_a_gateway_that_dies_is_noticed(client: OtherClient, connect: Connect) -> None:
    """The client's own event says so, and it can connect again."""
    lost = asyncio.Event()
    client.ib.disconnectedEvent += lambda *_: lost.set()
    client.gateway.call(lambda inside: inside.disconnect_all())
    async with asyncio.timeout(WAIT_S_MAX):
        await lost.wait()
    again = await connect(client.client_id)
    assert again.ib.isConnected()


async def test_who_is_asking_is_answered(client: OtherClient) -> None:
    """reqUserInfo has an answer; both clients keep nothing of it."""
    await client.within(client.ib.reqUserInfoAsync())
