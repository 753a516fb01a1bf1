"""The whole service in this process while Vault goes and comes back; its clock is moved, so nobody waits for a TTL."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from ibkr_adapter.app import serve
from ibkr_adapter.clock import MINUTE, SECOND, SystemClock
from ibkr_adapter.config import Redis, Reference, Source, Vault
from ibkr_adapter.config.reading import simulated
from ibkr_adapter.ops import secrets
from ibkr_adapter.statefile import RunningService
from tests.test_service import PATIENCE_S, Desk
from tests.vault_stub import ROLE_ID, SECRET_ID, running_stub
from tws_simulator.gateway import Gateway, running_gateway

pytestmark = pytest.mark.wire


class MovedClock(SystemClock):
    """Runs as always, and can be put forward."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


@pytest.mark.fault("E14")
async def test_vault_away_is_one_alert_from_half_of_a_life_to_its_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E14: nothing at first, a warning at half, critical near the end; the return is found without a restart."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ROLE_ID", ROLE_ID)
    monkeypatch.setenv("SECRET_ID", SECRET_ID)
    monkeypatch.setattr(secrets, "LOOK_EVERY_S", 0.02)
    clock = MovedClock()

    def raised(severity: str):
        return lambda seen: (
            ("vault/unreachable", severity)
            in [(alert["key"], alert["severity"]) for alert in seen["alerts"] if alert["raised"]]
        )

    with running_stub() as stub, running_gateway(Gateway(seed=7)) as simulator:
        config = replace(
            simulated(simulator.port, simulator.account, tmp_path / "data", "127.0.0.1:0"),
            redis=Redis(password=Reference(Source.VAULT, "desk/redis#password")),
            vault=Vault(
                url=stub.url,
                role_id=Reference(Source.ENV, "ROLE_ID"),
                secret_id=Reference(Source.ENV, "SECRET_ID"),
            ),
        )
        announced: asyncio.Future[RunningService] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(config, stop=stop, announce=announced.set_result, clock=clock))
            desk = Desk(service := await announced)
            picture = await desk.until(lambda seen: seen["link"]["state"] == "ready")
            assert "vault/unreachable" not in str(picture["alerts"])
            stub.mode = "sealed"
            clock.ahead_ns += 31 * MINUTE
            await desk.until(raised("warning"))
            clock.ahead_ns += 24 * MINUTE
            seen = await desk.until(raised("critical"))
            assert "is sealed" in str(seen["alerts"])
            async with httpx.AsyncClient() as client:
                metrics = (await client.get(f"{service.url}/metrics")).text
            assert "canary" not in metrics + str(seen)
            stub.mode = "well"

            def well(seen) -> bool:
                clock.ahead_ns += SECOND  # ten until the next try, and thirty until it counts as over
                return not raised("critical")(seen) and not raised("warning")(seen)

            await desk.until(well)
            await desk.leave()
            stop.set()
