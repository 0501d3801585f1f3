/**
 * The schema of the log, as numbered steps. A step that has been released is never edited; `PRAGMA user_version` counts
 * them. Only `entries` and `head` are the log: tiles and the index of certificates can be made from them.
 */

export const logMigrations: readonly string[] = [
  `
  CREATE TABLE entries (
    idx INTEGER PRIMARY KEY,
    data BLOB NOT NULL CHECK (length(data) <= 8192)
  ) STRICT;

  -- Full ones only. The root stands before the hashes, so that it is read without them.
  CREATE TABLE tiles (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, idx)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE authorities (
    id INTEGER PRIMARY KEY,
    key_id TEXT NOT NULL UNIQUE
  ) STRICT;

  -- The id is the index of its first intent.
  CREATE TABLE identities (
    name TEXT PRIMARY KEY,
    id INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- By the index of the intent: rows grow at the end, and only the serial's index at random places.
  CREATE TABLE certificates (
    intent INTEGER PRIMARY KEY,
    serial BLOB NOT NULL UNIQUE CHECK (length(serial) BETWEEN 1 AND 20),
    artifact INTEGER NOT NULL,
    identity INTEGER NOT NULL,
    authority INTEGER NOT NULL,
    not_after_s INTEGER NOT NULL,
    result INTEGER,
    outcome INTEGER
  ) STRICT;

  CREATE INDEX certificates_of_identity ON certificates (identity, artifact, not_after_s);

  CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    -- No intent before it is without a result.
    open_from INTEGER NOT NULL,
    -- The data of the entries before it is gone.
    pruned_to INTEGER NOT NULL,
    -- For whoever has no better source of it: the log names its own key.
    verifier_key TEXT NOT NULL
  ) STRICT;

  INSERT INTO head (id, size, checkpoint, open_from, pruned_to, verifier_key)
    VALUES (1, 0, '', 0, 0, '');
  `,
];
