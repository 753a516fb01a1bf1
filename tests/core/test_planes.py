"""The planes beyond our socket, told from the notices as gateways have written them."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.link.planes import SETTLED_NS, FarmChange, FarmState, Planes, Upstream, farm_name
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import LossCause, SessionLost
from ibkr_adapter.notices import Effect, FarmKind, shipped

BROKEN = "Market data farm connection is broken:usfarm"
OK = "Market data farm connection is OK:usfarm"


def told(planes: Planes, code: int, text: str, now_ns: int) -> FarmChange | None:
    notice = shipped().of(code)
    match notice.effect:
        case Effect.UPSTREAM_LOST:
            planes.lost(now_ns)
        case Effect.UPSTREAM_RESTORED | Effect.UPSTREAM_RESTORED_STREAMS_LOST:
            planes.restored()
        case farm:
            return planes.farm(notice, text, FarmState(farm.value.removeprefix("farm_")), now_ns)
    return None


def keys(planes: Planes, now_ns: int) -> list[str]:
    return [condition.key for condition in planes.conditions(now_ns)]


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

    told(planes, code, text, 5)

    view = planes.farms(5)[0]
    assert (view.name, view.kind, view.state, view.since_ns) == (farm, kind, state, 5)


def test_a_repeated_farm_notice_changes_nothing():
    """The dormant notice has been seen twice in a row."""
    planes = Planes()
    text = "Market data farm connection is inactive but should be available upon demand.eufarm"
    told(planes, 2108, text, 5)

    told(planes, 2108, text, 9)

    assert planes.farms(5)[0].since_ns == 5


@pytest.mark.parametrize("text", ["", ":", ".", "no name", "HMDS data farm connection is inactive."])
def test_a_text_without_a_name_still_makes_a_farm(text: str):
    """Texts differ between versions; none of them may be an error."""
    assert farm_name(text)


def test_only_a_market_farm_breaks_quotes():
    """History and definitions may be broken while quotes flow."""
    planes = Planes()
    told(planes, 2105, "HMDS data farm connection is broken:ushmds", 1)
    told(planes, 2157, "Sec-def data farm connection is broken:secdefil", 1)
    assert planes.market_farm_broken_ns is None

    told(planes, 2103, "Market data farm connection is broken:usfarm", 2)
    assert planes.market_farm_broken_ns == 2
    told(planes, 2104, "Market data farm connection is OK:usfarm", 3)
    assert planes.market_farm_broken_ns is None


def test_the_upstream_is_unknown_until_somebody_speaks_of_it():
    """A farm that is well proves it; 1100 loses it; a farm notice alone does not bring it back."""
    planes = Planes()
    assert planes.upstream is Upstream.UNKNOWN

    told(planes, 2104, "Market data farm connection is OK:usfarm", 1)
    assert planes.upstream is Upstream.CONNECTED
    told(planes, 1100, "", 2)
    told(planes, 2104, "Market data farm connection is OK:usfarm", 4)
    assert planes.upstream is Upstream.LOST
    told(planes, 1102, "", 5)
    assert planes.upstream is Upstream.CONNECTED


def test_a_new_session_knows_nothing():
    """What the last session was told of the planes is old, and of another gateway it says nothing."""
    planes = Planes()
    told(planes, 1100, "", 1)
    told(planes, 2103, "Market data farm connection is broken:usfarm", 1)

    lost = SessionLost(ts_recv_ns=2, epoch=1, gateway="a", client_id=1, cause=LossCause.RESET)
    planes.session_lost(lost, 2, Outbox())
    planes.session_opened("another")

    assert planes.upstream is Upstream.UNKNOWN
    assert planes.farms(1) == ()


def test_farms_have_a_bound():
    """A gateway that invents farms does not fill our memory."""
    planes = Planes()
    for number in range(1_000):
        told(planes, 2104, f"Market data farm connection is OK:farm{number}", 1)

    assert len(planes.farms(1)) == Planes.FARMS_MAX


@pytest.mark.parametrize(("code", "kind"), [(2103, "market"), (2105, "history"), (2157, "definitions")])
def test_the_kind_of_a_farm_comes_with_the_code(code: int, kind: str):
    """A farm may be named as it likes: ``ushmds`` has been told of by the notice of a market farm."""
    planes = Planes()
    told(planes, code, "connection is broken:ushmds", 1)

    assert planes.farms(1)[0].kind == kind
    assert planes.is_down(FarmKind(kind))


def test_a_farm_that_flaps_is_one_incident():
    """What is shown is what was told last; the incident outlasts the moments in between."""
    planes = Planes()
    for second in range(0, 60, 4):
        told(planes, 2103, BROKEN, second * SECOND)
        assert keys(planes, second * SECOND) == ["farm/usfarm"]
        told(planes, 2104, OK, (second + 1) * SECOND)
        view = planes.farms((second + 3) * SECOND)[0]
        assert (view.state, view.breaks) == ("ok", second // 4 + 1)
        assert keys(planes, (second + 3) * SECOND) == ["farm/usfarm"]

    settled_ns = 57 * SECOND + SETTLED_NS
    assert planes.next_change_ns(58 * SECOND) == settled_ns
    assert keys(planes, settled_ns) == []
    assert planes.farms(settled_ns)[0].breaks == 0


def test_each_break_and_each_return_is_told_once():
    """Gaps are counted from them: neither a repeat nor the words in between are another break."""
    planes = Planes()
    changes = [
        told(planes, 2103, BROKEN, 1),
        told(planes, 2103, BROKEN, 2),
        told(planes, 2119, "Market data farm is connecting:usfarm", 3),
        told(planes, 2104, OK, 4),
        told(planes, 2104, OK, 5),
    ]

    assert [(change.up, change.down_ns) for change in changes if change is not None] == [(False, 1), (True, 1)]


def test_a_hundred_1100_are_one_loss():
    """Since when it is so is what counts; one condition, which alerts after a minute."""
    planes = Planes()
    for at in range(1, 101):
        told(planes, 1100, "", at)

    assert planes.upstream_lost_ns == 1
    (condition,) = planes.conditions(200)
    assert (condition.key, condition.severity.value, condition.after_ns) == ("upstream/lost", "critical", 60 * SECOND)
    assert condition.excused_by


@pytest.mark.parametrize("codes", [(1101,), (1102,), (1102, 1100, 1102), (1101, 1101), (2110, 1102)])
def test_whatever_order_the_words_come_in_the_last_one_counts(codes: tuple[int, ...]):
    """The first notice may have been lost with its frame."""
    planes = Planes()
    for at, code in enumerate(codes, 1):
        told(planes, code, "", at)

    assert planes.upstream is Upstream.CONNECTED
    assert keys(planes, 10) == []
