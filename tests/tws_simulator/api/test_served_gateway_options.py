"""Options of a simulated gateway: each is checked, wherever it comes from."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from scripts.options_reference import PAGE, page
from tws_simulator import BadOption, Gateway, Options
from tws_simulator.api.limits.message_rate import PACINGS
from tws_simulator.api.options import BOUNDS, OptionsGiven, options_of
from tws_simulator.faults.reading import BadScenario, read_scenario

WRONG: dict[str, tuple[str, Any, str]] = {
    "name": ("pacin", "pace", 'pacin: no option is called so, did you mean "pacing"?'),
    "far-name": ("colour", "blue", "colour: no option is called so"),
    "choice": ("pacing", "rejcet", 'one of "pace", "reject", "off" is expected, not "rejcet", did you mean "reject"?'),
    "code": ("live_refusal_code", 1, "live_refusal_code: one of 354, 10089, 10168, 10186 is expected, not 1"),
    "version": ("server_version", 5, "server_version: a whole number from 151 to 226 is expected, not 5"),
    "negative": ("clients_max", -1, "clients_max: a whole number from 1 to 10000 is expected, not -1"),
    "truth": ("clients_max", True, "clients_max: a whole number from 1 to 10000 is expected, not True"),
    "text": ("seed", "7", 'seed: a whole number is expected, not "7"'),
    "not-a-number": ("account_interval_s", float("nan"), "account_interval_s: a number from 0 to 86400 is expected"),
    "number": ("read_only", 1, "read_only: true or false is expected, not 1"),
    "none": ("accounts", None, "accounts: a whole number from 1 to 50 is expected, not None"),
    "lone-text": (
        "symbols",
        "SPY",
        r'symbols: a list of at most 1000 symbols is expected, as \["SPY"\], not "SPY"',
    ),
    "list-of": ("not_entitled", [1], "not_entitled: a list of at most 1000 symbols"),
    "symbol": ("symbols", ["SPYY"], 'symbols: no stock or fund is called "SPYY", did you mean "SPY"?'),
    "index": ("symbols", ["SPX"], 'symbols: no stock or fund is called "SPX"'),
    "word": ("not_entitled", ["all"], 'not_entitled: no instrument is called "all"'),
    "long": ("symbols", ["x" * 10_000], 'no stock or fund is called "x{50,60}'),
}


@pytest.mark.parametrize(("name", "value", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_option_is_named_with_what_is_allowed(name: str, value: Any, told: str) -> None:
    """When the gateway is made, not when a client meets it."""
    with pytest.raises(BadOption, match=told):
        Gateway(**{name: value})


@pytest.mark.parametrize("name", BOUNDS)
def test_numbers_have_bounds_that_belong_to_them(name: str) -> None:
    """The least and the most are allowed, what is beyond is not."""
    for bound, beyond in zip(BOUNDS[name], (-1, 1), strict=True):
        assert getattr(options_of({name: bound}), name) == bound
        with pytest.raises(BadOption, match=name):
            options_of({name: bound + beyond})


def test_lists_of_any_kind_become_tuples() -> None:
    """In their order; a set has none, so it is sorted."""
    assert options_of({"symbols": ["SPY", "AAPL"]}).symbols == ("SPY", "AAPL")
    assert options_of({"symbols": iter(["SPY", "AAPL"])}).symbols == ("SPY", "AAPL")
    assert options_of({"not_entitled": {"SPY", "AAPL", "SPX"}}).not_entitled == ("AAPL", "SPX", "SPY")


def test_every_pacing_and_no_master_are_allowed() -> None:
    """None is a gateway without a master client."""
    assert [Options(pacing=each).pacing for each in ("pace", "reject", "off")] == list(PACINGS)
    assert Options(master_client_id=None).master_client_id is None


def test_editors_know_the_options_that_there_are() -> None:
    """The same names and types; a list may be given as any iterable."""
    given = {name: str(hint).replace("collections.abc.Iterable[str]", "tuple[str, ...]")
             for name, hint in get_type_hints(OptionsGiven).items()}  # fmt: skip
    assert given == {name: str(hint) for name, hint in get_type_hints(Options).items()}
    assert list(given) == [field.name for field in fields(Options)]


def test_a_scenario_reads_its_options_the_same_way() -> None:
    """Lists as well; errors name the key."""
    table = {"name": "mine", "options": {"symbols": ["SPY", "QQQ"], "tick_by_tick_pause_s": 1}}
    assert read_scenario(table).options == {"symbols": ("SPY", "QQQ"), "tick_by_tick_pause_s": 1.0}
    for wrong, told in (
        ({"symbols": {}}, r"options\.symbols: a list of at most 1000 symbols is expected"),
        ({"pacing": "rejcet"}, r'options\.pacing: one of .* did you mean "reject"'),
        ({"server_version": 5}, r"options\.server_version: a whole number from 151"),
    ):
        with pytest.raises(BadScenario, match=told):
            read_scenario({"name": "mine", "options": wrong})


def test_the_page_of_the_options_is_current() -> None:
    """docs/reference/simulator-options.md; else run scripts/options_reference.py."""
    assert PAGE.read_text() == page()
    for field in fields(Options):
        assert f"| `{field.name}` |" in page()
