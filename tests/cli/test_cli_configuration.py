from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ibkr_adapter.cli import main
from ibkr_adapter.cli.border import expected
from ibkr_adapter.config.defaults import DEFAULT_TEMPLATE
from ibkr_adapter.errors import ConfigurationError, ExitCode, JournalError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_a_usable_file_is_summed_up_in_one_line(tmp_path: Path) -> None:
    """Environment, account kind, gateway, client id and whether it trades."""
    file = tmp_path / "desk.toml"
    file.write_text(DEFAULT_TEMPLATE)
    result = run("check-config", str(file))
    assert result.exit_code == ExitCode.OK
    assert "development, paper account at 127.0.0.1:7497 as client 1, trading off" in result.stdout


@pytest.mark.parametrize("command", ["check-config", "config show", "run --config", "doctor --config"])
def test_a_file_that_cannot_be_used_is_one_line_and_exit_code_3(command: str, tmp_path: Path) -> None:
    """Every command that reads a file: the key, what is wrong, the remedy; no traceback."""
    file = tmp_path / "desk.toml"
    file.write_text("[trading]\nenabeld = true")
    result = run(*command.split(), str(file))
    assert result.exit_code == ExitCode.CONFIGURATION
    assert result.stderr == "error: trading.enabeld: unknown key (did you mean enabled?)\n"


def test_a_missing_file_says_how_to_get_one() -> None:
    """The remedy names the template."""
    result = run("run", "--config", "/nowhere/desk.toml")
    assert result.exit_code == ExitCode.CONFIGURATION
    assert "config template" in result.stderr


def test_warnings_are_shown_without_refusing(tmp_path: Path) -> None:
    """What is accepted but should be known goes to stderr."""
    file = tmp_path / "desk.toml"
    file.write_text('[market_data]\ngeneric_ticks = "233,258"')
    result = run("check-config", str(file))
    assert result.exit_code == ExitCode.OK
    assert result.stderr.startswith("warning: market_data.generic_ticks: 258")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A file stands where a directory should be: 22, and the path."""
    (tmp_path / "taken").write_text("")
    result = run("demo", "--data-dir", str(tmp_path / "taken" / "data"))
    assert result.exit_code == ExitCode.STORE
    assert result.stderr.startswith(f"error: {tmp_path / 'taken' / 'data'}: Not a directory")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--nonsense"], "--nonsense"),
        (["stauts"], "'status'"),
        (["run"], "--config"),
        (["orders", "place", "HOLD", "1", "SPY", "--market"], "'HOLD'"),
        (["orders", "place", "BUY", "1", "SPY"], "say either --limit PRICE or --market"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], wrong: str) -> None:
    """At every level: what is wrong, and where to read more."""
    result = CliRunner().invoke(main, arguments, prog_name="ibkr-adapter")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith("error: ")
    assert wrong in result.stderr
    assert result.stderr.endswith(" --help`)\n")
    assert result.stderr.count("\n") == 1


def test_a_group_without_a_command_prints_its_help() -> None:
    """Asking nothing is asking what can be asked."""
    result = run("orders")
    assert result.exit_code == ExitCode.USAGE
    assert "Commands:" in result.output


def test_the_template_is_printed_as_it_is() -> None:
    """Ready to be redirected into a file."""
    assert run("config", "template").stdout == DEFAULT_TEMPLATE


def test_show_marks_defaults(tmp_path: Path) -> None:
    """What the file says stands bare, the rest is marked."""
    file = tmp_path / "desk.toml"
    file.write_text('[log]\nlevel = "debug"')
    shown = run("config", "show", str(file)).stdout
    assert 'level = "debug"\n' in shown
    assert "client_id = 1  # default" in shown


def test_trouble_inside_a_task_group_is_still_one_line() -> None:
    """A group that holds nothing but ours is ours; one that holds a bug stays a bug."""
    ours = ConfigurationError("a.b", "wrong")
    assert expected(BaseExceptionGroup("tasks", [ExceptionGroup("inner", [ours]), JournalError("x")])) is ours
    assert expected(BaseExceptionGroup("tasks", [ours, ValueError()])) is None
