"""What the carrier of a session's bytes and the one it carries them for have to say to each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from ibkr_adapter.events import LossCause


class Receipt(Struct, frozen=True, kw_only=True):
    """What to say once the frame it came with was handed over whole. Without ``cancel`` the frame places an order."""

    order_id: int
    cancel: bool


class Line(Protocol):
    """What a conversation may ask of its transport."""

    def send(self, frame: bytes, receipt: Receipt | None = None) -> bool:
        """Queue one frame; ``False`` if the session is over and nobody will send it."""

    def established(self) -> None:
        """The handshake is done: its deadline no longer holds."""


class Conversation(Protocol):
    """Whom a transport serves; every call comes from the network thread."""

    def connected(self, line: Line) -> bytes:
        """The first bytes to send."""

    def received(self, frames: Iterator[bytes], now_ns: int) -> bool:
        """Bodies of one read; raises ``Ended``. ``True``: there was bulk, a short wait is worth it."""

    def sent(self, receipt: Receipt, frame: bytes, now_ns: int) -> None:
        """A frame with a receipt was handed to the operating system."""

    def withheld(self, receipt: Receipt, now_ns: int) -> None:
        """A placement was dropped before its first byte."""

    def ended(self, cause: LossCause, detail: str, *, unsent: int, now_ns: int) -> None:
        """Nothing comes after this."""
