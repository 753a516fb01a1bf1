-- Every process that wrote the journal, and what it ran as.
CREATE TABLE ib_processes (
  boot TEXT PRIMARY KEY,
  component TEXT NOT NULL,
  client_id INTEGER NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started_ns INTEGER NOT NULL,
  stopped_ns INTEGER,
  seq INTEGER NOT NULL
) WITHOUT ROWID;

-- Every use of a client id at a gateway: one row for each session. outcome: open, in_use (326), process_ended, or why
-- the session was lost; to_ns is empty while it is open, and where the process ended without a word.
CREATE TABLE ib_client_ids (
  boot TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  client_id INTEGER NOT NULL,
  component TEXT NOT NULL,
  gateway TEXT NOT NULL,
  address TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  from_ns INTEGER NOT NULL,
  to_ns INTEGER,
  outcome TEXT NOT NULL,
  detail TEXT NOT NULL DEFAULT '',
  seq INTEGER NOT NULL,
  PRIMARY KEY (boot, epoch)
) WITHOUT ROWID;
CREATE INDEX ib_client_ids_by_id ON ib_client_ids (client_id, from_ns);
