"""Runs a scenario: told what time it is and what happens, it lets the steps' actions work with the rig.

    director = Director()
    core = GatewayCore(options, start_ns, director.stage)
    director.attach(core)
    director.play(scenario)

Nothing here reads a clock or a random number: equal requests at equal times meet equal faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tws_simulator.api.core import GatewayCore
from tws_simulator.faults.actions import Action
from tws_simulator.faults.armed import TooManyFaults
from tws_simulator.faults.event import BY_ITSELF, Cause, Event
from tws_simulator.faults.rig import Rig
from tws_simulator.faults.scenario import Scenario, Step
from tws_simulator.faults.stage import Stage
from tws_simulator.faults.triggers import After, Clock, On
from tws_simulator.world.time.units import SECOND_NS


class OptionsDiffer(ValueError):
    """The scenario needs another kind of gateway than runs."""


@dataclass(slots=True)
class _Watch:
    step: Step
    when: On
    seen: int = 0
    is_over: bool = False


class Director:
    """One scenario at a time; single actions at any time."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.stage = Stage(self.rig)
        self.scenario: Scenario | None = None
        self.acted = self.skipped = 0
        self._watches: list[_Watch] = []

    def __repr__(self) -> str:
        return f"<Director {self.scenario.name if self.scenario else 'idle'} acted {self.acted}>"

    def attach(self, core: GatewayCore) -> None:
        self.rig.attach(core)

    def play(self, scenario: Scenario) -> None:
        """From now on, instead of what was played before; OptionsDiffer for one that this gateway cannot play."""
        options = self.rig.gateway.options
        differing = [f"{key} = {value!r}" for key, value in scenario.options.items() if getattr(options, key) != value]
        if differing:
            raise OptionsDiffer(f"{scenario.name} needs a gateway started with {', '.join(differing)}")
        for step in scenario.steps:
            self._check_accounts(step.action)
        self.stop()
        self.scenario = scenario
        for step in scenario.steps:
            self._arrange(step)

    def stop(self) -> None:
        """No fault is left; what was lost stays lost."""
        self.scenario = None
        self._watches.clear()
        self.stage.hear = None
        self.rig.clear()

    def do(self, action: Action) -> None:
        """Now; TooManyFaults when there are too many already, OptionsDiffer for what this gateway has not."""
        self._check_accounts(action)
        action.apply(self.rig, BY_ITSELF)
        self.acted += 1

    def _check_accounts(self, action: Action) -> None:
        if action.accounts_needed > len(self.rig.world.accounts):
            raise OptionsDiffer(f"{action.do} needs a gateway started with accounts = {action.accounts_needed}")

    def _act(self, action: Action, cause: Cause = BY_ITSELF) -> None:
        """A step's turn has come: one too many is skipped and counted, for nobody is there to be told."""
        try:
            action.apply(self.rig, cause)
        except TooManyFaults:
            self.skipped += 1
        else:
            self.acted += 1

    def _arrange(self, step: Step) -> None:
        match step.when:
            case After(at_s=at_s, every_s=every_s, times=times):
                for number in range(times):
                    self.rig.after(at_s + number * every_s, partial(self._act, step.action))
            case Clock() as clock:
                self._at_clock(step, clock)
            case On() as on:
                self._watches.append(_Watch(step, on))
                self.stage.hear = self._heard

    def _at_clock(self, step: Step, clock: Clock) -> None:
        def act() -> None:
            if clock.daily:
                self._at_clock(step, clock)
            self._act(step.action)

        now_ns = self.rig.now_ns
        self.rig.after((clock.next_ns(now_ns) - now_ns) / SECOND_NS, act)

    def _heard(self, event: Event) -> None:
        for watch in self._watches:
            if watch.is_over or not watch.when.fits(event):
                continue
            if event.kind == "bytes_written":
                if event.total_bytes < watch.when.nth:
                    continue
            else:
                watch.seen += 1
                if watch.seen < watch.when.nth:
                    continue
            watch.is_over = not watch.when.every
            cause = Cause(event.peer, event.message)
            wait_s = 0.0 if self.rig.is_full else watch.when.after_s
            self.rig.after(wait_s, partial(self._act, watch.step.action, cause))
