"""A simulated TWS or IB Gateway: a server that speaks the TWS API socket protocol, with a market and an account."""

from tws_simulator.api.core import GatewayCore
from tws_simulator.api.interference import Interference
from tws_simulator.api.options import BadOption, Options
from tws_simulator.clocks import VirtualClock
from tws_simulator.control.port import ControlPort
from tws_simulator.faults.scenario import Scenario
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway
from tws_simulator.server import NotLoopback
from tws_simulator.tls import BadTls, Tls

__all__ = [
    "BadOption",
    "BadTls",
    "ControlPort",
    "Gateway",
    "GatewayCore",
    "GatewayThread",
    "Interference",
    "NotLoopback",
    "Options",
    "Scenario",
    "Tls",
    "VirtualClock",
    "running_gateway",
]
