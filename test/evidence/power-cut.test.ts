/**
 * What a power cut may leave of `evidence.db`: of its write-ahead log what had reached the disk. Whatever that is, no span is there without
 * what was seen in it, and once its agent goes on, nothing is covered from what is left until then.
 */

import assert from "node:assert/strict";
import { copyFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import * as fc from "fast-check";
import { evidencePath, openEvidence } from "../../src/edge/evidence/evidence-database.ts";
import { EvidenceWriter } from "../../src/edge/evidence/evidence-writer.ts";
import { coverageOf, EVIDENCE_NOW_MS, memberOf, reportOf, seenOf } from "../support/evidence.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const reports = 40;

/** Each has a connection and ten milliseconds of coverage. */
function reportAt(sequence: number) {
  const atMs = EVIDENCE_NOW_MS + sequence * 10;
  const coverage = [coverageOf(atMs - 10, atMs)];
  return reportOf({ proxy: "p", sequence, seen: [seenOf(atMs)], coverage });
}

it("a power cut loses the newest reports, whole, and shows it", () => {
  using directory = temporaryDirectory();
  const path = evidencePath(directory.path);
  openEvidence(path, EVIDENCE_NOW_MS).database.close();
  using database = openEvidence(path, EVIDENCE_NOW_MS).database;
  const writer = new EvidenceWriter(database);
  writer.write([memberOf("p")], EVIDENCE_NOW_MS);
  for (let at = 1; at <= reports; at++) writer.write([reportAt(at)], EVIDENCE_NOW_MS);
  const { size } = statSync(`${path}-wal`);
  const lost = new Set<number>();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: size }), (length) => {
      using disk = temporaryDirectory();
      const copy = join(disk.path, "evidence.db");
      copyFileSync(path, copy);
      copyFileSync(`${path}-wal`, `${copy}-wal`);
      truncateSync(`${copy}-wal`, length);
      const opened = openEvidence(copy, EVIDENCE_NOW_MS);
      using left = opened.database;
      assert.equal(opened.aside, undefined);
      const row = left
        .prepare(
          "SELECT sequence, total, callers.last_ms, until_ms FROM reports, callers, spans WHERE epoch_ms > 0",
        )
        .get();
      const sequence = Number(row?.["sequence"] ?? 0);
      const newest = EVIDENCE_NOW_MS + sequence * 10;
      if (row !== undefined) {
        assert.deepEqual(
          { ...row },
          { sequence, total: sequence, last_ms: newest, until_ms: newest },
        );
      }
      lost.add(reports - sequence);
      // Its agent was acknowledged, and goes on.
      new EvidenceWriter(left).write([memberOf("p"), reportAt(reports + 1)], EVIDENCE_NOW_MS);
      const spans = left.prepare("SELECT since_ms, until_ms FROM spans ORDER BY since_ms").all();
      const isWhole = sequence === reports;
      assert.equal(spans.length, isWhole || sequence === 0 ? 1 : 2);
      const sinceMs = EVIDENCE_NOW_MS + (isWhole ? 0 : (reports + 1) * 10);
      assert.equal(spans.at(-1)?.["since_ms"], sinceMs);
    }),
    { numRuns: 100, examples: [[0], [size]] },
  );
  assert.ok(lost.size > 10);
});
