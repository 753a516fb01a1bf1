from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nothing_skipped import REQUIRED

ROOT = Path(__file__).parents[1]
IN_A_TEST = "import pytest\ndef test_it():\n    pytest.skip('no redis-server')\n"
IN_A_MODULE = "import pytest\npytest.skip('no chromium', allow_module_level=True)\n"
EXPECTED_TO_FAIL = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it():\n    assert False\n"


def outcome(directory: Path, content: str, required: str) -> tuple[int, str]:
    (directory / "test_it.py").write_text(content)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.nothing_skipped", "-c", os.devnull, "test_it.py"]
    environment = os.environ | {REQUIRED: required, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=50)
    return run.returncode, run.stdout


@pytest.mark.parametrize(("content", "reason"), [(IN_A_TEST, "no redis-server"), (IN_A_MODULE, "no chromium")])
def test_where_everything_is_required_a_skip_fails(tmp_path: Path, content: str, reason: str) -> None:
    """Of a test or a whole module, with the reason it gave."""
    code, said = outcome(tmp_path, content, "1")
    assert code != 0
    assert reason in said
    assert REQUIRED in said


def test_elsewhere_a_skip_is_a_skip(tmp_path: Path) -> None:
    """A machine without Redis or Chromium still runs the rest."""
    for required in ("", "0"):
        code, said = outcome(tmp_path, IN_A_TEST, required)
        assert (code, "1 skipped" in said) == (0, True)


def test_what_is_expected_to_fail_is_no_skip(tmp_path: Path) -> None:
    """pytest reports it as skipped, but it ran."""
    assert outcome(tmp_path, EXPECTED_TO_FAIL, "1")[0] == 0
