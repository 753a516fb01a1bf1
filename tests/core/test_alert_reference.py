from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ibkr_adapter.ops.message_codes import ALERT, STEERING_ALERT
from ibkr_adapter.ops.secrets import VAULT_ALERT

ROOT = Path(__file__).parents[2]
CORE = ROOT / "src" / "ibkr_adapter" / "core"
PAGE = ROOT / "docs" / "reference" / "alerts.md"

SHELL = {"notice/<>", VAULT_ALERT, ALERT, STEERING_ALERT}


def keys(source: str) -> Iterator[str]:
    """The keys of all conditions of a module; what is put in at run time is ``<>``."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Condition"):
            continue
        for keyword in node.keywords:
            match keyword:
                case ast.keyword(arg="key", value=ast.Constant(value=str(key))):
                    yield key
                case ast.keyword(arg="key", value=ast.JoinedStr(values=parts)):
                    yield "".join(part.value if isinstance(part, ast.Constant) else "<>" for part in parts)


def test_every_alert_stands_in_the_reference() -> None:
    """docs/reference/alerts.md has a row for each key of the core and the shell, and for none that is not there."""
    told = {key for path in CORE.rglob("*.py") for key in keys(path.read_text())} | SHELL
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(re.sub("<[a-z]+>", "<>", row) for row in rows) == sorted(told)
