"""Where the feed and the journal are copied to: SQLite and Redis.

Two kinds. A *feed sink* (``SqliteSink``, ``RedisSink``) writes what is published while it is published; what it cannot
keep up with is dropped, counted and written as a gap. A *projection* (``SqliteProjection``, ``RedisOrders``) copies the
journal: it is woken by new records but always reads them from the journal after its own cursor, so it can be down for a
day and lose nothing. Each runs under its own ``SinkRunner``; none can hold up the feed or an order.
"""
