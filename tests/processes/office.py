"""One file for all components of a desk, and a gateway that hears what each of them asks for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.processes.desk import Desk
from tws_simulator.api.interference import Interference
from tws_simulator.api.peer import Peer
from tws_simulator.gateway import GatewayThread
from tws_simulator.wire.row import Message, message

CLI = [sys.executable, "-m", "ibkr_adapter"]


class Listener(Interference):
    """Hears what each client asks for; ``accounts`` stands for the real list, where it is given."""

    def __init__(self, accounts: str = "") -> None:
        self.asked: list[tuple[int, str]] = []
        self._accounts = accounts

    def request(self, peer: Peer, message: Message) -> Message | None:
        self.asked.append((peer.client_id, message.name))
        return message

    def reply(self, peer: Peer, said: Message) -> tuple[Message, ...]:
        if said.name == "managedAccounts" and self._accounts:
            return (message("managedAccounts", accountsList=self._accounts),)
        return (said,)


def asked_by(gateway: GatewayThread, listener: Listener, client_id: int) -> list[str]:
    return gateway.call(lambda _: [name for client, name in listener.asked if client == client_id])


class Office:
    """One file for all components, in a directory of its own."""

    def __init__(self, directory: Path, gateway: GatewayThread) -> None:
        self.directory = directory
        self.file = directory / "desk.toml"
        self.file.write_text(
            f"""
environment = "development"
data_dir = "{directory / "state"}"
[environments.development]
gateway = "simulated"
[gateways.simulated]
port = {gateway.port}
windows = []
[trading]
enabled = true
[http]
listen = "127.0.0.1:0"
[[instruments]]
symbol = "SPY"
"""
        )

    def command(self, component: str) -> list[str]:
        return [*CLI, "run", "--config", str(self.file), "--component", component]

    def start(self, component: str) -> Desk:
        place = self.directory / ("state" if component == "ibkr_adapter" else f"{component}-state")
        return Desk.start(self.command(component), place, ready_line=b"http")


def has_account(snapshot: dict[str, Any]) -> bool:
    return snapshot["link"]["state"] == "ready" and any("NetLiquidation" in a["values"] for a in snapshot["accounts"])
