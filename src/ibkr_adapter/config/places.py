"""Where the services of this user keep their state, so that commands find them without being told."""

from __future__ import annotations

import os
from pathlib import Path


def state_home() -> Path:
    """Holds one data directory for each environment. ``XDG_STATE_HOME`` counts if it is absolute, as its rules say."""
    given = os.environ.get("XDG_STATE_HOME", "")
    home = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return home / "ibkr-adapter"
