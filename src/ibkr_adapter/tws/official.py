"""The one door through which the official client enters; what is installed is judged before any of it is trusted."""

from ibkr_adapter.tws.versions import installed

PACKAGE = installed()

# E402: an unusable package must show as PackageError, not as some ImportError of these.
from ibapi.client import EClient  # noqa: E402
from ibapi.commission_and_fees_report import CommissionAndFeesReport  # noqa: E402
from ibapi.common import TickAttrib  # noqa: E402
from ibapi.const import UNSET_DECIMAL, UNSET_DOUBLE, UNSET_INTEGER, UNSET_LONG  # noqa: E402
from ibapi.contract import Contract, ContractDetails  # noqa: E402
from ibapi.decoder import Decoder  # noqa: E402
from ibapi.execution import Execution, ExecutionFilter  # noqa: E402
from ibapi.message import IN  # noqa: E402
from ibapi.order import Order  # noqa: E402
from ibapi.order_cancel import OrderCancel  # noqa: E402
from ibapi.order_state import OrderState  # noqa: E402
from ibapi.wrapper import EWrapper  # noqa: E402

try:
    from ibapi.protobuf.ConfigRequest_pb2 import ConfigRequest  # type: ignore[attr-defined]  # made when it is imported
except ImportError:
    ConfigRequest = None  # before 10.43, which no gateway asks for its settings

__all__ = [
    "IN",
    "PACKAGE",
    "UNSET_DECIMAL",
    "UNSET_DOUBLE",
    "UNSET_INTEGER",
    "UNSET_LONG",
    "CommissionAndFeesReport",
    "ConfigRequest",
    "Contract",
    "ContractDetails",
    "Decoder",
    "EClient",
    "EWrapper",
    "Execution",
    "ExecutionFilter",
    "Order",
    "OrderCancel",
    "OrderState",
    "TickAttrib",
]
