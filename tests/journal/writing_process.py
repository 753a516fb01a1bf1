"""A process that writes a journal as fast as it can and says what is durable, until it is killed.

python writing_process.py DIRECTORY SEGMENT_BYTES
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from ibkr_adapter.effects import Append
from ibkr_adapter.journal.recover import recover
from ibkr_adapter.journal.writer import JournalWriter
from records import execution


def fail(why: str) -> None:
    os.write(2, why.encode())
    os._exit(1)


def main() -> None:
    recovery = recover(Path(sys.argv[1]))
    writer = JournalWriter(
        Path(sys.argv[1]),
        recovery,
        boot_id="boot",
        on_durable=lambda seq: os.write(1, b"%d\n" % seq) and None,
        on_failure=fail,
        segment_bytes=int(sys.argv[2]),
    )
    writer.start()
    seq = recovery.last_seq
    while True:
        if writer.depth < 500:
            seq += 1
            writer.append([Append(seq=seq, event=execution(f"{seq}.01"))])


if __name__ == "__main__":
    main()
