import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { EVIDENCE_NOW_MS as now, memberOf } from "../../../test/support/evidence.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { evidencePath, openEvidence } from "./evidence-database.ts";
import { EvidenceStoreError } from "./evidence-error.ts";
import { evidenceMigrations } from "./evidence-schema.ts";
import { EvidenceWriter } from "./evidence-writer.ts";

function filled(dataDir: string): string {
  const path = evidencePath(dataDir);
  using database = openEvidence(path, now).database;
  const members = Array.from({ length: 500 }, (_, at) => memberOf(`p${at}`));
  new EvidenceWriter(database).write(members, now);
  return path;
}

const damages: Readonly<Record<string, (path: string) => void>> = {
  "that is no database": (path) => writeFileSync(path, "nothing of the kind ".repeat(1_000)),
  "that was cut off": (path) => truncateSync(path, statSync(path).size - 8_192),
  "with a schema that is damaged": (path) => {
    const octets = readFileSync(path);
    writeFileSync(path, octets.fill(0xa5, 200, 4_000));
  },
  "of a newer portcullis": (path) => {
    using database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
  },
};

describe("evidence.db", () => {
  it("is for its owner only, and so is what is beside it", () => {
    using directory = temporaryDirectory();
    using database = openEvidence(evidencePath(directory.path), now).database;
    new EvidenceWriter(database).write([memberOf("p")], now);
    const files = readdirSync(directory.path);
    assert.deepEqual(files.toSorted(), ["evidence.db", "evidence.db-shm", "evidence.db-wal"]);
    for (const file of files) {
      assert.equal(statSync(join(directory.path, file)).mode & 0o777, 0o600, file);
    }
  });

  it("keeps since when it knows anything", () => {
    using directory = temporaryDirectory();
    filled(directory.path);
    using database = openEvidence(evidencePath(directory.path), now + 5).database;
    const meta = database.prepare("SELECT created_ms FROM meta").get();
    assert.equal(meta?.["created_ms"], now);
  });

  it("of an earlier schema is brought to the newest, with all that it knows", () => {
    using directory = temporaryDirectory();
    const path = evidencePath(directory.path);
    {
      using database = new DatabaseSync(path);
      database.exec(evidenceMigrations.slice(0, 2).join(""));
      database.exec("INSERT INTO meta VALUES (1, 5, 6); PRAGMA user_version = 2");
      database.exec("INSERT INTO spans VALUES (1, 8080, 1, 1, 2, 0, 0, 0)");
    }
    const { database, aside } = openEvidence(path, now);
    using _ = database;
    assert.equal(aside, undefined);
    const span = database.prepare("SELECT until_ms, open_meshed FROM spans").get();
    assert.deepEqual({ ...span }, { until_ms: 2, open_meshed: null });
    assert.equal(database.prepare("SELECT created_ms FROM meta").get()?.["created_ms"], 5);
  });

  for (const [what, damage] of Object.entries(damages)) {
    it(`${what} is set aside as it is, and begun anew`, () => {
      using directory = temporaryDirectory();
      const path = filled(directory.path);
      damage(path);
      const octets = readFileSync(path);
      const { database, aside } = openEvidence(path, now + 5);
      using _ = database;
      assert.deepEqual(readFileSync(aside?.path ?? ""), octets);
      assert.equal(statSync(aside?.path ?? "").mode & 0o777, 0o600);
      const meta = database.prepare("SELECT created_ms FROM meta").get();
      assert.equal(meta?.["created_ms"], now + 5);
      assert.equal(database.prepare("SELECT count(*) AS n FROM members").get()?.["n"], 0);
    });
  }

  it("is not set aside where it cannot be made", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "nowhere", "evidence.db");
    const isSaid = (error: unknown) =>
      error instanceof EvidenceStoreError && error.code === "evidence-unwritable";
    assert.throws(() => openEvidence(path, now), isSaid);
    assert.deepEqual(readdirSync(directory.path), []);
  });
});
