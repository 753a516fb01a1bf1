"""The lint that keeps the core repeatable, run on the core and on what must not get into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "lint_core.py"


def run(*arguments: str) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def judged(tmp_path: Path, source: str) -> tuple[int, list[str]]:
    (tmp_path / "module.py").write_text(source, encoding="utf-8")
    return run(str(tmp_path))


def test_the_core_is_clean():
    """No clock, no chance, no ids, no I/O."""
    assert run() == (0, [])


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import time", "imports time, which reads a clock"),
        ("from time import monotonic_ns", "imports time, which reads a clock"),
        ("from datetime import datetime", "imports datetime, which reads a clock"),
        ("import random", "imports random, which draws random numbers"),
        ("import uuid", "imports uuid, which makes ids"),
        ("from secrets import token_hex", "imports secrets, which makes ids"),
        ("import os.path", "imports os.path, which does I/O"),
        ("import socket as s", "imports socket, which does I/O"),
        ("from asyncio import Event", "imports asyncio, which runs a loop"),
        ("import threading", "imports threading, which runs threads"),
        ("import logging", "imports logging, which logs"),
        ("import structlog", "imports structlog, which logs"),
        ("from ibkr_adapter.ids import new_key", "imports ibkr_adapter.ids, which makes ids"),
        ("from ibkr_adapter import ids", "imports ibkr_adapter.ids, which makes ids"),
        ("from ibkr_adapter.tws.client import Client", "imports ibkr_adapter.tws.client, which does I/O"),
        (
            "from ibkr_adapter.clock import SystemClock",
            "imports SystemClock of ibkr_adapter.clock, which reads a clock",
        ),
        (
            "import ibkr_adapter.clock",
            "imports ibkr_adapter.clock, which reads a clock: take the units from it by name",
        ),
        ("open('file')", "calls open(), which does I/O"),
        ("print('text')", "calls print(), which does I/O"),
        ("datetime.now()", "calls datetime.now(), which reads a clock"),
        ("hash('text')", "calls hash(), which depends on the seed of this run"),
    ],
)
def test_what_the_core_may_not_have_is_named_with_its_line(tmp_path: Path, line: str, rule: str):
    """File, line and rule, and an exit code that stops a build."""
    code, lines = judged(tmp_path, f'"""Text."""\n\n{line}\n')

    assert code == 1
    assert lines == [f"{tmp_path / 'module.py'}:3: {rule}"]


def test_a_breach_inside_a_function_is_found(tmp_path: Path):
    """An import that hides in a function is an import."""
    code, lines = judged(tmp_path, "def late():\n    import time\n    return time.time()\n")

    assert code == 1
    assert len(lines) == 1
    assert ":2: " in lines[0]


@pytest.mark.parametrize(
    "line",
    [
        "from ibkr_adapter.clock import MILLISECOND, SECOND",
        "from decimal import Decimal",
        "from ibkr_adapter.events import Quote",
        "out.opens.append(1)",
        "self.open(1)",
        "from collections import deque",
    ],
)
def test_what_the_core_needs_is_allowed(tmp_path: Path, line: str):
    """Units, decimals, the vocabulary, and methods that only share a name with a built-in."""
    assert judged(tmp_path, f"{line}\n") == (0, [])


def test_nothing_to_read_is_a_failure(tmp_path: Path):
    """A lint that looks in the wrong place must not pass."""
    code, lines = run(str(tmp_path))

    assert code == 1
    assert lines == [f"{tmp_path}: no modules to read"]
