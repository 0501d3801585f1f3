/** The schema of `evidence.db`, as numbered steps. A step that has been released is never edited; `PRAGMA user_version` counts them. */

export const evidenceMigrations: readonly string[] = [
  `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- Nothing is known of before.
    created_ms INTEGER NOT NULL,
    -- When the server was last seen at work.
    known_ms INTEGER NOT NULL
  ) STRICT;

  -- Of each life of an agent: up to where its reports are in this file.
  CREATE TABLE reports (
    reporter TEXT NOT NULL,
    run TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    -- Of the last one, JSON: of whom nothing was kept.
    unproven TEXT NOT NULL,
    PRIMARY KEY (reporter, run)
  ) STRICT, WITHOUT ROWID;

  -- A life of a proxy under one set of labels. Ids are never given twice.
  CREATE TABLE members (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    proxy TEXT NOT NULL,
    reporter TEXT NOT NULL,
    spiffe_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    -- JSON, sorted pairs; '' while nobody has said them.
    labels TEXT NOT NULL,
    born_ms INTEGER NOT NULL,
    gone_ms INTEGER
  ) STRICT;
  CREATE INDEX members_of_proxy ON members (proxy, id);
  CREATE INDEX members_of_namespace ON members (namespace, gone_ms);
  CREATE INDEX members_open ON members (id) WHERE gone_ms IS NULL;

  CREATE TABLE sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    last_hour INTEGER NOT NULL,
    UNIQUE (kind, name)
  ) STRICT;

  -- With the hour in which it was seen last: a report changes rows that lie together, and no others.
  CREATE TABLE callers (
    member INTEGER NOT NULL,
    port INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    -- 0: others.
    source INTEGER NOT NULL,
    id INTEGER NOT NULL UNIQUE,
    ever_first_ms INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    -- Within that hour.
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    -- Of all hours.
    total INTEGER NOT NULL,
    claim TEXT NOT NULL,
    PRIMARY KEY (member, port, kind, refused, source)
  ) STRICT, WITHOUT ROWID;

  -- Earlier hours of a caller. The total is of this and all before: what lies between two times is a difference, however long that is.
  CREATE TABLE hours (
    caller INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (caller, hour)
  ) STRICT, WITHOUT ROWID;

  -- What an agent can answer for, of one life of an Envoy; joined.
  CREATE TABLE spans (
    member INTEGER NOT NULL,
    port INTEGER NOT NULL,
    epoch_ms INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    lost_unmeshed INTEGER NOT NULL,
    lost_meshed INTEGER NOT NULL,
    open_unnamed INTEGER NOT NULL,
    PRIMARY KEY (member, port, epoch_ms, since_ms)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE addresses (
    address TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    -- NAMESPACE/NAME
    workload TEXT NOT NULL,
    meshed INTEGER NOT NULL,
    until_ms INTEGER,
    PRIMARY KEY (address, since_ms, workload, meshed)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Until then what is covered is covered by reports of which one is not here.
  ALTER TABLE reports ADD COLUMN lost_ms INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- At its end; NULL: not told.
  ALTER TABLE spans ADD COLUMN open_meshed INTEGER;
  -- Until then something of it was told and not kept.
  ALTER TABLE members ADD COLUMN lost_ms INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX members_of_identity ON members (spiffe_id, gone_ms);
  `,
];
