"""The command line: ``ibkr-adapter``."""

from __future__ import annotations

import click

from ibkr_adapter import __version__
from ibkr_adapter.cli.alerts import alerts
from ibkr_adapter.cli.border import Border
from ibkr_adapter.cli.clients import clients
from ibkr_adapter.cli.codes import codes
from ibkr_adapter.cli.configuration import check_config, config_group
from ibkr_adapter.cli.demo import demo
from ibkr_adapter.cli.doctor import doctor
from ibkr_adapter.cli.failback import failback
from ibkr_adapter.cli.init import init
from ibkr_adapter.cli.orders import orders
from ibkr_adapter.cli.run import run
from ibkr_adapter.cli.status import status
from ibkr_adapter.cli.streams import streams
from ibkr_adapter.config import LogLevel
from ibkr_adapter.ops import logging


@click.group(cls=Border, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ibkr-adapter")
def main() -> None:
    """The service a trading desk runs beside TWS or IB Gateway.

    Start with `demo`: it needs no broker, no account and no configuration. Where a TWS or IB Gateway runs, start with
    `init`: it finds it, and writes the configuration.
    """
    logging.configure(LogLevel.WARNING)  # standard output belongs to what a command prints


for command in (demo, init, run, status, clients, doctor, check_config, config_group):
    main.add_command(command)
for command in (orders, streams, failback, alerts, codes):
    main.add_command(command)
