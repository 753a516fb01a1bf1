"""The pages that somebody reads at night: there for every alert, and true to the commands and to each other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from ibkr_adapter.cli import main

ROOT = Path(__file__).parents[1]
RUNBOOKS = ROOT / "docs" / "runbooks"
INDEX = RUNBOOKS / "README.md"
PAGES = sorted(page for page in RUNBOOKS.glob("*.md") if page != INDEX)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])

_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
_COMMAND = re.compile(r"^    (ibkr-adapter [^#\n]*)|`(ibkr-adapter [^`]*)`", re.MULTILINE)


def links(page: Path) -> list[Path]:
    """Where a page points to, in this repository."""
    return [page.parent / link for link in _LINK.findall(page.read_text()) if "://" not in link]


def test_every_critical_alert_has_a_runbook():
    """Its key stands in the index, in the row of a page that names it."""
    reference = (ROOT / "docs" / "reference" / "alerts.md").read_text()
    critical = [
        key for key, how in re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", reference, re.MULTILINE) if "critical" in how
    ]
    rows = re.findall(r"^\| (`.*?) \| \[.*\]\((.*)\) \|$", INDEX.read_text(), re.MULTILINE)
    pages = {key: RUNBOOKS / page for keys, page in rows for key in re.findall(r"`([^`]+)`", keys)}
    assert [key for key in critical if key not in pages] == []
    assert [key for key, page in pages.items() if f"`{key}`" not in page.read_text()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_leads_from_symptom_to_undo(page: Path):
    """Each has its steps in this order, whether as a heading or in bold."""
    steps = re.findall(r"^(?:## |\*\*)(See|Decide|Act|Verify|Undo)\b", page.read_text(), re.MULTILINE)
    assert [step for step in steps if step != "Act"] == ["See", "Decide", "Verify", "Undo"]
    assert page in [link.resolve() for link in links(INDEX)]


@pytest.mark.parametrize("page", [*PAGES, INDEX], ids=lambda page: page.stem)
def test_the_commands_of_a_runbook_exist(page: Path):
    """Every command of ours and each of its options."""
    for block, inline in _COMMAND.findall(page.read_text()):
        words = shlex.split(block or inline)[1:]
        command: click.Command = main
        while isinstance(command, click.Group) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert not isinstance(command, click.Group), block or inline
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, block or inline


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path):
    """Each relative link is to a file of this repository."""
    assert [str(link) for link in links(page) if not link.exists()] == []
