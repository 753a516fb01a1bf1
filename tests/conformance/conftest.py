"""Each check runs with ib_async and with ib_insync, on gateways that the checks of one module share."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from types import ModuleType

import pytest

from tests.conformance.other_clients import CLIENTS, OtherClient
from tws_simulator import Gateway, GatewayThread, running_gateway
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION

START_NS = 1_795_444_200_000_000_000  # Monday 2026-11-23 09:30 in New York
SPEED = 30
"""Market seconds in a second: a bar of five seconds takes a sixth of one."""

Connect = Callable[..., Awaitable[OtherClient]]


@pytest.fixture(params=CLIENTS)
def api(request: pytest.FixtureRequest) -> ModuleType:
    return CLIENTS[request.param]


@pytest.fixture
def server_version() -> int:
    """The newest the gateway could speak; the client then settles for its own. ``every_version`` overrides it."""
    return NEWEST_SERVER_VERSION


@pytest.fixture
def entitled() -> bool:
    return True


@pytest.fixture(scope="module")
def gateways() -> Iterator[Callable[[int, bool], GatewayThread]]:
    running: dict[tuple[int, bool], GatewayThread] = {}
    begun_ns = time.monotonic_ns()

    def clock() -> int:
        return START_NS + (time.monotonic_ns() - begun_ns) * SPEED

    with ExitStack() as stack:

        def gateway(server_version: int, entitled: bool) -> GatewayThread:
            key = (server_version, entitled)
            if key not in running:
                made = Gateway(
                    seed=7,
                    server_version=server_version,
                    entitled=entitled,
                    always_open=False,
                    clock=clock,
                    tick_by_tick_pause_s=0.0,  # all libraries ask one gateway for the same, soon after each other
                    tick_interval_s=0.02,
                )
                running[key] = stack.enter_context(running_gateway(made))
            return running[key]

        yield gateway


@pytest.fixture
def gateway(gateways: Callable[[int, bool], GatewayThread], server_version: int, entitled: bool) -> GatewayThread:
    return gateways(server_version, entitled)


@pytest.fixture
async def connect(api: ModuleType, gateway: GatewayThread) -> AsyncIterator[Connect]:
    """Connects clients of one kind, and ends them when the test ends."""
    made: list[OtherClient] = []

    async def connected(client_id: int | None = None) -> OtherClient:
        made.append(OtherClient(api, gateway))
        return await made[-1].connect(client_id)

    yield connected
    for client in reversed(made):
        await client.disconnect()


@pytest.fixture
async def client(connect: Connect) -> OtherClient:
    return await connect()
