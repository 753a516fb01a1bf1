"""The page about scenarios is the one that the scenarios write."""

from __future__ import annotations

from scripts.scenario_reference import PAGE, page


def test_the_page_is_what_scenarios_and_actions_say() -> None:
    """Else: `python scripts/scenario_reference.py`."""
    assert PAGE.read_text() == page()
