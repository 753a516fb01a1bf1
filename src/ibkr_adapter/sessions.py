"""The sessions of this process: opened, told what to send, closed, and counted for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.effects import Close, FramesTaken, Open, Send, SendFailed
from ibkr_adapter.errors import LeaseLapsed, LocalError
from ibkr_adapter.events import LossCause, SessionLost
from ibkr_adapter.requests import Request

CLOSE_S_MAX: Final = 2.0
"""How long a session that is closed may take to write what it was given."""


class SessionPort(Protocol):
    """A session with a gateway, as ``tws.session.Session`` is one."""

    def start(self) -> None: ...
    def perform(self, request: Request) -> None: ...
    def close(self, reason: str) -> None: ...
    def counts(self) -> dict[str, int]: ...
    def taken(self) -> tuple[int, int]: ...
    def join(self, timeout_s: float) -> bool: ...


class Sessions:
    """By epoch. ``tell`` hears what became of an effect that could not be performed."""

    def __init__(
        self,
        make: Callable[[Open], SessionPort],
        *,
        tell: Callable[[SessionLost | SendFailed], None],
        clock: Clock,
        client_id: int,
    ) -> None:
        self._make = make
        self._tell = tell
        self._clock = clock
        self._client_id = client_id
        self._sessions: dict[int, SessionPort] = {}
        self._over: Counter[str] = Counter()

    def open(self, opening: Open) -> None:
        try:
            session = self._make(opening)
            session.start()
        except OSError as error:  # no descriptor left, no thread: as good as refused, and tried again
            self._not_opened(opening, f"this machine cannot open a connection: {error.strerror or error}")
        except LeaseLapsed as error:
            self._not_opened(opening, error.message)
        else:
            self._sessions[opening.epoch] = session

    def _not_opened(self, opening: Open, why: str) -> None:
        self._tell(
            SessionLost(
                ts_recv_ns=self._clock.now_ns(),
                epoch=opening.epoch,
                gateway=opening.gateway,
                client_id=self._client_id,
                cause=LossCause.REFUSED,
                detail=why,
            )
        )

    def send(self, send: Send) -> None:
        if session := self._sessions.get(send.epoch):
            try:
                session.perform(send.request)
            except LocalError as error:
                self._tell(SendFailed(request=send.request, detail=str(error)))

    def close(self, close: Close) -> None:
        if session := self._sessions.get(close.epoch):
            session.close(close.reason)

    def taken(self) -> list[FramesTaken]:
        """What every session has written by now; pacing has to know before it releases more."""
        return [
            FramesTaken(epoch=epoch, unsent=unsent, written_ns=written_ns)
            for epoch, session in self._sessions.items()
            for unsent, written_ns in (session.taken(),)
        ]

    def counts(self) -> Counter[str]:
        """What every session of this process has counted, those that are over included."""
        counts = Counter(self._over)
        for session in self._sessions.values():
            counts.update(session.counts())
        return counts

    def forget(self, epoch: int) -> None:
        """It said that it is over."""
        if ended := self._sessions.pop(epoch, None):
            ended.join(0)
            self._over.update(ended.counts())

    def end(self, reason: str) -> None:
        """Every one is closed; what was handed over is written, as far as the peer takes it in time."""
        for session in self._sessions.values():
            session.close(reason)
        for session in self._sessions.values():
            session.join(CLOSE_S_MAX)
