"""The components of one file beside each other at one gateway, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ibkr_adapter.errors import ExitCode
from tests.processes.desk import tradable
from tests.processes.office import Listener, Office, asked_by, has_account
from tws_simulator.gateway import Gateway, running_gateway


def test_the_risk_manager_has_the_summary_and_the_adapter_trades(tmp_path: Path) -> None:
    """Both are ready at once under their own ids; the adapter, which finds the other there, asks for no summary."""
    listener = Listener()
    with running_gateway(Gateway(seed=3, interference=listener)) as gateway:
        office = Office(tmp_path, gateway)
        watcher = office.start("risk_manager")
        seen = watcher.wait_for(has_account)
        assert (seen["component"], seen["link"]["client_id"], seen["streams"]) == ("risk_manager", 2, [])
        assert not seen["gate"]["open"]
        adapter = office.start("ibkr_adapter")
        adapter.wait_for(tradable)
        order = {"symbol": "SPY", "action": "BUY", "quantity": 1, "order_type": "MKT"}
        assert not watcher.ask("POST", "/v1/orders", order)["accepted"]
        assert adapter.ask("POST", "/v1/orders", order)["accepted"]
        adapter.wait_for(lambda s: s["executions"])
        assert "reqAccountSummary" in asked_by(gateway, listener, 2)
        assert "reqAccountSummary" not in asked_by(gateway, listener, 1)
        assert not {"placeOrder", "cancelOrder", "reqMktData"} & set(asked_by(gateway, listener, 2))
        assert watcher.stop() == adapter.stop() == 0


def test_an_emergency_console_places_and_cancels_its_own(tmp_path: Path) -> None:
    """Beside the adapter and without market data: a limit order that rests, and its cancel."""
    listener = Listener()
    with running_gateway(Gateway(seed=3, interference=listener)) as gateway:
        office = Office(tmp_path, gateway)
        adapter = office.start("ibkr_adapter")
        price = adapter.wait_for(tradable)["quotes"]["SPY"]["bid"] * 0.9
        console = office.start("emergency_console")
        console.wait_for(lambda s: s["gate"]["open"])
        order = {
            "symbol": "SPY",
            "action": "BUY",
            "quantity": 1,
            "order_type": "LMT",
            "limit_price": f"{price:.2f}",
        }
        placed: dict[str, Any] = {"accepted": False}
        while not placed["accepted"]:  # until the contract is known
            placed = console.ask("POST", "/v1/orders", order)
            assert placed["accepted"] or {reason["code"] for reason in placed["reasons"]} == {"instrument"}
        console.wait_for(lambda s: s["orders"][0]["state"] == "working")
        assert console.ask("DELETE", f"/v1/orders/{placed['order_key']}")["accepted"]
        console.wait_for(lambda s: s["orders"][0]["state"] == "cancelled")
        assert "reqMktData" not in asked_by(gateway, listener, 99)
        assert console.stop() == adapter.stop() == 0


@pytest.mark.parametrize("accounts", ["U1234567", "DU1234567,U1234567"])
def test_the_replay_leaves_a_live_account_before_it_asks_anything(tmp_path: Path, accounts: str) -> None:
    """One live account among the login's is enough; START_API is all that it ever said."""
    listener = Listener(accounts)
    with running_gateway(Gateway(seed=3, interference=listener)) as gateway:
        office = Office(tmp_path, gateway)
        environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
        ended = subprocess.run(
            office.command("execution_replay"), env=environment, capture_output=True, text=True, timeout=60
        )
        said = gateway.call(lambda _: [name for _, name in listener.asked])
    assert ended.returncode == ExitCode.ACCOUNT_MISMATCH
    assert ended.stderr.strip().splitlines()[-1].startswith("error: account U1234567 is not a paper account")
    assert said == ["startApi"]


def test_the_replay_runs_on_a_paper_account(tmp_path: Path) -> None:
    """It has data and the account, and no way to an order."""
    listener = Listener()
    with running_gateway(Gateway(seed=3, interference=listener)) as gateway:
        replay = Office(tmp_path, gateway).start("execution_replay")
        seen = replay.wait_for(lambda s: has_account(s) and s["quotes"].get("SPY", {}).get("ask") is not None)
        assert seen["link"]["client_id"] == 3
        assert "capability" in {reason["code"] for reason in seen["gate"]["reasons"]}
        assert replay.stop() == 0
