"""What keeps the memory of this process, and the secrets in it, from being written to a disk."""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4
"""Source: prctl(2). Beside core dumps it also forbids other programs of this user to look into the process."""


def forbid_core_dumps() -> None:
    """For this process and those it starts. Where the system refuses, the service runs all the same."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
