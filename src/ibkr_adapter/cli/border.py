"""Where expected trouble ends: one line on stderr, an exit code, never a traceback."""

from __future__ import annotations

import sys
from typing import IO, Any, NoReturn

import click

from ibkr_adapter.errors import ExitCode, IbkrError, StoreError
from ibkr_adapter.ops.logging import redact


class Border(click.Group):
    """A group whose commands may raise any ``IbkrError``, alone or from a task group, or fail at a file."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            raise misused(error) from None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise misused(error) from None
        except IbkrError as error:
            fail(error)
        except OSError as error:
            if error.filename is None:
                raise
            reason = error.strerror or type(error).__name__
            fail(StoreError(f"{error.filename}: {reason}", remedy="choose another place, or give it to this user"))
        except BaseExceptionGroup as group:
            ours = expected(group)
            if ours is None:
                raise
            fail(ours)


class Misused(click.ClickException):
    """Wrong usage, in one line as every other trouble."""

    exit_code = int(ExitCode.USAGE)

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {self.message}", err=True, file=file)


def misused(error: click.UsageError) -> click.ClickException:
    """The same as one line with a remedy; a group without a command still prints its help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    message = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx
    remedy = f" (see `{context.command_path} --help`)" if context is not None else ""
    return Misused(f"{message[:1].lower()}{message[1:]}{remedy}")


def expected(group: BaseExceptionGroup[BaseException]) -> IbkrError | None:
    """The one of ours in a group that holds nothing else than ours."""
    ours, others = group.split(IbkrError)
    if ours is None or others is not None:
        return None
    first: BaseException = ours
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, IbkrError) else None


def fail(error: IbkrError) -> NoReturn:
    click.echo(f"error: {redact(' '.join(str(error).split()))}", err=True)
    sys.exit(int(error.exit_code))
