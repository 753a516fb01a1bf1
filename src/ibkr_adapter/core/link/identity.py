"""Who we are in a session: the next order id and the accounts, and whether these are ours.

Both must come before anything else is asked, in either order: real gateways send both orders. Either can stay away, and
is asked for again then. The account list may come again at any time. One that names another account is a login that was
changed under us; one that names none says nothing of whose it is, and is asked for until it does.
"""

from __future__ import annotations

from collections.abc import Callable

from ibkr_adapter import accounts
from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import ManagedAccounts, NextValidId
from ibkr_adapter.requests import Request, RequestIds, RequestManagedAccounts

ASKED_MAX = 3
"""So often the next order id is asked for, evenly over the time to identify, before the session is given up."""


UNNAMED_EVERY_NS = 10 * SECOND
"""Between questions for accounts, while the gateway lists none after it had listed ours."""


class Identity:
    """What the present session said of itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._every_ns = settings.identify_timeout_ns // (ASKED_MAX + 1)
        self.accounts: tuple[str, ...] = ()
        self.unnamed = False
        """The latest list is empty; ``accounts`` are those of the one before."""
        self._asked_accounts_ns: int | None = None
        self._have_id = False
        self._opened_ns = 0
        self._asked = 0

    def begin(self, now_ns: int) -> None:
        self.accounts = ()
        self.unnamed = False
        self._asked_accounts_ns = None
        self._have_id = False
        self._opened_ns = now_ns
        self._asked = 0

    def told(self, event: NextValidId | ManagedAccounts) -> None:
        if isinstance(event, NextValidId):
            self._have_id = True
        elif event.accounts or not self.accounts:
            self.accounts = event.accounts
            self.unnamed = False
        else:
            self.unnamed = True

    @property
    def known(self) -> bool:
        return self._have_id and bool(self.accounts)

    def mismatch(self) -> str:
        """Why this session, which has named accounts, must not be used; empty if it may."""
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

    def ask_again(self, now_ns: int, ask: Callable[[Request], None], out: Outbox) -> None:
        """For the accounts, while the gateway lists none any more."""
        if not self.unnamed:
            self._asked_accounts_ns = None
            return
        if self._asked_accounts_ns is None or now_ns - self._asked_accounts_ns >= UNNAMED_EVERY_NS:
            self._asked_accounts_ns = now_ns
            ask(RequestManagedAccounts())
        out.wake_at(self._asked_accounts_ns + UNNAMED_EVERY_NS)
