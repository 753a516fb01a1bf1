"""`tws-simulator run`, as a person and as a parent process use it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from ibkr_adapter import __version__
from ibkr_adapter.errors import ExitCode
from tws_simulator.cli import main
from tws_simulator.cli.border import EXIT_ADDRESS, EXIT_FAILED, EXIT_USAGE
from tws_simulator.world.accounts.opening import account_for

WAIT_S_MAX = 30.0


@contextmanager
def simulator(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tws_simulator", "run", "--port", "0", *options]
    pipe = subprocess.PIPE
    wide = {**os.environ, "COLUMNS": "200"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=wide) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _announcement(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    announced = json.loads(process.stdout.readline())
    assert isinstance(announced, dict)
    return announced


def test_a_parent_is_told_where_to_connect() -> None:
    """One JSON line first on standard output; the port is then open."""
    with simulator("--announce", "--seed", "7", "--server-version", "213") as process:
        announced = _announcement(process)
        assert announced == {
            "host": "127.0.0.1",
            "port": announced["port"],
            "account": account_for(7),
            "seed": 7,
            "server_version": 213,
            "pid": process.pid,
        }
        socket.create_connection(("127.0.0.1", int(str(announced["port"]))), WAIT_S_MAX).close()


def test_a_person_is_told_in_words() -> None:
    """Where it listens, which account, which seed."""
    with simulator("--seed", "7") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:")
        assert f"account {account_for(7)}, seed 7" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_when_asked(number: signal.Signals) -> None:
    """Exit code 0, also with a client connected."""
    with simulator("--announce") as process:
        port = int(str(_announcement(process)["port"]))
        with socket.create_connection(("127.0.0.1", port), WAIT_S_MAX):
            os.kill(process.pid, number)
            assert process.wait(WAIT_S_MAX) == 0


def test_it_ends_with_its_parent_when_told_to() -> None:
    """The parent's end of standard input closes, however the parent ends."""
    with simulator("--announce", "--exit-with-parent") as process:
        _announcement(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WAIT_S_MAX) == 0


def test_a_strange_address_is_refused_in_one_line() -> None:
    """As wrong usage, with what to do."""
    result = CliRunner().invoke(main, ["run", "--host", "0.0.0.0"])
    assert result.exit_code == EXIT_USAGE
    assert result.stderr.startswith("error: 0.0.0.0 is not a loopback address")
    assert result.stderr.count("\n") == 1


def test_a_port_in_use_is_named_with_the_remedy() -> None:
    """With the exit code that means the same at the adapter."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["run", "--port", str(port)])
    assert result.exit_code == EXIT_ADDRESS == ExitCode.ADDRESS_IN_USE
    assert result.stderr == f"error: port {port} is in use (stop what listens there, or choose another with --port)\n"


def test_a_control_port_in_use_is_named_as_such() -> None:
    """Not as the gateway's own."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["run", "--port", "0", "--control", str(port)])
    assert result.exit_code == EXIT_ADDRESS
    remedy = "stop what listens there, or choose another with --control"
    assert result.stderr == f"error: control port {port} is in use ({remedy})\n"


def test_a_simulator_that_fails_ends_with_a_code_of_its_own(tmp_path: Path) -> None:
    """And one line that says what failed, where; it does not wait to be stopped."""
    program = tmp_path / "broken.py"
    program.write_text(
        "from tws_simulator.api.core import GatewayCore\n"
        "from tws_simulator.cli import main\n"
        "def advance(self, *times):\n"
        "    raise KeyError('broken on purpose')\n"
        "GatewayCore.advance = advance\n"
        "main(['run', '--port', '0'])\n"
    )
    ended = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=WAIT_S_MAX)
    assert ended.returncode == EXIT_FAILED
    assert ended.returncode not in list(ExitCode)
    assert ended.stderr.startswith("error: the simulator failed: KeyError: 'broken on purpose' at broken.py:4 (")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["run", "--server-version", "150"], ["run", "--nonsense"], ["walk"], ["--nonsense"]]
)
def test_wrong_usage_is_one_line(arguments: list[str]) -> None:
    """At every level, with where to read more, and the adapter's exit code for it."""
    result = CliRunner().invoke(main, arguments, prog_name="tws-simulator")
    assert result.exit_code == EXIT_USAGE == ExitCode.USAGE
    assert result.stderr.startswith("error: ")
    assert result.stderr.endswith(" --help`)\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_tells_the_exit_codes(option: str) -> None:
    """A parent process can look up what each means."""
    shown = CliRunner().invoke(main, [option])
    assert shown.exit_code == 0
    assert "2 on wrong usage" in shown.stdout
    assert "23 when it cannot" in shown.stdout


def test_it_tells_its_version() -> None:
    """Adapter and simulator are released together."""
    assert CliRunner().invoke(main, ["--version"]).stdout == f"tws-simulator, version {__version__}\n"


def test_ending_with_the_parent_needs_a_pipe() -> None:
    """Said at once, as wrong usage: without a pipe the simulator would outlive its parent unnoticed."""
    command = [sys.executable, "-m", "tws_simulator", "run", "--port", "0", "--exit-with-parent"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT_S_MAX)
    assert result.returncode == 2
    assert "needs a pipe as standard input" in result.stderr


def test_the_status_line_is_for_those_who_watch() -> None:
    """Not without a terminal, unless asked for; it goes to standard error."""
    with simulator("--announce", "--status") as process:
        _announcement(process)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=WAIT_S_MAX)
    assert " New York, always open | clients 0 | no streams | orders 0 open | in 0/s out 0/s" in told


def test_time_may_start_elsewhere_and_run_faster() -> None:
    """In New York's time, with the exchange's hours: 09:29:30 on a Monday is before the opening."""
    with simulator("--announce", "--status", "--hours", "exchange", "--start", "2026-11-23 09:29:30") as process:
        _announcement(process)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=WAIT_S_MAX)
    assert "09:29:3" in told
    assert " New York, pre-market | " in told


def test_a_symbol_nobody_lists_is_named() -> None:
    """With those that are listed."""
    result = CliRunner().invoke(main, ["run", "--symbols", "spy,nope"])
    assert result.exit_code == EXIT_USAGE
    assert "--symbols: no stock or fund is called 'NOPE'; there are AAPL, " in result.output


def test_the_help_of_run_says_what_it_is_and_parts_examples_from_words() -> None:
    """Each example ends before its explanation begins, two spaces at least."""
    shown = CliRunner().invoke(main, ["run", "--help"]).stdout
    assert "Start a simulated TWS or IB Gateway" in shown
    assert "--scenario daily-restart with" not in shown
    assert "Start a simulated TWS or IB Gateway" in CliRunner().invoke(main, ["--help"]).stdout


def test_time_runs_no_faster_than_a_machine_can_follow() -> None:
    """A market of a thousand seconds a second would leave no time to serve anybody."""
    result = CliRunner().invoke(main, ["run", "--speed", "301"])
    assert (result.exit_code, "0.01<=x<=300" in result.stderr) == (EXIT_USAGE, True)
