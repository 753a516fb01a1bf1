"""A simulated gateway to test against, in this process.

    async with Gateway(seed=7, server_version=213) as gateway:
        ...connect to gateway.port...
        gateway.ledger.placements_by_ref()

``running_gateway`` does the same on a thread of its own, for callers without an event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar, Unpack

from tws_simulator.api.core import GatewayCore
from tws_simulator.api.interference import Interference
from tws_simulator.api.options import OptionsGiven, options_of
from tws_simulator.faults.director import Director
from tws_simulator.faults.library import named
from tws_simulator.faults.scenario import Scenario
from tws_simulator.server import Clock, Server
from tws_simulator.tls import Tls
from tws_simulator.world.accounts.ledger import Ledger

_START_S_MAX = 30.0
_Result = TypeVar("_Result")


class Gateway:
    """Listens on a loopback port between entry and exit; leaving it raises what failed inside.

    ``port`` 0 takes any free one. ``clock`` gives nanoseconds since 1970 and is the time of everything the clients are
    told: with a `VirtualClock` it passes only when somebody says so; how many messages a client sends in a second is
    judged by the machine's time nevertheless. The market moves every ``tick_interval_s``. A client with more than
    ``unread_bytes_max`` not yet read is dropped. ``scenario`` is played from the start, one of the library by its name;
    its options win over the arguments. ``director`` plays others later; it stands idle where an ``interference`` of the
    caller's own steps in. ``tls`` has it listen as a tunnel in front of a gateway does; BadTls says what is wrong with
    its files. All other arguments are those of `Options`: ``seed``, ``server_version`` and so on. BadOption says what
    is wrong with one.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tick_interval_s: float = 0.1,
        unread_bytes_max: int = 4 * 1024 * 1024,
        clock: Clock = time.time_ns,
        interference: Interference | None = None,
        scenario: Scenario | str | None = None,
        tls: Tls | None = None,
        **options: Unpack[OptionsGiven],
    ) -> None:
        self.host = host
        self.is_tls = tls is not None
        self.clock = clock
        played = named(scenario) if isinstance(scenario, str) else scenario
        self.director = Director()
        chosen = options_of({**options, **(played.options if played is not None else {})})
        self.core = GatewayCore(chosen, clock(), interference or self.director.stage, steady_ns=time.monotonic_ns())
        if interference is None:
            self.director.attach(self.core)
            if played is not None:
                self.director.play(played)
        self.server = Server(
            self.core,
            host=host,
            port=port,
            clock=clock,
            tick_interval_s=tick_interval_s,
            unread_bytes_max=unread_bytes_max,
            tls=tls,
        )

    def __repr__(self) -> str:
        return f"<Gateway {self.host}:{self.port} {self.account} {len(self.core.state.sessions)} clients>"

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def account(self) -> str:
        return self.core.state.world.first_account

    @property
    def ledger(self) -> Ledger:
        return self.core.state.world.first_ledger

    def disconnect_all(self) -> None:
        """Cut every connection at once, as a gateway that dies does."""
        self.server.disconnect_all()

    async def __aenter__(self) -> Gateway:
        await self.server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.server.stop()


class GatewayThread:
    """A running gateway as other threads see it: ``call`` does something inside, on the gateway's own thread."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.port = 0
        self.account = gateway.account
        self._started = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="tws-simulator", daemon=True)

    @property
    def ledger(self) -> Ledger:
        """Read it when nothing happens any more, or inside ``call``."""
        return self.gateway.ledger

    def call(self, inside: Callable[[Gateway], _Result]) -> _Result:
        assert self._loop is not None, "not started"

        async def step() -> _Result:
            return inside(self.gateway)

        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(_START_S_MAX)

    def start(self) -> None:
        self._thread.start()
        if not self._started.wait(_START_S_MAX):
            raise TimeoutError("the simulated gateway did not start")
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as fault:  # noqa: BLE001 - raised again on the caller's thread
            self._fault = fault
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self.gateway:
            self.port = self.gateway.port
            self._started.set()
            await self._stop.wait()


@contextmanager
def running_gateway(gateway: Gateway | None = None) -> Iterator[GatewayThread]:
    """``gateway`` (a default one, if none is given) on its own thread until the block ends."""
    thread = GatewayThread(gateway or Gateway())
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
