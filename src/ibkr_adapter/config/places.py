"""Where things stand: the paths of a configuration, and the state of this user's services."""

from __future__ import annotations

import os
from pathlib import Path

from ibkr_adapter.errors import ConfigurationError


def state_home() -> Path:
    """Where commands find services without being told: one data directory for each environment.

    ``XDG_STATE_HOME`` counts if it is absolute, as its rules say.
    """
    given = os.environ.get("XDG_STATE_HOME", "")
    home = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return home / "ibkr-adapter"


def path_of(key: str, given: str, base: Path) -> Path:
    """What a file says at ``key``; relative paths count from ``base``, ``~`` is a home directory."""
    if not given.isprintable() or len(given) > 1_000:
        raise ConfigurationError(key, "not a path", remedy="remove control characters")
    try:
        return base / Path(given).expanduser()
    except RuntimeError:
        raise ConfigurationError(key, "there is no such home directory", remedy="write the path in full") from None
