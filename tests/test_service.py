"""The whole service in this process, against the simulated gateway; what the gateway was asked is the judge."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from ibkr_adapter.app import serve
from ibkr_adapter.config import Component, Config
from ibkr_adapter.config.defaults import DEFAULT_COMPONENTS
from ibkr_adapter.config.reading import simulated
from ibkr_adapter.core.link.preflight import SERVER_VERSION_MIN
from ibkr_adapter.statefile import RunningService
from ibkr_adapter.tws.official import PACKAGE
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway

PATIENCE_S = 30.0

pytestmark = pytest.mark.wire


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


class Desk:
    """What a person at the page sees of the service."""

    def __init__(self, service: RunningService) -> None:
        self._client = httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_S)
        self._bearer = {"authorization": f"Bearer {service.token}"}

    async def place(self, symbol: str = "SPY", quantity: int = 10) -> httpx.Response:
        """A market order to buy."""
        order = {
            "symbol": symbol,
            "action": "BUY",
            "quantity": quantity,
            "order_type": "MKT",
            "expires_in_s": PATIENCE_S,
        }
        return await self._client.post("/v1/orders", json=order, headers=self._bearer)

    async def fail_back(self) -> httpx.Response:
        headers = {**self._bearer, "X-Actor": "cli:ann"}
        return await self._client.post("/v1/gateway/failback", headers=headers)

    async def snapshot(self) -> dict[str, Any]:
        return (await self._client.get("/v1/snapshot")).json()

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first picture that meets the condition, looked at whenever the service says something."""
        if condition(picture := await self.snapshot()):
            return picture
        async with self._client.stream("GET", "/v1/events?interval_ms=50") as stream:
            async for _ in stream.aiter_lines():
                if condition(picture := await self.snapshot()):
                    return picture
        raise AssertionError("the service stopped talking")

    async def leave(self) -> None:
        await self._client.aclose()


def configured(simulator: GatewayThread, directory: Path, component: str = "ibkr_adapter") -> Config:
    config = simulated(simulator.port, simulator.account, directory, "127.0.0.1:0")
    identity: Component = DEFAULT_COMPONENTS[component]
    return replace(config, component=component, components={component: identity})


@asynccontextmanager
async def served(config: Config) -> AsyncIterator[Desk]:
    """The service, from its announcement until it has left in order."""
    announced: asyncio.Future[RunningService] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(config, stop=stop, announce=announced.set_result))
        desk = Desk(await announced)
        try:
            yield desk
        finally:
            await desk.leave()
            stop.set()


def asked(simulator: GatewayThread) -> Counter[str]:
    return simulator.call(lambda gateway: Counter(gateway.core.state.requests))


async def test_a_risk_manager_asks_for_its_account_and_nothing_else(tmp_path: Path) -> None:
    """With the capability ``account`` alone: values and positions, a gate that says read-only, and no market data."""
    with running_gateway(Gateway(seed=7)) as simulator:
        async with served(configured(simulator, tmp_path, "risk_manager")) as desk:
            picture = await desk.until(lambda seen: seen["link"]["state"] == "ready" and bool(seen["accounts"]))
        requests = asked(simulator)
    assert "NetLiquidation" in picture["accounts"][0]["values"]
    assert picture["positions"]
    assert picture["streams"] == []
    assert "capability" in [reason["code"] for reason in picture["gate"]["reasons"]]
    assert requests["reqAccountSummary"] == requests["reqPositions"] == 1
    assert not {"reqMktData", "reqContractDetails", "reqMarketDataType", "reqContractData"} & set(requests)


async def test_a_stop_cancels_every_subscription_before_the_session_is_closed(tmp_path: Path) -> None:
    """Lines are counted over all clients of a login: what nobody cancels may block the next one."""
    with running_gateway(Gateway(seed=7)) as simulator:
        async with served(configured(simulator, tmp_path)) as desk:
            await desk.until(lambda seen: len(seen["quotes"]) == len(seen["streams"]) == 10)
        requests = asked(simulator)
    assert requests["cancelMktData"] == requests["reqMktData"] == 10
    assert requests["cancelAccountSummary"] == requests["cancelPositions"] == 1


@pytest.mark.parametrize(("maintains", "shown"), [(True, "on"), (False, "ok")])
async def test_a_gateway_is_asked_once_whether_it_keeps_orders(tmp_path: Path, maintains: bool, shown: str) -> None:
    """The picture shows what it says, or that it cannot be asked; on paper the gate stays open either way."""
    with running_gateway(Gateway(seed=7, maintain_orders=maintains)) as simulator:
        async with served(configured(simulator, tmp_path)) as desk:
            picture = await desk.until(lambda seen: seen["gate"]["open"] and "asked" not in seen["preflight"]["detail"])
        requests = asked(simulator)
    known = PACKAGE.server_version_max >= SERVER_VERSION_MIN
    assert picture["preflight"]["maintains_orders"] == (shown if known else "unchecked")
    assert requests["reqConfig"] == int(known)
