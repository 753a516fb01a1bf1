"""How often an address may be wrong about the token before it has to wait."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

WRONG_MAX: Final = 10
WINDOW_S: Final = 60.0
ADDRESSES_MAX: Final = 1_000
"""Addresses remembered; the one that was wrong longest ago is forgotten first."""


class Patience:
    """``WRONG_MAX`` wrong tokens within ``WINDOW_S``, counted for each address; ``now_s`` is any steady clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """How long this address must wait before it is listened to again; 0 if it need not."""
        wrong = self._wrong.get(address)
        if wrong is None or len(wrong) < WRONG_MAX:
            return 0.0
        return max(0.0, wrong[0] + WINDOW_S - self._now_s())

    def wrong(self, address: str) -> None:
        self._wrong.setdefault(address, deque(maxlen=WRONG_MAX)).append(self._now_s())
        self._wrong.move_to_end(address)
        if len(self._wrong) > ADDRESSES_MAX:
            self._wrong.popitem(last=False)
