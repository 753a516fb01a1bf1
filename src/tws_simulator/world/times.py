"""Times as the gateway writes them: New York, with the zone's old name."""

from __future__ import annotations

from tws_simulator.world.instruments.universe import US_EASTERN
from tws_simulator.world.time.calendar import new_york_time


def exchange_time(ts_ns: int) -> str:
    """ "20260413 15:27:04 US/Eastern"."""
    return f"{new_york_time(ts_ns):%Y%m%d %H:%M:%S} {US_EASTERN}"
