"""Where expected trouble ends: one line on stderr, an exit code, never a traceback."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from ibkr_adapter.errors import IbkrError, StoreError


class Border(click.Group):
    """A group whose commands may raise any ``IbkrError``, alone or from a task group, or fail at a file."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
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
    click.echo(f"error: {' '.join(str(error).split())}", err=True)
    sys.exit(int(error.exit_code))
