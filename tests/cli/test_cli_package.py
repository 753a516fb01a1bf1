"""The command line with an official client that cannot be used, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ibkr_adapter.errors import ExitCode

MISSING = "raise ImportError('no such module')"
TOO_OLD = "def get_version_string():\n    return '9.81.1'\n"


@pytest.mark.parametrize(
    ("module", "wrong"), [(MISSING, "cannot be imported"), (TOO_OLD, "is 9.81.1, at least 10.37.2 is needed")]
)
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_client_that_cannot_be_used_is_4(tmp_path: Path, module: str, wrong: str, command: str) -> None:
    """What was found and which package to install; the service writes nothing before it knows."""
    (tmp_path / "ibapi").mkdir()
    (tmp_path / "ibapi" / "__init__.py").write_text(module)
    (tmp_path / "ibapi" / "server_versions.py").write_text("MAX_CLIENT_VER = 151\n")
    file = tmp_path / "desk.toml"
    file.write_text('data_dir = "data"\n[http]\nlisten = "127.0.0.1:0"\n[gateways.primary]\nport = 1')
    result = subprocess.run(
        [sys.executable, "-m", "ibkr_adapter", command, "--config", str(file)],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == ExitCode.PACKAGE
    assert wrong in result.stdout + result.stderr
    assert "install ibapi-stable" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists()
