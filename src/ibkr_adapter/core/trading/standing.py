"""The account summary as a standing subscription: wanted by us, and asked of this session or not."""

from __future__ import annotations

from collections.abc import Iterator

from ibkr_adapter.core.market.reconciler import Precedence
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.requests import CancelAccountSummary, Request, RequestAccountSummary


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
