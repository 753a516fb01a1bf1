"""When a list is whole."""

from __future__ import annotations

from ibkr_adapter.clock import SECOND
from ibkr_adapter.core.trading.downloads import Answer, Download, Downloads

TIMEOUT_NS = 10 * SECOND


def all_asked() -> Downloads:
    downloads = Downloads(TIMEOUT_NS)
    for download in Download:
        downloads.asked(download, 0)
    return downloads


def test_all_four_end_markers_make_it_complete():
    """Three are not enough: the absence of anything from a list proves something only when all have ended."""
    downloads = all_asked()
    for download in (Download.OPEN_ORDERS, Download.COMPLETED_ORDERS, Download.EXECUTIONS):
        assert downloads.end(download)
        assert not downloads.finished

    downloads.end(Download.POSITIONS)

    assert downloads.finished
    assert downloads.complete
    assert downloads.next_deadline_ns is None


def test_an_end_marker_nobody_waits_for_is_ignored():
    """Gateways send an end of open orders by themselves, before the accounts."""
    downloads = Downloads(TIMEOUT_NS)

    assert not downloads.end(Download.OPEN_ORDERS)

    assert not downloads.finished


def test_silence_through_one_retry_is_unconfirmed():
    """An empty executions list without its end marker has been seen: finished, but it proves nothing.

    Two later questions must have been answered: else it is the gateway that is silent.
    """
    downloads = all_asked()
    for download in (Download.OPEN_ORDERS, Download.COMPLETED_ORDERS, Download.POSITIONS):
        downloads.end(download)

    assert downloads.expired(TIMEOUT_NS - 1) == ()
    assert downloads.expired(TIMEOUT_NS) == (Download.EXECUTIONS,)
    downloads.asked(Download.EXECUTIONS, TIMEOUT_NS)
    assert downloads.tries(Download.EXECUTIONS) == 2
    for witness in (Download.OPEN_ORDERS, Download.COMPLETED_ORDERS):
        assert downloads.give_up(Download.EXECUTIONS) is Answer.WAITING
        downloads.asked(witness, TIMEOUT_NS)
        downloads.end(witness)
    assert downloads.give_up(Download.EXECUTIONS) is Answer.UNCONFIRMED

    assert downloads.finished
    assert not downloads.complete
    assert downloads.unconfirmed == (Download.EXECUTIONS,)


def test_rows_without_an_end_are_waited_for():
    """Half a list proves nothing, however long it stays half."""
    downloads = all_asked()
    downloads.row(Download.EXECUTIONS)

    assert downloads.give_up(Download.EXECUTIONS) is Answer.WAITING

    assert not downloads.finished


def test_a_late_end_marker_still_confirms():
    """Given up or not: the end is the end."""
    downloads = all_asked()
    downloads.give_up(Download.EXECUTIONS)

    assert downloads.end(Download.EXECUTIONS)

    assert downloads.answer(Download.EXECUTIONS) is Answer.COMPLETE


def test_the_next_deadline_is_the_earliest():
    """The alarm follows the download that was asked first and is still waited for."""
    downloads = Downloads(TIMEOUT_NS)
    downloads.asked(Download.OPEN_ORDERS, 3)
    downloads.asked(Download.EXECUTIONS, 5)
    assert downloads.next_deadline_ns == 3 + TIMEOUT_NS

    downloads.end(Download.OPEN_ORDERS)

    assert downloads.next_deadline_ns == 5 + TIMEOUT_NS
