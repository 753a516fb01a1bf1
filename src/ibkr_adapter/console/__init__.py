"""The page a desk looks at, and the HTTP API behind it."""

from ibkr_adapter.console.app import build
from ibkr_adapter.console.port import ConsolePort, EventBatches

__all__ = ["ConsolePort", "EventBatches", "build"]
