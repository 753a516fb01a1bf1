"""ib_async and ib_insync as referees: what their users do, and what they were told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import ib_async
import ib_insync

from tws_simulator import Gateway, GatewayThread

CLIENTS: dict[str, ModuleType] = {"ib_async": ib_async, "ib_insync": ib_insync}
WAIT_S_MAX = 40.0
"""For what may take seconds of the simulated market, at many times its speed: much more on a loaded machine."""

CONNECT_S_MAX = 30.0
"""Both ask for positions, orders, account values and executions as they connect, and wait for the ends of all."""

CON_IDS = {"AAPL": 265598, "SPY": 756733, "TSLA": 76792991, "NOSUCH": 999_999_999}
"""The last is no instrument's."""

_client_ids = itertools.count(11)


class OtherClient:
    """One of the two clients, and the errors it was told: (request id, code, text)."""

    def __init__(self, api: ModuleType, gateway: GatewayThread) -> None:
        self.api = api
        self.gateway = gateway
        self.ib: Any = api.IB()
        self.client_id = next(_client_ids)
        self.errors: list[tuple[int, int, str]] = []
        self.ib.errorEvent += self._note_error

    async def connect(self, client_id: int | None = None, seconds_max: float = CONNECT_S_MAX) -> OtherClient:
        if client_id is not None:
            self.client_id = client_id
        await self.ib.connectAsync("127.0.0.1", self.gateway.port, self.client_id, seconds_max)
        return self

    async def disconnect(self) -> None:
        """Leave, and come back when the gateway has seen it too."""
        closed = asyncio.Event()
        connection = self.ib.client.conn
        connection.disconnected += lambda *_: closed.set()
        if not connection.isConnected():
            return
        self.ib.disconnect()
        async with asyncio.timeout(WAIT_S_MAX):
            await closed.wait()
        for _ in range(1000):
            if not self.gateway.call(self._is_known_to):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"the gateway still has client {self.client_id}")

    async def until(self, holds: Callable[[], Any], seconds_max: float = WAIT_S_MAX) -> Any:
        """What ``holds`` says as soon as it is true, asked again after each packet from the gateway."""
        arrived = asyncio.Event()
        self.ib.updateEvent += arrived.set
        try:
            async with asyncio.timeout(seconds_max):
                while not (found := holds()):
                    arrived.clear()
                    await arrived.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds_max} s; errors told: {self.errors}") from None
        finally:
            self.ib.updateEvent -= arrived.set
        return found

    async def told(self, code: int, req_id: int | None = None) -> tuple[int, int, str]:
        """The first error of this code, past or to come."""

        def found() -> list[tuple[int, int, str]]:
            return [error for error in self.errors if error[1] == code and req_id in (None, error[0])]

        return (await self.until(found))[0]

    async def answered(self) -> None:
        """All that the gateway wrote before now has been read: it answers in order."""
        await self.within(self.ib.reqOpenOrdersAsync())

    async def within(self, answer: Any, seconds_max: float = WAIT_S_MAX) -> Any:
        """The answer to a request; the gateway's errors, when none comes."""
        try:
            return await asyncio.wait_for(answer, seconds_max)
        except TimeoutError:
            raise AssertionError(f"no answer within {seconds_max} s; errors told: {self.errors}") from None

    def stock(self, symbol: str, exchange: str = "SMART") -> Any:
        """With its contract id: ib_async keeps no quotes of a contract that has none."""
        return self.api.Stock(symbol, exchange, "USD", conId=CON_IDS[symbol])

    def stock_by_name(self, symbol: str) -> Any:
        return self.api.Stock(symbol, "SMART", "USD")

    async def qualified(self, symbol: str) -> Any:
        """The stock with its contract id."""
        (contract,) = await self.within(self.ib.qualifyContractsAsync(self.stock_by_name(symbol)))
        return contract

    def price(self, con_id: int) -> float:
        """What the simulated market asks for one now."""
        return float(self.gateway.call(lambda inside: inside.core.state.world.quote(con_id).ask))

    def codes(self, req_id: int) -> list[int]:
        return [code for told_id, code, _ in self.errors if told_id == req_id]

    def _is_known_to(self, gateway: Gateway) -> bool:
        return self.client_id in {session.client_id for session in gateway.core.state.sessions}

    def _note_error(self, req_id: int, code: int, text: str, contract: Any) -> None:
        self.errors.append((req_id, code, text))


def statuses(trade: Any) -> list[str]:
    """The statuses a trade went through, repetitions left out."""
    return [status for status, _ in itertools.groupby(entry.status for entry in trade.log)]


async def resting(client: OtherClient, price: float = 10.0, **more: Any) -> Any:
    """A limit order far below the market, on the book."""
    trade = client.ib.placeOrder(client.stock_by_name("AAPL"), client.api.LimitOrder("BUY", 5, price, **more))
    await client.until(lambda: trade.orderStatus.status == "Submitted")
    return trade


async def filled(client: OtherClient, side: str = "BUY", quantity: int = 5, **more: Any) -> Any:
    trade = client.ib.placeOrder(client.stock_by_name("AAPL"), client.api.MarketOrder(side, quantity, **more))
    await client.until(
        lambda: (
            trade.orderStatus.status == "Filled"
            and trade.fills
            and all(fill.commissionReport.execId for fill in trade.fills)
        )
    )
    return trade
