"""An alert that is open when the service is killed is told once, by whichever life."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.processes.desk import Desk

CLI = [sys.executable, "-m", "ibkr_adapter"]


def raised(snapshot: dict[str, Any]) -> list[dict[str, Any]]:
    return [alert for alert in snapshot["alerts"] if alert["raised"]]


def told(data_dir: Path) -> list[tuple[str, str]]:
    printed = subprocess.run(
        [*CLI, "alerts", "--state", str(data_dir), "--json"], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in printed.stdout.splitlines()]
    return [(line["action"], line["key"]) for line in lines]


def test_an_alert_that_is_open_over_a_kill_is_told_once(tmp_path: Path) -> None:
    """Three refused attempts, kill -9, as many again: one line in the file, the old beginning on the page."""
    data_dir = tmp_path / "data"
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and refused to whoever connects
        file = tmp_path / "desk.toml"
        port = nobody.getsockname()[1]
        file.write_text(
            f'data_dir = "{data_dir}"\n[gateways.primary]\nport = {port}\nwindows = []\n[http]\nlisten = "127.0.0.1:0"'
        )
        command = [*CLI, "run", "--config", str(file)]

        first = Desk.start(command, data_dir, ready_line=b"http")
        (alert,) = raised(first.wait_for(lambda snapshot: bool(raised(snapshot))))
        for _ in first.events():
            if (data_dir / "alerts.jsonl").read_bytes():
                break
        first.kill()
        assert told(data_dir) == [("raised", "link/down")]

        second = Desk.start(command, data_dir, ready_line=b"http")
        again = second.wait_for(lambda snapshot: snapshot["link"]["failures"] >= 3)
        assert [(each["key"], each["since_ns"]) for each in raised(again)] == [("link/down", alert["since_ns"])]
        assert second.stop() == 0
        assert told(data_dir) == [("raised", "link/down")]
