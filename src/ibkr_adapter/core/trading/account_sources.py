"""What stands of the account: its summary and its positions, wanted by us, and asked of this session or not."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from ibkr_adapter.core.market.reconciler import Precedence
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.requests import (
    CancelAccountSummary,
    CancelPositions,
    Request,
    RequestAccountSummary,
    RequestPositions,
)


class SummarySource:
    """One summary under one request id for the life of the process: at most two may stand at a time.

    Source: TWS API, "Account Summary". Asking again under the same id has been seen to work always.
    """

    precedence = Precedence.ACCOUNT
    needs_ready = False

    def __init__(self, settings: Settings, req_id: int) -> None:
        self._component = settings.component
        self._account = settings.account
        self._tags = settings.account_tags
        self._req_id = req_id
        self.wanted = settings.account
        self._asked = False
        self._other = ""

    @property
    def owner(self) -> str:
        """The component that asks for it; empty where accounts are none of our concern."""
        return (self._other or self._component) if self._account else ""

    def owned(self, component: str) -> None:
        """Another component asks for the account summary, or none (empty): a login may have two and no more."""
        self._other = component
        self.wanted = self._account and not component

    def wire_lost(self) -> None:
        self._asked = False

    def surplus(self) -> Iterator[Request]:
        if self._asked and not self.wanted:
            self._asked = False
            yield CancelAccountSummary(req_id=self._req_id)

    def missing(self, now_ns: int) -> Iterator[Request]:
        if self.wanted and not self._asked:
            self._asked = True
            yield RequestAccountSummary(req_id=self._req_id, tags=self._tags)


class PositionsState(StrEnum):
    """Of the subscription at the gateway. Lost: by a 1101 that came before the end of its list."""

    NONE = "none"
    ASKED = "asked"
    LOST = "lost"
    STANDING = "standing"


TRANSITIONS: dict[PositionsState, frozenset[PositionsState]] = {
    PositionsState.NONE: frozenset({PositionsState.ASKED}),
    PositionsState.ASKED: frozenset({PositionsState.STANDING, PositionsState.LOST, PositionsState.NONE}),
    PositionsState.LOST: frozenset({PositionsState.ASKED, PositionsState.NONE}),
    PositionsState.STANDING: frozenset({PositionsState.NONE}),
}


class Asked(Protocol):
    """Told of each question for the positions, and whether a list begins with it or it repeats one."""

    def __call__(self, now_ns: int, *, begins: bool) -> None: ...


class PositionsSource:
    """All positions, then each change.

    The end of a list names no request, so no second list is asked for while the end of one is awaited: one that a 1101
    has overtaken is asked for anew behind its end, or in its place if that does not come.
    """

    precedence = Precedence.ACCOUNT
    needs_ready = False

    def __init__(self, settings: Settings, asked: Asked) -> None:
        self.wanted = settings.account
        self.state = PositionsState.NONE
        self._asked = asked

    @property
    def stands(self) -> bool:
        """It was asked for, and not lost since."""
        return self.state in (PositionsState.ASKED, PositionsState.STANDING)

    def wire_lost(self) -> None:
        """The session is gone, and what stood there."""
        self._to(PositionsState.NONE)

    def streams_lost(self) -> None:
        """1101: the gateway has dropped it."""
        self._to(PositionsState.LOST if self._awaited else PositionsState.NONE)

    def ended(self) -> None:
        """The end of the list came, of the one that is awaited or of nobody's."""
        if self._awaited:
            self._to(PositionsState.STANDING if self.state is PositionsState.ASKED else PositionsState.NONE)

    def again(self, now_ns: int) -> Request:
        """The question once more: the end of its list did not come, or it bears witness to another's."""
        self._asked(now_ns, begins=self.state is PositionsState.LOST)
        if self.state is not PositionsState.STANDING:
            self._to(PositionsState.ASKED)
        return RequestPositions()

    def surplus(self) -> Iterator[Request]:
        if not self.wanted and self.state is not PositionsState.NONE:
            self._to(PositionsState.NONE)
            yield CancelPositions()

    def missing(self, now_ns: int) -> Iterator[Request]:
        if self.wanted and self.state is PositionsState.NONE:
            self._to(PositionsState.ASKED)
            self._asked(now_ns, begins=True)
            yield RequestPositions()

    @property
    def _awaited(self) -> bool:
        return self.state in (PositionsState.ASKED, PositionsState.LOST)

    def _to(self, state: PositionsState) -> None:
        if state is self.state:
            return
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"positions cannot go from {self.state.name} to {state.name}")
        self.state = state
