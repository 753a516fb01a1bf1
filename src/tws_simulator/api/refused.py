"""How a request ends that is not served: whatever finds that out raises ``Refused``, and `requests` answers it."""

from __future__ import annotations

from tws_simulator.api.notices import Notice


class Refused(Exception):
    """Told to the client as an error with the id of its request."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice)
        self.notice = notice
