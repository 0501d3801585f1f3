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
  `
  CREATE TABLE join_tokens (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    spiffe_id TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE enrolments (
    serial_hex TEXT PRIMARY KEY,
    spiffe_id TEXT NOT NULL,
    token_at_ms INTEGER NOT NULL,
    not_after_ms INTEGER NOT NULL
  ) STRICT;

  CREATE INDEX enrolments_of_chain ON enrolments (spiffe_id, token_at_ms);
  `,
  // Chains of before go on; nobody can tell any more by which tokens they began. rowid is the order of renewals.
  `
  CREATE TABLE enrolments_by_token (
    serial_hex TEXT PRIMARY KEY,
    join_token_id TEXT NOT NULL,
    spiffe_id TEXT NOT NULL,
    token_at_ms INTEGER NOT NULL,
    not_after_ms INTEGER NOT NULL
  ) STRICT;

  INSERT INTO enrolments_by_token (serial_hex, join_token_id, spiffe_id, token_at_ms, not_after_ms)
    SELECT serial_hex, 'unknown-' || token_at_ms || '-' || spiffe_id, spiffe_id, token_at_ms, not_after_ms
    FROM enrolments ORDER BY rowid;

  DROP TABLE enrolments;
  ALTER TABLE enrolments_by_token RENAME TO enrolments;
  CREATE INDEX enrolments_of_chain ON enrolments (join_token_id);
  `,
  // The list has a sequence of its own: that of the newest denial is given once, also where it was removed again.
  `
  CREATE TABLE denials (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('identity', 'serial')),
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    operator TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    until_ms INTEGER
  ) STRICT;

  CREATE TABLE deny_list (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL
  ) STRICT;

  INSERT INTO deny_list (id, sequence) VALUES (1, 0);
  `,
  // Of a rotation: whose evidence is gone without, for which roots (the sequence since which they are trusted), and until when.
  `
  CREATE TABLE waivers (
    name TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    operator TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    roots_sequence TEXT NOT NULL
  ) STRICT;
  `,
  // The configuration: of its directory, and as applied. The sequence counts its changes.
  `
  CREATE TABLE resources (
    layer TEXT NOT NULL CHECK (layer IN ('directory', 'applied')),
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    manifest TEXT NOT NULL,
    PRIMARY KEY (layer, kind, namespace, name)
  ) STRICT;

  CREATE TABLE resource_set (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL
  ) STRICT;

  INSERT INTO resource_set (id, sequence) VALUES (1, 0);
  `,
  // Flips to strict, whole, and whose calls or silence do not count for which target.
  `
  CREATE TABLE flips (
    id INTEGER PRIMARY KEY,
    document TEXT NOT NULL
  ) STRICT;

  CREATE TABLE caller_waivers (
    target TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    operator TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    target_text TEXT NOT NULL,
    PRIMARY KEY (target, name)
  ) STRICT;
  `,
  // The configuration has a third layer: what a cluster has.
  `
  CREATE TABLE resources_of_layers (
    layer TEXT NOT NULL CHECK (layer IN ('directory', 'applied', 'cluster')),
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    manifest TEXT NOT NULL,
    PRIMARY KEY (layer, kind, namespace, name)
  ) STRICT;

  INSERT INTO resources_of_layers (layer, kind, namespace, name, origin, manifest)
    SELECT layer, kind, namespace, name, origin, manifest FROM resources;

  DROP TABLE resources;
  ALTER TABLE resources_of_layers RENAME TO resources;
  `,
];
