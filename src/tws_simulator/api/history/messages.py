"""Historical bars as messages."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tws_simulator.api.wire_times import gateway_time
from tws_simulator.wire.row import Message, message
from tws_simulator.wire.values import Values
from tws_simulator.world.history.history import BarSize, Step
from tws_simulator.world.market.tape import Bar
from tws_simulator.world.time.calendar import new_york_date
from tws_simulator.world.time.units import SECOND_NS


@dataclass(frozen=True, kw_only=True, slots=True)
class BarFormat:
    """How one request wants its times, and whether its bars have a volume: those of an index have none, told as 0.

    Bars of days and longer have a date, whatever the format.
    """

    size: BarSize
    as_seconds: bool
    server_version: int
    has_volume: bool = True

    def bar(self, bar: Bar) -> Values:
        traded = self.has_volume or bar.volume < 0
        return {
            "date": self._time(bar.ts_ns),
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": Decimal(bar.volume if traded else 0),
            "WAP": Decimal(repr(round(float(bar.wap), 3))) if traded else Decimal(0),
            "barCount": bar.count if traded else 0,
        }

    def update(self, req_id: int, bar: Bar) -> Message:
        return message("historicalDataUpdate", reqId=req_id, historicalDataBar=self.bar(bar))

    def _time(self, ts_ns: int) -> str:
        if isinstance(self.size, Step):
            return f"{new_york_date(ts_ns):%Y%m%d}"
        return str(ts_ns // SECOND_NS) if self.as_seconds else gateway_time(ts_ns, self.server_version)
