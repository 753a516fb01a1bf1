"""Who goes first: the lanes of pacing, what belongs to which, and the order within one."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from ibkr_adapter import requests
from ibkr_adapter.core.link.history_rules import Hold, Rule
from ibkr_adapter.effects import Send
from ibkr_adapter.requests import Request


class Lane(IntEnum):
    """In the order in which they are served."""

    CANCELS = 0
    ORDERS = 1
    TRUTH = 2
    """What is at risk and whether anybody is there: lists of orders, executions and positions, ids, time, profit."""
    DETAILS = 3
    SUBSCRIPTIONS = 4
    OTHER = 5

    @property
    def label(self) -> str:
        return self.name.lower()


_LANES: dict[type[Request], Lane] = {
    requests.SendCancel: Lane.CANCELS,
    requests.SendOrder: Lane.ORDERS,
    requests.RequestCurrentTime: Lane.TRUTH,
    requests.RequestIds: Lane.TRUTH,
    requests.RequestManagedAccounts: Lane.TRUTH,
    requests.RequestGatewayConfiguration: Lane.TRUTH,
    requests.RequestAllOpenOrders: Lane.TRUTH,
    requests.RequestExecutions: Lane.TRUTH,
    requests.RequestCompletedOrders: Lane.TRUTH,
    requests.RequestPositions: Lane.TRUTH,
    requests.CancelPositions: Lane.TRUTH,
    requests.RequestAccountSummary: Lane.TRUTH,
    requests.CancelAccountSummary: Lane.TRUTH,
    requests.RequestPnl: Lane.TRUTH,
    requests.CancelPnl: Lane.TRUTH,
    requests.RequestContractDetails: Lane.DETAILS,
    requests.RequestMatchingSymbols: Lane.DETAILS,
    requests.RequestHistory: Lane.OTHER,
    requests.CancelHistory: Lane.OTHER,
}

_UNDOES: dict[type[Request], type[Request]] = {
    requests.CancelQuotes: requests.SubscribeQuotes,
    requests.CancelDepth: requests.SubscribeDepth,
    requests.CancelTickByTick: requests.SubscribeTickByTick,
    requests.CancelBars: requests.SubscribeBars,
    requests.CancelHistory: requests.RequestHistory,
    requests.CancelAccountSummary: requests.RequestAccountSummary,
    requests.CancelPnl: requests.RequestPnl,
}
"""Pairs that bear one request id. SendCancel is none: a placement that waits is withdrawn, with an answer."""


def lane_of(request: Request) -> Lane:
    """Subscriptions are what has no other lane: the kind of data, streams and their ends."""
    return _LANES.get(type(request), Lane.SUBSCRIPTIONS)


def ends(request: Request) -> bool:
    """True if it only makes less stand at the gateway."""
    return type(request) in _UNDOES or isinstance(request, (requests.SendCancel, requests.CancelPositions))


def undone_by(request: Request) -> type[Request] | None:
    """The kind of request that this one ends, if it ends one."""
    return _UNDOES.get(type(request))


def undoes(request: Request, other: Request) -> bool:
    """True if the first asks to end what the second asks for."""
    return undone_by(request) is type(other) and getattr(request, "req_id", 0) == getattr(other, "req_id", 1)


def rank(request: Request, priority: int) -> int:
    """Within a lane: the kind of data holds for what follows it; what frees a line comes before what takes one.

    The question for the time is how we know that the peer lives: it does not wait behind lists.
    """
    if isinstance(request, (requests.SetDataType, requests.RequestCurrentTime)):
        return -2
    return -1 if type(request) in _UNDOES else priority


@dataclass(slots=True)
class Waiting:
    """One request that waits. ``since_ns`` is when pacing first looked at it."""

    send: Send
    lane: Lane
    order: tuple[int, int]
    deadline_ns: int | None = None
    expired: Callable[[Request], None] | None = None
    since_ns: int = 0
    gone: bool = False


class Queue:
    """Requests in order of rank, then of asking; ``first`` is the one that may go."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting)

    def add(self, waiting: Waiting) -> None:
        insort(self._waiting, waiting, key=_order)

    def first(self, now_ns: int) -> Waiting | None:
        return self._waiting[0] if self._waiting else None

    def remove(self, waiting: Waiting) -> None:
        waiting.gone = True
        if self._waiting[0] is waiting:
            del self._waiting[0]
        else:
            self._waiting.remove(waiting)

    def keep(self, wanted: Callable[[Waiting], bool]) -> None:
        for waiting in self._waiting:
            waiting.gone = not wanted(waiting)
        self._waiting = [waiting for waiting in self._waiting if not waiting.gone]

    @property
    def since_ns(self) -> int | None:
        return min((waiting.since_ns for waiting in self._waiting), default=None)


class HeldQueue(Queue):
    """Requests of one rule. What a rule holds back lets pass what is about something else, if the rule says so.

    The look is repeated when the rule said that it would let go, and when something has changed; not at every turn.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule
        self.hold: Hold | None = None

    def add(self, waiting: Waiting) -> None:
        super().add(waiting)
        self.hold = None

    def remove(self, waiting: Waiting) -> None:
        super().remove(waiting)
        self.hold = None

    def keep(self, wanted: Callable[[Waiting], bool]) -> None:
        super().keep(wanted)
        self.hold = None

    def closed(self, req_id: int) -> None:
        self.rule.closed(req_id)
        self.hold = None

    def session_lost(self) -> None:
        self.rule.session_lost()
        self.hold = None

    def first(self, now_ns: int) -> Waiting | None:
        if self.hold is not None and (self.hold.until_ns is None or now_ns < self.hold.until_ns):
            return None
        self.hold = None
        holds: list[Hold] = []
        for waiting in self._waiting:
            hold = self.rule.hold(waiting.send.request, now_ns)
            if hold is None:
                return waiting
            holds.append(hold)
            if hold.whole:
                break
        self.hold = min(holds, key=_until, default=None)
        return None


def _order(waiting: Waiting) -> tuple[int, int]:
    return waiting.order


def _until(hold: Hold) -> float:
    return float("inf") if hold.until_ns is None else hold.until_ns
