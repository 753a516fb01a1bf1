"""More ticks than any market has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import ClassVar

from tws_simulator.api.session import Session, SessionState
from tws_simulator.api.streams.stream import Stream
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.event import Cause
from tws_simulator.faults.rig import Rig
from tws_simulator.wire.codec import frame
from tws_simulator.wire.row import message
from tws_simulator.world.time.units import SECOND_NS

_BLOCK = 1000
_STEP_S = 0.05
_SECONDS_BEHIND_MAX = 1.0
_BID = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Flood(Action):
    """``ticks_per_s`` level 1 bids for ``for_s`` seconds, spread over the client's open lines; encoded once, repeated.

    Each bid differs from the line's last one by up to a tenth of a dollar. Without an open line there is no flood.
    """

    do: ClassVar[str] = "flood"
    ticks_per_s: int = 100_000
    for_s: float = 10.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            block = _block(rig, session)
            if block:
                self._go_on(rig, session, block, rig.now_ns, rig.now_ns + int(self.for_s * SECOND_NS))

    def _go_on(self, rig: Rig, session: Session, block: bytes, told_ns: int, end_ns: int) -> None:
        """Whole blocks for the time gone by; a gateway that was held up does not make up for more than a second."""
        now_ns = min(rig.now_ns, end_ns)
        told_ns = max(told_ns, now_ns - int(_SECONDS_BEHIND_MAX * SECOND_NS))
        blocks = (now_ns - told_ns) * self.ticks_per_s // (_BLOCK * SECOND_NS)
        session.put_bytes(block * blocks)
        told_ns += blocks * _BLOCK * SECOND_NS // self.ticks_per_s
        if now_ns < end_ns and session.state is SessionState.RUNNING:
            rig.after(_STEP_S, partial(self._go_on, rig, session, block, told_ns, end_ns))


def _block(rig: Rig, session: Session) -> bytes:
    lines = [(req_id, _con_id(stream)) for (kind, req_id), stream in session.streams.items() if kind == "quote"]
    frames = []
    for at, (req_id, con_id) in enumerate(islice(cycle(lines), _BLOCK)):
        bid = 100.0 if con_id is None else rig.world.quote(con_id).bid
        price = round(bid + (at * 7 % 11 - 5) / 50, 2)
        tick = message("tickPrice", reqId=req_id, tickType=_BID, price=price, size=100 + at % 9, attrMask=1)
        frames.append(frame(session.codec.encode_reply(tick)))
    return b"".join(frames)


def _con_id(stream: Stream) -> int | None:
    """Of an open line; a line that does not say has bids around 100."""
    con_id = getattr(stream, "con_id", None) or getattr(getattr(stream, "listing", None), "con_id", None)
    return con_id if isinstance(con_id, int) else None
