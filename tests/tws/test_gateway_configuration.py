"""A gateway's own settings are asked for and understood, where release and server version know of them."""

from __future__ import annotations

import pytest

from ibkr_adapter import events, requests
from ibkr_adapter.core.link.preflight import SERVER_VERSION_MIN
from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.tws.callbacks import Callbacks
from ibkr_adapter.tws.client import Client
from ibkr_adapter.tws.decoding import FrameDecoder
from ibkr_adapter.tws.official import PACKAGE
from ibkr_adapter.tws.progress import Counters
from tests.tws.scripted_gateway import PATIENCE_S, Inbox, protobuf, session
from tws_simulator.gateway import Gateway, running_gateway

pytestmark = pytest.mark.wire

KNOWN = PACKAGE.server_version_max >= SERVER_VERSION_MIN
"""10.37.2 ends at server version 200."""

REQUEST = requests.RequestGatewayConfiguration(req_id=1_000_000_001)


def understood(*fields: tuple[int, object]) -> events.GatewayConfigured:
    """What our callbacks make of one ``ConfigResponse``."""
    callbacks = Callbacks(1)
    FrameDecoder(callbacks, SERVER_VERSION_MIN, Counters()).decode(protobuf(110, *fields))
    (event,) = callbacks.control
    assert isinstance(event, events.GatewayConfigured)
    return event


def body(*fields: tuple[int, object]) -> bytes:
    return protobuf(0, *fields)[4:]


if KNOWN:

    @pytest.mark.parametrize("maintains_orders", [True, False])
    @pytest.mark.parametrize("read_only", [True, False])
    def test_the_simulated_gateway_names_its_settings(*, maintains_orders: bool, read_only: bool) -> None:
        """What it was started with is what our session hears."""
        options = Gateway(maintain_orders=maintains_orders, read_only=read_only, server_version=SERVER_VERSION_MIN)
        inbox = Inbox()
        with running_gateway(options) as simulated:
            subject = session(simulated.port, inbox, orders=False)
            subject.start()
            inbox.until(events.NextValidId)
            subject.perform(REQUEST)
            told = inbox.until(events.GatewayConfigured)
            subject.close("done")
            assert subject.join(PATIENCE_S)
        assert told.req_id == REQUEST.req_id
        assert (told.maintains_orders, told.read_only, told.rejects_above_rate) == (maintains_orders, read_only, False)
        assert told.trusted_addresses == ("127.0.0.1",)
        assert told.daily_stop == "11:45 PM restart"

    def test_what_a_gateway_leaves_out_is_none() -> None:
        """An absent flag is not a flag that is off: some gateway may not know it."""
        told = understood((1, 7))
        assert told == events.GatewayConfigured(epoch=1, ts_recv_ns=0, req_id=7)
        settings = body((1, 0), (26, 1))
        told = understood((1, 7), (4, body((2, settings))))
        assert (told.maintains_orders, told.read_only, told.rejects_above_rate) == (None, False, True)

    def test_an_older_gateway_is_not_asked() -> None:
        """The official client refuses, and nothing is sent."""
        client = Client(client_id=1, orders=False)
        client.greeted(SERVER_VERSION_MIN - 1, "")
        with pytest.raises(InvalidRequest, match="does not support config requests"):
            client.frame(REQUEST)

else:

    def test_a_release_without_the_request_says_so() -> None:
        """Nothing is sent."""
        client = Client(client_id=1, orders=False)
        client.greeted(PACKAGE.server_version_max, "")
        with pytest.raises(InvalidRequest, match="cannot ask for a gateway's settings"):
            client.frame(REQUEST)
