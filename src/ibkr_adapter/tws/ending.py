"""How a session ends, from whatever depth it is noticed at."""

from __future__ import annotations

from ibkr_adapter.events import LossCause


class Ended(Exception):
    """The session is over, for this cause."""

    def __init__(self, cause: LossCause, detail: str = "") -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail
