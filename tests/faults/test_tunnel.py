"""The whole service behind a tunnel: what is wrong with it stands on the page, and what is mended is used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from ibkr_adapter.config import Config, Tls
from tests.papers import Papers
from tests.test_service import configured, served
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway
from tws_simulator.tls import Tls as Listener

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def through(tls: Tls, simulator: GatewayThread, directory: Path) -> Config:
    config = configured(simulator, directory)
    gateways = {name: replace(gateway, tls=tls) for name, gateway in config.gateways.items()}
    return replace(config, gateways=gateways)


async def test_a_service_is_ready_through_a_tunnel(papers: Papers, tmp_path: Path) -> None:
    """With certificates on both sides, up to quotes of every instrument."""
    listener = Listener(papers.tunnel_certificate, papers.tunnel_key, client_ca=papers.ca)
    with running_gateway(Gateway(seed=7, tls=listener)) as simulator:
        async with served(through(papers.tls(**papers.ours()), simulator, tmp_path)) as desk:
            picture = await desk.until(lambda seen: seen["link"]["state"] == "ready" and len(seen["quotes"]) == 10)
    assert picture["link"]["state"] == "ready"


async def test_what_is_wrong_with_a_tunnel_is_on_the_page_until_it_is_mended(papers: Papers, tmp_path: Path) -> None:
    """A wrong authority is tried again by the ordinary backoff; with the right one in its place the next try works."""
    authority = tmp_path / "ca.pem"
    shutil.copy(papers.other_ca, authority)
    with running_gateway(Gateway(seed=7, tls=Listener(papers.tunnel_certificate, papers.tunnel_key))) as simulator:
        async with served(through(papers.tls(ca=authority), simulator, tmp_path)) as desk:
            picture = await desk.until(lambda seen: "certificate" in seen["link"]["detail"])
            shutil.copy(papers.ca, authority)
            await desk.until(lambda seen: seen["link"]["state"] == "ready")
        placements = simulator.call(lambda gateway: gateway.ledger.placements_by_ref())
    assert "not signed by an authority we trust: give the one that signed it with tls.ca" in picture["link"]["detail"]
    assert placements == {}
