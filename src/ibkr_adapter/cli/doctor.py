"""``doctor``: everything that has to be right before the service can work, each with its remedy."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from ibkr_adapter import config as configuration
from ibkr_adapter.accounts import account_kind
from ibkr_adapter.app import check_extras, check_package, listen
from ibkr_adapter.cli import reach
from ibkr_adapter.cli.probe import Found, probe
from ibkr_adapter.cli.redis_probe import marked
from ibkr_adapter.config import Config
from ibkr_adapter.errors import ExitCode, IbkrError, StoreError
from ibkr_adapter.journal.verify import verify
from ibkr_adapter.lease import FileLock, Lease
from ibkr_adapter.statefile import RunningService


class AccountMismatch(IbkrError):
    exit_code = ExitCode.ACCOUNT_MISMATCH


class Finding(Struct, frozen=True, kw_only=True):
    """One check: ``ok`` with what was found, or what is wrong and how to mend it."""

    check: str
    ok: bool
    text: str
    remedy: str = ""
    exit_code: ExitCode = ExitCode.OK


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="The TOML file; otherwise the defaults.")
@reach.json_option
def doctor(file: Path | None, as_json: bool) -> None:
    """Check all that the service needs: client, disk, stores, address, client id, gateway, account.

    Changes nothing. Ends with the code of the first failure.
    """
    config = configuration.load(file) if file is not None else configuration.parse("", "defaults")
    findings = examine(config)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2))
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check:<16}  {finding.text}")
            if finding.remedy:
                click.echo(f"      {'':<16}  → {finding.remedy}")
    failed = next((finding for finding in findings if not finding.ok), None)
    sys.exit(int(failed.exit_code if failed else ExitCode.OK))


def examine(config: Config) -> list[Finding]:
    """All checks, in the order in which they matter. What a service of this configuration holds is its own."""
    running = _running(config)
    findings = [
        _check("configuration", lambda: _configuration(config)),
        _check("official client", lambda: str(check_package(config))),
        _check("data directory", lambda: _writable(config.data_path)),
        _check("journal", lambda: _journal(Path(config.journal.directory), running)),
        _check("store", lambda: _store(Path(config.store.path))),
        *([_check("redis", lambda: _redis(config))] if config.redis.url else []),
        _check("page", lambda: _page(config, running)),
        _check("client id", lambda: _lease(config, running)),
    ]
    if running is not None:
        text = f"not probed: the service runs here with client id {config.client_id}, see `ibkr-adapter status`"
        findings.append(Finding(check="gateway", ok=True, text=text))
        return findings
    try:
        found = probe(config)
    except IbkrError as error:
        findings.append(_failure("gateway", error))
        return findings
    findings.append(Finding(check="gateway", ok=True, text=_gateway(config, found)))
    findings.append(_check("account", lambda: _account(config, found)))
    return findings


def _check(name: str, examine: Callable[[], str]) -> Finding:
    try:
        return Finding(check=name, ok=True, text=examine())
    except IbkrError as error:
        return _failure(name, error)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
        return _failure(name, StoreError(reason, remedy="give it to this user, or choose another place"))


def _failure(name: str, error: IbkrError) -> Finding:
    return Finding(check=name, ok=False, text=error.message, remedy=error.remedy, exit_code=ExitCode(error.exit_code))


def _configuration(config: Config) -> str:
    notes = "".join(f"; warning: {warning}" for warning in config.warnings)
    return f"{config.origin}: {config.environment}, trading {'on' if config.trading.enabled else 'off'}{notes}"


def _writable(directory: Path) -> str:
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise StoreError(
            f"{existing} cannot be written: {error.strerror}", remedy="give it to this user, or set data_dir"
        ) from None
    return f"{directory} {'is writable' if existing == directory else 'will be made'}"


def _journal(directory: Path, running: RunningService | None) -> str:
    if not directory.exists():
        return _writable(directory)
    found = verify(directory)
    _writable(directory)
    if running is None and (directory / "lock").exists():
        remedy = "stop that process, or set journal.directory"
        FileLock(directory / "lock", what=f"the journal {directory}", remedy=remedy).release()
    torn = f"; the {found.torn_bytes} bytes after them are cut at the next start" if found.torn_bytes else ""
    held = f", held by the service, process {running.pid}" if running is not None else ", free"
    return f"{directory} verifies: {found.last_seq:,} records{held}{torn if running is None else ''}"


def _redis(config: Config) -> str:
    check_extras(config)
    mark = marked(config.redis)
    if mark not in ("", config.environment):
        raise StoreError(
            f"{config.redis.shown_url} belongs to environment {mark!a}, this is {config.environment!a}",
            remedy="use another Redis or another redis.prefix",
        )
    return f"{config.redis.shown_url} answers, {'and is ours' if mark else 'and will be marked as ours'}"


def _page(config: Config, running: RunningService | None) -> str:
    if running is not None:
        return f"served by the service at {running.url}"
    listen(config).close()
    return f"{config.http.listen} is free"


def _lease(config: Config, running: RunningService | None) -> str:
    what = f"{config.client_id} at {config.gateway.address}"
    if running is not None:
        return f"{what} is held by the service, process {running.pid}"
    Lease([config.gateway.address], config.client_id).release()
    return f"{what} is used by no other process of this user"


def _store(path: Path) -> str:
    if not path.exists():
        return _writable(path.parent)
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=1)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}", remedy="see who holds it, or move it away: it is rebuilt") from None
    if verdict != "ok":
        raise StoreError(f"{path} is damaged: {verdict}", remedy="move it away: orders are rebuilt from the journal")
    return f"{path} is sound and writable"


def _running(config: Config) -> RunningService | None:
    try:
        return reach.find(config.state_file)
    except IbkrError:
        return None


def _gateway(config: Config, found: Found) -> str:
    return (
        f"{config.gateway.address} speaks server version {found.server_version}, client id {config.client_id} is free"
    )


def _account(config: Config, found: Found) -> str:
    active = config.active
    shown = ", ".join(found.accounts)
    if active.account and active.account not in found.accounts:
        raise AccountMismatch(
            f"the gateway has {shown}, not {active.account}",
            remedy=f"log the gateway in to {active.account}, or correct environments.{config.environment}.account",
        )
    wrong = [account for account in found.accounts if account_kind(account) != active.account_kind]
    if wrong:
        raise AccountMismatch(
            f"{', '.join(wrong)} is {account_kind(wrong[0])}, but {config.environment} is {active.account_kind}",
            remedy="connect to the other gateway; paper accounts begin with D",
        )
    return f"{shown}, {active.account_kind} as configured"
