"""The real page and API on a real socket, with a service behind it that is not there."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvicorn

from ibkr_adapter.console import build
from ibkr_adapter.statefile import RunningService
from tests.console.fake_service import FakePort, config


class _Server(uvicorn.Server):
    """Ends its streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, port: FakePort) -> None:
        super().__init__(config)
        self._port = port

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for subscription in self._port.subscriptions:
            subscription.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def served(port: FakePort, directory: Path, token: str = "token-of-the-test") -> Iterator[RunningService]:
    """Answers until the block ends; its state file is in ``directory``."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings = uvicorn.Config(build(port, token, config()), log_config=None, access_log=False, lifespan="off")
    server = _Server(settings, port)
    thread = threading.Thread(target=server.run, args=([listener],), name="console")
    file = directory / "service.json"
    service = RunningService(
        url=f"http://127.0.0.1:{listener.getsockname()[1]}",
        token=token,
        pid=os.getpid(),
        environment="development",
        state_file=str(file),
    )
    directory.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(service))
    thread.start()
    try:
        yield service
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        file.unlink(missing_ok=True)
