"""The library as a whole: complete, proved, readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tws_simulator.faults import (
    test_scenarios_data,
    test_scenarios_orders,
    test_scenarios_session,
    test_scenarios_transport,
)
from tws_simulator.faults.actions import ACTIONS
from tws_simulator.faults.library import NoSuchScenario, all_scenarios, named
from tws_simulator.faults.reading import read_file

ROWS = Path(__file__).parents[2] / "data" / "fault_rows.txt"
PROVED = {
    name
    for topic in (test_scenarios_transport, test_scenarios_session, test_scenarios_orders, test_scenarios_data)
    for name in topic.PROOFS.by_name
}


def test_every_scenario_is_proved() -> None:
    """And nothing is proved that is not there."""
    assert set(all_scenarios()) == PROVED


def test_every_row_that_a_simulated_gateway_injects_has_a_scenario() -> None:
    """See the provenance at the head of the file of rows."""
    wanted = {line.split()[0] for line in ROWS.read_text().splitlines() if line and not line.startswith("#")}
    served = {row for scenario in all_scenarios().values() for row in scenario.rows}
    assert wanted - served == set()


def test_every_action_is_in_some_scenario_or_a_test_of_its_own() -> None:
    """An action that nobody uses would be an action that nobody needs."""
    used = {step.action.do for scenario in all_scenarios().values() for step in scenario.steps}
    assert set(ACTIONS) - used == {"coalesce", "resume_data", "cancel_orders", "port_up"}


@pytest.mark.parametrize("name", list(all_scenarios()))
def test_what_is_shown_of_a_scenario_can_be_played_again(name: str) -> None:
    """Users change what `scenarios --show` prints; descriptions are a sentence at least, and end as one."""
    scenario = named(name)
    assert repr(read_file(scenario.source)) == repr([scenario]), "as text, for NaN is not equal to itself"
    assert scenario.description.endswith((".", '"'))
    assert scenario.rows


def test_a_name_that_nearly_fits_is_offered() -> None:
    """Instead of a list of a hundred."""
    with pytest.raises(NoSuchScenario, match='did you mean "half-open"'):
        named("half-opem")
