"""``init``: from nothing to a configuration that works, by looking what is there."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ibkr_adapter.cli import first_file
from ibkr_adapter.cli.doctor import diagnose
from ibkr_adapter.cli.finding import exit_code
from ibkr_adapter.cli.search import PAPER_PORTS, Sighting, search
from ibkr_adapter.config import reading
from ibkr_adapter.errors import GatewayRefused, IbkrError
from ibkr_adapter.tws import versions

_SWITCHES = """\
What to switch on, in TWS under File > Global Configuration > API > Settings, in IB Gateway under
Configure > Settings > API > Settings:
  1. tick "Enable ActiveX and Socket Clients" (IB Gateway has no such switch: there it is always on)
  2. "Socket port": 7497 in TWS, 4002 in IB Gateway, both logged in to the paper account
  3. "Allow connections from localhost only", or this machine's address under "Trusted IPs"
  4. untick "Read-Only API" if orders are to be sent
  5. untick "Maintain and resubmit orders when connection is restored"
Then run this again. Without any gateway: `ibkr-adapter demo`."""


@click.command()
@click.option("--host", default="127.0.0.1", help="Where the gateway runs.", show_default=True)
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65_535),
    multiple=True,
    help="Look at this port instead of the usual ones for paper; may be repeated. Only so is a live port looked at.",
)
@click.option("--client-id", type=click.IntRange(1, 2**31 - 1), default=first_file.CLIENT_ID, help="Who we will be.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("ibkr-adapter.toml"),
    help="The file to write.",
    show_default=True,
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--yes", is_flag=True, help="Write without asking.")
def init(host: str, ports: tuple[int, ...], client_id: int, output: Path, force: bool, yes: bool) -> None:
    """Find a TWS or IB Gateway, write a commented configuration for it, and run the doctor with it.

    Looks for paper logins at 7497 (TWS), 4002 (IB Gateway) and 4004 (IB Gateway in its usual container). Of several it
    takes the first of that order. Trading stays off.
    """
    if output.exists() and not force:
        raise first_file.exists(output)
    versions.installed()
    chosen = _choose(host, tuple(dict.fromkeys(ports)) or PAPER_PORTS, client_id)
    written = first_file.text(chosen, client_id)
    if not yes and not _confirmed(output):
        click.echo("Nothing was written.")
        sys.exit(1)
    first_file.write(output, written, replace=force)
    click.echo(f"Wrote {output}. The doctor looks at it:\n")
    findings = diagnose(reading.load(output))
    code = exit_code(findings)
    if not code:
        click.echo(f"\nNext: ibkr-adapter run --config {output}")
    sys.exit(int(code))


def _choose(host: str, ports: tuple[int, ...], client_id: int) -> Sighting:
    """The first usable one; raises the most telling trouble where there is none."""
    sightings: list[Sighting] = []
    for sighting in search(host, ports, client_id):
        sightings.append(sighting)
        mark = "ok  " if sighting.usable else "-   "
        click.echo(f"{mark}  {sighting.gateway.address:<20}  {sighting.name:<18}  {sighting}")
    usable = [sighting for sighting in sightings if sighting.usable]
    if not usable:
        raise _nothing(sightings)
    chosen = usable[0]
    if len(usable) > 1:
        order = ", ".join(map(str, ports))
        click.echo(f"{len(usable)} can be used. Taken is the first in the order {order}; --port chooses another.")
    click.echo(f"Using {chosen.gateway.address} as client {client_id}.")
    return chosen


def _nothing(sightings: list[Sighting]) -> IbkrError:
    """The trouble of the first port at which there is somebody; else that nobody is anywhere, with what to do."""
    troubles = [sighting.trouble for sighting in sightings if sighting.trouble is not None]
    answered = [trouble for trouble in troubles if not isinstance(trouble, GatewayRefused)]
    if answered:
        return answered[0]
    click.echo(f"\n{_SWITCHES}\n")
    where = ", ".join(sighting.gateway.address for sighting in sightings)
    return GatewayRefused(f"no gateway answers at {where}", remedy="switch on what is listed above")


def _confirmed(output: Path) -> bool:
    try:
        return click.confirm(f"Write {output}?", default=True)
    except click.Abort:
        click.echo()
        return False
