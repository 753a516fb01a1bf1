"""The table of who used which client id."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ibkr_adapter.events import ClientIdRefused, JournalEvent, LossCause, SessionLost, SessionOpened, Started, Stopped
from ibkr_adapter.sinks.client_ids import last_uses
from tests.sinks.test_order_projection import projected

ADDRESS = "127.0.0.1:4002"


def started(at: int, pid: int = 100) -> Started:
    return Started(
        ts_recv_ns=at,
        version="0",
        boot_id="boot",
        environment="development",
        client_id=2,
        recovered_seq=0,
        component="risk_manager",
        host="desk-a",
        pid=pid,
    )


def opened(at: int, epoch: int = 1) -> SessionOpened:
    return SessionOpened(
        ts_recv_ns=at,
        epoch=epoch,
        gateway="a",
        client_id=2,
        server_version=203,
        connection_time="",
        address=ADDRESS,
    )


def lost(at: int, epoch: int = 1, cause: LossCause = LossCause.RESET) -> SessionLost:
    return SessionLost(ts_recv_ns=at, epoch=epoch, gateway="a", client_id=2, cause=cause, detail="gone")


REFUSED = ClientIdRefused(ts_recv_ns=12, epoch=1, gateway="a", client_id=2, address=ADDRESS, detail="already in use")


async def last(directory: Path, *events: JournalEvent) -> tuple[str, int, int | None, str]:
    use = last_uses(await projected(directory, *events))[2]
    assert (use.component, use.host, use.pid, use.address) == ("risk_manager", "desk-a", 100, ADDRESS)
    return use.outcome, use.from_ns, use.to_ns, use.detail


async def test_a_session_is_one_use_with_its_end(tmp_path: Path) -> None:
    """From the handshake to the loss, with its cause; open until then."""
    assert await last(tmp_path / "open", started(1), opened(10)) == ("open", 10, None, "")
    assert await last(tmp_path / "over", started(1), opened(10), lost(20)) == ("reset", 10, 20, "gone")


async def test_a_refusal_is_not_overwritten_by_the_loss_that_follows(tmp_path: Path) -> None:
    """326 closes the session; what the gateway said is why."""
    story = (started(1), opened(10), REFUSED, lost(13, cause=LossCause.CLOSED))
    assert await last(tmp_path, *story) == ("in_use", 10, 12, "already in use")


async def test_a_connection_that_never_opened_used_no_id(tmp_path: Path) -> None:
    """A gateway that is down is no use of a client id."""
    assert 2 not in last_uses(await projected(tmp_path, started(1), lost(5, cause=LossCause.REFUSED)))


async def test_a_use_whose_process_ended_without_a_word_is_closed_by_the_next(tmp_path: Path) -> None:
    """kill -9: nobody knows when, so no time is made up."""
    story = (started(1), opened(10), started(50, pid=101))
    use = last_uses(await projected(tmp_path, *story))[2]
    assert (use.outcome, use.from_ns, use.to_ns) == ("process_ended", 10, None)


async def test_every_process_has_its_line(tmp_path: Path) -> None:
    """What it ran as, and whether it ended in order."""
    store = await projected(tmp_path, started(1), Stopped(ts_recv_ns=9, boot_id="boot"))
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("SELECT component, client_id, host, pid, started_ns, stopped_ns FROM ib_processes")
        assert rows.fetchall() == [("risk_manager", 2, "desk-a", 100, 1, 9)]


def test_a_store_without_the_table_knows_nobody(tmp_path: Path) -> None:
    """One that is not there, or of an earlier release."""
    assert last_uses(tmp_path / "none.sqlite") == {}
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        connection.execute("CREATE TABLE other (x)")
        connection.commit()
    assert last_uses(tmp_path / "old.sqlite") == {}
