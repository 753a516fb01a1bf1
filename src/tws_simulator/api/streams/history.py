"""Historical bars kept up to date: the running bar every few seconds, and each new one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tws_simulator.api.history.messages import BarFormat
from tws_simulator.api.streams.stream import Moment
from tws_simulator.wire.row import Message
from tws_simulator.world.history.bars import Kind
from tws_simulator.world.history.history import History
from tws_simulator.world.instruments.listing import Listing
from tws_simulator.world.market.tape import Bar

KIND: Final = "history"
_INTERVAL_NS: Final = 2_000_000_000  # IB says "every few seconds"; captures do not tell
_BARS_AT_ONCE_MAX: Final = 720
"""Who lets the clock jump further is told the latest."""


class KeptBars:
    """Remembers the last bar it has told; a finished one is told once more when it has changed since."""

    def __init__(
        self,
        req_id: int,
        listing: Listing,
        history: History,
        *,
        kind: Kind,
        bar_format: BarFormat,
        regular_only: bool,
        now_ns: int,
        told: Bar | None,
    ) -> None:
        self.req_id = req_id
        self.con_id = listing.con_id
        self._listing = listing
        self._history = history
        self._kind = kind
        self._format = bar_format
        self._regular_only = regular_only
        self._told = told
        self._since_ns = told.ts_ns if told is not None else now_ns
        self._due_ns = now_ns + _INTERVAL_NS

    def tell(self, moment: Moment) -> Iterator[Message]:
        if moment.now_ns < self._due_ns:
            return
        self._due_ns = moment.now_ns + _INTERVAL_NS
        bars = self._history.bars(
            self._listing,
            self._kind,
            self._format.size,
            self._since_ns,
            moment.now_ns + 1,
            regular_only=self._regular_only,
        )
        for bar in bars[-_BARS_AT_ONCE_MAX:]:
            if bar != self._told:
                self._told = bar
                self._since_ns = bar.ts_ns
                yield self._format.update(self.req_id, bar)
