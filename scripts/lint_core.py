"""The core has no clock, no chance, no ids of its own and no I/O: this fails on what would bring them in.

    scripts/lint_core.py [directory]

Reads the syntax tree of every module under ``src/ibkr_adapter/core`` and prints ``file:line: rule`` for each breach;
exits with 1 if there was one. A simulation of a year can be repeated from its seed only as long as this stays silent.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

CORE = Path(__file__).resolve().parent.parent / "src" / "ibkr_adapter" / "core"

MODULES = {
    "time": "reads a clock",
    "datetime": "reads a clock",
    "zoneinfo": "reads files",
    "random": "draws random numbers",
    "uuid": "makes ids",
    "secrets": "makes ids",
    "os": "does I/O",
    "io": "does I/O",
    "pathlib": "does I/O",
    "tempfile": "does I/O",
    "shutil": "does I/O",
    "socket": "does I/O",
    "select": "does I/O",
    "selectors": "does I/O",
    "ssl": "does I/O",
    "subprocess": "does I/O",
    "sqlite3": "does I/O",
    "asyncio": "runs a loop",
    "threading": "runs threads",
    "multiprocessing": "runs processes",
    "concurrent": "runs threads",
    "queue": "runs threads",
    "logging": "logs",
    "structlog": "logs",
}
"""Modules that the core may not import, and why."""

OWN_MODULES = {
    "ibkr_adapter.ids": "makes ids",
    "ibkr_adapter.worker": "runs threads",
    "ibkr_adapter.lease": "does I/O",
    "ibkr_adapter.shell": "runs a loop",
    "ibkr_adapter.fanout": "runs a loop",
    "ibkr_adapter.journal": "does I/O",
    "ibkr_adapter.sinks": "does I/O",
    "ibkr_adapter.console": "does I/O",
    "ibkr_adapter.tws": "does I/O",
    "ibkr_adapter.ops": "logs",
}

CLOCK = "ibkr_adapter.clock"
UNITS = {"MILLISECOND", "SECOND", "MINUTE"}
"""All that the core may take from the module that reads the clock: none of it reads one."""

CALLS = {
    "open": "does I/O",
    "print": "does I/O",
    "input": "does I/O",
    "breakpoint": "does I/O",
    "exec": "runs what is not read",
    "eval": "runs what is not read",
    "__import__": "imports behind the lint",
    "id": "depends on the memory of this run",
    "hash": "depends on the seed of this run",
}
"""Built-in functions that the core may not call, and why."""

METHODS = {"now": "reads a clock", "utcnow": "reads a clock", "today": "reads a clock"}
"""Of a class of ``datetime``, should one get in by another way."""


def breaches(source: str) -> Iterator[tuple[int, str]]:
    """Line and rule of each breach in one module."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                for name in names:
                    if rule := _import_rule(name.name):
                        yield node.lineno, rule
            case ast.ImportFrom(module=str(module), names=names):
                if module == CLOCK:
                    for name in names:
                        if name.name not in UNITS:
                            yield node.lineno, f"imports {name.name} of {CLOCK}, which reads a clock"
                    continue
                for full in (module, *(f"{module}.{name.name}" for name in names)):
                    if rule := _import_rule(full):
                        yield node.lineno, rule
                        break
            case ast.Call(func=ast.Name(id=called)) if called in CALLS:
                yield node.lineno, f"calls {called}(), which {CALLS[called]}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=called)) if called in METHODS and owner in (
                "datetime",
                "date",
            ):
                yield node.lineno, f"calls {owner}.{called}(), which {METHODS[called]}"


def _import_rule(module: str) -> str | None:
    if module == CLOCK:
        return f"imports {CLOCK}, which reads a clock: take the units from it by name"
    reason = MODULES.get(module.partition(".")[0])
    for own, why in OWN_MODULES.items():
        if module == own or module.startswith(f"{own}."):
            reason = why
    return f"imports {module}, which {reason}" if reason else None


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else CORE
    modules = sorted(root.rglob("*.py"))
    if not modules:
        print(f"{root}: no modules to read")
        return 1
    found = 0
    for path in modules:
        for line, rule in sorted(breaches(path.read_text(encoding="utf-8"))):
            found += 1
            print(f"{path}:{line}: {rule}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
