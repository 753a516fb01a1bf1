"""Keys of our own, made at the edge of the process; the core is given them."""

from __future__ import annotations

import secrets
import time
from uuid import UUID


def new_key() -> str:
    """A UUIDv7: sorts by the time it was made, 62 random bits keep two of the same moment apart.

    Source: RFC 9562 §5.7, with the fraction of the millisecond in the twelve bits after it (§6.2, method 3).
    """
    milliseconds, rest_ns = divmod(time.time_ns(), 1_000_000)
    fraction = rest_ns * 4096 // 1_000_000
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)))
