"""What loading the core brings along."""

from __future__ import annotations

import subprocess
import sys

UNWANTED = (
    "asyncio",
    "ibapi",
    "ibkr_adapter.config.reading",
    "ibkr_adapter.statefile",
    "select",
    "socket",
    "ssl",
    "structlog",
    "tomllib",
    "uvicorn",
)


def test_the_core_comes_without_sockets_and_without_what_reads_a_configuration() -> None:
    """What decides needs nothing that can wait, connect or open a file: not even loaded by what it imports."""
    asked = "import sys, ibkr_adapter.core.engine as _; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert sorted(set(UNWANTED) & set(loaded.stdout.split())) == []
