"""Who we are in a session: the next order id and the accounts, and whether these are ours.

Both must come before anything else is asked, in either order: real gateways send both orders. Either can stay away, and
is asked for again then. The account list may come again at any time, and must stay what it was.
"""

from __future__ import annotations

from collections.abc import Callable

from ibkr_adapter import accounts
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import ManagedAccounts, NextValidId
from ibkr_adapter.requests import Request, RequestIds

ASKED_MAX = 3
"""So often the next order id is asked for, evenly over the time to identify, before the session is given up."""


class Identity:
    """What the present session said of itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._every_ns = settings.identify_timeout_ns // (ASKED_MAX + 1)
        self.accounts: tuple[str, ...] = ()
        self._have_id = False
        self._opened_ns = 0
        self._asked = 0

    def begin(self, now_ns: int) -> None:
        self.accounts = ()
        self._have_id = False
        self._opened_ns = now_ns
        self._asked = 0

    def told(self, event: NextValidId | ManagedAccounts) -> None:
        if isinstance(event, NextValidId):
            self._have_id = True
        else:
            self.accounts = event.accounts

    @property
    def known(self) -> bool:
        return self._have_id and bool(self.accounts)

    def mismatch(self) -> str:
        """Why this session must not be used; empty if it may."""
        if not self.accounts:
            return "the gateway lists no account any more"
        return accounts.mismatch(self.accounts, self._settings.accounts_expected, self._settings.account_kind)

    def wait(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> str:
        """Ask again if it is time to; what stayed away for too long, empty while there is hope."""
        turn = (now_ns - self._opened_ns) // self._every_ns
        if turn > ASKED_MAX:
            return "accounts" if self._have_id else "order id" if self.accounts else "order id and no accounts"
        if turn > self._asked:
            self._asked = turn
            ask(RequestIds())
        out.wake_at(self._opened_ns + (turn + 1) * self._every_ns)
        return ""
