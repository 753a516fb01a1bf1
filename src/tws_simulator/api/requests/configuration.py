"""Reading and changing the gateway's API settings."""

from __future__ import annotations

from tws_simulator.api.session import Session
from tws_simulator.api.state import GatewayState, Handler
from tws_simulator.wire.row import Message, message

# No capture shows these words.
_DONE, _FAILED = "success", "error"


def _req_config(gateway: GatewayState, session: Session, request: Message) -> None:
    session.send(message("configResponse", reqId=request.req_id, **gateway.configuration.values))


def _update_config(gateway: GatewayState, session: Session, request: Message) -> None:
    """All of it or nothing. Messages shown to a user, and warnings, do not exist without a user."""
    changed, errors = gateway.configuration.change(request.values)
    session.send(
        message(
            "updateConfigResponse",
            reqId=request.req_id,
            status=_FAILED if errors else _DONE,
            message="Configuration was not updated" if errors else "Configuration was updated",
            changedFields=changed,
            errors=errors,
        )
    )


HANDLERS: dict[str, Handler] = {"reqConfig": _req_config, "updateConfig": _update_config}
