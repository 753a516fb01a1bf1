from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ibkr_adapter.cli import main
from ibkr_adapter.cli.reach import TOKEN_VARIABLE, _token
from ibkr_adapter.errors import ExitCode, SecretUnavailable
from ibkr_adapter.statefile import RunningService


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "codes.toml").write_text('[[codes]]\ncode = 2104\ntext = "our words"')
    file = tmp_path / "desk.toml"
    file.write_text('message_codes = "codes.toml"')
    return file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_code_alone_is_shown_as_shipped_where_no_service_runs() -> None:
    """Every column, and that it is the shipped row."""
    shown = run("codes", "1100").stdout
    assert "as shipped, no service runs" in shown
    assert "upstream_lost" in shown
    assert "shipped" in shown.splitlines()[-1]


def test_a_file_shows_the_desks_own_rows(file: Path) -> None:
    """``--overridden`` leaves out the rest, and ``--json`` is for programs."""
    rows = json.loads(run("codes", "--overridden", "--config", str(file), "--json").stdout)
    assert [(row["code"], row["text"], row["origin"]) for row in rows] == [(2104, "our words", "override")]
    assert len(json.loads(run("codes", "show", "--config", str(file), "--json").stdout)) > 400


def test_an_unknown_code_and_a_bad_file_are_one_line(file: Path) -> None:
    """2 for a code that is not there, 3 for a file that cannot be used, by every command that reads it."""
    assert run("codes", "99999").exit_code == ExitCode.USAGE
    assert run("codes", "reload").exit_code == ExitCode.NOT_RUNNING
    (file.parent / "codes.toml").write_text('[[codes]]\ncode = 1100\neffect = "panic"')
    for command in (["codes", "--config"], ["check-config"], ["run", "--config"]):
        result = run(*command, str(file))
        assert result.exit_code == ExitCode.CONFIGURATION
        assert "code 1100.effect: there is no effect 'panic'" in result.stderr


def test_a_dangerous_row_is_warned_of_by_check_config(file: Path) -> None:
    """It is usable all the same."""
    (file.parent / "codes.toml").write_text('[[codes]]\ncode = 1100\neffect = "inform"')
    result = run("check-config", str(file))
    assert result.exit_code == ExitCode.OK
    assert "upstream_lost becomes inform" in result.stderr


def test_commands_read_the_token_where_the_service_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own of the state file, else the same place, else the variable; Vault is asked by the service alone."""

    def token(own: str, place: str) -> str:
        service = RunningService(
            url="http://127.0.0.1:1", token=own, pid=1, environment="development", state_file="x", token_from=place
        )
        return _token(service)

    (tmp_path / "token").write_text("of-the-file-0123456789\n")
    monkeypatch.setenv("CONSOLE", "of-the-environment-01")
    assert token("made-at-start", "") == "made-at-start"
    assert token("", f"file:{tmp_path}/token") == "of-the-file-0123456789"
    assert token("", "env:CONSOLE") == "of-the-environment-01"
    assert token("", "vault:desk#token") == ""
    with pytest.raises(SecretUnavailable):
        token("", "file:/nowhere")
    monkeypatch.setenv(TOKEN_VARIABLE, "given-by-hand")
    assert token("", "vault:desk#token") == token("", "env:CONSOLE") == "given-by-hand"
