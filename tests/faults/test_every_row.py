"""Which rows of the fault matrix are proved, and by which tests."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parents[1]

HERE = (
    *(f"A{number:02}" for number in range(1, 25)),
    *(f"B{number:02}" for number in range(1, 34)),
    *("E05", "E06", "E14", "E17"),
    *(f"F{number:02}" for number in range(9, 14)),
)
"""The rows about connections. Those of orders, market data, storage and the process have tests of their own."""


def marked(source: str) -> list[str]:
    """The rows in the ``fault`` marks of a module."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    marks = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "fault"]
    return [row.value for mark in marks for row in mark.args if isinstance(row, ast.Constant)]


def test_every_row_about_connections_has_a_test():
    """Each of them is named by the mark of at least one test."""
    tests: dict[str, list[str]] = defaultdict(list)
    for path in TESTS.rglob("test_*.py"):
        for row in marked(path.read_text()):
            tests[row].append(path.name)

    assert [row for row in HERE if not tests[row]] == []
