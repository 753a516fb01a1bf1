"""What kept us from a session, remembered until one is ready again: why, what to tell, and how long to stay away.

A refused client id is waited out for a minute with the same id: its holder stays. Right behind a session of ours at
that gateway the holder is most likely that session, of whose end the gateway has not heard. Whoever still has the id a
minute later is another program, and if the gateway had ended ours, one that nobody knows of.

After three complaints about our pace, and where the gateway speaks a version that we do not, a minute passes too:
asking again sooner cannot help.
"""

from __future__ import annotations

from collections.abc import Iterator

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.events import LossCause, SessionLost
from ibkr_adapter.windows import RESETS

COOL_DOWN_NS = 60 * SECOND
"""After what a quick reconnect would only repeat. The gateway may need so long to notice that a client has left."""

POISONED_AFTER = 3
"""Sessions in a row that a message ended which cannot be read, or not taken in."""

_KICKED = frozenset({LossCause.CLOSED, LossCause.RESET})
_POISON = frozenset({LossCause.MALFORMED, LossCause.CALLBACK, LossCause.OVERFLOW})


class Troubles:
    """Since the last ready session; ``complaint`` is the cause in words where the loss itself does not say it."""

    def __init__(self, client_id: int) -> None:
        self._client_id = client_id
        self._gateway = ""
        self._refused_id = False
        self._id_in_use = False
        self._kicked: dict[str, bool] = {}
        """Gateways with which a session was ready, and whether they ended the last of them."""
        self._refusals: dict[str, int] = {}
        """In a row, by gateway."""
        self._port_changed = ""
        self._unsupported = ""
        self._poisoned = 0
        self._poison = ""

    @property
    def refused(self) -> bool:
        """The gateway answered this session's login, with a refusal of our client id."""
        return self._refused_id

    @property
    def complaint(self) -> str:
        return f"client id {self._client_id} is in use at the gateway" if self._refused_id else ""

    def opened(self, gateway: str) -> None:
        """A session begins: a refusal is its own."""
        self._gateway = gateway
        self._refused_id = False

    def client_id_refused(self) -> None:
        self._refused_id = self._id_in_use = True
        self._refusals[self._gateway] = self._refusals.get(self._gateway, 0) + 1

    def port_changed(self, text: str) -> None:
        self._port_changed = text

    def ended(self, event: SessionLost, *, was_ready: bool, too_fast: bool) -> int:
        """Remember why; for how long this gateway is to be left alone. ``too_fast``: it complained once too often."""
        if was_ready:
            self._kicked[self._gateway] = event.cause in _KICKED
        if not self._refused_id:
            self._refusals.pop(self._gateway, None)
        self._id_in_use = self._refused_id
        self._poisoned = self._poisoned + 1 if event.cause in _POISON else 0
        self._poison = event.detail
        self._unsupported = event.detail if event.cause is LossCause.UNSUPPORTED else ""
        wait = self._refused_id or too_fast or event.cause is LossCause.UNSUPPORTED
        return COOL_DOWN_NS if wait else 0

    def over(self) -> None:
        """A session is ready. Poison counts on: it may come when the session has been ready for a while."""
        self._id_in_use = False
        self._refusals.pop(self._gateway, None)
        self._port_changed = self._unsupported = ""

    def steady(self) -> None:
        """A session has been ready for a minute."""
        self._poisoned = 0

    def conditions(self) -> Iterator[Condition]:
        if self._id_in_use:
            yield self._in_use()
        if self._port_changed:
            yield Condition(
                key="link/port_changed",
                severity=AlertSeverity.CRITICAL,
                text=f"the gateway says that its port changed: {self._port_changed}",
                remedy="set it back in the gateway's API settings, or change gateways.*.port: it is never followed",
            )
        if self._unsupported:
            yield Condition(
                key="link/unsupported",
                severity=AlertSeverity.CRITICAL,
                text=self._unsupported,
                remedy="update the gateway, or the official client (`ibkr-adapter doctor` names the versions)",
            )
        if self._poisoned >= POISONED_AFTER:
            yield Condition(
                key="link/poison",
                severity=AlertSeverity.CRITICAL,
                text=f"{self._poisoned} sessions in a row ended with a message that cannot be taken in: {self._poison}",
                remedy="the log has its first bytes as frame_quarantined; cancel in TWS what causes it, or restart it",
            )

    def _in_use(self) -> Condition:
        """A warning where it may be our own session; critical at once where we had none, and at the second refusal."""
        used = f"client id {self._client_id} is in use"
        remedy = "`ibkr-adapter clients` shows who has it; end the other program: another id is never taken"
        severity = AlertSeverity.CRITICAL
        if self._gateway not in self._kicked:
            text = f"{used} at the gateway"
        elif self._refusals.get(self._gateway, 0) < 2:
            severity = AlertSeverity.WARNING
            text = f"{used} at the gateway, perhaps by our own last session, of whose end it has not heard"
            remedy = "none yet: in a minute it is tried again, and told who it may be if it is still so"
        elif self._kicked[self._gateway]:
            text = f"{used} since our session was ended: by a program unknown to us"
            remedy = "find it in the gateway's list of API clients and end it; another id is never taken"
        else:
            text = f"{used} at the gateway, a minute after our own session"
        return Condition(key="client_id/326", severity=severity, text=text, remedy=remedy, excused_by=RESETS)
