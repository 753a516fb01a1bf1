"""The things that can be done to a client, by name."""

from __future__ import annotations

from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.actions.depth import HaltDepth, ResetDepth
from tws_simulator.faults.actions.executions import Correct, Transfer
from tws_simulator.faults.actions.fills import Fill
from tws_simulator.faults.actions.flood import Flood
from tws_simulator.faults.actions.messages import Delay, Drop, Duplicate, Inject, Refuse, Reorder, Replace, Tell
from tws_simulator.faults.actions.orders import CancelOrders, HoldOrder, PlaceOrder, TwinOrder
from tws_simulator.faults.actions.sessions import (
    ClaimVersion,
    CompetingSession,
    EndData,
    Farm,
    LinkBack,
    LinkLost,
    Restart,
    ResumeData,
    SetBackIds,
    StopData,
)
from tws_simulator.faults.actions.sockets import Close, PortDown, PortUp, Reset, StallReading, StallWriting, Vanish
from tws_simulator.faults.actions.streams import (
    Bandwidth,
    Burst,
    Coalesce,
    Corrupt,
    Cut,
    Latency,
    Raw,
    RepeatFrames,
    Split,
    UnknownMessage,
)

__all__ = ["ACTIONS", "BY_LAYER", "Action"]

BY_LAYER: dict[str, tuple[type[Action], ...]] = {
    "Sockets": (Close, Reset, Vanish, StallReading, StallWriting, PortDown, PortUp),
    "Bytes": (
        Split,
        Coalesce,
        Burst,
        Latency,
        Bandwidth,
        Corrupt,
        RepeatFrames,
        Cut,
        Raw,
        UnknownMessage,
    ),
    "Messages": (Drop, Delay, Duplicate, Reorder, Replace, Refuse, Inject, Tell),
    "The gateway": (
        LinkLost,
        LinkBack,
        Farm,
        StopData,
        ResumeData,
        EndData,
        ResetDepth,
        HaltDepth,
        CompetingSession,
        Restart,
        SetBackIds,
        ClaimVersion,
    ),
    "Orders and positions": (Fill, Correct, Transfer, PlaceOrder, CancelOrders, HoldOrder, TwinOrder),
    "Load": (Flood,),
}
ACTIONS: dict[str, type[Action]] = {action.do: action for actions in BY_LAYER.values() for action in actions}
