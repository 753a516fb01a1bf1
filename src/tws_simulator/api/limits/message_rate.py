"""How many messages a client may send in a second, and what happens to one too many.

A gateway takes half as many messages a second as the user has market data lines, from each connection. Its setting
"reject messages above maximum allowed message rate" decides about the rest: ``reject`` refuses each with error 100 and
ends the connection at the third second in which that happened; ``pace`` holds them back and serves them later, in
order. ``off`` is no setting of IB: it lets benchmarks and scripts through.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, get_args

from tws_simulator.api.limits.window import Window
from tws_simulator.api.notices import Notice
from tws_simulator.api.notices.session import too_many_messages
from tws_simulator.world.time.units import SECOND_NS

Pacing = Literal["pace", "reject", "off"]
PACINGS: tuple[str, ...] = get_args(Pacing)
BACKLOG_MAX = 1_000
"""Messages held back for one client; at it the gateway stops reading its socket until some are served."""
STRIKES_MAX = 3


class Verdict(Enum):
    SERVE = "serve"
    HOLD = "hold"
    REFUSE = "refuse"
    DISCONNECT = "disconnect"


class MessageRate:
    """At most ``per_second`` messages are served in any second that ends now."""

    def __init__(self, per_second: int, pacing: Pacing) -> None:
        self.per_second = per_second
        self.strikes = 0
        self._pacing = pacing
        self._recent: Window[None] = Window(SECOND_NS)
        self._struck_ns: int | None = None

    def judge(self, now_ns: int) -> Verdict:
        """What is to be done with a message that came now."""
        if self._pacing == "off":
            return Verdict.SERVE
        if self.has_room(now_ns):
            self._recent.add(now_ns, None)
            return Verdict.SERVE
        if self._pacing == "pace":
            return Verdict.HOLD
        self._recent.add(now_ns, None)
        if self._struck_ns is None or now_ns - self._struck_ns >= SECOND_NS:
            self._struck_ns = now_ns
            self.strikes += 1
        return Verdict.DISCONNECT if self.strikes >= STRIKES_MAX else Verdict.REFUSE

    def has_room(self, now_ns: int) -> bool:
        return self._recent.count(now_ns) < self.per_second

    def refusal(self) -> Notice:
        """Error 100 for the message judged last."""
        return too_many_messages(self.per_second, len(self._recent), self.strikes)
