"""The official client as a referee: plain EClient and EWrapper, every callback recorded."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ibapi import server_versions
from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.order import Order
from ibapi.wrapper import EWrapper

# 10.37.2 states 203, but its placeOrder fails from there on: it is used up to 200.
NEWEST = 200 if server_versions.MAX_CLIENT_VER == 203 else server_versions.MAX_CLIENT_VER
WAIT_S_MAX = 20.0

Call = tuple[str, tuple[Any, ...]]


class OfficialClient(EWrapper, EClient):  # type: ignore[misc]
    """Records each callback as (name, arguments) and lets a test wait for one."""

    def __init__(self) -> None:
        EWrapper.__init__(self)
        EClient.__init__(self, wrapper=self)
        self.calls: list[Call] = []
        self._told = threading.Condition()

    def record(self, name: str, arguments: tuple[Any, ...]) -> None:
        with self._told:
            self.calls.append((name, arguments))
            self._told.notify_all()

    def named(self, name: str) -> list[tuple[Any, ...]]:
        with self._told:
            return [arguments for told, arguments in self.calls if told == name]

    def names(self) -> list[str]:
        with self._told:
            return [name for name, _ in self.calls]

    def told_in_all(self, name: str, times: int, seconds_max: float) -> bool:
        """Whether there are so many of them, or will be in time."""
        with self._told:
            return self._told.wait_for(lambda: sum(told == name for told, _ in self.calls) >= times, seconds_max)

    def wait_for(self, name: str, having: Callable[..., bool] = lambda *_: True) -> tuple[Any, ...]:
        """The arguments of the first such callback, past or to come."""

        def found() -> list[tuple[Any, ...]]:
            return [args for told, args in self.calls if told == name and having(*args)]

        with self._told:
            assert self._told.wait_for(found, WAIT_S_MAX), f"no {name} among {[told for told, _ in self.calls][-30:]}"
            return found()[0]

    def wait_for_error(self, code: int, req_id: int | None = None) -> tuple[Any, ...]:
        """Its arguments since 10.37: id, time, code, text, and JSON of a reject."""
        return self.wait_for("error", lambda *args: code in args[1:3] and req_id in (None, args[0]))


def _recorder(name: str) -> Callable[..., None]:
    def callback(self: OfficialClient, *arguments: Any) -> None:
        self.record(name, arguments)

    return callback


for _name, _ in inspect.getmembers(EWrapper, inspect.isfunction):
    if not _name.startswith("_") and not _name.endswith("ProtoBuf") and _name not in ("logAnswer", "winError"):
        setattr(OfficialClient, _name, _recorder(_name))
for _name, _ in inspect.getmembers(EWrapper, inspect.isfunction):
    if _name.endswith("ProtoBuf"):
        setattr(OfficialClient, _name, lambda self, *arguments: None)


@contextmanager
def connected(port: int, client_id: int = 1, kind: type[OfficialClient] = OfficialClient) -> Iterator[OfficialClient]:
    """A client that is connecting; disconnected and joined when the block ends."""
    client = kind()
    leaving = threading.Event()

    def run() -> None:
        try:
            client.run()
        except (AttributeError, TypeError):
            # Its run() trips over the fields that disconnect() empties on another thread (all releases).
            if not leaving.is_set():
                raise

    client.connect("127.0.0.1", port, client_id)
    thread = threading.Thread(target=run, name=f"official-client-{client_id}")
    thread.start()
    try:
        yield client
    finally:
        leaving.set()
        client.disconnect()
        thread.join(WAIT_S_MAX)
        assert not thread.is_alive(), "the official client did not end"


def stock(symbol: str, *, exchange: str = "SMART") -> Contract:
    contract = Contract()
    contract.symbol, contract.secType, contract.exchange, contract.currency = symbol, "STK", exchange, "USD"
    return contract


def order(action: str, quantity: int, order_type: str = "MKT", limit: float | None = None, ref: str = "") -> Order:
    made = Order()
    made.action, made.totalQuantity, made.orderType, made.tif, made.orderRef = action, quantity, order_type, "DAY", ref
    if limit is not None:
        made.lmtPrice = limit
    return made


class RecordedConnection:
    """Stands where the official client keeps its socket, and keeps what it would send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def isConnected(self) -> bool:  # noqa: N802 - the official client's name
        return True

    def sendMsg(self, data: bytes) -> int:  # noqa: N802 - the official client's name
        self.sent.append(bytes(data))
        return len(data)


def offline_client(server_version: int) -> tuple[OfficialClient, RecordedConnection]:
    """The official encoders without a network."""
    client, connection = OfficialClient(), RecordedConnection()
    client.serverVersion_, client.clientId, client.conn = server_version, 7, connection
    client.setConnState(EClient.CONNECTED)
    return client, connection
