"""Which streams are dead although nobody said so.

A quiet stream proves nothing: a thin stock says nothing for an hour. So silence is measured against what else is known:

- a subscription that was never answered at all is asked for anew;
- after something was said that concerns it (its farm is back, the gateway has IB back) it must speak soon;
- else it must have been silent for much longer than it usually is, while its market is open and its peers tick;
- when *everything* is silent in an open market, all is asked for anew once, and if that does not help the session is
  recycled: a gateway has been seen to call its farm well and deliver nothing for hours.

No stream is asked anew in a loop: each try waits twice as long as the one before, up to five minutes, and so do
recycled sessions, up to a quarter of an hour. While the gateway has lost IB nothing is judged, and only what another
session took is asked for, as ever: where nobody says that IB is back, data alone tells. Where trading hours are not
known a market is taken for closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.link.planes import Planes, Upstream
from ibkr_adapter.core.market.contracts import Contracts
from ibkr_adapter.core.market.rhythm import SILENT_NS, Rhythm
from ibkr_adapter.core.market.stream import Stream
from ibkr_adapter.core.market.subscriptions import Subscriptions
from ibkr_adapter.events import GapCause
from ibkr_adapter.windows import RESETS

ANSWER_WITHIN_NS = 10 * SECOND
"""A subscription is answered at once, be it by the kind of its data; one without any answer for this long is lost."""

COMPETING_AGAIN_NS = 60 * SECOND
TAKEN_NS = 30 * SECOND
"""What another session has for a moment is a gap, and nobody's night."""
OF_THE_LINE_NS = 60 * SECOND
"""A silence that began so shortly before the line went was the line's."""

PEER_TICKS_NS = 5 * SECOND
HELPED_WITHIN_NS = 10 * SECOND
RELAPSE_NS = 60 * SECOND
RECYCLE_FIRST_NS = 60 * SECOND
RECYCLE_MAX_NS = 15 * MINUTE
CONTRADICTED_NS = 60 * SECOND
"""Data that flows for so long behind a 1100 or 2110 says that the gateway forgot to tell that it has IB back."""


@dataclass(slots=True)
class Verdict:
    """What to ask anew, with the reason and the cause of its gap; why to recycle the session; when to look again."""

    ask_anew: list[tuple[Stream, str, GapCause]] = field(default_factory=list)
    recycle: str = ""
    next_ns: int | None = None

    def look_at(self, ns: int | None) -> None:
        if ns is not None and (self.next_ns is None or ns < self.next_ns):
            self.next_ns = ns


@dataclass(slots=True)
class _Silence:
    """Everything is silent since; what was tried, and when."""

    since_ns: int
    asked_ns: int | None = None


class Watchdog:
    """Looks when it asked to, or when something was said."""

    def __init__(self, planes: Planes, contracts: Contracts) -> None:
        self._planes = planes
        self._contracts = contracts
        self._rhythm = Rhythm()
        self._silence: _Silence | None = None
        self._floor_ns = 0
        self._farm_back_ns = 0
        self._asked_ns: int | None = None
        self._recycles = 0
        self._next_recycle_ns = 0
        self._recycling = False

    def alive(self, ts_recv_ns: int, *, flowing: bool) -> None:
        """Something came of some stream, which flowed before or flows again."""
        self._rhythm.beat(ts_recv_ns, flowing=flowing)
        self._silence = None
        if self._recycles and ts_recv_ns >= self._next_recycle_ns + RELAPSE_NS:
            self._recycles = 0

    @property
    def silent(self) -> bool:
        """Nothing comes of anything, although it should."""
        return self._silence is not None

    def begin_anew(self, now_ns: int) -> None:
        """A new session, or IB is back: what was silent until now had a reason. A silence goes on until it ends."""
        self._floor_ns = now_ns
        self._recycling = False
        if self._silence is not None:
            self._silence.asked_ns = now_ns

    def line_silent(self, now_ns: int) -> bool:
        """The peer is suspect, or the session over, and not because of us: then it is not data alone that is missing.

        True if a silence ends with it that was the line's from the start.
        """
        if self._recycling:
            return False
        began, self._silence, self._floor_ns = self._silence, None, now_ns
        return began is not None and now_ns - began.since_ns < OF_THE_LINE_NS

    def farm_back(self, now_ns: int) -> None:
        """What comes from it has a moment to come."""
        self._farm_back_ns = now_ns

    def look(self, subscriptions: Subscriptions, now_ns: int) -> Verdict:
        verdict = Verdict()
        watched = [s for s in subscriptions if s.wanted and s.on_wire]
        taken = [s for s in watched if s.name in subscriptions.competing or s.perhaps_taken]
        for stream in taken:
            self._taken(stream, verdict, now_ns)
        if self._planes.without_ib:
            self._silence = None
            if self._planes.upstream is Upstream.LOST:
                self._contradiction(verdict, now_ns, subscriptions.ticked_while_lost_ns)
            return verdict
        watched = [s for s in watched if s not in taken]
        self._everything(watched, verdict, now_ns)
        newest = sorted((s.last_recv_ns or 0 for s in watched), reverse=True)[:2]
        for stream in watched:
            peers = newest[1:] if newest and newest[0] == (stream.last_recv_ns or 0) else newest[:1]
            self._one(stream, max(peers, default=0), verdict, now_ns)
        return verdict

    def conditions(self, *, taken: bool) -> Iterator[Condition]:
        """``taken``: another session of the login has streams of ours."""
        if self._silence is not None:
            yield Condition(
                key="data/silent",
                severity=AlertSeverity.CRITICAL,
                text="no market data comes although markets are open",
                remedy="streams are asked for anew, then the session; if it stays, restart the gateway",
                after_ns=HELPED_WITHIN_NS,
                excused_by=RESETS,
            )
        if taken:
            yield Condition(
                key="data/competing",
                severity=AlertSeverity.CRITICAL,
                text="another session of this login has the market data",
                remedy="log the other session out, or give the gateway a user of its own",
                after_ns=TAKEN_NS,
            )

    def _contradiction(self, verdict: Verdict, now_ns: int, ticked_ns: int) -> None:
        lost_ns = self._planes.upstream_lost_ns or now_ns
        if now_ns < lost_ns + CONTRADICTED_NS:
            verdict.look_at(lost_ns + CONTRADICTED_NS)
        elif now_ns - ticked_ns < PEER_TICKS_NS and now_ns >= self._next_recycle_ns:
            self._recycle(verdict, "data flows although the gateway says that it has lost IB", now_ns)
        else:
            verdict.look_at(now_ns + PEER_TICKS_NS)

    # One stream.

    def _one(self, stream: Stream, peers_ns: int, verdict: Verdict, now_ns: int) -> None:
        if any(stream is asked for asked, _, _ in verdict.ask_anew):
            return
        if not stream.answered:
            why = f"no answer within {ANSWER_WITHIN_NS // SECOND} s: asked anew ({stream.retries + 1})"
            self._due(stream, stream.asked_ns + ANSWER_WITHIN_NS, why, GapCause.SILENT, verdict, now_ns)
        else:
            self._quiet(stream, peers_ns, verdict, now_ns)

    def _taken(self, stream: Stream, verdict: Verdict, now_ns: int) -> None:
        """Politely, at a steady pace: whether the other session is over nobody tells."""
        since_ns = max(stream.asked_ns, stream.ended_ns, stream.doubt.since_ns if stream.doubt else 0)
        why = "another session of the login has the data: asked anew"
        self._due(stream, since_ns + COMPETING_AGAIN_NS, why, GapCause.COMPETING, verdict, now_ns)

    def _quiet(self, stream: Stream, peers_ns: int, verdict: Verdict, now_ns: int) -> None:
        hours = self._contracts.hours(stream.key)
        checked = stream.check_ns is not None
        open_hours = hours.trading if checked else hours.liquid
        opened_ns = open_hours.opened_ns(now_ns)
        if opened_ns is None:
            verdict.look_at(open_hours.next_open_ns(now_ns))
            return
        if stream.check_ns is not None:
            due_ns = max(stream.check_ns, opened_ns) + SILENT_NS
        else:
            since_ns = max(stream.last_recv_ns or 0, stream.asked_ns, opened_ns, self._floor_ns)
            due_ns = since_ns + stream.rhythm.patience_ns
        if now_ns >= due_ns and not (checked and stream.check_alone) and now_ns - peers_ns > PEER_TICKS_NS:
            verdict.look_at(now_ns + PEER_TICKS_NS)  # nobody else speaks either: not this stream's trouble
            return
        why = f"silent in an open market: asked anew ({stream.retries + 1})"
        self._due(stream, due_ns, why, GapCause.SILENT, verdict, now_ns)

    def _due(self, stream: Stream, due_ns: int, why: str, cause: GapCause, verdict: Verdict, now_ns: int) -> None:
        due_ns = max(due_ns, stream.next_ask_ns)
        if now_ns >= due_ns:
            verdict.ask_anew.append((stream, why, cause))
        else:
            verdict.look_at(due_ns)

    # All of them.

    def _everything(self, watched: list[Stream], verdict: Verdict, now_ns: int) -> None:
        opened = [(s, self._contracts.hours(s.key).liquid.opened_ns(now_ns)) for s in watched]
        trading = [(stream, opened_ns) for stream, opened_ns in opened if opened_ns is not None]
        if not trading:
            self._silence = None
            return
        last_ns = max(max(s.last_recv_ns or 0 for s, _ in trading), min(ns for _, ns in trading), self._floor_ns)
        if self._silence is None:
            if now_ns < last_ns + self._rhythm.patience_ns:
                verdict.look_at(last_ns + self._rhythm.patience_ns)
                return
            self._silence = _Silence(since_ns=last_ns)
            if self._asked_ns is not None and now_ns - self._asked_ns < RELAPSE_NS:
                self._silence.asked_ns = self._asked_ns  # it spoke once when asked, and fell silent again
        self._act(self._silence, [stream for stream, _ in trading], verdict, now_ns)

    def _act(self, silence: _Silence, streams: list[Stream], verdict: Verdict, now_ns: int) -> None:
        broken_ns = self._planes.market_farm_broken_ns
        if broken_ns is not None and broken_ns >= silence.since_ns - PEER_TICKS_NS:
            verdict.look_at(now_ns + HELPED_WITHIN_NS)  # its farm is broken: IB heals that, we cannot
            return
        if silence.asked_ns is None and now_ns < self._farm_back_ns + SILENT_NS:
            verdict.look_at(self._farm_back_ns + SILENT_NS)
            return
        if silence.asked_ns is None:
            silence.asked_ns = self._asked_ns = now_ns
            for stream in streams:
                if now_ns >= stream.next_ask_ns:
                    verdict.ask_anew.append((stream, "everything is silent: asked anew", GapCause.SILENT))
        due_ns = max(silence.asked_ns + HELPED_WITHIN_NS, self._next_recycle_ns)
        if now_ns >= due_ns:
            self._recycle(verdict, "no market data came although markets are open", now_ns)
        else:
            verdict.look_at(due_ns)

    def _recycle(self, verdict: Verdict, why: str, now_ns: int) -> None:
        verdict.recycle = why
        self._recycling = True
        self._next_recycle_ns = now_ns + min(RECYCLE_FIRST_NS << min(self._recycles, 10), RECYCLE_MAX_NS)
        self._recycles += 1
        verdict.look_at(self._next_recycle_ns)
