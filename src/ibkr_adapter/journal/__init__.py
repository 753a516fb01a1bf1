"""The one log of truth about money: an append-only, hash-chained file of JSON lines.

Theory of operation. Every fact about orders, executions and our own connection is one record, numbered without holes.
Each record carries the hash of the one before it, so nothing can be changed, removed from the middle, inserted or moved
without every later hash being wrong. The core numbers the records; the writer thread (``writer``) chains and writes
what is queued, syncs once for the group, and only then says that it is durable. At start ``recover`` checks the whole
chain, cuts a last record that a crash left half written, and hands back what happened before. Projections read it with
``reader``; anybody can check it with ``python -m ibkr_adapter.journal.verify DIR``.

What a chain alone cannot show is a log that simply ends earlier than it did. For that the projections keep the number
and hash of the last record they saw, outside the journal, and compare.
"""
