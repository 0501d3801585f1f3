/** What `evidence.db` is after `kill -9`: all that was acknowledged is there, and no span is there without what was seen in it. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { evidencePath, openEvidence } from "../../src/edge/evidence/evidence-database.ts";
import { EVIDENCE_NOW_MS } from "../support/evidence.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const program = join(import.meta.dirname, "reporting-process.ts");
const preload = join(import.meta.dirname, "..", "log", "kill-at-durable.ts");

interface Kill {
  readonly durable?: string;
  readonly afterMs?: number;
}

/** @returns the last report of each agent that was acknowledged */
async function report(directory: string, first: number, kill: Kill): Promise<Map<string, number>> {
  const saidFile = join(directory, "said");
  writeFileSync(saidFile, "");
  const args = ["--import", preload, program, directory, saidFile, String(first)];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PORTCULLIS_TEST_KILL: kill.durable ?? "" },
  });
  if (kill.afterMs !== undefined) {
    child.stdout.once("data", () => setTimeout(() => child.kill("SIGKILL"), kill.afterMs));
  }
  const [code, signal] = await once(child, "exit");
  assert.equal(signal, "SIGKILL", `it ended with ${code} before it was killed`);
  const lines = readFileSync(saidFile, "utf8").split("\n").slice(0, -1);
  return new Map(lines.map((line) => line.split(" ")).map(([agent = "", n]) => [agent, Number(n)]));
}

/** @returns the newest report that is there */
function expectWhole(directory: string, acknowledged: ReadonlyMap<string, number>): number {
  const { database, aside } = openEvidence(evidencePath(directory), EVIDENCE_NOW_MS);
  using _ = database;
  assert.equal(aside, undefined);
  const rows = database
    .prepare(
      "SELECT name, sequence, total, until_ms, last_ms FROM members JOIN reports ON reports.reporter = name" +
        " JOIN callers ON callers.member = members.id" +
        " JOIN spans ON spans.member = members.id",
    )
    .all();
  for (const { name, sequence, total, until_ms: untilMs, last_ms: lastMs } of rows) {
    const newest = EVIDENCE_NOW_MS + Number(sequence) * 10;
    assert.deepEqual([total, untilMs, lastMs], [sequence, newest, newest], String(name));
    assert.ok(Number(sequence) >= (acknowledged.get(String(name)) ?? 0), "it was acknowledged");
  }
  assert.ok(rows.length >= acknowledged.size);
  return Math.max(0, ...rows.map(({ sequence }) => Number(sequence)));
}

describe("kill -9", () => {
  for (const moment of ["before", "after"]) {
    it(`${moment} a write leaves all that was acknowledged, and nothing by half`, async () => {
      using directory = temporaryDirectory();
      let first = 1;
      for (const count of [1, 2, 5]) {
        const durable = `evidence-write:${moment}:${count}`;
        const acknowledged = await report(directory.path, first, { durable });
        first = expectWhole(directory.path, acknowledged) + 1;
      }
    });
  }

  it("at any moment leaves all that was acknowledged, one time after the other", async () => {
    using directory = temporaryDirectory();
    let first = 1;
    for (const afterMs of [0, 60, 111, 173, 240]) {
      const acknowledged = await report(directory.path, first, { afterMs });
      first = expectWhole(directory.path, acknowledged) + 1;
    }
    assert.ok(first > 3);
  });
});
