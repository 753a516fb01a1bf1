"""A scenario: what goes wrong, when, and what its author wants to be learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tws_simulator.faults.actions import Action
from tws_simulator.faults.triggers import After, Trigger


@dataclass(frozen=True, slots=True)
class Step:
    action: Action
    when: Trigger = field(default_factory=After)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """``rows`` are the rows of a fault matrix it serves; ``options`` are the gateway's, needed from its start."""

    name: str
    description: str
    steps: tuple[Step, ...]
    rows: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = field(default="", compare=False)
