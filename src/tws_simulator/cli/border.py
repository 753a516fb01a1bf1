"""How every command ends: with a code that scripts can tell apart, and one line that says why."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import IO, Any, NoReturn

import click

# A code means the same here and at ibkr-adapter, so that one table serves whoever starts both.
EXIT_USAGE = 2
EXIT_ADDRESS = 23
EXIT_FAILED = 24  # never one of the adapter's


class Misused(click.ClickException):
    """Wrong usage, in one line as every other trouble."""

    exit_code = EXIT_USAGE

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {self.message}", err=True, file=file)


class Border(click.Group):
    """A group that says wrong usage in one line, at every level; without a command it prints its help."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _in_one_line():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with _in_one_line():
            return super().invoke(ctx)


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        message = " ".join(error.format_message().split()).rstrip(".")
        remedy = f" (see `{error.ctx.command_path} --help`)" if error.ctx is not None else ""
        raise Misused(f"{message[:1].lower()}{message[1:]}{remedy}") from None


def fail(exit_code: int, text: str, remedy: str) -> NoReturn:
    click.echo(f"error: {text} ({remedy})", err=True)
    sys.exit(exit_code)
