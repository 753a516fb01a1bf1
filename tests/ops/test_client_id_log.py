"""The log says once for each session that the gateway has given us the client id."""

from __future__ import annotations

import structlog

from ibkr_adapter.events import BrokerTime
from ibkr_adapter.ops.reporting import Reporter


def test_the_first_time_of_a_session_says_that_the_client_id_is_ours() -> None:
    """Further answers say nothing, and the next session is told again."""
    reporter = Reporter(7)
    with structlog.testing.capture_logs() as lines:
        for epoch in (1, 1, 2, 2):
            reporter.told_time(BrokerTime(ts_recv_ns=1, epoch=epoch, time_ns=1))
    assert [(line["event"], line["client_id"], line["epoch"]) for line in lines] == [
        ("client_id_available", 7, 1),
        ("client_id_available", 7, 2),
    ]
