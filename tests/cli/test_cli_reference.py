from __future__ import annotations

from ibkr_adapter.errors import ExitCode
from scripts.cli_reference import MEANINGS, PAGE, page


def test_the_reference_is_what_the_commands_say() -> None:
    """docs/reference/cli.md is current; else run scripts/cli_reference.py."""
    assert PAGE.read_text() == page()


def test_every_exit_code_is_explained() -> None:
    """None without a meaning."""
    assert set(MEANINGS) == set(ExitCode)
