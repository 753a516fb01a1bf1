"""One check of the doctor: what was found, and the remedy where it is not right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import click
import msgspec
from msgspec import Struct

from ibkr_adapter.errors import ExitCode, IbkrError, StoreError


class Verdict(StrEnum):
    """``warn``: the service works, but somebody should know. ``fail``: it does not, or not as configured."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True, kw_only=True):
    """``exit_code`` is what the doctor ends with if this is the first failure."""

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""
    exit_code: ExitCode = ExitCode.OK


def fine(check: str, text: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, text=text)


def warning(check: str, text: str, remedy: str = "") -> Finding:
    return Finding(check=check, verdict=Verdict.WARN, text=text, remedy=remedy)


def failure(check: str, text: str, remedy: str, exit_code: ExitCode) -> Finding:
    return Finding(check=check, verdict=Verdict.FAIL, text=text, remedy=remedy, exit_code=exit_code)


def failed(check: str, error: IbkrError) -> Finding:
    return failure(check, error.message, error.remedy, ExitCode(error.exit_code))


def checked(check: str, examine: Callable[[], str]) -> Finding:
    """Fine with the text of ``examine``, or what it raised."""
    try:
        return fine(check, examine())
    except IbkrError as error:
        return failed(check, error)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
        return failed(check, StoreError(reason, remedy="give it to this user, or choose another place"))


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """That of the first failure."""
    return next((finding.exit_code for finding in findings if finding.verdict is Verdict.FAIL), ExitCode.OK)


# --- Shown ----------------------------------------------------------------------------------------------------------

_MARKS = {Verdict.OK: "ok  ", Verdict.WARN: "warn", Verdict.FAIL: "FAIL"}


def show(finding: Finding) -> None:
    """One line, and the remedy on the next."""
    click.echo(f"{_MARKS[finding.verdict]}  {finding.check:<16}  {finding.text}")
    if finding.remedy:
        click.echo(f"      {'':<16}  → {finding.remedy}")


def show_json(findings: list[Finding]) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2))
