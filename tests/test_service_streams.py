"""All market data of the whole service, off and on again, and what is left at the simulated gateway behind a stop."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from ibkr_adapter.instruments import Instrument
from ibkr_adapter.statefile import read
from tests.test_service import PATIENCE_S, asked, configured, served
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway
from tws_simulator.world.instruments.universe import everything

STOCKS = [listing for listing in everything() if listing.sec_type == "STK"]

pytestmark = pytest.mark.wire


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def standing(simulator: GatewayThread) -> int:
    """Streams of any kind that the gateway keeps for anybody."""
    return simulator.call(lambda gateway: sum(len(session.streams) for session in gateway.core.state.sessions))


async def switch(directory: Path, which: str) -> httpx.Response:
    service = read(directory / "service.json")
    assert service is not None
    headers = {"Authorization": f"Bearer {service.token}", "X-Actor": "cli:ann"}
    async with httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_S) as http:
        return await http.post(f"/v1/streams/{which}", headers=headers)


async def test_market_data_goes_off_and_comes_back(tmp_path: Path) -> None:
    """Every line is cancelled at the gateway, none is asked for until it is started; the gap is told with its cause."""
    with running_gateway(Gateway(seed=7)) as simulator:
        async with served(configured(simulator, tmp_path)) as desk:
            await desk.until(lambda seen: len(seen["quotes"]) == len(seen["streams"]) == 10)
            answer = await switch(tmp_path, "stop")
            assert (answer.status_code, answer.json()["state"]) == (202, "stopped")
            await desk.until(lambda seen: asked(simulator)["cancelMktData"] == 10)
            picture = await desk.until(lambda seen: bool(seen["stopped"]) and not seen["rate"]["waiting"])
            assert picture["stopped"]["actor"] == "cli:ann"
            assert {stream["state"] for stream in picture["streams"]} == {"stopped"}
            assert (await switch(tmp_path, "stop")).status_code == 200
            await switch(tmp_path, "start")
            again = await desk.until(lambda seen: len(seen["gaps"]) == 10)
            assert {gap["cause"] for gap in again["gaps"]} == {"stopped"}
            assert asked(simulator)["reqMktData"] == 20


async def test_a_stop_leaves_no_stream_at_the_gateway(tmp_path: Path) -> None:
    """With as many lines as there are stocks: each is cancelled by us, before the session ends, within the budget."""
    symbols = [listing.symbol for listing in STOCKS]
    instruments = tuple(Instrument(symbol=symbol) for symbol in symbols)
    with running_gateway(Gateway(seed=7, symbols=symbols)) as simulator:
        config = replace(configured(simulator, tmp_path), instruments=instruments)
        async with served(config) as desk:
            await desk.until(lambda seen: sum(stream["state"] == "live" for stream in seen["streams"]) == len(symbols))
            assert standing(simulator) >= len(symbols)
        requests = asked(simulator)
    assert requests["cancelMktData"] == requests["reqMktData"] == len(symbols)
    assert requests["cancelAccountSummary"] == requests["cancelPositions"] == 1
