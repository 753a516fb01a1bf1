"""``[ha]``: what can be said of machines that share a client id, and what cannot."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.config.reading import parse
from ibkr_adapter.config.showing import show
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.errors import ConfigurationError

REDIS = '[redis]\nurl = "redis://localhost"\n'


def test_by_default_no_lease_is_shared() -> None:
    """One machine needs no Redis: its lock is the lease."""
    config = parse("", "test")
    assert not config.ha.enabled
    assert config.ha.lease_ttl_s == 15
    assert not Settings.of(config).lease_required


def test_machines_that_share_need_redis() -> None:
    """Without one nothing is started."""
    with pytest.raises(ConfigurationError, match=r"ha\.enabled: .*Redis.*\(set redis\.url\)"):
        parse("[ha]\nenabled = true", "test")
    assert Settings.of(parse(f"{REDIS}[ha]\nenabled = true", "test")).lease_required


@pytest.mark.parametrize("ttl", ["0", "0.5", "301", "-15"])
def test_a_ttl_has_bounds(ttl: str) -> None:
    """Shorter than a second no renewal is in time; longer than five minutes nobody takes over."""
    with pytest.raises(ConfigurationError, match=r"ha\.lease_ttl_s: must be 1 to 300 seconds"):
        parse(f"{REDIS}[ha]\nlease_ttl_s = {ttl}", "test")


def test_a_name_is_fit_for_a_line_of_the_log() -> None:
    """It is shown to the other machines."""
    with pytest.raises(ConfigurationError, match=r"ha\.name"):
        parse('[ha]\nname = "desk a\\n"', "test")
    assert parse('[ha]\nname = "desk-a"', "test").ha.name == "desk-a"


def test_what_is_in_force_is_shown() -> None:
    """And can be read again."""
    config = parse(f'{REDIS}[ha]\nenabled = true\nlease_ttl_s = 2.5\nname = "a"', "test")
    assert "[ha]\nenabled = true\nlease_ttl_s = 2.5" in show(config)
    assert parse(show(config), "again").ha.lease_ttl_s == Decimal("2.5")
