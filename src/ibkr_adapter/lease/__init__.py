"""Who may use a client id: on this machine by a locked file, between machines by a key in Redis with an epoch."""

from ibkr_adapter.lease.file_lock import FileLock, Holder, Lease, holder_of, lock_path, locks_of, shared_directory

__all__ = ["FileLock", "Holder", "Lease", "holder_of", "lock_path", "locks_of", "shared_directory"]
