"""What the effect of a message code comes to: the one table from effects to parts."""

from __future__ import annotations

import pytest

from ibkr_adapter.clock import MINUTE
from ibkr_adapter.core.codes import OF_ITS_ADDRESSEE
from ibkr_adapter.core.link.quotas import Quotas
from ibkr_adapter.events import AlertChanged
from ibkr_adapter.notices import Effect, shipped
from tests.core.world import World


def test_each_effect_has_a_handler_or_is_for_its_addressee_alone() -> None:
    """A row of the table that names an effect does something, and no effect is told in two ways."""
    handled = World(begin=False).engine._codes.handlers

    assert set(handled) | OF_ITS_ADDRESSEE == set(Effect)
    assert not set(handled) & OF_ITS_ADDRESSEE
    assert all(handled.values())


def test_each_effect_has_a_code() -> None:
    """What no code does would be dead."""
    assert {row.effect for row in shipped().rows} == set(Effect)


@pytest.mark.parametrize("code", [1100, 326, 100, 2103, 202, 2104])
def test_a_code_that_changes_a_part_is_told_by_that_part(code: int) -> None:
    """Never twice for one cause: no incident of the code beside the one of the part."""
    world = World().ready()
    world.notice(code)
    world.wait(MINUTE)

    assert [alert.key for alert in world.told(AlertChanged) if alert.key.startswith("notice/")] == []


def test_a_code_that_alerts_and_changes_nothing_is_told() -> None:
    """It has no part that could say so."""
    world = World().ready()
    world.notice(504)

    assert [alert.key for alert in world.told(AlertChanged)] == ["notice/504"]


@pytest.mark.parametrize(("code", "kind"), [(309, "depth"), (10190, "tick_by_tick")])
def test_a_refused_kind_of_stream_lowers_its_quota(code: int, kind: str) -> None:
    """What was in use when the gateway refused is what it allows; kept over sessions, and shown."""
    world = World().ready()
    quotas: Quotas = world.engine.quotas
    world.notice(code, req_id=1_000_000_077)

    assert getattr(quotas, kind).learned == 0
    assert quotas.lines.learned is None
    world.reconnect()
    assert [view.learned for view in world.engine.snapshot(world.now_ns).quotas].count(0) == 1
