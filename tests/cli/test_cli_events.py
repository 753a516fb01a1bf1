from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

from ibkr_adapter.events import Quote
from tests.cli.service_thread import served
from tests.console.fake_service import START_NS, FakePort


def test_events_arrive_over_a_real_socket_and_end_with_the_service(tmp_path: Path) -> None:
    """The picture, then quotes as they come; when the service closes its subscriptions the stream ends."""
    port = FakePort()
    with served(port, tmp_path) as service:
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=10)
        connection.request("GET", "/v1/events")
        answer = connection.getresponse()
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        lines = iter(answer.readline, b"")
        assert next(line for line in lines if line.startswith(b"event:")) == b"event: snapshot\n"
        port.publish(Quote(ts_recv_ns=START_NS, instrument="SPY", bid=1.0))
        assert next(line for line in lines if line.startswith(b"event: quote")) == b"event: quote\n"
        for subscription in port.subscriptions:
            subscription.close()
        assert list(lines)[-1:] in ([b"\n"], [])
        connection.close()
