from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ibkr_adapter.cli import main
from ibkr_adapter.ops.alerts import ASIDE
from tests.ops.test_ops_alerts import alert, written

CLI = [sys.executable, "-m", "ibkr_adapter"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["alerts", *arguments])


def record(directory: Path, *batches: list, **given: int) -> None:
    asyncio.run(written(directory, *batches, **given))


def test_alerts_are_printed_in_new_york_time_with_their_remedy(tmp_path: Path) -> None:
    """Whether or not the service runs: the file says it."""
    record(tmp_path, [alert()], [alert("farm/usfarm", after_s=60)], [alert(raised=False, after_s=600)])
    lines = run("--state", str(tmp_path)).output.splitlines()
    assert lines == [
        "2026-11-23 09:30:00 New York  raised    critical  link/down  no session (see that the gateway runs)",
        "2026-11-23 09:31:00 New York  raised    critical  farm/usfarm  no session (see that the gateway runs)",
        "2026-11-23 09:40:00 New York  resolved  critical  link/down",
        "1 open: farm/usfarm",
    ]


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    """For a script: nothing else is printed."""
    record(tmp_path, [alert()])
    (line,) = run("--state", str(tmp_path / "service.json"), "--json").output.splitlines()
    assert json.loads(line)["action"] == "raised"


def test_words_of_a_broker_cannot_move_the_cursor(tmp_path: Path) -> None:
    """One line each, whatever characters a gateway sends."""
    record(tmp_path, [alert(text="a\x1b[2Jb\nc")])
    assert "a [2Jb c" in run("--state", str(tmp_path)).output


def test_a_file_that_was_put_aside_is_printed_first(tmp_path: Path) -> None:
    """And what the next one carries over from it is not printed twice."""
    record(tmp_path, [alert()], [alert("farm/usfarm")], file_bytes_max=100)
    assert (tmp_path / ASIDE).exists()
    output = run("--state", str(tmp_path)).output
    assert output.count("link/down  no session") == output.count("farm/usfarm  no session") == 1
    assert output.splitlines()[-1] == "2 open: link/down, farm/usfarm"


def test_the_only_record_there_is_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a running service: the one that recorded; with several one must be named; with none it says so."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    home = tmp_path / "ibkr-adapter"
    assert "no service runs" in run().stderr
    for name in ("development", "staging"):
        (home / name).mkdir(parents=True)
        record(home / name, [alert()])
        result = run()
        if name == "development":
            assert "1 open: link/down" in result.output
    assert result.exit_code != 0
    assert "2 have recorded alerts" in result.stderr


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """One line and a remedy."""
    result = run("--state", str(tmp_path / "no" / "where"))
    assert result.exit_code != 0
    assert "there is no directory" in result.stderr


def test_no_alert_yet_is_said(tmp_path: Path) -> None:
    """A service of which nothing was told."""
    assert run("--state", str(tmp_path)).output == "none open\n"


def test_following_prints_what_comes_also_from_the_next_file(tmp_path: Path) -> None:
    """What stands there, what is added, and what follows after the file was put aside."""
    record(tmp_path, [alert()])
    command = [*CLI, "alerts", "--state", str(tmp_path), "--follow", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None

        def printed() -> tuple[str, str]:
            line = json.loads(process.stdout.readline())
            return line["action"], line["key"]

        assert printed() == ("raised", "link/down")
        record(tmp_path, [alert("farm/a")], file_bytes_max=1)
        assert printed() == ("raised", "farm/a")
        record(tmp_path, [alert("farm/b")])
        assert printed() == ("raised", "farm/b")
        record(tmp_path, [alert("farm/a", raised=False)])
        assert printed() == ("resolved", "farm/a")
        process.terminate()
