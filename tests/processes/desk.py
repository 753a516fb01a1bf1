"""A desk's view of a running service: start it, ask it, wait for what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx

PATIENCE_S = 30.0
"""How long a condition may take on a slow machine; nothing waits this long when it works."""


class Desk:
    """One service in a process of its own, found through its state file."""

    started: ClassVar[list[Desk]] = []

    def __init__(self, process: subprocess.Popen[bytes], data_dir: Path) -> None:
        self.process = process
        self.data_dir = data_dir
        self.url = ""
        self.token = ""
        self.started.append(self)

    @classmethod
    def start(cls, command: list[str], data_dir: Path, *, ready_line: bytes = b"running") -> Desk:
        """Start it and wait until it has said where it is."""
        environment = os.environ | {"XDG_RUNTIME_DIR": str(data_dir.parent)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        desk = cls(process, data_dir)
        assert process.stdout is not None
        for line in process.stdout:
            if ready_line in line:
                break
        else:
            raise AssertionError(f"the service ended with {process.wait()} before it ran")
        state = json.loads((data_dir / "service.json").read_text())
        desk.url, desk.token = state["url"], state["token"]
        return desk

    @classmethod
    def killed_at(cls, point: str, port: int, account: str, data_dir: Path) -> Desk:
        script = Path(__file__).with_name("killed_service.py")
        return cls.start([sys.executable, str(script), point, str(port), account, str(data_dir)], data_dir)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.request(method, self.url + path, json=body, headers=headers, timeout=PATIENCE_S).json()

    def snapshot(self) -> dict[str, Any]:
        return self.ask("GET", "/v1/snapshot")

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first snapshot that meets the condition, looked at whenever the service has something to say."""
        for _ in self.events():
            snapshot = self.snapshot()
            if condition(snapshot):
                return snapshot
        raise AssertionError("the service stopped talking")

    def events(self) -> Iterator[str]:
        """Lines of the event stream; the first at once."""
        yield ""
        with httpx.stream("GET", f"{self.url}/v1/events?interval_ms=50", timeout=PATIENCE_S) as stream:
            yield from stream.iter_lines()

    def died(self) -> int:
        """Wait for the end; the exit status, negative for a signal."""
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.died()
        if self.process.stdout is not None:
            self.process.stdout.close()


def tradable(snapshot: dict[str, Any]) -> bool:
    """Ready, gate open, and a live quote to hold an order against."""
    return bool(snapshot["gate"]["open"]) and snapshot["quotes"].get("SPY", {}).get("ask") is not None
