/** The schema, as numbered steps. A step that has been released is never edited; `PRAGMA user_version` counts them. */

export const migrations: readonly string[] = [
  `
  CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT;

  CREATE TABLE trust_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    document TEXT NOT NULL CHECK (length(document) <= 16384)
  ) STRICT;

  CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY,
    pkcs8 BLOB NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;
  `,
];
