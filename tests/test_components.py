"""The desk's table of client ids, and that every layer alone keeps a component without the capability from orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from ibkr_adapter.config import Capability, Config
from ibkr_adapter.config.reading import load, parse
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.errors import ConfigurationError, ReadOnlyClient
from ibkr_adapter.lease.summary_owner import better, owner_here
from ibkr_adapter.requests import CancelQuotes, Request, SendCancel, SendOrder
from ibkr_adapter.tws.client import Client
from tests.core.world import World
from tests.records import terms

ORDERS: dict[str, Request] = {
    "place": SendOrder(order_id=5, order_ref="k", terms=terms()),
    "cancel": SendCancel(order_id=5),
}
TABLE = {
    "ibkr_adapter": (1, True),
    "risk_manager": (2, False),
    "execution_replay": (3, False),
    "emergency_console": (99, True),
}
READ_ONLY = [name for name, (_, orders) in TABLE.items() if not orders]
VERSIONS = [176, 200, 203, 213]


def of(name: str) -> Config:
    return parse('environment = "development"', "test", component=name)


def client(name: str, version: int) -> Client:
    config = of(name)
    made = Client(client_id=config.client_id, orders=config.identity.can(Capability.ORDERS))
    made.greeted(version, "")
    return made


@pytest.mark.parametrize("name", TABLE)
def test_each_component_has_its_id_and_its_capability(name: str) -> None:
    """The table that the desk agreed on; only 1 and 99 may send orders."""
    config = of(name)
    assert (config.client_id, Settings.of(config).orders) == TABLE[name]
    assert Settings.of(config).paper_only == (name == "execution_replay")


@pytest.mark.parametrize("name", READ_ONLY)
def test_no_file_gives_a_reader_the_capability(name: str) -> None:
    """The first layer: the configuration."""
    with pytest.raises(ConfigurationError, match="is read-only"):
        parse(f'[components.{name}]\nclient_id = 2\ncapabilities = ["orders"]', "test")


@pytest.mark.parametrize("name", READ_ONLY)
def test_the_permit_refuses_without_the_capability(name: str) -> None:
    """The second layer: the core, whatever else stands open."""
    world = World(component=name, capabilities=frozenset(Capability) - {Capability.ORDERS}).ready()
    world.place("k1")
    assert [reason.code for reason in world.replies["c-k1"].reasons] == ["capability"]
    refused = world.cancel("k1")
    assert refused is not None
    assert not refused.accepted
    assert not world.requests(SendOrder)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("asked", ORDERS)
@pytest.mark.parametrize("name", TABLE)
def test_a_session_without_the_capability_cannot_encode_an_order(name: str, asked: str, version: int) -> None:
    """The third layer: there is no way from the request to a frame."""
    made = client(name, version)
    if name in READ_ONLY:
        with pytest.raises(ReadOnlyClient, match="without the capability"):
            made.frame(ORDERS[asked])
    else:
        assert made.frame(ORDERS[asked])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("asked", ["place", "cancel", "cancel all"])
@pytest.mark.parametrize("name", READ_ONLY)
def test_no_frame_of_an_order_leaves_a_session_without_the_capability(name: str, asked: str, version: int) -> None:
    """The fourth layer: should a way be built by mistake, the frame itself is known by its number."""
    from ibapi.order_cancel import OrderCancel

    from ibkr_adapter.tws import client as encoding

    made, able = client(name, version), client("ibkr_adapter", version)
    calls = {
        "place": lambda c: encoding._send_order(c, ORDERS["place"]),  # type: ignore[arg-type]  # it is one
        "cancel": lambda c: c.cancelOrder(5, OrderCancel()),
        "cancel all": lambda c: c.reqGlobalCancel(OrderCancel()),
    }
    with pytest.raises(ReadOnlyClient, match="concerns orders"):
        made._frame(asked, lambda: calls[asked](made))
    assert able._frame(asked, lambda: calls[asked](able))
    assert made.frame(CancelQuotes(req_id=7))


def test_components_of_one_file_have_places_of_their_own(tmp_path: Path) -> None:
    """What the file names for the first gets the component's name in front; the port is any free one."""
    file = tmp_path / "desk.toml"
    file.write_text(
        'data_dir = "state"\n[journal]\ndirectory = "/var/j"\n[store]\npath = "s.sqlite"\n'
        '[http]\nlisten = "127.0.0.1:9000"'
    )
    first, second = load(file), load(file, component="risk_manager")
    assert first == load(file, component="ibkr_adapter")
    assert (second.client_id, second.http.listen) == (2, "127.0.0.1:0")
    assert second.data_path == tmp_path / "risk_manager-state"
    assert second.journal.directory == "/var/risk_manager-j"
    assert second.store.path == str(tmp_path / "risk_manager-s.sqlite")


def test_components_without_places_have_their_own_by_default() -> None:
    """And a file that names its component itself is taken at its word."""
    first, second = of("ibkr_adapter"), of("risk_manager")
    assert second.data_path.name == "development-risk_manager"
    assert second.data_path.parent == first.data_path.parent
    assert second.http.listen == "127.0.0.1:0"
    named = parse('component = "risk_manager"\ndata_dir = "/x"\n[http]\nlisten = "127.0.0.1:9000"', "test")
    assert (named.data_dir, named.http.listen) == ("/x", "127.0.0.1:9000")


def test_an_unknown_component_is_refused_with_what_is_known() -> None:
    """A slip of the pen does not run as something else."""
    with pytest.raises(ConfigurationError, match="did you mean risk_manager"):
        of("risk_manger")


def test_the_right_to_the_summary_has_an_order() -> None:
    """The risk manager first, then the adapter, then by client id; nobody waits for one who reads no account."""
    components = of("ibkr_adapter").components
    assert better("risk_manager", components) == []
    assert better("ibkr_adapter", components) == ["risk_manager"]
    assert better("emergency_console", components) == ["risk_manager", "ibkr_adapter", "execution_replay"]
    assert owner_here(of("ibkr_adapter")) == ""
