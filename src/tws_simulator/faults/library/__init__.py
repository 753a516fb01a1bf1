"""The scenarios that come with the simulator, one TOML file for each topic."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from tws_simulator.faults.reading import read_file
from tws_simulator.faults.scenario import Scenario


class NoSuchScenario(ValueError):
    def __init__(self, name: str) -> None:
        near = get_close_matches(name, list(all_scenarios()), n=1)
        hint = f', did you mean "{near[0]}"?' if near else ""
        super().__init__(f'no scenario is called "{name}"{hint}')


@cache
def all_scenarios() -> dict[str, Scenario]:
    """By name, in the order of the files."""
    found: dict[str, Scenario] = {}
    for path in sorted(files(__name__).iterdir(), key=lambda each: each.name):
        if path.name.endswith(".toml"):
            for scenario in read_file(path.read_text(encoding="utf-8")):
                assert scenario.name not in found, f"two scenarios are called {scenario.name}"
                found[scenario.name] = scenario
    return found


def named(name: str) -> Scenario:
    if name not in all_scenarios():
        raise NoSuchScenario(name)
    return all_scenarios()[name]
