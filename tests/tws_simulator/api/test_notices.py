"""What the gateway says in errors stands in one place, each text once."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import tws_simulator.api

API = Path(tws_simulator.api.__path__[0])
SHORT = 24
"""A text that is shorter may well mean two things."""


def _texts(path: Path) -> list[str]:
    """Of one module, without its docstrings; of texts with gaps what stands between them."""
    tree = ast.parse(path.read_text())
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in spoken]
    return [node.value for node in constants if isinstance(node.value, str) and len(node.value) > SHORT]


def test_no_text_stands_twice() -> None:
    counts = Counter(text for path in sorted((API / "notices").glob("*.py")) for text in _texts(path))
    repeated = {text for text, count in counts.items() if count > 1}
    assert repeated == {
        "Requested market data is not subscribed. Delayed market data is not enabled.",  # of two codes, as in IB
    }


def test_no_text_of_a_notice_stands_elsewhere() -> None:
    """Neither the same text nor one of its own."""
    noticed = {text for path in (API / "notices").glob("*.py") for text in _texts(path)}
    elsewhere = {text for path in API.rglob("*.py") if path.parent.name != "notices" for text in _texts(path)}
    assert not noticed & elsewhere
    assert not [text for text in elsewhere if "cause -" in text or "subscribed." in text]
