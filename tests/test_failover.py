"""Two gateways over real sockets: the one goes away, the other is used, and nothing goes back by itself."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ibkr_adapter.clock import SECOND
from ibkr_adapter.config import Config
from ibkr_adapter.config.resolving import resolve
from ibkr_adapter.events import SessionLost
from ibkr_adapter.journal.recover import recover
from tests.test_service import served
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway

pytestmark = pytest.mark.wire


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def configured(primary: GatewayThread, secondary: GatewayThread, directory: Path) -> Config:
    """One account, two logins; planned windows left out, so that the test may run at any hour."""
    document: dict[str, Any] = {
        "data_dir": str(directory),
        "environments": {"development": {"account": primary.account, "standby": "secondary"}},
        "gateways": {
            "primary": {"port": primary.port, "kind": "paper", "username": "desk"},
            "secondary": {"port": secondary.port, "kind": "paper", "username": "desk-standby"},
        },
        "trading": {"enabled": True},
        "http": {"listen": "127.0.0.1:0"},
        "instruments": [{"symbol": "SPY"}],
    }
    config = resolve(document, "test", directory)
    quiet = {name: replace(gateway, windows=()) for name, gateway in config.gateways.items()}
    return replace(config, gateways=quiet)


def _lost(directory: Path) -> list[SessionLost]:
    with contextlib.closing(recover(directory / "journal")) as recovery:
        return [event for _, event in recovery.events() if isinstance(event, SessionLost)]


def ready_at(gateway: str) -> Any:
    """The picture in which a session with it is ready and its quotes flow."""
    return lambda seen: seen["link"]["state"] == "ready" and seen["link"]["gateway"] == gateway and seen["proven"]


async def test_a_desk_moves_to_its_standby_and_stays_there(tmp_path: Path) -> None:
    """B26, B28: orders do not go there, the first gateway's return changes nothing, and a person's word goes back."""
    with running_gateway(Gateway(seed=7)) as secondary:
        primary = GatewayThread(Gateway(seed=7))
        primary.start()
        async with served(configured(primary, secondary, tmp_path)) as desk:
            picture = await desk.until(ready_at("primary"))
            assert picture["gate"]["open"]
            assert not secondary.call(lambda gateway: gateway.core.state.requests)

            port = primary.port
            primary.stop()
            picture = await desk.until(ready_at("secondary"))
            assert picture["link"]["standby"]
            assert [reason["code"] for reason in picture["gate"]["reasons"]] == ["standby"]
            assert "link/standby" in [alert["key"] for alert in picture["alerts"]]
            assert picture["link"]["epoch"] == 5, "three attempts at the first gateway, then the standby"

            with running_gateway(Gateway(seed=7, port=port)) as returned:
                await desk.until(lambda seen: seen["taken_ns"] > picture["taken_ns"] + 2 * SECOND)
                assert (await desk.snapshot())["link"]["epoch"] == picture["link"]["epoch"]
                assert not returned.call(lambda gateway: gateway.core.state.requests)

                assert (await desk.fail_back()).status_code == 202
                back = await desk.until(ready_at("primary"))
                assert back["link"]["epoch"] == picture["link"]["epoch"] + 1
                assert not back["link"]["standby"]
                assert (await desk.fail_back()).json()["reasons"][0]["code"] == "not_on_standby"
    lost = [record.detail for record in _lost(tmp_path)]
    assert "back from the standby: cli:ann asked for it" in lost[-2], "who asked is in the journal"


async def test_without_a_standby_the_same_gateway_is_waited_for(tmp_path: Path) -> None:
    """Nobody is asked but the configured one."""
    with running_gateway(Gateway(seed=7)) as other, running_gateway(Gateway(seed=7)) as primary:
        config = configured(primary, other, tmp_path)
        alone = {"development": replace(config.active, standby="")}
        async with served(replace(config, environments=config.environments | alone)) as desk:
            await desk.until(ready_at("primary"))
            primary.call(lambda gateway: gateway.disconnect_all())
            picture = await desk.until(lambda seen: seen["link"]["epoch"] == 2 and ready_at("primary")(seen))
            assert not picture["link"]["standby"]
            assert not other.call(lambda gateway: gateway.core.state.requests)
