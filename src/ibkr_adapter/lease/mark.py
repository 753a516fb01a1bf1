"""The highest epoch this machine has seen, on disk: it outlives a Redis that forgets."""

from __future__ import annotations

import os
from pathlib import Path

from ibkr_adapter.errors import StoreError


class EpochMark:
    """One number in a file, replaced as a whole and synced before ``rise`` returns."""

    def __init__(self, path: Path) -> None:
        """Raises ``StoreError`` for a file that does not hold a number: going on from 0 would undo the fence."""
        self.path = path
        try:
            self.epoch = int(path.read_text("ascii")) if path.exists() else 0
        except (OSError, ValueError) as error:
            raise StoreError(
                f"the mark of lease epochs {path} cannot be read: {error}",
                remedy="write the highest epoch ever used into it; ib:clientid:<id> in Redis has the present one",
            ) from error

    def rise(self, epoch: int) -> None:
        """Raises ``StoreError`` when it cannot be made durable."""
        if epoch <= self.epoch:
            return
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
                file.write(f"{epoch}\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise StoreError(
                f"the mark of lease epochs {self.path} cannot be written: {error.strerror}", remedy="check the disk"
            ) from error
        self.epoch = epoch
