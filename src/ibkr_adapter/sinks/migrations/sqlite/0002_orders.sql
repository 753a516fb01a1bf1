-- The projection of the journal. Each table can be thrown away and built again from the journal; seq is the number of
-- the record a row comes from. Quantities and money are decimals in TEXT.

-- How far the journal has been projected; committed with the rows. The hash ties this store to that journal.
CREATE TABLE ib_journal_cursor (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL
);
INSERT INTO ib_journal_cursor VALUES (1, 0, '');

-- What each order was last stated to be; seq is the number of that statement. Orders of ours under our own key; orders
-- of others, which we merely see, under perm:<perm_id>.
CREATE TABLE ib_orders (
  order_key TEXT PRIMARY KEY,
  ours INTEGER NOT NULL,
  client_id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  gateway TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  actor TEXT NOT NULL,
  account TEXT NOT NULL,
  instrument TEXT NOT NULL,
  con_id INTEGER,
  action TEXT NOT NULL,
  order_type TEXT NOT NULL,
  quantity TEXT NOT NULL,
  limit_price TEXT,
  tif TEXT NOT NULL,
  outside_rth INTEGER NOT NULL,
  state TEXT NOT NULL,
  detail TEXT NOT NULL,
  filled TEXT NOT NULL,
  remaining TEXT NOT NULL,
  average_price REAL,
  commission TEXT,
  cancel_asked INTEGER NOT NULL,
  created_ns INTEGER NOT NULL,
  updated_ns INTEGER NOT NULL,
  seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX ib_orders_by_order_id ON ib_orders (client_id, order_id);

-- IB may give one order several permanent ids in its life.
CREATE TABLE ib_order_perm_ids (
  perm_id INTEGER NOT NULL,
  order_key TEXT NOT NULL,
  PRIMARY KEY (perm_id, order_key)
) WITHOUT ROWID;

CREATE TABLE ib_order_events (
  seq INTEGER PRIMARY KEY,
  ts_recv_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  order_key TEXT,
  body TEXT NOT NULL
);
CREATE INDEX ib_order_events_by_order ON ib_order_events (order_key, seq);

-- A correction repeats base_id with a higher revision; the rows that count are those with superseded_by NULL.
CREATE TABLE ib_executions (
  account TEXT NOT NULL,
  exec_id TEXT NOT NULL,
  base_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  superseded_by TEXT,
  order_key TEXT,
  client_id INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  perm_id INTEGER NOT NULL,
  instrument TEXT NOT NULL,
  con_id INTEGER,
  side TEXT NOT NULL,
  quantity TEXT NOT NULL,
  price REAL NOT NULL,
  cumulative_quantity TEXT NOT NULL,
  average_price REAL NOT NULL,
  exchange TEXT NOT NULL,
  liquidity INTEGER NOT NULL,
  commission TEXT,
  commission_currency TEXT,
  realized_pnl REAL,
  ts_event_ns INTEGER,
  ts_recv_ns INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (account, exec_id)
) WITHOUT ROWID;
CREATE INDEX ib_executions_by_exec_id ON ib_executions (exec_id);
CREATE INDEX ib_executions_by_base_id ON ib_executions (account, base_id);
CREATE INDEX ib_executions_by_order ON ib_executions (order_key);

-- A commission may come before its execution; it waits here and is joined when that comes.
CREATE TABLE ib_commissions (
  exec_id TEXT PRIMARY KEY,
  commission TEXT NOT NULL,
  currency TEXT NOT NULL,
  realized_pnl REAL,
  seq INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE ib_connections (
  seq INTEGER PRIMARY KEY,
  ts_recv_ns INTEGER NOT NULL,
  boot TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  gateway TEXT NOT NULL,
  client_id INTEGER NOT NULL,
  event TEXT NOT NULL,
  server_version INTEGER,
  cause TEXT,
  detail TEXT NOT NULL DEFAULT ''
);

-- Records that this store refused, and why. Each is in the journal under its number; nothing of it is in the tables.
CREATE TABLE ib_quarantine (
  seq INTEGER PRIMARY KEY,
  ts_recv_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  error TEXT NOT NULL
);
