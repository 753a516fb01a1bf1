"""How often IB lets the same thing be asked for, beside the rate of messages: each rule says until when it holds back.

A rule is judged and counted at the moment of release, never earlier. It keeps its memory over sessions, because the
limits are the login's, and leaves a little slack, because what we send a moment too late arrives a moment too early.

Source: TWS API, "Historical data limitations", "Real-time bars", "Tick-by-tick data", "Stock contract search".
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from msgspec import Struct

from ibkr_adapter.clock import MILLISECOND, MINUTE, SECOND
from ibkr_adapter.core.link.window import KeyedWindow, Window
from ibkr_adapter.requests import (
    CancelHistory,
    Request,
    RequestHistory,
    RequestMatchingSymbols,
    SubscribeBars,
    SubscribeTickByTick,
)

SLACK_NS = 250 * MILLISECOND
"""Added to every stretch of time: the way to the gateway is not always equally long."""

SMALL_BARS = frozenset({"1 secs", "5 secs", "10 secs", "15 secs", "30 secs"})
"""Bars of which IB limits how often they may be asked for; "1 sec" is written with an s."""


class Hold(Struct, frozen=True):
    """Why a request waits, and until when; ``None``: until something is answered.

    ``whole``: everything behind it waits as well, so that what counts twice gets its turn. Otherwise what is behind
    it may pass, if nothing holds it back; what is about the same is held back alike, and keeps its order.
    """

    reason: str
    until_ns: int | None
    whole: bool = True


class Rule(Protocol):
    """One class of requests and its limits."""

    name: str

    def takes(self, request: Request) -> bool: ...
    def hold(self, request: Request, now_ns: int) -> Hold | None: ...
    def sent(self, request: Request, now_ns: int) -> None: ...
    def closed(self, req_id: int) -> None: ...
    def session_lost(self) -> None: ...


class HistoryRule:
    """Small bars: 60 in ten minutes, none twice in 15 s, 5 of one subject in 2 s; BID_ASK counts double. 50 open.

    A request is open from the moment it is sent until ``closed`` is told of it, and 50 that nobody closes hold back all
    others for good. Its cancel closes it, a code that fails it, a send that failed, and the end of the session; whoever
    takes in the bars closes it, by ``Pacing.answered``, with the end of the last of them. One that is kept up to date
    has no end but its cancel.
    """

    name = "history"
    OPEN_MAX = 50
    ALL_MAX, ALL_NS = 60, 10 * MINUTE + SLACK_NS
    SAME_MAX, SAME_NS = 5, 2 * SECOND + SLACK_NS
    IDENTICAL_NS = 15 * SECOND + SLACK_NS

    def __init__(self) -> None:
        self._all = Window(self.ALL_NS)
        self._same = KeyedWindow(self.SAME_NS)
        self._identical = KeyedWindow(self.IDENTICAL_NS)
        self._open: set[int] = set()

    def takes(self, request: Request) -> bool:
        return isinstance(request, RequestHistory)

    def _subject(self, request: RequestHistory) -> Hashable:
        """Contract, exchange and kind of tick."""
        return request.instrument.key, request.instrument.exchange, request.what_to_show

    def hold(self, request: Request, now_ns: int) -> Hold | None:
        assert isinstance(request, RequestHistory)
        if len(self._open) >= self.OPEN_MAX:
            return Hold(f"{self.OPEN_MAX} requests are unanswered", None)
        if request.bar_size not in SMALL_BARS:
            return None
        weight = _weight(request)
        if (ns := self._all.room_ns(now_ns, self.ALL_MAX, weight)) > now_ns:
            return Hold(f"{self.ALL_MAX} in ten minutes", ns)
        if (ns := self._identical.room_ns(now_ns, self._terms(request), 1)) > now_ns:
            return Hold("asked for identically within 15 s", ns, whole=False)
        if (ns := self._same.room_ns(now_ns, self._subject(request), self.SAME_MAX, weight)) > now_ns:
            return Hold(f"more than {self.SAME_MAX} of one contract within 2 s", ns, whole=False)
        return None

    def sent(self, request: Request, now_ns: int) -> None:
        assert isinstance(request, RequestHistory)
        self._open.add(request.req_id)
        if request.bar_size in SMALL_BARS:
            weight = _weight(request)
            self._all.add(now_ns, weight)
            self._same.add(now_ns, self._subject(request), weight)
            self._identical.add(now_ns, self._terms(request))

    def closed(self, req_id: int) -> None:
        self._open.discard(req_id)

    def session_lost(self) -> None:
        self._open.clear()

    def _terms(self, request: RequestHistory) -> Hashable:
        """What makes two requests identical; the end is written in seconds."""
        end_s = None if request.end_ns is None else request.end_ns // SECOND
        return self._subject(request), request.bar_size, request.duration, end_s, request.use_rth


class _SimpleRule:
    """``most`` of a class within a stretch of time; of one subject, or of all."""

    def __init__(self, name: str, kind: type[Request], most: int, length_ns: int, reason: str, *, whole: bool) -> None:
        self.name = name
        self._kind = kind
        self._most = most
        self._reason = reason
        self._whole = whole
        self._sent = KeyedWindow(length_ns + SLACK_NS)

    def takes(self, request: Request) -> bool:
        return isinstance(request, self._kind)

    def _subject(self, request: Request) -> Hashable:
        return None if self._whole else getattr(request, "instrument").key  # noqa: B009 - not every Request has one

    def hold(self, request: Request, now_ns: int) -> Hold | None:
        ns = self._sent.room_ns(now_ns, self._subject(request), self._most)
        return Hold(self._reason, ns, whole=self._whole) if ns > now_ns else None

    def sent(self, request: Request, now_ns: int) -> None:
        self._sent.add(now_ns, self._subject(request))

    def closed(self, req_id: int) -> None:
        pass

    def session_lost(self) -> None:
        pass


def rules() -> tuple[Rule, ...]:
    """All rules of one login, with nothing counted yet."""
    return (
        HistoryRule(),
        _SimpleRule("bars", SubscribeBars, 60, 10 * MINUTE, "60 new ones in ten minutes", whole=True),
        _SimpleRule(
            "tick-by-tick", SubscribeTickByTick, 1, 15 * SECOND, "asked for this instrument within 15 s", whole=False
        ),
        _SimpleRule("symbols", RequestMatchingSymbols, 1, SECOND, "one search in a second", whole=True),
    )


def closes(request: Request) -> int | None:
    """The request that this one ends, so that it is open no more."""
    return request.req_id if isinstance(request, CancelHistory) else None


def _weight(request: RequestHistory) -> int:
    return 2 if request.what_to_show == "BID_ASK" else 1
