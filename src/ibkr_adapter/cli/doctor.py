"""``doctor``: everything that has to be right before the service can work, each with its remedy."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from msgspec.structs import replace

from ibkr_adapter.cli import data_checks, finding, gateway_checks, local_checks, reach
from ibkr_adapter.cli.finding import Finding, Verdict, failed, fine
from ibkr_adapter.cli.probe import WAIT_S, Visit
from ibkr_adapter.config import Capability, Config, reading
from ibkr_adapter.errors import IbkrError
from ibkr_adapter.lease import Lease, holder_of, lock_path
from ibkr_adapter.statefile import RunningService, path_in

Tell = Callable[[Finding], None]

_COMPONENT = "doctor"
"""What the lock of a client id says of its holder while the gateway is visited."""


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), help="The TOML file; otherwise the defaults.")
@click.option(
    "--client-id",
    type=click.IntRange(1, 2**31 - 1),
    help="Ask the gateway under another client id than the configured one, which a running service keeps busy.",
)
@click.option("--all", "every", is_flag=True, help="Look at the market data of all symbols, not of ten.")
@reach.json_option
def doctor(file: Path | None, client_id: int | None, every: bool, as_json: bool) -> None:
    """Check all that the service needs: client, disk, stores, address, client id, gateways, accounts, market data.

    Changes nothing, sends no order, and starts nothing. Ends with the code of the first failure; warnings are none.
    """
    config = reading.load(file) if file is not None else reading.parse("", "defaults")
    findings = diagnose(config, client_id=client_id, every=every, show=not as_json)
    if as_json:
        finding.show_json(findings)
    sys.exit(int(finding.exit_code(findings)))


def diagnose(config: Config, *, client_id: int | None = None, every: bool = False, show: bool = True) -> list[Finding]:
    """All checks; each is shown as soon as it is done."""
    findings: list[Finding] = []

    def tell(found: Finding) -> None:
        findings.append(found)
        if show:
            finding.show(found)

    examine(config, tell, client_id=client_id, every=every)
    return findings


def examine(config: Config, tell: Tell, *, client_id: int | None = None, every: bool = False) -> None:
    """In the order in which they matter."""
    running = _running(config)
    for found in local_checks.examine(config, running):
        tell(found)
    if running is not None and client_id in (None, config.client_id):
        text = f"{config.client_id} at {config.gateway.address} is held by the service, process {running.pid}"
        tell(fine("client id", text))
        text = "not probed: the service runs here, see `ibkr-adapter status`; with --client-id N it can be"
        tell(fine("gateway", text))
        return
    names = config.usable_gateways
    with contextlib.ExitStack() as held:
        used = client_id or config.client_id
        last = {name: _last_holder(config.gateways[name].address, used) for name in names}
        try:
            held.enter_context(Lease(config.usable_addresses, used, component=_COMPONENT))
        except IbkrError as error:
            tell(failed("client id", error))
            return
        tell(fine("client id", _client_id(config, used)))
        for name in names:
            standby = name != config.active.gateway
            _examine_gateway(config, name, used, last[name], _named(tell, name) if standby else tell, every=every)


def _examine_gateway(config: Config, name: str, client_id: int, last: str, tell: Tell, *, every: bool) -> None:
    """One visit; a failure in the middle of it ends the visit and is told as the gateway's."""
    try:
        with Visit(name, config.gateways[name], client_id, last_holder=last) as visit:
            for found in _asked(config, visit, every=every):
                tell(found)
    except IbkrError as error:
        tell(failed("gateway", error))


def _asked(config: Config, visit: Visit, *, every: bool) -> Iterator[Finding]:
    found = visit.identify(WAIT_S)
    yield gateway_checks.identity(visit)
    account = gateway_checks.account(config, found)
    yield account
    if account.verdict is Verdict.FAIL:
        return  # nothing more is asked of a login that is not ours
    yield gateway_checks.clock(visit)
    yield from gateway_checks.settings_findings(config, gateway_checks.settings(visit), visit.name)
    if config.identity.can(Capability.MARKET_DATA):
        yield from data_checks.examine(config, visit, every=every)


def _named(tell: Tell, name: str) -> Tell:
    """The same for the standby, whose checks carry its name."""
    return lambda found: tell(replace(found, check=f"{name}: {found.check}"))


def _client_id(config: Config, used: int) -> str:
    what = f"{used} at {config.gateway.address} is used by no other process of this user"
    return what if used == config.client_id else f"{what}; the service will use {config.client_id}, which is not tried"


def _last_holder(address: str, client_id: int) -> str:
    """Who used this id on this machine before, as its lock file tells; empty where nobody did."""
    with contextlib.suppress(IbkrError):
        holder = holder_of(lock_path(address, client_id))
        if holder is not None and holder.since_ns is not None and holder.component != _COMPONENT:
            ago = reach.age(time.time_ns() - holder.since_ns)
            return f"{holder.component or 'a service'} here (process {holder.pid}, since {ago} ago, ended) had it last"
    return ""


def _running(config: Config) -> RunningService | None:
    try:
        return reach.find(path_in(config.data_path))
    except IbkrError:
        return None
