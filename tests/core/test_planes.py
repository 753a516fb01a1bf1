"""The planes beyond our socket, told from the notices as gateways have written them."""

from __future__ import annotations

import pytest

from ibkr_adapter.core.link.planes import Planes, Upstream, farm_name
from ibkr_adapter.notices import Effect, shipped


@pytest.mark.parametrize(
    ("code", "text", "farm", "kind", "state"),
    [
        (2104, "Market data farm connection is OK:usfarm", "usfarm", "market", "ok"),
        (2106, "HMDS data farm connection is OK:ushmds", "ushmds", "history", "ok"),
        (2158, "Sec-def data farm connection is OK:secdefnj", "secdefnj", "definitions", "ok"),
        (2103, "Market data farm connection is broken:jfarm", "jfarm", "market", "broken"),
        (2119, "Market data farm is connecting:cashfarm", "cashfarm", "market", "connecting"),
        (
            2108,
            "Market data farm connection is inactive but should be available upon demand.eufarm",
            "eufarm",
            "market",
            "dormant",
        ),
        (
            2107,
            "HMDS data farm connection is inactive but should be available upon demand.ushmds",
            "ushmds",
            "history",
            "dormant",
        ),
    ],
)
def test_a_farm_notice_names_its_farm_kind_and_state(code: int, text: str, farm: str, kind: str, state: str):
    """Texts as captured: the name stands behind a colon, or behind the last dot."""
    planes = Planes()

    planes.apply(shipped().of(code).effect, text, 5)

    view = planes.farms[0]
    assert (view.name, view.kind, view.state, view.since_ns) == (farm, kind, state, 5)


def test_a_repeated_farm_notice_changes_nothing():
    """The dormant notice has been seen twice in a row."""
    planes = Planes()
    text = "Market data farm connection is inactive but should be available upon demand.eufarm"
    planes.apply(Effect.FARM_DORMANT, text, 5)

    planes.apply(Effect.FARM_DORMANT, text, 9)

    assert planes.farms[0].since_ns == 5


@pytest.mark.parametrize("text", ["", ":", ".", "no name", "HMDS data farm connection is inactive."])
def test_a_text_without_a_name_still_makes_a_farm(text: str):
    """Texts differ between versions; none of them may be an error."""
    assert farm_name(text)


def test_only_a_market_farm_breaks_quotes():
    """History and definitions may be broken while quotes flow."""
    planes = Planes()
    planes.apply(Effect.FARM_BROKEN, "HMDS data farm connection is broken:ushmds", 1)
    planes.apply(Effect.FARM_BROKEN, "Sec-def data farm connection is broken:secdefil", 1)
    assert planes.market_farm_broken_ns is None

    planes.apply(Effect.FARM_BROKEN, "Market data farm connection is broken:usfarm", 2)
    assert planes.market_farm_broken_ns == 2
    planes.apply(Effect.FARM_OK, "Market data farm connection is OK:usfarm", 3)
    assert planes.market_farm_broken_ns is None


def test_the_upstream_is_unknown_until_somebody_speaks_of_it():
    """A farm that is well proves it; 1100 loses it; a farm notice alone does not bring it back."""
    planes = Planes()
    assert planes.upstream is Upstream.UNKNOWN

    planes.apply(Effect.FARM_OK, "Market data farm connection is OK:usfarm", 1)
    assert planes.upstream is Upstream.CONNECTED
    planes.apply(Effect.UPSTREAM_LOST, "", 2)
    planes.apply(Effect.FARM_OK, "Market data farm connection is OK:usfarm", 4)
    assert planes.upstream is Upstream.LOST
    planes.apply(Effect.UPSTREAM_RESTORED, "", 5)
    assert planes.upstream is Upstream.CONNECTED


def test_a_new_session_knows_nothing():
    """What the last session was told of the planes is old."""
    planes = Planes()
    planes.apply(Effect.UPSTREAM_LOST, "", 1)
    planes.apply(Effect.FARM_BROKEN, "Market data farm connection is broken:usfarm", 1)

    planes.reset()

    assert planes.upstream is Upstream.UNKNOWN
    assert planes.farms == ()


def test_farms_have_a_bound():
    """A gateway that invents farms does not fill our memory."""
    planes = Planes()
    for number in range(1_000):
        planes.apply(Effect.FARM_OK, f"Market data farm connection is OK:farm{number}", 1)

    assert len(planes.farms) == Planes.FARMS_MAX
