"""Ids of requests: whose answer it is, without a doubt."""

from __future__ import annotations

from ibkr_adapter.core.request_ids import REQUEST_ID_FIRST, ReqIdCounter


def test_request_ids_only_go_up_and_stay_clear_of_orders():
    """Requests start at a thousand million; orders are below, and 9001 is the pinned depth subscription's."""
    ids = ReqIdCounter()
    taken = [ids.take() for _ in range(1_000)]

    assert taken == sorted(set(taken))
    assert min(taken) == REQUEST_ID_FIRST == 1_000_000_000
