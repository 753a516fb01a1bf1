"""Actions, triggers and scenarios from plain tables, as TOML and JSON give them; errors name the key and the remedy."""

from __future__ import annotations

import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from tws_simulator.api.options import OPTION_NAMES, BadOption, checked
from tws_simulator.faults.actions import ACTIONS, Action
from tws_simulator.faults.event import EVENT_KINDS, MESSAGE_KINDS, EventKind
from tws_simulator.faults.scenario import Scenario, Step
from tws_simulator.faults.triggers import After, Clock, On, Trigger
from tws_simulator.wire.codec import ROWS_BY_NAME
from tws_simulator.wire.row import REPLY, REQUEST

SCENARIO_BYTES_MAX = 256 * 1024
STEPS_MAX = 200
LIST_MAX = 1_000

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}\Z")
_MOST = {"times": 100_000, "window": 10_000, "count": 100_000, "blocks": 256, "filler_bytes": 16 * 1024 * 1024}
_MOST |= {"multiple_of": 65_536, "ticks_per_s": 1_000_000}
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d\Z")
_HEAD = re.compile(r"^[ \t]*\[\[scenario\]\][ \t]*$", re.MULTILINE)
_WHEN_KEYS = ("at_s", "clock", *EVENT_KINDS)
_SCENARIO_KEYS = ("name", "description", "rows", "options", "step")
_NAMES_OF_REQUESTS = frozenset(name for direction, name in ROWS_BY_NAME if direction == REQUEST)
_NAMES_OF_REPLIES = frozenset(name for direction, name in ROWS_BY_NAME if direction == REPLY)
Path = str


class BadScenario(ValueError):
    """Says where, what is wrong and what is allowed."""

    def __init__(self, where: Path, what: str) -> None:
        super().__init__(f"{where}: {what}" if where else what)


def read_file(text: str) -> list[Scenario]:
    """The scenarios of a TOML file, each a ``[[scenario]]`` table with ``[[scenario.step]]`` tables."""
    if len(text.encode()) > SCENARIO_BYTES_MAX:
        raise BadScenario("", f"more than {SCENARIO_BYTES_MAX} bytes")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadScenario("", f"not TOML: {fault}") from None
    _only(tables, ("scenario",), "")
    found = tables.get("scenario")
    if not isinstance(found, list) or not found:
        raise BadScenario("", "a scenario file has [[scenario]] tables")
    return [
        read_scenario(table, source=source) for table, source in zip(found, _sources(text, len(found)), strict=True)
    ]


def _sources(text: str, count: int) -> list[str]:
    """Each table as it is written, comments and all; nothing where it is not clear which text is which."""
    starts = [match.start() for match in _HEAD.finditer(text)]
    parts = [text[begin:end].strip() + "\n" for begin, end in pairwise([*starts, len(text)])]
    return parts if len(parts) == count else [""] * count


def read_scenario(table: Any, *, source: str = "") -> Scenario:
    _expect(isinstance(table, Mapping), "", "a scenario is a table")
    _only(table, _SCENARIO_KEYS, "")
    name = table.get("name")
    _expect(
        isinstance(name, str) and _NAME.match(name) is not None, "name", "lower-case words joined by -, such as my-day"
    )
    description = table.get("description", "")
    _expect(isinstance(description, str), "description", "a text is expected")
    rows = table.get("rows", [])
    _expect(isinstance(rows, list) and all(isinstance(row, str) for row in rows), "rows", "a list of texts is expected")
    steps = table.get("step", [])
    _expect(isinstance(steps, list), "step", "steps are [[scenario.step]] tables")
    _expect(len(steps) <= STEPS_MAX, "step", f"more than {STEPS_MAX}")
    return Scenario(
        name=str(name),
        description=" ".join(description.split()),
        rows=tuple(rows),
        options=_options(table.get("options", {})),
        steps=tuple(_step(each, f"step {number}") for number, each in enumerate(steps, start=1)),
        source=source,
    )


def read_action(table: Any, where: Path = "") -> Action:
    """``{"do": "reset", "client": 1}``"""
    _expect(isinstance(table, Mapping), where, "an action is a table with the key do")
    parameters = dict(table)
    do = parameters.pop("do", None)
    _expect(isinstance(do, str), _below(where, "do"), "the name of an action is expected")
    kind = ACTIONS.get(str(do))
    if kind is None:
        raise BadScenario(_below(where, "do"), f'there is no action "{do}"{_nearest(str(do), ACTIONS)}')
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    _only(parameters, tuple(known), where, f"{do} ")
    missing = [name for name, field in known.items() if name not in parameters and _is_required(field)]
    _expect(not missing, where, f"{do} needs {', '.join(missing)}")
    values = {name: _value(value, hints[name], _below(where, name)) for name, value in parameters.items()}
    action = kind(**values)
    _check_names(action, where)
    problem = action.problem()
    _expect(not problem, where, problem)
    return action


def _step(table: Any, where: Path) -> Step:
    _expect(isinstance(table, Mapping), where, "a step is a table")
    parameters = dict(table)
    when = parameters.pop("when", {})
    return Step(read_action(parameters, where), _trigger(when, _below(where, "when")))


def _trigger(table: Any, where: Path) -> Trigger:
    _expect(isinstance(table, Mapping), where, "a table is expected, such as { at_s = 5 }")
    if not table:
        return After()
    kinds = [key for key in table if key in _WHEN_KEYS]
    if len(kinds) != 1:
        unknown = [
            key
            for key in table
            if key not in ("nth", "client", "where", "every", "after_s", "every_s", "times", "daily")
        ]
        near = _nearest(unknown[0], _WHEN_KEYS) if unknown and not kinds else ""
        raise BadScenario(where, f"exactly one of {', '.join(_WHEN_KEYS)} is expected{near}")
    if kinds[0] == "at_s":
        return After(**_typed(After, table, where))
    if kinds[0] == "clock":
        clock = Clock(**_typed(Clock, table, where))
        _expect(_CLOCK.match(clock.clock) is not None, _below(where, "clock"), 'a time such as "04:45:00" is expected')
        return clock
    return _event(cast("EventKind", kinds[0]), table, where)


def _event(kind: EventKind, table: Mapping[str, Any], where: Path) -> On:
    """``{ request = "placeOrder", nth = 2 }``, but ``{ connection = 2 }``: the events without a message are counted."""
    parameters = dict(table)
    if kind in MESSAGE_KINDS:
        parameters["name"] = parameters.pop(kind)
        allowed: tuple[str, ...] = ("name", "nth", "client", "where", "every", "after_s")
    else:
        parameters["nth"] = parameters.pop(kind)
        allowed = ("nth", "client", "every", "after_s")
    _only(parameters, allowed, where)
    on = On(kind=kind, **_typed(On, parameters, where))
    if kind in MESSAGE_KINDS:
        _check_name(on.name, _NAMES_OF_REPLIES if kind == "reply" else _NAMES_OF_REQUESTS, _below(where, kind))
    _expect(on.nth >= 1, where, "events are counted from 1")
    return on


def _typed(kind: type[Any], table: Mapping[str, Any], where: Path) -> dict[str, Any]:
    hints = get_type_hints(kind)
    _only(table, tuple(field.name for field in fields(kind) if field.name != "kind"), where)
    return {name: _value(value, hints[name], _below(where, name)) for name, value in table.items()}


def _options(table: Any) -> dict[str, Any]:
    _expect(isinstance(table, Mapping), "options", "a table is expected")
    _only(table, OPTION_NAMES, "options")
    try:
        return {name: checked(name, value) for name, value in table.items()}
    except BadOption as fault:
        raise BadScenario(f"options.{fault.name}", fault.what) from None


def _check_names(action: Action, where: Path) -> None:
    """Names of messages are IB's; one that is in no table would never be met."""
    names = getattr(action, "names", ())
    is_request = action.do == "refuse" or getattr(action, "direction", "reply") == "request"
    known = _NAMES_OF_REQUESTS if is_request else _NAMES_OF_REPLIES
    for name in (*names, *getattr(action, "but_not", ())):
        if name != "*":
            _check_name(name, known, _below(where, "names"))
    if action.do == "inject":
        _check_name(str(getattr(action, "name", "")), _NAMES_OF_REPLIES, _below(where, "name"))


def _check_name(name: str, known: frozenset[str], where: Path) -> None:
    if name not in known:
        raise BadScenario(where, f'no message is called "{name}"{_nearest(name, known)}')


def _value(value: Any, hint: Any, where: Path) -> Any:
    """The value as the field wants it; whole numbers serve where real ones are wanted."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        allowed = ", ".join(map(str, arguments))
        _expect(
            value in arguments and type(value) in {type(each) for each in arguments},
            where,
            f"one of {allowed} is expected",
        )
        return value
    if origin in (Union, types.UnionType):
        kinds = [each for each in arguments if each is not type(None)]
        _expect(any(_is(value, each) for each in kinds), where, f"{' or '.join(map(_called, kinds))} is expected")
        return value
    if origin is tuple:
        _expect(
            isinstance(value, list) and len(value) <= LIST_MAX and all(_is(each, arguments[0]) for each in value),
            where,
            f"a list is expected, each {_called(arguments[0])}, at most {LIST_MAX}",
        )
        return tuple(value)
    if origin is not None:
        _expect(isinstance(value, Mapping), where, "a table is expected")
        _expect(
            arguments[1] is Any or all(_is(each, arguments[1]) for each in value.values()),
            where,
            "numbers are expected",
        )
        return dict(value)
    _expect(_is(value, hint), where, f"{_called(hint)} is expected")
    most = _MOST.get(where.rpartition(".")[2])
    _expect(most is None or value <= most, where, f"at most {most} is possible")
    if hint is float:
        _expect(value >= 0 or where.rpartition(".")[2] in ("price_by",), where, "0 or more is expected")
        return float(value)
    return value


def _is(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _called(kind: Any) -> str:
    return {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}.get(kind, str(kind))


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _only(table: Mapping[str, Any], allowed: tuple[str, ...], where: Path, of: str = "") -> None:
    for key in table:
        if key not in allowed:
            known = f"; {of}knows {', '.join(allowed)}" if of or len(allowed) < 12 else ""
            raise BadScenario(where, f'unknown key "{key}"{_nearest(key, allowed)}{known}')


def _nearest(name: str, known: Any) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f', did you mean "{near[0]}"?' if near else ""


def _below(where: Path, key: str) -> Path:
    return f"{where}.{key}" if where else key


def _expect(is_so: bool, where: Path, what: str) -> None:
    if not is_so:
        raise BadScenario(where, what)
