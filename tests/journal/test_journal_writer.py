from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ibkr_adapter.effects import Append
from ibkr_adapter.errors import AlreadyRunning, JournalError
from ibkr_adapter.journal.reader import read
from ibkr_adapter.journal.recover import recover
from ibkr_adapter.journal.verify import verify
from ibkr_adapter.journal.writer import JournalWriter
from tests.journals import Reports, write_journal
from tests.records import appends, execution, status

WRITING = [sys.executable, str(Path(__file__).parent / "writing_process.py")]


def make_writer(directory: Path, reports: Reports, **options) -> JournalWriter:
    return JournalWriter(
        directory,
        recover(directory),
        boot_id="boot",
        on_durable=reports.on_durable,
        on_failure=reports.on_failure,
        **options,
    )


class Disk:
    """A sync that waits to be let through, and fails when told to."""

    def __init__(self) -> None:
        self.synced = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.error: OSError | None = None

    def __call__(self, fd: int) -> None:
        self.synced.release()
        assert self.let.acquire(timeout=30)
        if self.error is not None:
            raise self.error
        os.fdatasync(fd)


def test_what_is_queued_while_the_disk_works_shares_one_sync(tmp_path: Path) -> None:
    """Each sync covers everything that came in before it, so a slow disk makes groups, not a backlog."""
    disk, reports = Disk(), Reports()
    writer = make_writer(tmp_path, reports, sync=disk)
    writer.start()
    writer.append(appends([status()]))
    assert disk.synced.acquire(timeout=30)
    for seq in range(2, 101):
        writer.append([Append(seq=seq, event=status())])
    assert writer.depth == 100
    assert repr(writer) == f"<JournalWriter {tmp_path} durable 0 waiting 100>"
    disk.let.release(2)
    reports.wait_durable(100)
    assert reports.durable == [1, 100]
    writer.close(30)


def test_a_record_is_on_disk_before_it_is_reported_durable(tmp_path: Path) -> None:
    """Nothing is reported before the sync has returned."""
    disk, reports = Disk(), Reports()
    writer = make_writer(tmp_path, reports, sync=disk)
    writer.start()
    writer.append(appends([status()]))
    assert disk.synced.acquire(timeout=30)
    assert reports.durable == []
    assert [seq for seq, _ in read(tmp_path)] == [1]
    disk.let.release()
    reports.wait_durable(1)
    writer.close(30)


def test_a_failed_sync_is_reported_once_and_nothing_is_durable_after_it(tmp_path: Path) -> None:
    """The sync is not tried again: after a failure the kernel's next success means nothing."""
    disk, reports = Disk(), Reports()
    disk.error = OSError(errno.EIO, "Input/output error")
    disk.let.release(10)
    writer = make_writer(tmp_path, reports, sync=disk)
    writer.start()
    writer.append(appends([status()]))
    assert reports.wait_failed() == f"Input/output error ({tmp_path})"
    disk.error = None
    writer.append([Append(seq=2, event=status())])
    writer.close(30)
    assert reports.durable == []
    assert reports.failures == [writer.failure]
    assert disk.synced.acquire(timeout=30)
    assert not disk.synced.acquire(blocking=False)
    assert repr(writer) == f"<JournalWriter {tmp_path} failed: {writer.failure} waiting 2>"


def test_a_full_disk_fails_the_journal_and_leaves_a_valid_one(tmp_path: Path) -> None:
    """A write the file system refuses is a failure; what was durable before is all there at the next start."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "from tests.journal import writing_process; writing_process.main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), "1000000"],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert run.returncode != 0, run
    reported = int(run.stdout.split()[-1]) if run.stdout else 0
    recovery = recover(tmp_path)
    recovery.close()
    assert recovery.last_seq >= reported
    assert "File too large" in run.stderr


def test_a_record_that_json_cannot_hold_fails_the_journal(tmp_path: Path) -> None:
    """A fill without a number for its price is not dropped in silence: the journal fails, naming it."""
    reports = Reports()
    writer = make_writer(tmp_path, reports)
    writer.start()
    writer.append(appends([execution(price=float("nan"))]))
    assert "record 1 (execution) cannot be written" in reports.wait_failed()
    writer.close(30)
    assert verify(tmp_path).last_seq == 0


def test_a_number_out_of_turn_is_our_defect(tmp_path: Path) -> None:
    """Numbers are consecutive; a hole, a repeat or a start elsewhere raises and queues nothing."""
    writer = make_writer(tmp_path, Reports())
    for seqs in ([2], [1, 3], [0, 1]):
        with pytest.raises(JournalError, match="given to the journal where"):
            writer.append([Append(seq=seq, event=status()) for seq in seqs])
    writer.append([])
    writer.append(appends([status(), status()]))
    assert writer.depth == 2
    writer.close(30)


def test_a_disk_that_does_not_answer_fails_the_journal_at_the_bound(tmp_path: Path) -> None:
    """Records are never dropped to make room: the journal fails, and even a late answer of the disk is not reported."""
    disk, reports = Disk(), Reports()
    writer = make_writer(tmp_path, reports, sync=disk, queue_records=3)
    writer.start()
    writer.append(appends([status()]))
    assert disk.synced.acquire(timeout=30)
    writer.append(appends([status()] * 4, 1))
    assert reports.failures == ["the disk is too slow: 3 records wait for it"]
    disk.let.release()
    writer.close(30)
    assert reports.durable == []


def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    """Close drains and syncs; the lock is free afterwards."""
    reports = Reports()
    writer = make_writer(tmp_path, reports)
    writer.append(appends([status()] * 50))
    writer.start()
    writer.close(30)
    assert reports.durable[-1] == 50
    recovery = recover(tmp_path)
    assert repr(recovery) == f"<Recovery {tmp_path} last record 50>"
    recovery.close()


def test_closing_says_when_the_disk_does_not_let_it(tmp_path: Path) -> None:
    """A close that cannot drain in time raises; it does not pretend, and it does not wait for ever."""
    disk = Disk()
    writer = make_writer(tmp_path, Reports(), sync=disk)
    writer.start()
    writer.append(appends([status()]))
    with pytest.raises(JournalError, match=r"1 records were not written within 0\.01 s"):
        writer.close(0.01)
    disk.let.release()
    writer.close(30)


def test_files_are_private_and_start_anew_when_full(tmp_path: Path) -> None:
    """Only the owner can read the journal; a full file is followed by one named after its first record."""
    directory = tmp_path / "journal"
    write_journal(directory, [status()] * 5, segment_bytes=1_000)
    names = sorted(path.name for path in directory.glob("journal-*"))
    assert names == [f"journal-{seq:016d}.jsonl" for seq in (1, 3, 5)]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    assert write_journal(directory, [status()] * 5, segment_bytes=1_000) == 10
    assert verify(directory).last_seq == 10


def test_a_directory_that_cannot_be_used_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """A journal on something that is no directory is an error an operator can act on."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="must be a directory this user can write"):
        recover(tmp_path / "file" / "journal")


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_it_holds_all_that_was_reported_durable(tmp_path: Path, seed: int) -> None:
    """kill -9 at random moments, restart after restart: the chain verifies and no durable record is missing."""
    draw = random.Random(seed)
    for _ in range(2):
        process = subprocess.Popen([*WRITING, str(tmp_path), "20000"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(draw.randrange(1, 40)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        process.stdout.close()
        recovery = recover(tmp_path)
        reported = [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
        assert recovery.last_seq >= max(reported, default=0)
        assert [seq for seq, _ in recovery.events()] == list(range(1, recovery.last_seq + 1))
        recovery.close()
    assert recovery.last_seq > 0


def test_a_second_process_is_kept_out_and_told_who_is_there(tmp_path: Path) -> None:
    """While one process writes, another can neither recover nor cut what it takes for a torn end."""
    process = subprocess.Popen([*WRITING, str(tmp_path), "1000000"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(AlreadyRunning, match=f"in use by process {process.pid}") as refused:
            recover(tmp_path)
        assert "another state directory" in refused.value.remedy
        assert verify(tmp_path).last_seq > 0
    finally:
        process.kill()
        process.communicate()
    recover(tmp_path).close()
