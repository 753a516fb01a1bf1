"""Writes docs/reference/cli.md from the commands themselves: `python scripts/cli_reference.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ibkr_adapter.cli import main as adapter
from ibkr_adapter.errors import ExitCode
from tws_simulator.cli import main as simulator

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"

HEAD = """# Commands

Written by `scripts/cli_reference.py` from the commands themselves; change them, not this page. `-h` or `--help` shows
the same of any command.

Trouble is one line on standard error, `error: what is wrong (what to do)`, and an exit code:
"""
MEANINGS = {
    ExitCode.OK: "done; of `status`: ready",
    ExitCode.FAILURE: "of `status`: runs, but is not ready; else what has no code of its own",
    ExitCode.USAGE: "wrong usage: an option, an argument, a field of an order",
    ExitCode.CONFIGURATION: "the configuration cannot be used; the key is named",
    ExitCode.PACKAGE: "the official client is missing or too old",
    ExitCode.SECRET: "a secret cannot be read from Vault, the environment or a file; the key is named",
    ExitCode.GATEWAY_REFUSED: "nothing listens at the gateway's address",
    ExitCode.GATEWAY_SILENT: "the gateway accepts connections and says nothing",
    ExitCode.GATEWAY_CLOSED: "the gateway hangs up",
    ExitCode.CLIENT_ID_IN_USE: "another session at the gateway has our client id",
    ExitCode.ACCOUNT_MISMATCH: "the gateway's account is not the configured one, or not of its kind",
    ExitCode.UNKNOWN_SYMBOL: "the symbol is not configured",
    ExitCode.GATEWAY_VERSION: "the gateway speaks no version we know",
    ExitCode.MARKET_DATA: "a configured symbol gets no data that its environment accepts",
    ExitCode.GATEWAY_SETTING: "a setting of the gateway stands in the way of trading",
    ExitCode.GATEWAY_TLS: "TLS is expected on one side only, or a certificate is not accepted",
    ExitCode.ALREADY_RUNNING: "another process holds the journal or the client id",
    ExitCode.JOURNAL: "the journal cannot be written, or does not verify",
    ExitCode.STORE: "a store, or a place for files, cannot be used",
    ExitCode.ADDRESS_IN_USE: "the address to listen on is taken",
    ExitCode.LEASE_LOST: "another machine has taken the client id (`[ha]`); start again, to stand by",
    ExitCode.NOT_RUNNING: "no running service was found",
    ExitCode.ORDER_REFUSED: "the order was not sent",
    ExitCode.ORDER_REJECTED: "the order was sent, and the broker said no",
}


def page() -> str:
    codes = "\n".join(f"| {int(code)} | {MEANINGS[code]} |" for code in ExitCode)
    of_both = (
        "`tws-simulator` uses 0, 2, 21 (a damaged recording), 22, 23 and 30 in the same sense, and 24 when it failed "
        "itself.\n"
    )
    parts = [HEAD, f"| code | means |\n|---|---|\n{codes}\n", of_both]
    for name, command in (("ibkr-adapter", adapter), ("tws-simulator", simulator)):
        parts += _described(command, click.Context(command, info_name=name, **command.context_settings))
    return "\n".join(parts)


def _described(command: click.Command, context: click.Context) -> Iterator[str]:
    level = "##" if context.parent is None else "###"
    yield f"{level} {context.command_path}\n"
    yield f"```\n{_usage(command, context)}\n```\n"
    yield f"{_flowing(command.help or '')}\n"
    options = [param for param in command.params if isinstance(param, click.Option)]
    if options:
        rows = [f"| `{_spelling(option)}` | {_told(option, context)} |" for option in options]
        yield "\n".join(["| option | |", "|---|---|", *rows]) + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _described(below, click.Context(below, info_name=name, parent=context, **below.context_settings))


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def _spelling(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {'|'.join(map(str, option.type.choices))}".replace("|", r"\|")
    return f"{names} {option.type.name.removesuffix(' range').upper()}"


def _told(option: click.Option, context: click.Context) -> str:
    told = [_flowing(option.help or "")]
    default = option.get_default(context)
    if option.required:
        told.append("Required.")
    elif isinstance(option.default, str | int | float) and not option.is_flag and default not in ("", None):
        told.append(f"Default: `{default}`.")
    return " ".join(filter(None, told))


def _flowing(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    PAGE.write_text(page())
