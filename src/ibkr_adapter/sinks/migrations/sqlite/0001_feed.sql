-- What is published, as it was published. Times are UTC nanoseconds. Prices are as IB delivers them; sizes and money
-- are decimals: NUMERIC where programs compare and add, TEXT where the exact digits are evidence.

CREATE TABLE ib_l1_ticks (
  instrument TEXT NOT NULL,
  ts_recv_ns INTEGER NOT NULL,
  ts_event_ns INTEGER,
  bid REAL,
  ask REAL,
  last REAL,
  bid_size NUMERIC,
  ask_size NUMERIC,
  last_size NUMERIC,
  open REAL,
  high REAL,
  low REAL,
  close REAL,
  volume NUMERIC,
  halted INTEGER,
  source TEXT NOT NULL
);
CREATE INDEX ib_l1_ticks_by_time ON ib_l1_ticks (instrument, ts_recv_ns);

-- The last moment at which each quote was known to be current: it changed then, or its line was proven alive.
CREATE TABLE ib_l1_current (
  instrument TEXT PRIMARY KEY,
  ts_recv_ns INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE ib_account_summary (
  ts_recv_ns INTEGER NOT NULL,
  account TEXT NOT NULL,
  tag TEXT NOT NULL,
  value TEXT NOT NULL,
  currency TEXT NOT NULL
);
CREATE INDEX ib_account_summary_by_time ON ib_account_summary (account, tag, ts_recv_ns);

CREATE TABLE ib_positions (
  ts_recv_ns INTEGER NOT NULL,
  account TEXT NOT NULL,
  instrument TEXT NOT NULL,
  con_id INTEGER,
  quantity TEXT NOT NULL,
  average_cost REAL NOT NULL
);
CREATE INDEX ib_positions_by_time ON ib_positions (account, instrument, ts_recv_ns);

-- Nothing of a stream was received, or kept, in between. count is NULL where nobody can know.
CREATE TABLE ib_data_gaps (
  stream TEXT NOT NULL,
  from_ns INTEGER NOT NULL,
  to_ns INTEGER NOT NULL,
  cause TEXT NOT NULL,
  count INTEGER
);
CREATE INDEX ib_data_gaps_by_time ON ib_data_gaps (stream, from_ns);
