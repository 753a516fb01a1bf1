"""A process that writes a journal as fast as it can and says what is durable, until it is killed.

python writing_process.py DIRECTORY SEGMENT_BYTES
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ibkr_adapter.effects import Append
from ibkr_adapter.journal.recover import recover
from ibkr_adapter.journal.writer import JournalWriter
from tests.records import execution


def fail(why: str) -> None:
    os.write(2, why.encode())
    os._exit(1)


def main() -> None:
    recovery = recover(Path(sys.argv[1]))
    room = threading.Semaphore(500)
    durable_seq = recovery.last_seq

    def on_durable(seq: int) -> None:
        nonlocal durable_seq
        os.write(1, b"%d\n" % seq)
        room.release(seq - durable_seq)
        durable_seq = seq

    writer = JournalWriter(
        Path(sys.argv[1]),
        recovery,
        boot_id="boot",
        on_durable=on_durable,
        on_failure=fail,
        segment_bytes=int(sys.argv[2]),
    )
    writer.start()
    for seq in itertools.count(recovery.last_seq + 1):
        room.acquire()
        writer.append([Append(seq=seq, event=execution(f"{seq}.01"))])


if __name__ == "__main__":
    main()
