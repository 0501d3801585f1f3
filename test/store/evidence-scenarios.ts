/** The durable writes of `evidence.db`, as `durable-scenarios` has those of the store. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { ReportChange } from "../../src/edge/evidence/evidence-change.ts";
import { evidencePath, openEvidence } from "../../src/edge/evidence/evidence-database.ts";
import { EvidencePruner } from "../../src/edge/evidence/evidence-pruner.ts";
import { EvidenceWriter } from "../../src/edge/evidence/evidence-writer.ts";
import type { DurableWrite } from "../../src/edge/store/durable.ts";
import type { Scenario } from "./durable-scenarios.ts";

type EvidenceWrite = Extract<DurableWrite, `evidence-${string}`>;

const nowMs = 1_795_521_600_000;
const hourMs = 3_600_000;
const proxy = "spiffe://mesh.test/ns/shop/sa/web a spiffe://mesh.test/ns/shop/sa/web web-0";
const named = { spiffeId: "spiffe://mesh.test/ns/shop/sa/web", namespace: "shop", name: "web-0" };
const member = {
  kind: "member",
  proxy,
  reporter: "a",
  ...named,
  labels: "[]",
  atMs: nowMs,
} as const;
const seen = {
  port: 8080,
  kind: "plaintext",
  isRefused: false,
  source: { kind: "address", address: "10.0.0.1" },
  firstMs: nowMs,
  lastMs: nowMs,
  count: 1,
  claim: "",
} as const;
const covered = { port: 8080, sinceMs: nowMs, untilMs: nowMs + 1, lostUnmeshed: 0, lostMeshed: 0 };
const report: ReportChange = {
  kind: "report",
  reporter: "a",
  runId: "ab".repeat(16),
  sequence: 1,
  atMs: nowMs,
  unproven: [],
  proxies: [{ proxy, epochMs: nowMs, seen: [seen], coverage: [{ ...covered, openUnnamed: 0 }] }],
};

function withEvidence<T>(dataDir: string, work: (database: DatabaseSync) => T): T {
  const { database } = openEvidence(evidencePath(dataDir), nowMs);
  using _ = database;
  return work(database);
}

/** Without opening it as the server does, which would complete what was left. */
function count(dataDir: string, table: string): number {
  using database = new DatabaseSync(evidencePath(dataDir));
  return Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.["count"]);
}

const open = (dataDir: string): void => withEvidence(dataDir, () => {});
const write = (dataDir: string): void =>
  withEvidence(dataDir, (database) => {
    new EvidenceWriter(database).write([member, report], nowMs);
  });

export const evidenceScenarios: Readonly<Record<EvidenceWrite, Scenario>> = {
  "evidence-create": { write: open, isThere: (dir) => existsSync(evidencePath(dir)) },
  "evidence-schema": {
    write: open,
    isThere: (dir) => {
      using database = new DatabaseSync(evidencePath(dir));
      return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]) > 0;
    },
  },
  "evidence-write": {
    prepare: open,
    write,
    isThere: (dir) => {
      const counts = ["reports", "members", "callers", "spans"].map((table) => count(dir, table));
      assert.equal(new Set(counts).size, 1, "a report is half there");
      return counts[0] === 1;
    },
  },
  "evidence-prune": {
    prepare: write,
    write: (dir) =>
      withEvidence(dir, (database) => {
        const pruner = new EvidencePruner(database);
        while (pruner.prune(nowMs + 2 * hourMs));
      }),
    isThere: (dir) => {
      return count(dir, "callers") === 0;
    },
  },
  "evidence-aside": {
    prepare: (dir) => writeFileSync(evidencePath(dir), "no database".repeat(100), { mode: 0o600 }),
    write: open,
    isThere: (dir) => readdirSync(dir).some((name) => name.startsWith("evidence.db.aside-")),
  },
};
