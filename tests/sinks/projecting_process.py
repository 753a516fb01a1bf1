"""A process that projects a journal one record at a time and says how far it is, until it is killed.

python projecting_process.py STORE JOURNAL FOUND_SEQ LAST_SEQ
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ibkr_adapter.events import Recorded
from ibkr_adapter.sinks.projection import SqliteProjection
from ibkr_adapter.sinks.sqlite import SqliteStore
from tests.records import status


async def main(store: str, journal: str, found_seq: int, last_seq: int) -> None:
    projection = SqliteProjection(SqliteStore(Path(store)), Path(journal), durable_seq=found_seq)
    await projection.open()
    for seq in range(found_seq, last_seq + 1):
        await projection.write([Recorded(ts_recv_ns=1, seq=seq, record=status())])
        os.write(1, b"%d\n" % seq)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4])))
