"""Finds the running service by its state file, and asks it over HTTP."""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import click
import msgspec

from ibkr_adapter.config import Source
from ibkr_adapter.config.places import state_home
from ibkr_adapter.config.secrets import reference
from ibkr_adapter.errors import ExitCode, IbkrError, NotRunning
from ibkr_adapter.ops.secrets import local
from ibkr_adapter.statefile import NAME, RunningService, found, read

TIMEOUT_S: Final = 15.0
TOKEN_VARIABLE: Final = "IBKR_ADAPTER_TOKEN"  # noqa: S105 - the name of a variable
ANSWER_BYTES_MAX: Final = 50_000_000

_START = "start it with `ibkr-adapter demo` or `ibkr-adapter run --config FILE`"

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="The service's state file or data directory; otherwise it is found.",
)
component_option = click.option(
    "--component", default="", help="Where several components run: the one that is asked, as `risk_manager`."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


class Answered(IbkrError):
    """The service said no; message, remedy and exit code are its own."""

    def __init__(self, message: str, *, remedy: str, exit_code: ExitCode) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = exit_code


def find(state: Path | None, component: str = "") -> RunningService:
    """The service of a state file, or the only one that runs, of those that run as ``component`` if one is named."""
    if state is not None:
        service = read(state / NAME if state.is_dir() else state)
        if service is None or not service.alive:
            raise NotRunning(f"no service runs for {str(state)!r}", remedy=_START)
        if component not in ("", service.component):
            what = f"the service of {str(state)!r} runs as {service.component or 'an unnamed component'}"
            raise NotRunning(what, remedy="leave out --component, or name another --state")
        return service
    running = found(state_home())
    if not running:
        raise NotRunning("no service is running", remedy=f"{_START}; if one runs, name its directory with --state")
    named = [service for service in running if component in ("", service.component)]
    if not named:
        raise NotRunning(f"no {component[:40]} is running, but {_names(running)}", remedy="name one of these")
    if len(named) > 1:
        choose = "choose one with --component NAME or --state FILE"
        raise NotRunning(f"{len(named)} services run: {_names(named)}", remedy=choose)
    return named[0]


def _names(services: list[RunningService]) -> str:
    return ", ".join(f"{each.environment} {each.component or 'unnamed'} {each.state_file}" for each in services)


def ask(service: RunningService, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
    """Status and JSON of one request; what the service refuses to understand is raised as it said it."""
    address = urlsplit(service.url)
    headers = {
        "Authorization": f"Bearer {_token(service)}",
        "X-Actor": _actor(),
        "Content-Type": "application/json",
    }
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
        answer = connection.getresponse()
        status, content = answer.status, answer.read(ANSWER_BYTES_MAX)
        document = msgspec.json.decode(content)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError, ValueError) as error:
        raise NotRunning(f"{service.url} does not answer: {error or type(error).__name__}", remedy=_START) from None
    finally:
        connection.close()
    if isinstance(document, dict) and isinstance(document.get("error"), dict):
        raise _refusal(document["error"])
    return status, document


def _refusal(error: Mapping[str, Any]) -> Answered:
    field = f"{error['field']}: " if error.get("field") else ""
    try:
        code = ExitCode(error.get("exit_code", ExitCode.FAILURE))
    except ValueError:
        code = ExitCode.FAILURE
    return Answered(f"{field}{error.get('message', '')}", remedy=str(error.get("remedy", "")), exit_code=code)


def _token(service: RunningService) -> str:
    """The service's own, or the one that stands where both of us can read it; Vault is not asked."""
    place = reference(service.token_from, "http.token")
    if service.token or place.source not in (Source.ENV, Source.FILE):
        return service.token or os.environ.get(TOKEN_VARIABLE, "")
    return os.environ.get(TOKEN_VARIABLE, "") or local("http.token", place).reveal()


def _actor() -> str:
    name = os.environ.get("USER", "") or f"uid{os.getuid()}"
    return f"cli:{quote(name, safe='').replace('%', '.')}"[:64]


def table(head: list[str], rows: list[list[str]], right: frozenset[int] = frozenset()) -> str:
    """Columns two spaces apart; ``right`` are the numbers of those aligned to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)


def age(ns: float) -> str:
    """``7s``, ``12m``, ``3h12m``."""
    seconds = max(0, int(ns // 1_000_000_000))
    if seconds < 60:
        return f"{seconds}s"
    minutes, hours = seconds // 60, seconds // 3600
    return f"{minutes}m" if hours == 0 else f"{hours}h{minutes % 60:02}m"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.10g}" if isinstance(value, float) else f"{value:,}"


def price(value: float | None) -> str:
    """At least two decimals, more where there are more."""
    if value is None:
        return "-"
    return f"{value:,.2f}" if round(value, 2) == value else f"{value:,.10g}"
