"""The command line of the simulator; one module for each group of commands."""

from __future__ import annotations

import click

from tws_simulator.cli.border import Border
from tws_simulator.cli.recording import inspect, record, replay
from tws_simulator.cli.run import run
from tws_simulator.cli.scenarios import do, scenarios


@click.group(
    cls=Border,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Ends with 0 when it was told to stop, 2 on wrong usage, 23 when it cannot listen at its address, 24 when "
    "the simulator itself failed, 30 when nothing answers at a control port.",
)
@click.version_option(package_name="ibkr-adapter", prog_name="tws-simulator")
def main() -> None:
    """A simulated TWS or IB Gateway for clients to be tested against."""


main.add_command(run)
main.add_command(scenarios)
main.add_command(do)
main.add_command(record)
main.add_command(replay)
main.add_command(inspect)
