"""A mistake in a scenario file is answered with the key, what is allowed, and the nearest name."""

from __future__ import annotations

import pytest

from tws_simulator.faults.actions import ACTIONS
from tws_simulator.faults.actions.messages import Drop
from tws_simulator.faults.actions.sockets import Close
from tws_simulator.faults.reading import BadScenario, read_action, read_file, read_scenario
from tws_simulator.faults.scenario import Step
from tws_simulator.faults.triggers import After, Clock, On


def step(**parts: object) -> dict[str, object]:
    return {"name": "mine", "step": [parts]}


def test_a_file_becomes_steps() -> None:
    """Times, clocks and events; what is not said is the default."""
    (scenario,) = read_file(
        """
        [[scenario]]
        name = "mine"
        description = "Two things."
        rows = ["A03"]
        options = { server_version = 176 }

        [[scenario.step]]
        do = "close"

        [[scenario.step]]
        when = { clock = "04:45:00", daily = true }
        do = "close"
        client = 3

        [[scenario.step]]
        when = { request = "placeOrder", nth = 2, where = { "order.orderRef" = "x" } }
        do = "drop"
        names = ["orderStatus"]
        """
    )
    assert scenario.steps == (
        Step(Close(), After()),
        Step(Close(client=3), Clock(clock="04:45:00", daily=True)),
        Step(
            Drop(names=("orderStatus",)),
            On(kind="request", name="placeOrder", nth=2, where={"order.orderRef": "x"}),
        ),
    )
    assert dict(scenario.options) == {"server_version": 176}
    assert scenario.rows == ("A03",)


MISTAKES = {
    "no-toml": ("x = ", "not TOML"),
    "no-scenario": ("", r"a scenario file has \[\[scenario\]\] tables"),
    "other-table": ("[scenarios]\n", 'unknown key "scenarios", did you mean "scenario"'),
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_file_that_is_none(text: str, told: str) -> None:
    """The whole file is wrong."""
    with pytest.raises(BadScenario, match=told):
        read_file(text)


TABLES: dict[str, tuple[object, str]] = {
    "no-table": ([], "a scenario is a table"),
    "name": ({"name": "Not Good"}, "name: lower-case words joined by -"),
    "key": ({"name": "mine", "descripton": ""}, 'unknown key "descripton", did you mean "description"'),
    "rows": ({"name": "mine", "rows": "A03"}, "rows: a list of texts"),
    "option": (
        {"name": "mine", "options": {"entiteld": True}},
        'options: unknown key "entiteld", did you mean "entitled"',
    ),
    "option-kind": ({"name": "mine", "options": {"entitled": 1}}, r"options\.entitled: true or false is expected"),
    "steps": ({"name": "mine", "step": {}}, r"step: steps are \[\[scenario\.step\]\]"),
    "action": (step(do="rset"), r'step 1\.do: there is no action "rset", did you mean "reset"'),
    "no-action": (step(client=1), r"step 1\.do: the name of an action"),
    "parameter": (step(do="port_down", for_sec=3), 'step 1: unknown key "for_sec", did you mean "for_s"'),
    "missing": (step(do="drop"), "step 1: drop needs names"),
    "kind": (step(do="port_down", for_s="3"), r"step 1\.for_s: a number is expected"),
    "negative": (step(do="port_down", for_s=-3), r"step 1\.for_s: 0 or more"),
    "whole": (step(do="close", client=1.5), r"step 1\.client: a whole number is expected"),
    "bool": (step(do="close", client=True), r"step 1\.client: a whole number is expected"),
    "list": (step(do="drop", names="orderStatus"), r"step 1\.names: a list is expected, each a text"),
    "choice": (step(do="farm", state="down"), r"step 1\.state: one of broken, ok, inactive, connecting"),
    "message": (
        step(do="drop", names=["orderState"]),
        r'step 1\.names: no message is called "orderState", did you mean',
    ),
    "direction": (step(do="drop", names=["placeOrder"]), r'step 1\.names: no message is called "placeOrder"'),
    "much": (step(do="tell", code=1100, times=10**9), r"step 1\.times: at most 100000"),
    "hex": (step(do="raw", hex="f"), "step 1: hex is an even number"),
    "order": (step(do="reorder", names=["*"], window=3, order=[0, 1]), "step 1: order names each position"),
    "symbol": (step(do="fill", symbol="NOPE"), "step 1: NOPE is not listed"),
    "kinds": (step(do="stop_data", kinds=["quotes"]), "step 1: kinds are bars, depth"),
    "sizes": (step(do="split", sizes=[0]), "step 1: sizes are"),
    "value": (step(do="inject", name="nextValidId", values={"orderId": "x"}), "step 1: nextValidId cannot carry"),
    "new-value": (step(do="replace", names=["tickPrice"], set={"price": "x"}), "step 1: tickPrice cannot carry"),
    "when": (step(do="close", when={"at": 3}), r"step 1\.when: exactly one of at_s, clock, .*, did you mean \"at_s\""),
    "two-whens": (step(do="close", when={"at_s": 3, "clock": "01:00:00"}), r"step 1\.when: exactly one of"),
    "clock": (step(do="close", when={"clock": "4:45"}), r"step 1\.when\.clock: a time such as"),
    "event-name": (step(do="close", when={"request": "placeOrdr"}), r"step 1\.when\.request: no message is called"),
    "event-key": (step(do="close", when={"fill": 1, "where": {}}), r'step 1\.when: unknown key "where"'),
    "zeroth": (step(do="close", when={"connection": 0}), r"step 1\.when: events are counted from 1"),
}


@pytest.mark.parametrize(("table", "told"), TABLES.values(), ids=TABLES)
def test_a_mistake_is_named(table: object, told: str) -> None:
    """Where it is, and what would be right."""
    with pytest.raises(BadScenario, match=told):
        read_scenario(table)


@pytest.mark.parametrize("do", ACTIONS)
def test_every_action_explains_itself(do: str) -> None:
    """Its docstring is its documentation."""
    assert (ACTIONS[do].__doc__ or "").strip()


def test_an_action_alone_is_read_like_a_step_without_its_time() -> None:
    """For the control port and the command line."""
    assert read_action({"do": "close", "client": 7}) == Close(client=7)
